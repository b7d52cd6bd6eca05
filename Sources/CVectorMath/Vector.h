// Sixteen floats at a time: loads, stores, reductions, exp, log. Not here: loops over buffers.
//
// Everything is written for 16 lanes, whatever the CPU: one AVX-512 register, two of AVX2, four of SSE or NEON. The order of every
// sum is therefore the same everywhere; only the fusing of multiply and add differs between CPUs.
#ifndef FANOISE_VECTOR_H
#define FANOISE_VECTOR_H

#include <math.h>
#include <stdint.h>
#include <string.h>

// Vectors pass only between functions that are inlined into each other: no calling convention is involved.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float v16 __attribute__((ext_vector_type(16)));
typedef float v8 __attribute__((ext_vector_type(8)));
typedef float v4 __attribute__((ext_vector_type(4)));
typedef int32_t i16 __attribute__((ext_vector_type(16)));
typedef double d8 __attribute__((ext_vector_type(8)));
typedef double d4 __attribute__((ext_vector_type(4)));

/// For every function inside a dispatched one: compiled for the CPU of its caller. `min_vector_width` lets the AVX-512 clone use whole
/// registers, which the compiler avoids by default.
#define INLINE static inline __attribute__((always_inline, min_vector_width(512)))

/// For exported functions: one clone per x86 level, chosen when the program is loaded; plain elsewhere. Under the thread sanitizer, too: what
/// chooses would call the sanitizer before it is there.
#if defined(__x86_64__) && !__has_feature(thread_sanitizer)
#define DISPATCH __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define DISPATCH
#endif

enum { LANES = 16 };

INLINE long least(long a, long b) { return a < b ? a : b; }

INLINE v16 load(const float *p) {
    v16 v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void store(float *p, v16 v) { memcpy(p, &v, sizeof v); }

/// The first `n` < 16 floats of `p`, the other lanes `fill`. Touches nothing past them.
INLINE v16 load_part(const float *p, long n, float fill) {
    float t[LANES];
    v16 v = fill;
    memcpy(t, &v, sizeof t);
    long i = 0;
    if (n & 8) { memcpy(t, p, 32), i = 8; }
    if (n & 4) { memcpy(t + i, p + i, 16), i += 4; }
    if (n & 2) { memcpy(t + i, p + i, 8), i += 2; }
    if (n & 1) { t[i] = p[i]; }
    return load(t);
}

/// Writes the first `n` < 16 lanes.
INLINE void store_part(float *p, v16 v, long n) {
    float t[LANES];
    memcpy(t, &v, sizeof t);
    long i = 0;
    if (n & 8) { memcpy(p, t, 32), i = 8; }
    if (n & 4) { memcpy(p + i, t + i, 16), i += 4; }
    if (n & 2) { memcpy(p + i, t + i, 8), i += 2; }
    if (n & 1) { p[i] = t[i]; }
}

/// `BODY` for i = 0, 16, … with `part` = 0 for whole vectors and the number of live lanes for the last, incomplete one.
#define FOR_VECTORS(i, n, part, BODY)                                                                                                   \
    do {                                                                                                                                \
        long i = 0;                                                                                                                     \
        for (; i + LANES <= (n); i += LANES) {                                                                                          \
            const long part = 0;                                                                                                        \
            BODY                                                                                                                        \
        }                                                                                                                               \
        if (i < (n)) {                                                                                                                  \
            const long part = (n) - i;                                                                                                  \
            BODY                                                                                                                        \
        }                                                                                                                               \
    } while (0)

INLINE v16 get(const float *p, long part) { return part ? load_part(p, part, 0) : load(p); }
INLINE void put(float *p, v16 v, long part) {
    if (part) store_part(p, v, part);
    else store(p, v);
}

INLINE float sum(v16 v) {
    v8 a = v.lo + v.hi;
    v4 b = a.lo + a.hi;
    return (b.x + b.z) + (b.y + b.w);
}

INLINE double sum_double(d8 v) {
    d4 a = v.lo + v.hi;
    return (a.x + a.z) + (a.y + a.w);
}

INLINE v16 larger(v16 a, v16 b) { return a > b ? a : b; }
INLINE v16 smaller(v16 a, v16 b) { return a < b ? a : b; }

INLINE float largest(v16 v) {
    v8 a = v.lo > v.hi ? v.lo : v.hi;
    v4 b = a.lo > a.hi ? a.lo : a.hi;
    float x = b.x > b.z ? b.x : b.z, y = b.y > b.w ? b.y : b.w;
    return x > y ? x : y;
}

/// The sum of the squares' or products' kind of terms in float64: adds the lanes of `v` to `total`.
INLINE d8 add_wide(d8 total, v16 v) { return total + (__builtin_convertvector(v.lo, d8) + __builtin_convertvector(v.hi, d8)); }

/// e^x, relative error below 1.2e-7 for x in [-87.3, 88.37]; zero below, e^88.37 above; NaN stays NaN.
///
/// x = n ln 2 + r with |r| ≤ ln 2 / 2; e^r by a minimax polynomial (Lawson's algorithm on the relative error; 3.1e-9 before rounding;
/// the script is Tests/KernelsTests/Golden/fits.py).
INLINE v16 v_exp(v16 x) {
    v16 c = smaller((v16)88.37f, x);
    c = c < -87.3f ? (v16)-87.3f : c;
    v16 shifted = c * 1.44269504f + 12582912.0f;
    v16 n = shifted - 12582912.0f;
    v16 r = c - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    v16 q = r * 0.0013814467f + 0.008368781f;
    q = q * r + 0.041668393f;
    q = q * r + 0.1666652f;
    q = q * r + 0.49999994f;
    v16 e = (q * r) * r + r + 1.0f;
    i16 exponent = ((i16)shifted << 23) + (127 << 23);
    e = e * (v16)exponent;
    return x < -87.3f ? (v16)0.0f : e;
}

/// ln x for normal positive x; absolute error below 1e-7 · max(1, |ln x|).
///
/// x = 2^e m with m in [√½, √2); ln m = 2 artanh(s), s = (m − 1)/(m + 1), |s| ≤ 0.172: five terms of the series (next: 7e-10).
INLINE v16 v_log(v16 x) {
    i16 bits = (i16)x;
    i16 e = (bits - 0x3f3504f3) >> 23;
    v16 m = (v16)(bits - (e << 23));
    v16 s = (m - 1.0f) / (m + 1.0f);
    v16 t = s * s;
    v16 p = t * (2.0f / 9) + 2.0f / 7;
    p = p * t + 2.0f / 5;
    p = p * t + 2.0f / 3;
    v16 n = __builtin_convertvector(e, v16);
    return n * 0.693359375f + (2.0f * s + (p * t * s - n * 2.12194440e-4f));
}

#endif
