// Softmax attention of packed sequences. Not here: the projections around it.
//
// Shapes of one sequence and head: S positions, K head width, W = K rounded up to 16; D = heads · K, R = 3 D a row of qkv.
// Per-head BLAS calls cost more than the arithmetic at S = 8 to 65; here a head's keys and values stay in cache, and tiles of
// sums stay in registers. Scores are kept as keys × queries: a query is a lane, and its softmax runs down a column.
#include "Attention.h"

/// Query vectors of a block: its scores, keys × queries, are one tile wide.
enum { BLOCK_VECTORS = MOST_VECTORS };

INLINE long more(long a, long b) { return a > b ? a : b; }

INLINE long rounded(long n) { return (n + LANES - 1) / LANES * LANES; }

/// Copies `rows` rows of `width` floats, one every `stride`, to rows of W floats, the rest zero; asks for what lies `ahead` meanwhile.
INLINE void pack_rows(const float *source, long stride, long rows, long width, long ahead, float *target) {
    for (long r = 0; r < rows; r++, source += stride, target += rounded(width))
        FOR_VECTORS(i, width, part, {
            __builtin_prefetch(source + i + ahead);
            store(target + i, get(source + i, part));
        });
}

/// How far from a row's part in one head the same part of the next head lies, or of the next sequence after the last head. Heads are
/// slices of rows, which no hardware prefetches: the next head's are asked for while this one is computed.
INLINE long next_head(long h, long heads, long head_width, long rows, long stride) {
    return h + 1 < heads ? head_width : rows * stride - h * head_width;
}

/// Copies rows of W floats back to rows of `width`.
INLINE void unpack_rows(const float *source, long rows, long width, float *target, long stride) {
    for (long r = 0; r < rows; r++, source += rounded(width), target += stride)
        FOR_VECTORS(i, width, part, { put(target + i, load(source + i), part); });
}

/// Transposes rows into panels of 16 positions: panel p holds K rows of 16 floats, element (k, lane) = source[16 p + lane][k];
/// positions past the last are zero.
INLINE void pack_panels(const float *source, long stride, long rows, long width, long ahead, float *target) {
    for (long first = 0; first < rows; first += LANES, target += width * LANES) {
        long present = least(LANES, rows - first);
        for (long k = 0; k < width; k += LANES) {
            long part = width - k < LANES ? width - k : 0;
            v16 block[LANES];
#pragma clang loop unroll(full)
            for (int i = 0; i < LANES; i++) {
                const float *row = source + (first + i) * stride + k;
                if (i < present) __builtin_prefetch(row + ahead);
                block[i] = i < present ? get(row, part) : (v16)0.0f;
            }
            transpose(block);
#pragma clang loop unroll(full)
            for (int i = 0; i < LANES; i++)
                if (k + i < width) store(target + (k + i) * LANES, block[i]);
        }
    }
}

long fanoise_attention_forward_scratch(fanoise_attention_shape s) {
    const long queries = BLOCK_VECTORS * LANES;
    const long needed = rounded(s.longest) * s.head_width + (s.longest + queries) * rounded(s.head_width) + s.longest * queries;
    return more(needed, short_attention_forward_scratch(s));
}

long fanoise_attention_backward_scratch(fanoise_attention_shape s) {
    const long queries = BLOCK_VECTORS * LANES;
    const long needed = 2 * rounded(s.longest) * s.head_width + (5 * s.longest + queries) * rounded(s.head_width) +
                        2 * s.longest * queries + 2 * rounded(s.longest);
    return more(needed, short_attention_backward_scratch(s));
}

/// C_MN = (accumulate ? C : 0) + Σ_k A(m, k) B(k, n) for one register tile: `rows` ≤ MOST_ROWS, `vectors` ≤ MOST_VECTORS, constants after
/// inlining. A(m, k) = a[m ar + k ak]; vector v of row k of B begins at b[k bk + v bv]; C is row-major with stride cr.
INLINE void tile(
    const int rows, const int vectors, long depth, const float *a, long ar, long ak, const float *b, long bk, long bv, float *c, long cr,
    int accumulate) {
    v16 total[MOST_ROWS][MOST_VECTORS];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) total[r][v] = accumulate ? load(c + r * cr + v * LANES) : (v16)0.0f;
    long distance[MOST_ROWS];
    row_distances(rows, ar, distance);
    add_products(rows, vectors, depth, a, distance, ak, b, bk, bv, total);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) store(c + r * cr + v * LANES, total[r][v]);
}

/// The same for any number of rows and vectors.
DISPATCH static void product(
    tile_shape most, long rows, long vectors, long depth, const float *a, long ar, long ak, const float *b, long bk, long bv, float *c,
    long cr, int accumulate) {
    const long height = balanced(rows, most.rows), width = balanced(vectors, most.vectors);
    for (long v = 0; v < vectors; v += width)
        for (long r = 0; r < rows; r += height) {
            const float *from = a + r * ar, *with = b + v * bv;
            float *into = c + r * cr + v * LANES;
#define TILE(R, V)                                                                                                                      \
    case R * 4 + V: tile(R, V, depth, from, ar, ak, with, bk, bv, into, cr, accumulate); break;
#define TILES(V) TILE(1, V) TILE(2, V) TILE(3, V) TILE(4, V) TILE(5, V) TILE(6, V) TILE(7, V) TILE(8, V)
            switch (least(height, rows - r) * 4 + least(width, vectors - v)) { TILES(1) TILES(2) TILES(3) }
        }
}

/// Elements of one head's bias: a vector read at the last distance stays inside.
INLINE long bias_stride(fanoise_attention_shape s) { return 2 * s.longest + LANES - 1; }

/// Where the biases of queries `query` + lane against key 0 begin; the next key's begin one element earlier.
INLINE const float *bias_of(fanoise_attention_shape s, long head, long query) {
    return s.bias ? s.bias + head * bias_stride(s) + query + s.longest - 1 : 0;
}

/// scores = scale · scores + bias, down a column.
INLINE void add_bias(float *column, long stride, long keys, float scale, const float *bias) {
    for (long j = 0; j < keys; j++) store(column + j * stride, load(column + j * stride) * scale + load(bias - j));
}

DISPATCH void fanoise_attention_forward(fanoise_attention_shape shape, const float *qkv, float *y, float *log_sum_exp, float *scratch) {
    const tile_shape most = best_tile();
    const long K = shape.head_width, H = shape.heads, D = H * K, W = rounded(K), R = 3 * D;
    const float scale = 1 / sqrtf((float)K);
    float *scores = scratch, *out = scores + shape.longest * BLOCK_VECTORS * LANES, *values = out + BLOCK_VECTORS * LANES * W;
    float *queries = values + shape.longest * W;
    short_attention_forward(shape, qkv, y, log_sum_exp, scratch);
    for (long s = 0; s < shape.sequences; s++) {
        const long first = shape.offsets[s], S = shape.offsets[s + 1] - first;
        if (attention_is_short(shape, S)) continue;
        for (long h = 0; h < H; h++) {
            const long ahead = next_head(h, H, K, S, R);
            const long stride = balanced(rounded(S) / LANES, BLOCK_VECTORS) * LANES;
            const float *q = qkv + first * R + h * K;
            pack_panels(q, R, S, K, ahead, queries);
            pack_rows(q + 2 * D, R, S, K, ahead, values);
            for (long i = 0; i < S; i += stride) {
                const long rows = least(stride, S - i), keys = shape.causal ? i + rows : S, vectors = rounded(rows) / LANES;
                product(most, keys, vectors, K, q + D, R, 1, queries + i * K, LANES, K * LANES, scores, stride, 0);
                for (long v = 0; v < vectors; v++) {
                    float lse[LANES];
                    const float *bias = bias_of(shape, h, i + v * LANES);
                    if (bias) add_bias(scores + v * LANES, stride, keys, scale, bias);
                    store(lse, softmax(scores + v * LANES, stride, keys, bias ? 1 : scale, shape.causal, i + v * LANES));
                    for (long lane = 0; lane < least(LANES, rows - v * LANES); lane++)
                        log_sum_exp[(first + i + v * LANES + lane) * H + h] = lse[lane];
                }
                float *target = y + (first + i) * D + h * K;
                if (W == K) {
                    product(most, rows, W / LANES, keys, scores, 1, stride, values, W, LANES, target, D, 0);
                } else {
                    product(most, rows, W / LANES, keys, scores, 1, stride, values, W, LANES, out, W, 0);
                    unpack_rows(out, rows, K, target, D);
                }
            }
            for (long j = 0; j < S; j++)
                for (long k = 0; k < K; k += LANES) __builtin_prefetch(q + D + j * R + k + ahead);
        }
    }
}

/// dbias += P ⊙ (dP − δ) along the diagonals of a column of `keys` vectors, of which `lanes` lanes are queries.
INLINE void bias_backward(const float *p, const float *dp, long stride, long keys, long lanes, v16 delta, float *dbias) {
    const i16 present = lanes_from(0) < (int32_t)lanes;
    for (long j = 0; j < keys; j++) {
        v16 change = load(p + j * stride) * (load(dp + j * stride) - delta);
        store(dbias - j, load(dbias - j) + (present ? change : (v16)0.0f));
    }
}

/// P = e^(scale · scores − lse) for a column of `keys` vectors, in place of `scores`.
INLINE void probabilities(float *scores, long stride, long keys, float scale, int causal, long query, v16 lse) {
    for (long j = 0; j < keys; j++)
        store(scores + j * stride, v_exp(visible(load(scores + j * stride), causal, j, query) * scale - lse));
}

/// P = e^(scale · scores − lse) and dS = scale · P ⊙ (dP − δ) for a column of `keys` vectors, in place of `scores` and `dp`.
INLINE void softmax_backward(
    float *scores, float *dp, long stride, long keys, float scale, int causal, long query, v16 lse, v16 delta) {
    for (long j = 0; j < keys; j++) {
        v16 p = v_exp(visible(load(scores + j * stride), causal, j, query) * scale - lse);
        store(scores + j * stride, p);
        store(dp + j * stride, scale * p * (load(dp + j * stride) - delta));
    }
}

DISPATCH void fanoise_attention_backward(
    fanoise_attention_shape shape, const float *dy, const float *qkv, const float *y, const float *log_sum_exp, float *dqkv,
    float *dbias, float *scratch) {
    const tile_shape most = best_tile();
    const long K = shape.head_width, H = shape.heads, D = H * K, W = rounded(K), R = 3 * D;
    const long block = BLOCK_VECTORS * LANES, rows_size = shape.longest * W, panels_size = rounded(shape.longest) * K;
    const float scale = 1 / sqrtf((float)K);
    float *p = scratch, *ds = p + shape.longest * block, *dq = ds + shape.longest * block;
    float *q_rows = dq + block * W, *k_rows = q_rows + rows_size, *dy_rows = k_rows + rows_size, *dk = dy_rows + rows_size;
    float *dv = dk + rows_size, *q_panels = dv + rows_size, *dy_panels = q_panels + panels_size;
    float *lse = dy_panels + panels_size, *delta = lse + rounded(shape.longest);
    short_attention_backward(shape, dy, qkv, log_sum_exp, dqkv, scratch);
    for (long s = 0; s < shape.sequences; s++) {
        const long first = shape.offsets[s], S = shape.offsets[s + 1] - first;
        if (attention_is_short(shape, S)) continue;
        for (long h = 0; h < H; h++) {
            const long ahead = next_head(h, H, K, S, R), ahead_out = next_head(h, H, K, S, D);
            const long stride = balanced(rounded(S) / LANES, BLOCK_VECTORS) * LANES;
            const float *q = qkv + first * R + h * K, *out = y + first * D + h * K, *dout = dy + first * D + h * K;
            float *dq_out = dqkv + first * R + h * K;
            pack_rows(q, R, S, K, ahead, q_rows);
            pack_rows(q + D, R, S, K, ahead, k_rows);
            pack_rows(dout, D, S, K, ahead_out, dy_rows);
            pack_panels(q, R, S, K, ahead, q_panels);
            pack_panels(dout, D, S, K, ahead_out, dy_panels);
            memset(dk, 0, (size_t)(S * W) * sizeof *dk);
            memset(dv, 0, (size_t)(S * W) * sizeof *dv);
            for (long i = 0; i < S; i++) {
                // δ = Σ_k dy_k y_k, the query's share of the softmax's normalisation.
                v16 products = 0;
                FOR_VECTORS(k, K, part, {
                    __builtin_prefetch(out + i * D + k + ahead_out);
                    products += load(dy_rows + i * W + k) * get(out + i * D + k, part);
                });
                delta[i] = sum(products);
                lse[i] = log_sum_exp[(first + i) * H + h];
            }
            // Lanes past the last query are computed and never read; zeros keep them finite.
            for (long i = S; i < rounded(S); i++) lse[i] = delta[i] = 0;
            for (long i = 0; i < S; i += stride) {
                const long rows = least(stride, S - i), keys = shape.causal ? i + rows : S, vectors = rounded(rows) / LANES;
                product(most, keys, vectors, K, k_rows, W, 1, q_panels + i * K, LANES, K * LANES, p, stride, 0);
                product(most, keys, vectors, K, q + 2 * D, R, 1, dy_panels + i * K, LANES, K * LANES, ds, stride, 0);
                for (long v = 0; v < vectors; v++) {
                    const long query = i + v * LANES;
                    float *column = p + v * LANES, *dcolumn = ds + v * LANES;
                    const float *bias = bias_of(shape, h, query);
                    if (!bias) {
                        softmax_backward(
                            column, dcolumn, stride, keys, scale, shape.causal, query, load(lse + query), load(delta + query));
                        continue;
                    }
                    add_bias(column, stride, keys, scale, bias);
                    probabilities(column, stride, keys, 1, shape.causal, query, load(lse + query));
                    if (dbias)
                        bias_backward(
                            column, dcolumn, stride, keys, least(LANES, S - query), load(delta + query), dbias + (bias - shape.bias));
                    for (long j = 0; j < keys; j++) {
                        float *change = dcolumn + j * stride;
                        store(change, scale * load(column + j * stride) * (load(change) - load(delta + query)));
                    }
                }
                product(most, rows, W / LANES, keys, ds, 1, stride, k_rows, W, LANES, dq, W, 0);
                unpack_rows(dq, rows, K, dq_out + i * R, R);
                product(most, keys, W / LANES, rows, ds, stride, 1, q_rows + i * W, W, LANES, dk, W, 1);
                product(most, keys, W / LANES, rows, p, stride, 1, dy_rows + i * W, W, LANES, dv, W, 1);
            }
            unpack_rows(dk, S, K, dq_out + D, R);
            unpack_rows(dv, S, K, dq_out + 2 * D, R);
            for (long j = 0; j < S; j++)
                for (long k = 0; k < K; k += LANES) __builtin_prefetch(q + 2 * D + j * R + k + ahead);
        }
    }
}
