// Sums, searches and exponentials along one run of floats. Not here: what they mean (losses, clipping, dropout).
#include "CVectorMath.h"
#include "Vector.h"

INLINE d8 widened_product(v16 a, v16 b) {
    return __builtin_convertvector(a.lo, d8) * __builtin_convertvector(b.lo, d8) +
           __builtin_convertvector(a.hi, d8) * __builtin_convertvector(b.hi, d8);
}

DISPATCH void fanoise_add_scaled(float *y, const float *x, float scale, long n) {
    FOR_VECTORS(i, n, part, { put(y + i, get(y + i, part) + scale * get(x + i, part), part); });
}

DISPATCH void fanoise_sum(const float *a, const float *b, float *y, long n) {
    FOR_VECTORS(i, n, part, { put(y + i, get(a + i, part) + get(b + i, part), part); });
}

DISPATCH void fanoise_scale(float *y, float scale, long n) { FOR_VECTORS(i, n, part, { put(y + i, scale * get(y + i, part), part); }); }

DISPATCH double fanoise_dot(const float *x, const float *y, long n) {
    d8 a = 0, b = 0, c = 0, d = 0;
    for (; n >= 4 * LANES; n -= 4 * LANES, x += 4 * LANES, y += 4 * LANES) {
        a += widened_product(load(x), load(y));
        b += widened_product(load(x + LANES), load(y + LANES));
        c += widened_product(load(x + 2 * LANES), load(y + 2 * LANES));
        d += widened_product(load(x + 3 * LANES), load(y + 3 * LANES));
    }
    FOR_VECTORS(i, n, part, { a += widened_product(get(x + i, part), get(y + i, part)); });
    return sum_double((a + b) + (c + d));
}

DISPATCH long fanoise_first_non_finite(const float *x, long n) {
    for (long start = 0; start < n; start += 4096) {
        long end = start + 4096 < n ? start + 4096 : n, length = end - start;
        i16 bad = 0;
        // All exponent bits set: infinite or NaN. A comparison that holds is -1 in every bit.
        FOR_VECTORS(i, length, part, { bad |= (((i16)get(x + start + i, part) & 0x7fffffff) >= 0x7f800000); });
        int32_t any = 0;
        for (int lane = 0; lane < LANES; lane++) any |= bad[lane];
        if (!any) continue;
        for (long i = start; i < end; i++)
            if (!isfinite(x[i])) return i;
    }
    return -1;
}

DISPATCH float fanoise_row_max(const float *x, long n) {
    v16 a = -INFINITY, b = a, c = a, d = a;
    for (; n >= 4 * LANES; n -= 4 * LANES, x += 4 * LANES) {
        a = larger(a, load(x)), b = larger(b, load(x + LANES));
        c = larger(c, load(x + 2 * LANES)), d = larger(d, load(x + 3 * LANES));
    }
    FOR_VECTORS(i, n, part, { a = larger(a, part ? load_part(x + i, part, -INFINITY) : load(x + i)); });
    return largest(larger(larger(a, b), larger(c, d)));
}

DISPATCH double fanoise_exp_sum_row(const float *x, long n, float maximum) {
    if (maximum == -INFINITY) return 0;
    d8 total = 0;
    while (n > 0) {
        long length = n < 1024 ? n : 1024;
        v16 s = 0;
        FOR_VECTORS(i, length, part, { s += v_exp((part ? load_part(x + i, part, -INFINITY) : load(x + i)) - maximum); });
        total = add_wide(total, s);
        x += length, n -= length;
    }
    return sum_double(total);
}

DISPATCH void fanoise_exp_scale_row(float *x, long n, float shift, float scale) {
    FOR_VECTORS(i, n, part, { put(x + i, scale * v_exp(get(x + i, part) - shift), part); });
}

DISPATCH long fanoise_first_at_least(const float *x, long n, float threshold) {
    for (long start = 0; start < n; start += 128) {
        long length = n - start < 128 ? n - start : 128;
        i16 found = 0;
        FOR_VECTORS(i, length, part, { found |= (part ? load_part(x + start + i, part, -INFINITY) : load(x + start + i)) >= threshold; });
        int32_t any = 0;
        for (int lane = 0; lane < LANES; lane++) any |= found[lane];
        // Where the threshold is −∞, the filling of an incomplete vector counts too: the loop decides.
        for (long i = start; any && i < start + length; i++)
            if (x[i] >= threshold) return i;
    }
    return -1;
}
