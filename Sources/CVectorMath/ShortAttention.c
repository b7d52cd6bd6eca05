// Softmax attention of short sequences, sixteen at a time. Not here: longer ones (Attention.c).
//
// Shapes: a group is up to sixteen pairs of a sequence and a head, S positions of the longest, K head width. The pairs lie side by side:
// an element of a matrix is a vector with a lane for each pair. Vectors along positions, as in Attention.c, would be half empty (17 tokens
// of a picture need two), and its small products are mostly beginnings and ends. Here every lane of a full group is of use, and of later
// keys in a causal sequence only those in a query's own register tile are computed. A group that is not full repeats its first pair.
//
// Pairs are taken from the longest to the shortest, so lengths in a group are as near to each other as there are. What a shorter one lacks
// are zeros: no query that there is sees such a key, and such a query, whose gradient is zero, changes nothing. A lane's sums only get zeros
// more: of finite numbers they do not depend on what is beside it.
#include "Attention.h"

/// The longest sequence that is short, and the most elements of its queries: a group then fits the second cache.
enum { MOST_POSITIONS = 32, MOST_ELEMENTS = 1024 };
/// The largest register tile, in vectors.
enum { TILE_ROWS = 6, TILE_COLUMNS = 4 };

int attention_is_short(fanoise_attention_shape shape, long positions) {
    return !shape.bias && positions <= MOST_POSITIONS && positions * shape.head_width <= MOST_ELEMENTS;
}

/// Vectors from one position to the next; odd, so that positions do not share their sets of a cache.
INLINE long row_vectors(long head_width) { return head_width | 1; }

INLINE long longest_short(fanoise_attention_shape s) {
    return least(s.longest, least(MOST_POSITIONS, MOST_ELEMENTS / s.head_width));
}

long short_attention_forward_scratch(fanoise_attention_shape s) {
    const long S = longest_short(s);
    return (3 * S * row_vectors(s.head_width) + TILE_ROWS * S) * LANES;
}

long short_attention_backward_scratch(fanoise_attention_shape s) {
    const long S = longest_short(s);
    return (4 * S * row_vectors(s.head_width) + 2 * S * S) * LANES;
}

/// Pairs of a sequence and a head: where its rows begin, how many they are, which head; lanes without one have the first's, the longest.
typedef struct {
    long positions, shortest, count, first[LANES], length[LANES], head[LANES];
} group;

/// Goes through the pairs of short sequences from the longest to the shortest.
typedef struct {
    long positions, sequence, head;
} walk;

static walk short_pairs(fanoise_attention_shape shape) { return (walk){shape.bias ? 0 : longest_short(shape), 0, 0}; }

static int next_group(fanoise_attention_shape shape, walk *at, group *g) {
    g->count = 0;
    while (at->positions > 0 && g->count < LANES) {
        if (at->sequence == shape.sequences) {
            at->positions--, at->sequence = 0;
            continue;
        }
        const long first = shape.offsets[at->sequence];
        if (at->head == shape.heads || shape.offsets[at->sequence + 1] - first != at->positions) {
            at->sequence++, at->head = 0;
            continue;
        }
        g->first[g->count] = first, g->length[g->count] = at->positions, g->head[g->count] = at->head++;
        g->count++;
    }
    if (!g->count) return 0;
    g->positions = g->length[0], g->shortest = g->length[g->count - 1];
    for (long l = g->count; l < LANES; l++) g->first[l] = g->first[0], g->length[l] = g->length[0], g->head[l] = g->head[0];
    return 1;
}

/// Hides from a row of scores the keys that lie behind a lane's last.
INLINE void hide_missing(const group *g, float *row) {
    if (g->shortest == g->positions) return;
    i16 lengths;
#pragma clang loop unroll(full)
    for (int l = 0; l < LANES; l++) lengths[l] = (int32_t)g->length[l];
    for (long j = g->shortest; j < g->positions; j++)
        store(row + j * LANES, lengths > (int32_t)j ? load(row + j * LANES) : (v16)-INFINITY);
}

/// Copies position t of the pairs side by side: element k of a lane; of so many parts, D apart, each to a matrix of its own. A row's parts
/// are read together, as they lie in memory. `all`, a constant after inlining, says that every pair is as long.
INLINE void gather_position(
    const int all, const group *g, long t, const float *const from[LANES], long stride, const int parts, long D, long K,
    float *const targets[]) {
    for (int p = 0; p < parts; p++)
        for (long k = 0; k < K; k += LANES) {
            const long part = K - k < LANES ? K - k : 0, offset = t * stride + p * D + k;
            v16 block[LANES];
#pragma clang loop unroll(full)
            for (int l = 0; l < LANES; l++) block[l] = all || t < g->length[l] ? get(from[l] + offset, part) : (v16)0.0f;
            transpose(block);
#pragma clang loop unroll(full)
            for (int i = 0; i < LANES; i++)
                if (k + i < K) store(targets[p] + (t * row_vectors(K) + k + i) * LANES, block[i]);
        }
}

/// Copies the pairs' rows, `stride` apart, side by side; of shorter pairs, zeros behind them.
INLINE void gather(const group *g, const float *source, long stride, const int parts, long D, long K, float *const targets[]) {
    const float *from[LANES];
    for (int l = 0; l < LANES; l++) from[l] = source + g->first[l] * stride + g->head[l] * K;
    for (long t = 0; t < g->shortest; t++) gather_position(1, g, t, from, stride, parts, D, K, targets);
    for (long t = g->shortest; t < g->positions; t++) gather_position(0, g, t, from, stride, parts, D, K, targets);
}

/// The way back of a position, from as many matrices.
INLINE void scatter_position(
    const int all, const group *g, long t, float *const sources[], const int parts, long D, long K, float *const to[LANES], long stride) {
    for (int p = 0; p < parts; p++)
        for (long k = 0; k < K; k += LANES) {
            const long part = K - k < LANES ? K - k : 0, offset = t * stride + p * D + k;
            v16 block[LANES];
#pragma clang loop unroll(full)
            for (int i = 0; i < LANES; i++)
                block[i] = k + i < K ? load(sources[p] + (t * row_vectors(K) + k + i) * LANES) : (v16)0.0f;
            transpose(block);
#pragma clang loop unroll(full)
            for (int l = 0; l < LANES; l++)
                if (l < g->count && (all || t < g->length[l])) put(to[l] + offset, block[l], part);
        }
}

/// The way back.
INLINE void scatter(const group *g, float *const sources[], const int parts, long D, long K, float *target, long stride) {
    float *to[LANES];
    for (int l = 0; l < LANES; l++) to[l] = target + g->first[l] * stride + g->head[l] * K;
    for (long t = 0; t < g->shortest; t++) scatter_position(1, g, t, sources, parts, D, K, to, stride);
    for (long t = g->shortest; t < g->positions; t++) scatter_position(0, g, t, sources, parts, D, K, to, stride);
}

/// One operand of a product: element (i, j) is the vector at (i row + j column).
typedef struct {
    const float *at;
    long row, column;
} lanes;

/// C(m, n) = Σ_d A(m, d) B(d, n), d from `from` to `to`, for one register tile; sizes are constants after inlining.
INLINE void lane_tile(const int rows, const int columns, long from, long to, lanes a, lanes b, float *c, long cr) {
    v16 total[TILE_ROWS][TILE_COLUMNS];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int n = 0; n < columns; n++) total[r][n] = (v16)0.0f;
    for (long d = from; d < to; d++) {
        v16 right[TILE_COLUMNS];
#pragma clang loop unroll(full)
        for (int n = 0; n < columns; n++) right[n] = load(b.at + (d * b.row + n * b.column) * LANES);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            const v16 left = load(a.at + (r * a.row + d * a.column) * LANES);
#pragma clang loop unroll(full)
            for (int n = 0; n < columns; n++) total[r][n] += left * right[n];
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int n = 0; n < columns; n++) store(c + (r * cr + n) * LANES, total[r][n]);
}

/// The same for any number of columns, and up to TILE_ROWS rows.
DISPATCH static void lane_product(long rows, long columns, long from, long to, lanes a, lanes b, float *c, long cr) {
    const long width = balanced(columns, TILE_COLUMNS);
    for (long n = 0; n < columns; n += width, b.at += width * b.column * LANES, c += width * LANES) {
#define LANE_TILE(R, N)                                                                                                                 \
    case R * 8 + N: lane_tile(R, N, from, to, a, b, c, cr); break;
#define LANE_TILES(N) LANE_TILE(1, N) LANE_TILE(2, N) LANE_TILE(3, N) LANE_TILE(4, N) LANE_TILE(5, N) LANE_TILE(6, N)
        switch (rows * 8 + least(width, columns - n)) { LANE_TILES(1) LANE_TILES(2) LANE_TILES(3) LANE_TILES(4) }
    }
}

DISPATCH void short_attention_forward(fanoise_attention_shape shape, const float *qkv, float *y, float *log_sum_exp, float *scratch) {
    const long K = shape.head_width, H = shape.heads, D = H * K, R = 3 * D, W = row_vectors(K), size = longest_short(shape) * W * LANES;
    const float scale = 1 / sqrtf((float)K);
    float *q = scratch, *k = q + size, *v = k + size, *p = v + size;
    walk at = short_pairs(shape);
    for (group g; next_group(shape, &at, &g);) {
        const long S = g.positions, height = balanced(S, TILE_ROWS);
        gather(&g, qkv, R, 3, D, K, (float *[]){q, k, v});
        for (long i = 0; i < S; i += height) {
            const long rows = least(height, S - i), keys = shape.causal ? i + rows : S;
            float *here = q + i * W * LANES;
            lane_product(rows, keys, 0, K, (lanes){here, W, 1}, (lanes){k, 1, W}, p, S);
            for (long r = 0; r < rows; r++) {
                float lse[LANES], *row = p + r * S * LANES;
                const long seen = shape.causal ? i + r + 1 : S;
                if (!shape.causal) hide_missing(&g, row);
                store(lse, softmax(row, LANES, seen, scale, 0, 0));
                for (long j = seen; j < keys; j++) store(row + j * LANES, (v16)0.0f);
                for (long l = 0; l < g.count; l++)
                    if (i + r < g.length[l]) log_sum_exp[(g.first[l] + i + r) * H + g.head[l]] = lse[l];
            }
            // The outputs take the place of queries that are done with.
            lane_product(rows, K, 0, keys, (lanes){p, S, 1}, (lanes){v, W, 1}, here, W);
        }
        scatter(&g, (float *[]){q}, 1, D, K, y, D);
    }
}

/// P = e^(scale · scores − lse), dS = scale · P ⊙ (dP − Σ_j P_j dP_j), for a row of `seen` keys; those after it, up to `keys`, are hidden.
INLINE void scores_backward(float *p, float *ds, long seen, long keys, float scale, v16 lse) {
    v16 delta = 0;
    for (long j = 0; j < seen; j++) {
        const v16 probability = v_exp(load(p + j * LANES) * scale - lse);
        store(p + j * LANES, probability);
        delta += probability * load(ds + j * LANES);
    }
    for (long j = 0; j < seen; j++) store(ds + j * LANES, scale * load(p + j * LANES) * (load(ds + j * LANES) - delta));
    for (long j = seen; j < keys; j++) {
        store(p + j * LANES, (v16)0.0f);
        store(ds + j * LANES, (v16)0.0f);
    }
}

DISPATCH void short_attention_backward(
    fanoise_attention_shape shape, const float *dy, const float *qkv, const float *log_sum_exp, float *dqkv, float *scratch) {
    const long K = shape.head_width, H = shape.heads, D = H * K, R = 3 * D, W = row_vectors(K), size = longest_short(shape) * W * LANES;
    const float scale = 1 / sqrtf((float)K);
    float *q = scratch, *k = q + size, *v = k + size, *change = v + size, *p = change + size;
    walk at = short_pairs(shape);
    for (group g; next_group(shape, &at, &g);) {
        const long S = g.positions, height = balanced(S, TILE_ROWS);
        float *ds = p + S * S * LANES;
        gather(&g, qkv, R, 3, D, K, (float *[]){q, k, v});
        gather(&g, dy, D, 1, D, K, (float *[]){change});
        for (long i = 0; i < S; i += height) {
            const long rows = least(height, S - i), keys = shape.causal ? i + rows : S;
            float *p_rows = p + i * S * LANES, *ds_rows = ds + i * S * LANES;
            lane_product(rows, keys, 0, K, (lanes){q + i * W * LANES, W, 1}, (lanes){k, 1, W}, p_rows, S);
            lane_product(rows, keys, 0, K, (lanes){change + i * W * LANES, W, 1}, (lanes){v, 1, W}, ds_rows, S);
            for (long r = 0; r < rows; r++) {
                float lse[LANES];
                for (long l = 0; l < LANES; l++)
                    lse[l] = i + r < g.length[l] ? log_sum_exp[(g.first[l] + i + r) * H + g.head[l]] : 0;
                if (!shape.causal) hide_missing(&g, p_rows + r * S * LANES);
                scores_backward(p_rows + r * S * LANES, ds_rows + r * S * LANES, shape.causal ? i + r + 1 : S, keys, scale, load(lse));
            }
        }
        // Each gradient takes the place of what is done with: dv of v, dq of dy, dk of k. Hidden keys have no part in a sum: queries from key j's
        // tile on see it, and a query's tile sees no keys after it.
        for (long j = 0; j < S; j += height)
            lane_product(
                least(height, S - j), K, shape.causal ? j : 0, S, (lanes){p + j * LANES, 1, S}, (lanes){change, W, 1}, v + j * W * LANES, W);
        for (long i = 0; i < S; i += height) {
            const long rows = least(height, S - i), keys = shape.causal ? i + rows : S;
            lane_product(rows, K, 0, keys, (lanes){ds + i * S * LANES, S, 1}, (lanes){k, W, 1}, change + i * W * LANES, W);
        }
        for (long j = 0; j < S; j += height)
            lane_product(
                least(height, S - j), K, shape.causal ? j : 0, S, (lanes){ds + j * LANES, 1, S}, (lanes){q, W, 1}, k + j * W * LANES, W);
        scatter(&g, (float *[]){change, k, v}, 3, D, K, dqkv, R);
    }
}
