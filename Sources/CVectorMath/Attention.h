// What both ways to attend share: the softmax of scores, and the way for short sequences. Not here: the ways (Attention.c, ShortAttention.c).
#ifndef FANOISE_ATTENTION_H
#define FANOISE_ATTENTION_H

#include "CVectorMath.h"
#include "Tile.h"
#include "Vector.h"

/// Size of each block when `count` things are cut into equal blocks of at most `most`.
INLINE long balanced(long count, long most) {
    long blocks = (count + most - 1) / most;
    return blocks ? (count + blocks - 1) / blocks : 0;
}

/// Lane numbers starting at `first`.
INLINE i16 lanes_from(long first) {
    return (i16){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} + (int32_t)first;
}

/// Lane v of vector `v` of a block is query `query + lane`; keys after it are hidden from it when `causal`.
INLINE v16 visible(v16 score, int causal, long key, long query) {
    return causal && key > query ? (lanes_from(query) >= (int32_t)key ? score : (v16)-INFINITY) : score;
}

/// Turns a column of raw scores, `keys` vectors one every `stride` floats, into probabilities: a query in each lane, so that maxima and
/// sums run down the column and nothing is reduced across lanes. Returns the log-sum-exp of every lane. Which sum a key is added to depends
/// on the key alone: scores of -inf after a lane's last key change nothing.
INLINE v16 softmax(float *column, long stride, long keys, float scale, int causal, long query) {
    v16 top[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY}, total[4] = {0, 0, 0, 0};
    long j = 0;
    for (; j + 4 <= keys; j += 4)
#pragma clang loop unroll(full)
        for (int u = 0; u < 4; u++) top[u] = larger(top[u], visible(load(column + (j + u) * stride), causal, j + u, query));
#pragma clang loop unroll(full)
    for (int u = 0; u < 3; u++)
        if (j + u < keys) top[u] = larger(top[u], visible(load(column + (j + u) * stride), causal, j + u, query));
    const v16 shift = larger(larger(top[0], top[1]), larger(top[2], top[3])) * scale;
    for (j = 0; j + 4 <= keys; j += 4)
#pragma clang loop unroll(full)
        for (int u = 0; u < 4; u++) {
            float *score = column + (j + u) * stride;
            v16 e = v_exp(visible(load(score), causal, j + u, query) * scale - shift);
            total[u] += e;
            store(score, e);
        }
#pragma clang loop unroll(full)
    for (int u = 0; u < 3; u++)
        if (j + u < keys) {
            float *score = column + (j + u) * stride;
            v16 e = v_exp(visible(load(score), causal, j + u, query) * scale - shift);
            total[u] += e;
            store(score, e);
        }
    const v16 sums = (total[0] + total[1]) + (total[2] + total[3]), inverse = 1.0f / sums;
    for (j = 0; j < keys; j++) store(column + j * stride, load(column + j * stride) * inverse);
    return shift + v_log(sums);
}

/// Whether sequences of so many positions go the way for short ones.
int attention_is_short(fanoise_attention_shape shape, long positions);
/// The functions of CVectorMath.h, for the short sequences alone.
long short_attention_forward_scratch(fanoise_attention_shape shape);
long short_attention_backward_scratch(fanoise_attention_shape shape);
void short_attention_forward(fanoise_attention_shape shape, const float *qkv, float *y, float *log_sum_exp, float *scratch);
void short_attention_backward(
    fanoise_attention_shape shape, const float *dy, const float *qkv, const float *log_sum_exp, float *dqkv, float *scratch);

#endif
