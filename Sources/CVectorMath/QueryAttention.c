// Softmax attention of one query for each sequence of a packed batch. Not here: attention among all rows of a sequence (Attention.c).
//
// Shapes of one sequence: S rows, of which the first n are seen; H heads, K head width, D = H K, R = 2 D a row of keys and values. There is
// no product to speak of: time is memory's. Keys and values are read row by row with all their heads, as hardware prefetches them.
#include "CVectorMath.h"
#include "Vector.h"

INLINE float dot(const float *a, const float *b, long count) {
    v16 total = 0;
    FOR_VECTORS(i, count, part, { total += get(a + i, part) * get(b + i, part); });
    return sum(total);
}

/// y += a x
INLINE void add_scaled(float a, const float *x, long count, float *y) {
    FOR_VECTORS(i, count, part, { put(y + i, get(y + i, part) + a * get(x + i, part), part); });
}

/// y = a x
INLINE void scaled(float a, const float *x, long count, float *y) {
    FOR_VECTORS(i, count, part, { put(y + i, a * get(x + i, part), part); });
}

/// Turns n scores into probabilities.
INLINE void softmax(float *p, long n) {
    v16 top = -INFINITY, total = 0;
    FOR_VECTORS(j, n, part, { top = larger(top, part ? load_part(p + j, part, -INFINITY) : load(p + j)); });
    const float most = largest(top);
    FOR_VECTORS(j, n, part, {
        const v16 e = v_exp((part ? load_part(p + j, part, -INFINITY) : load(p + j)) - most);
        total += e;
        put(p + j, e, part);
    });
    scaled(1 / sum(total), p, n, p);
}

DISPATCH void fanoise_query_attention_forward(
    fanoise_query_attention_shape shape, const float *query, const float *key_value, float *y, float *probabilities) {
    const long K = shape.head_width, H = shape.heads, D = H * K, R = 2 * D;
    const float scale = 1 / sqrtf((float)K);
    for (long s = 0; s < shape.sequences; s++, query += shape.query_stride, y += D) {
        const long first = shape.offsets[s], S = shape.offsets[s + 1] - first, n = shape.ends[s] - first;
        const float *keys = key_value + first * R, *values = keys + D;
        float *p = probabilities + first * H;
        for (long j = 0; j < n; j++)
            for (long h = 0; h < H; h++) p[h * S + j] = scale * dot(query + h * K, keys + j * R + h * K, K);
        for (long h = 0; h < H; h++) softmax(p + h * S, n);
        memset(y, 0, (size_t)D * sizeof *y);
        for (long j = 0; j < n; j++)
            for (long h = 0; h < H; h++) add_scaled(p[h * S + j], values + j * R + h * K, K, y + h * K);
    }
}

DISPATCH void fanoise_query_attention_backward(
    fanoise_query_attention_shape shape, const float *dy, const float *query, const float *key_value, const float *y,
    const float *probabilities, float *dquery, float *dkey_value) {
    const long K = shape.head_width, H = shape.heads, D = H * K, R = 2 * D;
    const float scale = 1 / sqrtf((float)K);
    for (long s = 0; s < shape.sequences; s++, dy += D, query += shape.query_stride, y += D, dquery += D) {
        const long first = shape.offsets[s], S = shape.offsets[s + 1] - first, n = shape.ends[s] - first;
        const float *keys = key_value + first * R, *p = probabilities + first * H;
        float *dkeys = dkey_value + first * R;
        memset(dquery, 0, (size_t)D * sizeof *dquery);
        for (long j = 0; j < n; j++, keys += R, dkeys += R)
            for (long h = 0; h < H; h++) {
                const long at = h * K;
                // dy · v_j − Σ_i p_i dy · v_i
                v16 change = 0;
                FOR_VECTORS(i, K, part, { change += get(dy + at + i, part) * (get(keys + D + at + i, part) - get(y + at + i, part)); });
                const float weight = p[h * S + j], score = scale * weight * sum(change);
                scaled(score, query + at, K, dkeys + at);
                scaled(weight, dy + at, K, dkeys + D + at);
                add_scaled(score, keys + at, K, dquery + at);
            }
        memset(dkeys, 0, (size_t)((S - n) * R) * sizeof *dkeys);
    }
}
