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

/// A head of a sequence.
typedef struct {
    /// Rows of the sequence, and those of them that its query sees.
    long S, n;
    /// Its query, the first row's keys and values, and their place among all keys and values.
    const float *q, *k, *v;
    long at;
    /// Place of its output among all outputs, and of its probabilities.
    long out, weights;
} head;

INLINE head head_of(fanoise_query_attention_shape shape, const float *query, const float *key_value, long s, long h) {
    const long K = shape.head_width, D = shape.heads * K, first = shape.offsets[s], S = shape.offsets[s + 1] - first;
    const long at = first * 2 * D + h * K;
    return (head){S, shape.ends[s] - first, query + s * shape.query_stride + h * K, key_value + at, key_value + at + D, at,
                  s * D + h * K, first * shape.heads + h * S};
}

DISPATCH void fanoise_query_attention_forward(
    fanoise_query_attention_shape shape, const float *query, const float *key_value, float *y, float *probabilities) {
    const long K = shape.head_width, H = shape.heads, D = H * K, R = 2 * D;
    const float scale = 1 / sqrtf((float)K);
    for (long s = 0; s < shape.sequences; s++)
        for (long h = 0; h < H; h++) {
            const head here = head_of(shape, query, key_value, s, h);
            float *p = probabilities + here.weights, top = -INFINITY, total = 0;
            for (long j = 0; j < here.n; j++) {
                p[j] = scale * dot(here.q, here.k + j * R, K);
                top = top > p[j] ? top : p[j];
            }
            FOR_VECTORS(j, here.n, part, { put(p + j, v_exp(get(p + j, part) - top), part); });
            for (long j = 0; j < here.n; j++) total += p[j];
            FOR_VECTORS(j, here.n, part, { put(p + j, get(p + j, part) / total, part); });
            FOR_VECTORS(i, K, part, {
                v16 mean = 0;
                for (long j = 0; j < here.n; j++) mean += p[j] * get(here.v + j * R + i, part);
                put(y + here.out + i, mean, part);
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
            const head here = head_of(shape, query, key_value, s, h);
            const float *p = probabilities + here.weights, *change = dy + here.out;
            float *dq = dquery + here.out, *dk = dkey_value + here.at, mean = 0;
            // dP_j waits where a part of dk_j will be.
            for (long j = 0; j < here.n; j++) {
                const float dp = dot(change, here.v + j * R, K);
                mean += p[j] * dp;
                dk[j * R] = dp;
            }
            memset(dq, 0, (size_t)K * sizeof *dq);
            for (long j = 0; j < here.n; j++) {
                const float score = scale * p[j] * (dk[j * R] - mean);
                FOR_VECTORS(i, K, part, {
                    put(dk + j * R + i, score * get(here.q + i, part), part);
                    put(dk + j * R + D + i, p[j] * get(change + i, part), part);
                    put(dq + i, get(dq + i, part) + score * get(here.k + j * R + i, part), part);
                });
            }
            for (long j = here.n; j < here.S; j++)
                for (long side = 0; side < R; side += D) memset(dk + j * R + side, 0, (size_t)K * sizeof *dk);
        }
}
