// Standard normals by Box and Muller's transform, in float64, eight pairs at a time. Not here: the bits (Philox.h).
#include "CVectorMath.h"
#include "Philox.h"

typedef int64_t i8 __attribute__((ext_vector_type(8)));
typedef uint32_t u8x __attribute__((ext_vector_type(8)));
typedef int32_t i8x __attribute__((ext_vector_type(8)));

/// ln x for normal positive x, relative error below 1e-14 away from x = 1: x = 2^e m with m in [√½, √2), ln m = 2 artanh(s),
/// s = (m − 1)/(m + 1), |s| ≤ 0.172: nine terms of the series (the next: 3e-16).
INLINE d8 log_double(d8 x) {
    i8 bits = (i8)x, e = (bits - 0x3FE6A09E667F3BCDll) >> 52;
    d8 m = (d8)(bits - (e << 52)), s = (m - 1.0) / (m + 1.0), t = s * s;
    d8 p = t * (1.0 / 17) + 1.0 / 15;
    p = p * t + 1.0 / 13;
    p = p * t + 1.0 / 11;
    p = p * t + 1.0 / 9;
    p = p * t + 1.0 / 7;
    p = p * t + 1.0 / 5;
    p = p * t + 1.0 / 3;
    return __builtin_convertvector(e, d8) * 0.69314718055994530942 + 2 * (s + s * (t * p));
}

/// cos and sin of 2π w / 2³². The nearest quarter of a turn is taken off exactly; what is left is within π/4, where nine and eight terms of
/// the series (the next: 5e-17) are enough.
INLINE void cos_and_sin(u8x w, d8 *cosine, d8 *sine) {
    u8x quarter = (w + 0x20000000u) >> 30;
    d8 x = __builtin_convertvector((i8x)(w - (quarter << 30)), d8) * (6.28318530717958647693 * 0x1p-32), t = x * x;
    d8 c = t * (1.0 / 20922789888000) - 1.0 / 87178291200;
    c = c * t + 1.0 / 479001600;
    c = c * t - 1.0 / 3628800;
    c = c * t + 1.0 / 40320;
    c = c * t - 1.0 / 720;
    c = c * t + 1.0 / 24;
    c = 1.0 - t * (0.5 - t * c);
    d8 s = t * (-1.0 / 1307674368000) + 1.0 / 6227020800;
    s = s * t - 1.0 / 39916800;
    s = s * t + 1.0 / 362880;
    s = s * t - 1.0 / 5040;
    s = s * t + 1.0 / 120;
    s = x - x * t * (1.0 / 6 - t * s);
    i8 q = __builtin_convertvector(quarter, i8);
    d8 a = (q & 1) != 0 ? s : c, b = (q & 1) != 0 ? c : s;
    *cosine = ((q + 1) & 2) != 0 ? -a : a;
    *sine = (q & 2) != 0 ? -b : b;
}

/// Eight pairs: √(−2 ln u) · (cos, sin)(2π v) of u = (u_word + 1) / 2³², in (0, 1], and v = v_word / 2³².
INLINE void pairs(u8x u_word, u8x v_word, v8 *first, v8 *second) {
    d8 radius = __builtin_elementwise_sqrt(-2 * log_double((__builtin_convertvector(u_word, d8) + 1.0) * 0x1p-32)), cosine, sine;
    cos_and_sin(v_word, &cosine, &sine);
    *first = __builtin_convertvector(radius * cosine, v8);
    *second = __builtin_convertvector(radius * sine, v8);
}

DISPATCH void fanoise_normal_row(float *y, long n, const uint32_t *counter, const uint32_t *key) {
    for (long first = 0; first < n; first += 4 * LANES) {
        u16x words[4];
        v16 normals[4];
        row_words(counter, key, first, words);
#pragma clang loop unroll(full)
        for (int pair = 0; pair < 4; pair += 2) {
            v8 low[2], high[2];
            pairs(words[pair].lo, words[pair + 1].lo, &low[0], &low[1]);
            pairs(words[pair].hi, words[pair + 1].hi, &high[0], &high[1]);
            normals[pair].lo = low[0], normals[pair].hi = high[0];
            normals[pair + 1].lo = low[1], normals[pair + 1].hi = high[1];
        }
        IN_COLUMN_ORDER(v16, normals);
#pragma clang loop unroll(full)
        for (int u = 0; u < 4; u++) {
            long i = first + u * LANES, part = n - i < LANES ? n - i : 0;
            if (i >= n) break;
            put(y + i, normals[u], part);
        }
    }
}
