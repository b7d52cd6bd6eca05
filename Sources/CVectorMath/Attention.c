// Softmax attention of packed sequences. Not here: the projections around it.
//
// Shapes of one sequence and head: S positions, K head width, W = K rounded up to 16, P = S rounded up to 16.
// Per-head BLAS calls cost more than the arithmetic at S = 8 to 65; here a head's keys and values stay in cache, and tiles of
// sums stay in registers.
#include "CVectorMath.h"
#include "Vector.h"

/// The largest register tile.
enum { MOST_ROWS = 8, MOST_VECTORS = 3 };
/// Query rows of a block: forward (scores of one register tile), backward (P and dS of a block together stay in cache).
enum { FORWARD_BLOCK = 8, BACKWARD_BLOCK = 64 };

INLINE long rounded(long n) { return (n + LANES - 1) / LANES * LANES; }
INLINE long least(long a, long b) { return a < b ? a : b; }

/// Row stride of a tile of scores: off the powers of two, so that a column of it does not fall into one cache set.
INLINE long score_stride(long positions) { return rounded(positions) + LANES; }

/// Rows of each block when `count` rows are cut into equal blocks of at most `most`.
INLINE long balanced(long count, long most) {
    long blocks = (count + most - 1) / most;
    return blocks ? (count + blocks - 1) / blocks : 0;
}

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

/// Lanes of `a` and `b` with the bit `S` of the row number and the bit `S` of the lane number exchanged.
#define LOW_8(i) (i & 8 ? 16 + i - 8 : i)
#define HIGH_8(i) (i & 8 ? 16 + i : i + 8)
#define LOW_4(i) (i & 4 ? 16 + i - 4 : i)
#define HIGH_4(i) (i & 4 ? 16 + i : i + 4)
#define LOW_2(i) (i & 2 ? 16 + i - 2 : i)
#define HIGH_2(i) (i & 2 ? 16 + i : i + 2)
#define LOW_1(i) (i & 1 ? 16 + i - 1 : i)
#define HIGH_1(i) (i & 1 ? 16 + i : i + 1)
#define SHUFFLE(a, b, F)                                                                                                                \
    __builtin_shufflevector(                                                                                                            \
        a, b, F(0), F(1), F(2), F(3), F(4), F(5), F(6), F(7), F(8), F(9), F(10), F(11), F(12), F(13), F(14), F(15))
#define EXCHANGE(rows, S)                                                                                                               \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < LANES; i++) if (!(i & S)) {                                                  \
        v16 a = rows[i], b = rows[i + S];                                                                                               \
        rows[i] = SHUFFLE(a, b, LOW_##S);                                                                                               \
        rows[i + S] = SHUFFLE(a, b, HIGH_##S);                                                                                          \
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
            EXCHANGE(block, 8)
            EXCHANGE(block, 4)
            EXCHANGE(block, 2)
            EXCHANGE(block, 1)
#pragma clang loop unroll(full)
            for (int i = 0; i < LANES; i++)
                if (k + i < width) store(target + (k + i) * LANES, block[i]);
        }
    }
}

/// Lane numbers starting at `first`.
INLINE i16 lanes_from(long first) {
    return (i16){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} + (int32_t)first;
}

/// -∞ in the lanes past the first `n` of a row of scores, `from` being the number of lane 0.
INLINE v16 masked(v16 scores, long from, long n) { return lanes_from(from) < (int32_t)n ? scores : (v16)-INFINITY; }

long fanoise_attention_forward_scratch(fanoise_attention_shape s) {
    return rounded(s.longest) * s.head_width + (s.longest + FORWARD_BLOCK) * rounded(s.head_width) + FORWARD_BLOCK * score_stride(s.longest);
}

long fanoise_attention_backward_scratch(fanoise_attention_shape s) {
    return 2 * rounded(s.longest) * s.head_width + (5 * s.longest + BACKWARD_BLOCK) * rounded(s.head_width) +
           2 * BACKWARD_BLOCK * score_stride(s.longest);
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
    for (long k = 0; k < depth; k++, a += ak, b += bk) {
        v16 row[MOST_VECTORS];
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) row[v] = load(b + v * bv);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            v16 factor = a[r * ar];
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) total[r][v] += factor * row[v];
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) store(c + r * cr + v * LANES, total[r][v]);
}

/// The register file's tile: it must hold rows × vectors sums of 16 floats, and a row of B.
typedef struct {
    long rows, vectors;
} tile_shape;

static tile_shape best_tile(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("x86-64-v4")) return (tile_shape){8, 3};
    if (!__builtin_cpu_supports("x86-64-v3")) return (tile_shape){3, 1};
#endif
    return (tile_shape){6, 1};
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

/// Turns raw scores of a row into probabilities: keys past the first `n` get zero. Returns the maximum (scaled) and the sum.
INLINE void softmax(float *row, long vectors, long n, float scale, float *maximum, float *total) {
    v16 top = -INFINITY, sums = 0;
    for (long j = 0; j < n; j += LANES) top = larger(top, masked(load(row + j), j, n));
    float m = largest(top) * scale;
    for (long j = 0; j < n; j += LANES) {
        v16 e = v_exp(masked(load(row + j), j, n) * scale - m);
        sums += e;
        store(row + j, e);
    }
    float s = sum(sums), inverse = 1 / s;
    for (long j = 0; j < n; j += LANES) store(row + j, load(row + j) * inverse);
    for (long j = rounded(n); j < vectors * LANES; j += LANES) store(row + j, (v16)0.0f);
    *maximum = m;
    *total = s;
}

DISPATCH void fanoise_attention_forward(fanoise_attention_shape shape, const float *qkv, float *y, float *log_sum_exp, float *scratch) {
    const tile_shape most = best_tile();
    const long K = shape.head_width, H = shape.heads, D = H * K, W = rounded(K), R = 3 * D;
    const long stride = score_stride(shape.longest);
    const float scale = 1 / sqrtf((float)K);
    float *scores = scratch, *out = scores + FORWARD_BLOCK * stride, *values = out + FORWARD_BLOCK * W, *keys = values + shape.longest * W;
    for (long s = 0; s < shape.sequences; s++)
        for (long h = 0; h < H; h++) {
            const long first = shape.offsets[s], S = shape.offsets[s + 1] - first, block = balanced(S, FORWARD_BLOCK);
            const float *q = qkv + first * R + h * K;
            const long ahead = next_head(h, H, K, S, R);
            pack_panels(q + D, R, S, K, ahead, keys);
            pack_rows(q + 2 * D, R, S, K, ahead, values);
            for (long i = 0; i < S; i++)
                for (long k = 0; k < K; k += LANES) __builtin_prefetch(q + i * R + k + ahead);
            for (long i = 0; i < S; i += block) {
                const long rows = least(block, S - i), seen = shape.causal ? i + rows : S, vectors = rounded(seen) / LANES;
                float maxima[LANES] = {0}, totals[LANES] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
                product(most, rows, vectors, K, q + i * R, R, 1, keys, LANES, K * LANES, scores, stride, 0);
                for (long r = 0; r < rows; r++)
                    softmax(scores + r * stride, vectors, shape.causal ? i + r + 1 : S, scale, maxima + r, totals + r);
                store(maxima, load(maxima) + v_log(load(totals)));
                for (long r = 0; r < rows; r++) log_sum_exp[(first + i + r) * H + h] = maxima[r];
                float *target = y + (first + i) * D + h * K;
                if (W == K) {
                    product(most, rows, W / LANES, seen, scores, stride, 1, values, W, LANES, target, D, 0);
                } else {
                    product(most, rows, W / LANES, seen, scores, stride, 1, values, W, LANES, out, W, 0);
                    unpack_rows(out, rows, K, target, D);
                }
            }
        }
}

/// P = e^(scale · scores − lse) and dS = scale · P ⊙ (dP − δ) for one query row, in place of `scores` and `dp`; zero past the first `n`.
INLINE void softmax_backward(float *scores, float *dp, long vectors, long n, float scale, float lse, float delta) {
    for (long j = 0; j < n; j += LANES) {
        v16 p = v_exp(masked(load(scores + j), j, n) * scale - lse);
        store(scores + j, p);
        store(dp + j, scale * p * (load(dp + j) - delta));
    }
    for (long j = rounded(n); j < vectors * LANES; j += LANES) {
        store(scores + j, (v16)0.0f);
        store(dp + j, (v16)0.0f);
    }
}

DISPATCH void fanoise_attention_backward(
    fanoise_attention_shape shape, const float *dy, const float *qkv, const float *y, const float *log_sum_exp, float *dqkv, float *scratch) {
    const tile_shape most = best_tile();
    const long K = shape.head_width, H = shape.heads, D = H * K, W = rounded(K), R = 3 * D;
    const long stride = score_stride(shape.longest), rows_size = shape.longest * W;
    const float scale = 1 / sqrtf((float)K);
    float *p = scratch, *ds = p + BACKWARD_BLOCK * stride, *dq = ds + BACKWARD_BLOCK * stride;
    float *q_rows = dq + BACKWARD_BLOCK * W, *k_rows = q_rows + rows_size, *dy_rows = k_rows + rows_size, *dk = dy_rows + rows_size;
    float *dv = dk + rows_size, *k_panels = dv + rows_size, *v_panels = k_panels + rounded(shape.longest) * K;
    for (long s = 0; s < shape.sequences; s++)
        for (long h = 0; h < H; h++) {
            const long first = shape.offsets[s], S = shape.offsets[s + 1] - first, block = balanced(S, BACKWARD_BLOCK);
            const float *q = qkv + first * R + h * K, *out = y + first * D + h * K, *dout = dy + first * D + h * K;
            float *dq_out = dqkv + first * R + h * K;
            const long ahead = next_head(h, H, K, S, R), ahead_out = next_head(h, H, K, S, D);
            pack_rows(q, R, S, K, ahead, q_rows);
            pack_rows(q + D, R, S, K, ahead, k_rows);
            pack_rows(dout, D, S, K, ahead_out, dy_rows);
            pack_panels(q + D, R, S, K, ahead, k_panels);
            pack_panels(q + 2 * D, R, S, K, ahead, v_panels);
            if (S > 0) {
                memset(dk, 0, (size_t)(S * W) * sizeof *dk);
                memset(dv, 0, (size_t)(S * W) * sizeof *dv);
            }
            for (long i = 0; i < S; i += block) {
                const long rows = least(block, S - i), seen = shape.causal ? i + rows : S, vectors = rounded(seen) / LANES;
                const float *q_block = q_rows + i * W, *dy_block = dy_rows + i * W;
                product(most, rows, vectors, K, q_block, W, 1, k_panels, LANES, K * LANES, p, stride, 0);
                product(most, rows, vectors, K, dy_block, W, 1, v_panels, LANES, K * LANES, ds, stride, 0);
                for (long r = 0; r < rows; r++) {
                    // δ = Σ_k dy_k y_k, the row's share of the softmax's normalisation.
                    v16 products = 0;
                    FOR_VECTORS(k, K, part, {
                        __builtin_prefetch(out + (i + r) * D + k + ahead_out);
                        products += load(dy_block + r * W + k) * get(out + (i + r) * D + k, part);
                    });
                    softmax_backward(
                        p + r * stride, ds + r * stride, vectors, shape.causal ? i + r + 1 : S, scale,
                        log_sum_exp[(first + i + r) * H + h], sum(products));
                }
                product(most, rows, W / LANES, seen, ds, stride, 1, k_rows, W, LANES, dq, W, 0);
                unpack_rows(dq, rows, K, dq_out + i * R, R);
                product(most, seen, W / LANES, rows, ds, 1, stride, q_block, W, LANES, dk, W, 1);
                product(most, seen, W / LANES, rows, p, 1, stride, dy_block, W, LANES, dv, W, 1);
            }
            unpack_rows(dk, S, K, dq_out + D, R);
            unpack_rows(dv, S, K, dq_out + 2 * D, R);
        }
}

