// Softmax attention of one query for each sequence of a packed batch. Not here: attention among all rows of a sequence (Attention.c).
//
// Shapes of one sequence and head: S rows, of which the first n are seen, K head width; D = heads · K, 2 D a row of keys and values. A query
// and a head's keys fit in the first cache: there is no product to speak of, and memory is read once.
#include "CVectorMath.h"
#include "Vector.h"

INLINE float dot(const float *a, const float *b, long count) {
    v16 total = 0;
    FOR_VECTORS(i, count, part, { total += get(a + i, part) * get(b + i, part); });
    return sum(total);
}

DISPATCH void fanoise_query_attention_forward(
    fanoise_query_attention_shape shape, const float *query, const float *key_value, float *y, float *probabilities) {
    const long K = shape.head_width, H = shape.heads, D = H * K, R = 2 * D;
    const float scale = 1 / sqrtf((float)K);
    for (long s = 0; s < shape.sequences; s++)
        for (long h = 0; h < H; h++) {
            const long first = shape.offsets[s], S = shape.offsets[s + 1] - first, n = shape.ends[s] - first;
            const float *q = query + s * shape.query_stride + h * K, *k = key_value + first * R + h * K, *v = k + D;
            float *p = probabilities + first * H + h * S, top = -INFINITY, total = 0;
            for (long j = 0; j < n; j++) {
                p[j] = scale * dot(q, k + j * R, K);
                top = top > p[j] ? top : p[j];
            }
            FOR_VECTORS(j, n, part, { put(p + j, v_exp(get(p + j, part) - top), part); });
            for (long j = 0; j < n; j++) total += p[j];
            FOR_VECTORS(j, n, part, { put(p + j, get(p + j, part) / total, part); });
            FOR_VECTORS(i, K, part, {
                v16 mean = 0;
                for (long j = 0; j < n; j++) mean += p[j] * get(v + j * R + i, part);
                put(y + s * D + h * K + i, mean, part);
            });
        }
}

DISPATCH void fanoise_query_attention_backward(
    fanoise_query_attention_shape shape, const float *dy, const float *query, const float *key_value, const float *probabilities,
    float *dquery, float *dkey_value) {
    const long K = shape.head_width, H = shape.heads, D = H * K, R = 2 * D;
    const float scale = 1 / sqrtf((float)K);
    for (long s = 0; s < shape.sequences; s++)
        for (long h = 0; h < H; h++) {
            const long first = shape.offsets[s], S = shape.offsets[s + 1] - first, n = shape.ends[s] - first;
            const float *q = query + s * shape.query_stride + h * K, *k = key_value + first * R + h * K, *v = k + D;
            const float *p = probabilities + first * H + h * S, *change = dy + s * D + h * K;
            float *dq = dquery + s * D + h * K, *dk = dkey_value + first * R + h * K, mean = 0;
            // dP_j waits where a part of dk_j will be.
            for (long j = 0; j < n; j++) {
                const float dp = dot(change, v + j * R, K);
                mean += p[j] * dp;
                dk[j * R] = dp;
            }
            memset(dq, 0, (size_t)K * sizeof *dq);
            for (long j = 0; j < n; j++) {
                const float score = scale * p[j] * (dk[j * R] - mean);
                FOR_VECTORS(i, K, part, {
                    put(dk + j * R + i, score * get(q + i, part), part);
                    put(dk + j * R + D + i, p[j] * get(change + i, part), part);
                    put(dq + i, get(dq + i, part) + score * get(k + j * R + i, part), part);
                });
            }
            for (long j = n; j < S; j++)
                for (long side = 0; side < R; side += D) memset(dk + j * R + side, 0, (size_t)K * sizeof *dk);
        }
}
