// Rows and tiles of logits, as contrastive losses need them. Not here: the pieces of one row's softmax (Reductions.c).
#include "Vector.h"
#include "CVectorMath.h"

DISPATCH void fanoise_column_max(const float *tile, long stride, long rows, long columns, float *maxima) {
    for (long i = 0; i < columns; i++) maxima[i] = -INFINITY;
    for (long r = 0; r < rows; r++, tile += stride)
        FOR_VECTORS(i, columns, part, { put(maxima + i, larger(get(tile + i, part), get(maxima + i, part)), part); });
}

DISPATCH void fanoise_column_exp_sums(const float *tile, long stride, long rows, long columns, const float *references, float *sums) {
    for (long i = 0; i < columns; i++) sums[i] = 0;
    for (long r = 0; r < rows; r++, tile += stride)
        FOR_VECTORS(i, columns, part, {
            v16 e = v_exp(get(tile + i, part) - get(references + i, part));
            put(sums + i, get(sums + i, part) + e, part);
        });
}

DISPATCH void fanoise_exp_two_way_row(float *x, long n, float reference, const float *references, float scale) {
    FOR_VECTORS(i, n, part, {
        v16 z = get(x + i, part);
        put(x + i, scale * (v_exp(z - reference) + v_exp(z - get(references + i, part))), part);
    });
}

INLINE v16 get_logit(const float *p, long part) { return part ? load_part(p, part, -INFINITY) : load(p); }

DISPATCH double fanoise_exp_row(float *x, long n, float *column_sums, float *maximum) {
    d8 total = 0;
    v16 top = -INFINITY;
    while (n > 0) {
        long length = n < 1024 ? n : 1024;
        v16 s = 0;
        if (column_sums) {
            FOR_VECTORS(i, length, part, {
                v16 z = get_logit(x + i, part);
                v16 e = v_exp(z);
                top = larger(top, z);
                s += e;
                put(x + i, e, part);
                put(column_sums + i, get(column_sums + i, part) + e, part);
            });
            column_sums += length;
        } else {
            FOR_VECTORS(i, length, part, {
                v16 z = get_logit(x + i, part);
                v16 e = v_exp(z);
                top = larger(top, z);
                s += e;
                put(x + i, e, part);
            });
        }
        total = add_wide(total, s);
        x += length, n -= length;
    }
    *maximum = largest(top);
    return sum_double(total);
}

DISPATCH void fanoise_scale_two_way_row(float *x, long n, float factor, const float *factors) {
    FOR_VECTORS(i, n, part, { put(x + i, get(x + i, part) * (factor + get(factors + i, part)), part); });
}

DISPATCH void fanoise_exp_scale_two_way_row(float *x, long n, float factor, const float *factors) {
    FOR_VECTORS(i, n, part, { put(x + i, v_exp(get(x + i, part)) * (factor + get(factors + i, part)), part); });
}

DISPATCH double fanoise_sigmoid_row(float *x, long n, float bias, float scale, double *sum) {
    d8 losses = 0, sigmoids = 0;
    FOR_VECTORS(i, n, part, {
        v16 z = (part ? load_part(x + i, part, -INFINITY) : load(x + i)) + bias;
        v16 e = v_exp(z < 0.0f ? z : -z);
        // log(1 + e) = 2 artanh(e/(2 + e)); the argument s is at most 1/3, and the first term left out is below 2e-8 of the sum.
        v16 s = e / (e + 2.0f);
        v16 t = s * s;
        v16 p = t * (1.0f / 13) + 1.0f / 11;
        p = p * t + 1.0f / 9;
        p = p * t + 1.0f / 7;
        p = p * t + 0.2f;
        p = p * t + 1.0f / 3;
        v16 log1p = 2.0f * (s + p * t * s);
        v16 value = (z < 0.0f ? e : (v16)1.0f) / (e + 1.0f);
        losses = add_wide(losses, (z > 0.0f ? z : (v16)0.0f) + log1p);
        sigmoids = add_wide(sigmoids, value);
        put(x + i, scale * value, part);
    });
    *sum = sum_double(sigmoids);
    return sum_double(losses);
}
