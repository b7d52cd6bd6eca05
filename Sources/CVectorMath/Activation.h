// Activations and their slopes, sixteen elements at a time. Not here: loops over buffers (Activations.c, Product.c).
#ifndef FANOISE_ACTIVATION_H
#define FANOISE_ACTIVATION_H

#include "CVectorMath.h"
#include "Vector.h"

/// σ(x) = 1 / (1 + e^-x); 0 and 1 at the ends.
INLINE v16 sigmoid(v16 x) { return 1.0f / (1.0f + v_exp(smaller((v16)87.0f, -x))); }

/// σ(x) and σ'(x) = σ (1 - σ), the latter as e^-x σ²: 1 - σ would cancel where x is large.
INLINE v16 sigmoid_and_slope(v16 x, v16 *slope) {
    v16 e = v_exp(smaller((v16)87.0f, -x));
    v16 s = 1.0f / (1.0f + e);
    *slope = e * s * s;
    return s;
}

/// |x|, but 12.5 where it is more: there the normal tail is 2^-118, and no product of it is too small for a normal number.
INLINE v16 normal_argument(v16 x) { return smaller((v16)12.5f, (v16)((i16)x & 0x7fffffff)); }

/// The standard normal density φ(t) and the tail Φ(−t), for t from 0 to 12.5: absolute error below 1.2e-7, relative error below 3e-6 up to 6.
///
/// φ: e^(-t²/2) = 2^(t h), h = −t / (2 ln 2), as 2^n 2^r with |r| ≤ ½; 2^r by a polynomial of degree 6 (2e-9 before rounding).
/// Φ(-t) = e^(-t²/2) · P(t) / Q(t), of degrees 3 and 4: t Φ(−t) has an absolute error of 2.1e-8 before rounding, Φ(−t) up to 8 a relative
/// one of 1.3e-6. Both are fitted by Lawson's algorithm (Tests/KernelsTests/Golden/fits.py).
INLINE void normal(v16 t, v16 *density, v16 *tail) {
    const v16 h = t * -0.72134752f;
    const v16 shifted = t * h + 12582912.0f;
    const v16 r = t * h - (shifted - 12582912.0f);
    v16 q = r * 0.00015353257f + 0.0013399003f;
    q = q * r + 0.009618439f;
    q = q * r + 0.05550332f;
    q = q * r + 0.24022648f;
    q = q * r + 0.6931472f;
    q = q * r + 1.0f;
    const v16 e = (v16)((i16)q + ((i16)shifted << 23));
    v16 p = t * 0.013693751767277718f + 0.1048385426402092f;
    v16 d = t * 0.03434399142861366f + 0.26226645708084106f;
    p = p * t + 0.33542200922966003f;
    d = d * t + 0.8815805912017822f;
    p = p * t + 0.4999999701976776f;
    d = d * t + 1.4687256813049316f;
    d = d * t + 1.0f;
    *tail = e * (p / d);
    *density = e * 0.39894228f;
}

/// x Φ(x), from t and Φ(−t): what the tail takes from x, or leaves of it.
INLINE v16 gelu(v16 x, v16 t, v16 tail) { return larger(x, (v16)0.0f) - t * tail; }

/// tanh x: 2 σ(2x) − 1 where that does not cancel, x p(x²) below 0.625 (odd polynomial; Cephes' `tanhf`, Moshier 1992; error below 2e-7).
INLINE v16 hyperbolic_tangent(v16 x) {
    v16 t = x * x;
    v16 p = t * -5.70498872745e-3f + 2.06390887954e-2f;
    p = p * t + -5.37397155531e-2f;
    p = p * t + 1.33314422036e-1f;
    p = p * t + -3.33332819422e-1f;
    return t < 0.390625f ? x + x * t * p : 2.0f * sigmoid(2 * x) - 1.0f;
}

static const float gelu_outer = 0.79788456f, gelu_cubic = 0.044715f, quick_slope = 1.702f;

INLINE v16 activate(int kind, v16 x) {
    v16 t, density, tail;
    switch (kind) {
    case FANOISE_GELU_TANH: return x * sigmoid(2 * gelu_outer * x * (1.0f + gelu_cubic * x * x));
    case FANOISE_GELU_ERF:
        t = normal_argument(x);
        normal(t, &density, &tail);
        return gelu(x, t, tail);
    case FANOISE_QUICK_GELU: return x * sigmoid(quick_slope * x);
    case FANOISE_RELU: return x < 0 ? (v16)0.0f : x;
    case FANOISE_SILU: return x * sigmoid(x);
    case FANOISE_TANH: return hyperbolic_tangent(x);
    default: return x;
    }
}

/// act'(x), and act(x) at `value`.
INLINE v16 slope(int kind, v16 x, v16 *value) {
    v16 t, density, tail, s, ds;
    switch (kind) {
    case FANOISE_GELU_TANH:
        s = sigmoid_and_slope(2 * gelu_outer * x * (1.0f + gelu_cubic * x * x), &ds);
        *value = x * s;
        return s + x * ds * (2 * gelu_outer * (1.0f + 3 * gelu_cubic * x * x));
    case FANOISE_GELU_ERF:
        t = normal_argument(x);
        normal(t, &density, &tail);
        *value = gelu(x, t, tail);
        return x < 0 ? tail - t * density : 1.0f - tail + t * density;
    case FANOISE_QUICK_GELU:
        s = sigmoid_and_slope(quick_slope * x, &ds);
        *value = x * s;
        return s + quick_slope * x * ds;
    case FANOISE_RELU:
        *value = x < 0 ? (v16)0.0f : x;
        return x > 0 ? (v16)1.0f : (v16)0.0f;
    case FANOISE_SILU:
        s = sigmoid_and_slope(x, &ds);
        *value = x * s;
        return s + x * ds;
    case FANOISE_TANH:
        sigmoid_and_slope(2 * x, &ds);
        *value = hyperbolic_tangent(x);
        return 4 * ds;
    default: *value = x; return 1.0f;
    }
}

/// y = act(x).
INLINE void activate_elements(int kind, const float *x, long count, float *y) {
    FOR_VECTORS(i, count, part, { put(y + i, activate(kind, get(x + i, part)), part); });
}

/// x = x + bias, y = act(x).
INLINE void bias_activate_elements(int kind, float *x, const float *bias, long count, float *y) {
    FOR_VECTORS(i, count, part, {
        const v16 sum = get(x + i, part) + get(bias + i, part);
        put(x + i, sum, part);
        put(y + i, activate(kind, sum), part);
    });
}

/// dx = dy · act'(x); dx may be dy.
INLINE void slope_elements(int kind, const float *dy, const float *x, long count, float *dx) {
    FOR_VECTORS(i, count, part, {
        v16 value;
        put(dx + i, get(dy + i, part) * slope(kind, get(x + i, part), &value), part);
    });
}

/// dy = dy · act'(x), x = act(x).
INLINE void differentiate_elements(int kind, float *dy, long count, float *x) {
    FOR_VECTORS(i, count, part, {
        v16 value;
        put(dy + i, get(dy + i, part) * slope(kind, get(x + i, part), &value), part);
        put(x + i, value, part);
    });
}

/// A call of `F(kind, …)` with a kind that the compiler knows.
#define FOR_KIND(kind, F, ...)                                                                                                          \
    switch (kind) {                                                                                                                     \
    case FANOISE_GELU_TANH: F(FANOISE_GELU_TANH, __VA_ARGS__); break;                                                                   \
    case FANOISE_GELU_ERF: F(FANOISE_GELU_ERF, __VA_ARGS__); break;                                                                     \
    case FANOISE_QUICK_GELU: F(FANOISE_QUICK_GELU, __VA_ARGS__); break;                                                                 \
    case FANOISE_RELU: F(FANOISE_RELU, __VA_ARGS__); break;                                                                             \
    case FANOISE_SILU: F(FANOISE_SILU, __VA_ARGS__); break;                                                                             \
    case FANOISE_TANH: F(FANOISE_TANH, __VA_ARGS__); break;                                                                             \
    default: F(FANOISE_IDENTITY, __VA_ARGS__);                                                                                          \
    }

#endif
