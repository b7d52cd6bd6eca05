// Normalisation of rows: layer norm and L2. Not here: attention's softmax.
#include "CVectorMath.h"
#include "Vector.h"

INLINE void norm_row(const float *x, const float *gain, const float *shift, float epsilon, long n, float *y, float *mean, float *inverse) {
    v16 total = 0, squares = 0;
    FOR_VECTORS(i, n, part, { total += get(x + i, part); });
    float m = sum(total) / (float)n;
    FOR_VECTORS(i, n, part, {
        v16 d = (part ? load_part(x + i, part, m) : load(x + i)) - m;
        squares += d * d;
    });
    float inv = 1 / sqrtf(sum(squares) / (float)n + epsilon);
    FOR_VECTORS(i, n, part, { put(y + i, (get(x + i, part) - m) * inv * get(gain + i, part) + get(shift + i, part), part); });
    *mean = m;
    *inverse = inv;
}

DISPATCH void fanoise_layer_norm(
    const float *x, const float *gain, const float *shift, float epsilon, long rows, long n, float *y, float *mean, float *inverse) {
    for (long r = 0; r < rows; r++) norm_row(x + r * n, gain, shift, epsilon, n, y + r * n, mean + r, inverse + r);
}

DISPATCH void fanoise_layer_norm_backward(
    const float *dy, const float *x, const float *gain, const float *mean, const float *inverse, const float *added, long rows, long n,
    float *dx, float *dgain, float *dshift) {
    for (long r = 0; r < rows; r++, dy += n, x += n, dx += n) {
        float m = mean[r], inv = inverse[r];
        v16 first = 0, second = 0;
        // d = dy ⊙ gain, h = (x - mean) · inverse: the two means that the backward subtracts.
        FOR_VECTORS(i, n, part, {
            v16 d = get(dy + i, part) * get(gain + i, part);
            first += d;
            second += d * ((get(x + i, part) - m) * inv);
        });
        float mean_d = sum(first) / (float)n, mean_dh = sum(second) / (float)n;
        FOR_VECTORS(i, n, part, {
            v16 g = get(dy + i, part);
            v16 h = (get(x + i, part) - m) * inv;
            v16 d = g * get(gain + i, part);
            if (dgain) put(dgain + i, get(dgain + i, part) + g * h, part);
            if (dshift) put(dshift + i, get(dshift + i, part) + g, part);
            v16 change = (d - mean_d - h * mean_dh) * inv;
            put(dx + i, added ? get(added + r * n + i, part) + change : change, part);
        });
    }
}

DISPATCH void fanoise_normalize_rows(const float *x, float epsilon, long rows, long n, float *y, float *inverse) {
    for (long r = 0; r < rows; r++, x += n, y += n) {
        d8 total = 0;
        FOR_VECTORS(i, n, part, {
            v16 v = get(x + i, part);
            d8 a = __builtin_convertvector(v.lo, d8);
            d8 b = __builtin_convertvector(v.hi, d8);
            total += a * a + b * b;
        });
        double norm = sqrt(sum_double(total));
        float inv = (float)(1 / (norm > epsilon ? norm : epsilon));
        // A row shorter than epsilon is only scaled: the sign bit of its inverse norm says so to the backward.
        inverse[r] = norm > epsilon ? inv : -inv;
        FOR_VECTORS(i, n, part, { put(y + i, get(x + i, part) * inv, part); });
    }
}

DISPATCH void fanoise_normalize_rows_backward(const float *dy, const float *y, const float *inverse, long rows, long n, float *dx) {
    for (long r = 0; r < rows; r++, dy += n, y += n, dx += n) {
        v16 along = 0;
        FOR_VECTORS(i, n, part, { along += get(dy + i, part) * get(y + i, part); });
        float radial = inverse[r] > 0 ? sum(along) : 0, inv = fabsf(inverse[r]);
        FOR_VECTORS(i, n, part, { put(dx + i, (get(dy + i, part) - radial * get(y + i, part)) * inv, part); });
    }
}
