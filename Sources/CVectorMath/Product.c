// Matrix products in float32, in vector registers or on the matrix unit as the caller asks. Not here: the latter (MatrixUnit.c), how products
// are cut among threads (Kernels/Gemm.swift).
//
// Shapes: C_MN (+)= A_MK · B_KN. B is copied, a block at a time, to panels that one register tile is wide and that stay in the second
// cache, unless its rows are so short that they stay there as they lie; strips of A, one tile high, stay in the first. The blocks of K depend
// on K alone: an element of C is the same sum in the same order whatever M and N are, so a row's result does not depend on how many rows are
// computed with it.
// Source of the scheme: Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34 (3), 2008.
#include "Product.h"
#include "Tile.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/// The deepest block of B, less deep where strips of A are copied too, and its floats.
enum { MOST_DEPTH = 768, MOST_STRIP_DEPTH = 256, BLOCK_FLOATS = 192 * 1024 };
/// Columns of a transposed A that are copied together.
enum { STRIP_ROWS = 64 };
/// How many rows further on memory is asked for what will be copied.
enum { PREFETCHED_ROWS = 8 };

/// Rows of memory that will be needed: as many lines of it are asked for at every turn as let all have been asked for when the turns are over.
///
/// A core waits for some twenty lines at a time. Were they all in far memory, B's panels, which come from the second cache, would queue
/// behind them: that cost a tenth of the time of products whose operands are not in cache.
typedef struct {
    const char *line;
    long rows, gap, lines, lines_left, lines_a_turn;
} upcoming;

INLINE upcoming upcoming_rows(const float *first, long stride, long rows, long columns, long turns) {
    const long lines = blocks(columns, LANES);
    return (upcoming){(const char *)first, rows, (stride - lines * LANES) * (long)sizeof *first, lines, lines, blocks(rows * lines, turns)};
}

INLINE void ask_for(upcoming *next) {
    for (long n = next->lines_a_turn; n > 0 && next->rows > 0; n--) {
        __builtin_prefetch(next->line);
        next->line += LANES * sizeof(float);
        if (--next->lines_left) continue;
        next->line += next->gap, next->lines_left = next->lines, next->rows--;
    }
}

/// What a tile asks for while it is computed, a turn for each of its rows: what of A and B is needed after it, its own part of C, and what its
/// epilogue reads or writes, `beside` bytes from there.
typedef struct {
    upcoming a, b;
    const float *c;
    long c_stride, beside[2];
} requests;

static requests requests_of(const fanoise_epilogue *e, const float *c, long c_stride) {
    requests wanted = {.c_stride = c_stride};
    if (e && e->residual) wanted.beside[0] = (const char *)e->residual - (const char *)c;
    const float *other = e && e->activated ? e->activated : e ? e->differentiated : 0;
    if (other) wanted.beside[1] = (const char *)other - (const char *)c;
    return wanted;
}

/// Depth of the equal blocks that K is cut into.
static long block_depth(long depth, int a_transposed) {
    return blocks(depth, blocks(depth, a_transposed ? MOST_STRIP_DEPTH : MOST_DEPTH));
}

/// Vectors of each block of B's columns, within BLOCK_FLOATS.
static long block_vectors(tile_shape most, long columns, long depth) {
    const long count = blocks(columns, LANES);
    long fit = BLOCK_FLOATS / (LANES * depth) / most.vectors * most.vectors;
    if (fit < most.vectors) fit = most.vectors;
    return least(count, blocks(blocks(count, blocks(count, fit)), most.vectors) * most.vectors);
}

/// The first vector of panel p, when `vectors` are cut into equal panels of at most `most`.
INLINE long panel_start(long p, long vectors, long most) { return p * vectors / blocks(vectors, most); }

/// Copies `depth` rows of `vectors` vectors, of whose last `present` floats are there, and asks for those to come.
INLINE void copy_rows(const float *source, long stride, long depth, const int vectors, long present, float *target) {
    for (long k = 0; k < depth; k++, source += stride, target += vectors * LANES)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            __builtin_prefetch(source + PREFETCHED_ROWS * stride + v * LANES);
            store(target + v * LANES, get(source + v * LANES, v == vectors - 1 && present < LANES ? present : 0));
        }
}

/// Copies a block of B to panels, columns past the last zero: row k of a panel holds its vectors side by side.
INLINE void pack_rows_of_b(const float *b, long stride, long depth, long columns, long most, float *panels) {
    const long vectors = blocks(columns, LANES), count = blocks(vectors, most);
    for (long p = 0; p < count; p++) {
        const long first = panel_start(p, vectors, most), width = panel_start(p + 1, vectors, most) - first;
        const float *source = b + first * LANES;
        const long present = columns - (first + width - 1) * LANES;
        if (width == 3) copy_rows(source, stride, depth, 3, present, panels);
        else if (width == 2) copy_rows(source, stride, depth, 2, present, panels);
        else copy_rows(source, stride, depth, 1, present, panels);
        panels += depth * width * LANES;
    }
}

/// The same of a B that is stored transposed, N×K.
INLINE void pack_columns_of_b(const float *b, long stride, long depth, long columns, long most, float *panels) {
    const long vectors = blocks(columns, LANES), count = blocks(vectors, most);
    for (long p = 0; p < count; p++) {
        const long first = panel_start(p, vectors, most), width = panel_start(p + 1, vectors, most) - first;
        for (long v = 0; v < width; v++) {
            const float *source = b + (first + v) * LANES * stride;
            const long present = least(LANES, columns - (first + v) * LANES);
            for (long k = 0; k < depth; k += LANES) {
                const long part = depth - k < LANES ? depth - k : 0;
                v16 block[LANES];
#pragma clang loop unroll(full)
                for (int i = 0; i < LANES; i++) block[i] = i < present ? get(source + i * stride + k, part) : (v16)0.0f;
                transpose(block);
#pragma clang loop unroll(full)
                for (int i = 0; i < LANES; i++)
                    if (!part || i < part) store(panels + ((k + i) * width + v) * LANES, block[i]);
            }
        }
        panels += depth * width * LANES;
    }
}

/// Either, of the block of B that begins at (k, j).
INLINE void pack_b(
    int transposed, const float *b, long stride, long k, long j, long depth, long columns, long most, float *panels) {
    if (transposed) pack_columns_of_b(b + j * stride + k, stride, depth, columns, most, panels);
    else pack_rows_of_b(b + k * stride + j, stride, depth, columns, most, panels);
}

/// The block of B that comes next; none has no depth.
INLINE upcoming upcoming_block(
    int transposed, const float *b, long stride, long k, long j, long depth, long columns, long turns) {
    if (depth <= 0) return (upcoming){0};
    return transposed ? upcoming_rows(b + j * stride + k, stride, columns, depth, turns)
                      : upcoming_rows(b + k * stride + j, stride, depth, columns, turns);
}

/// Copies `rows` columns of an A that is stored transposed, K×M, to strips of `most`: row k of a strip holds its columns side by side. Adds
/// the sum of each column to `sums`, where they are wanted: no memory is read for them alone.
INLINE void pack_strips(const float *a, long stride, long depth, long rows, long most, float *strips, float *sums) {
    v16 totals[STRIP_ROWS / LANES] = {0};
    const int whole = rows == STRIP_ROWS && most == LANES / 2;
    for (long k = 0; k < depth; k++, a += stride) {
        if (whole) {
#pragma clang loop unroll(full)
            for (int v = 0; v < STRIP_ROWS / LANES; v++) {
                __builtin_prefetch(a + PREFETCHED_ROWS * stride + v * LANES);
                const v16 x = load(a + v * LANES);
                const v8 left = x.lo, right = x.hi;
                float *strip = strips + 2 * v * most * depth + k * most;
                memcpy(strip, &left, sizeof left);
                memcpy(strip + most * depth, &right, sizeof right);
                totals[v] += x;
            }
            continue;
        }
        for (long first = 0; first < rows; first += most) {
            const long width = least(most, rows - first);
            float *row = strips + first * depth + k * width;
            if (width == LANES / 2) memcpy(row, a + first, LANES / 2 * sizeof *a);
            else for (long r = 0; r < width; r++) row[r] = a[first + r];
        }
        if (sums) FOR_VECTORS(r, rows, part, { totals[r / LANES] += get(a + r, part); });
    }
    if (sums) FOR_VECTORS(r, rows, part, { put(sums + r, get(sums + r, part) + totals[r / LANES], part); });
}

/// C = alpha Σ_k A(r, k) B(k, ·), added to C where asked, for one register tile; sizes are constants after inlining. A(r, k) = a[r ar + k ak];
/// row k of B begins at b[k bk]. A bias, which needs an alpha of 1, is what the sums begin with.
INLINE void tile(
    const int rows, const int vectors, long depth, const float *restrict a, long ar, long ak, const float *restrict b, long bk, float alpha,
    int accumulate, float *restrict c, long cr, const float *bias, requests *wanted) {
    v16 total[MOST_ROWS][MOST_VECTORS];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) total[r][v] = bias ? load(bias + v * LANES) : (v16)0.0f;
    long distance[MOST_ROWS];
    row_distances(rows, ar, distance);
#pragma clang loop unroll(disable)
    for (int turn = 0; turn < rows; turn++) {
        const long from = depth * turn / rows, to = depth * (turn + 1) / rows;
        const char *row = (const char *)(wanted->c + turn * wanted->c_stride);
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            __builtin_prefetch(row + v * sizeof(v16), 1);
            __builtin_prefetch(row + wanted->beside[0] + v * sizeof(v16), 1);
            __builtin_prefetch(row + wanted->beside[1] + v * sizeof(v16), 1);
        }
        ask_for(&wanted->a);
        ask_for(&wanted->b);
        add_products(rows, vectors, to - from, a + from * ak, distance, ak, b + from * bk, bk, LANES, total);
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            v16 value = alpha * total[r][v];
            store(c + r * cr + v * LANES, accumulate ? load(c + r * cr + v * LANES) + value : value);
        }
}

#define TILE(R, V)                                                                                                                      \
    case R * 4 + V: tile(R, V, depth, a, ar, ak, b, bk, alpha, accumulate, c, cr, bias, wanted); break;

/// The same for any size of tile.
INLINE void any_tile(
    long rows, long vectors, long depth, const float *a, long ar, long ak, const float *b, long bk, float alpha, int accumulate, float *c,
    long cr, const float *bias, requests *wanted) {
    switch (rows * 4 + vectors) {
        TILE(8, 3) TILE(8, 2) TILE(8, 1) TILE(7, 3) TILE(7, 2) TILE(7, 1) TILE(6, 3) TILE(6, 2) TILE(6, 1) TILE(5, 3) TILE(5, 2) TILE(5, 1)
        TILE(4, 3) TILE(4, 2) TILE(4, 1) TILE(3, 3) TILE(3, 2) TILE(3, 1) TILE(2, 3) TILE(2, 2) TILE(2, 1) TILE(1, 3) TILE(1, 2) TILE(1, 1)
    }
}

/// C (+)= the `present` columns of a tile of `width` vectors that lie beside it.
INLINE void copy_edge(const float *edge, long width, long rows, long present, int accumulate, float *c, long c_stride) {
    for (long r = 0; r < rows; r++, edge += width * LANES, c += c_stride)
        FOR_VECTORS(x, present, part, {
            const v16 value = load(edge + x);
            put(c + x, accumulate ? get(c + x, part) + value : value, part);
        });
}

static long vector_product_scratch(long columns, long depth, int a_transposed) {
    const tile_shape most = best_tile();
    const long deep = block_depth(depth, a_transposed);
    return (block_vectors(most, columns, deep) * LANES + (a_transposed ? STRIP_ROWS : 0)) * deep + MOST_ROWS * MOST_VECTORS * LANES;
}

DISPATCH static void vector_product(
    long rows, long columns, long depth, const float *a, long a_stride, int a_transposed, const float *b, long b_stride, int b_transposed,
    float alpha, int accumulate, float *c, long c_stride, const fanoise_epilogue *epilogue, float *sums, float *scratch) {
    const tile_shape most = best_tile();
    const long deep = block_depth(depth, a_transposed), wide = block_vectors(most, columns, deep) * LANES;
    float *edge = scratch + deep * wide, *strips = edge + MOST_ROWS * MOST_VECTORS * LANES;
    const long group = STRIP_ROWS / most.rows * most.rows;
    requests wanted = requests_of(epilogue, c, c_stride);
    // The sums begin with the bias: nothing is left of it for afterwards.
    fanoise_epilogue after = epilogue ? *epilogue : (fanoise_epilogue){0};
    const float *first_bias = alpha == 1 ? after.bias : 0;
    if (first_bias) after.bias = 0;
    for (long k = 0; k < depth; k += deep) {
        const long depth_here = least(deep, depth - k);
        const int adds = accumulate || k > 0, last = k + deep >= depth;
        const float *bias = k == 0 ? first_bias : 0;
        for (long j = 0; j < columns; j += wide) {
            const long columns_here = least(wide, columns - j), vectors = blocks(columns_here, LANES);
            const long panels = blocks(vectors, most.vectors);
            // Rows of few columns fit the second cache as they lie. Beside strips of A they are not worth a copy.
            const int stays = a_transposed && !b_transposed && columns_here % LANES == 0 && depth_here * b_stride <= BLOCK_FLOATS;
            if (!stays) pack_b(b_transposed, b, b_stride, k, j, depth_here, columns_here, most.vectors, scratch);
            const long next_j = j + wide < columns ? j + wide : 0, next_k = next_j ? k : k + deep;
            wanted.b = upcoming_block(
                b_transposed, b, b_stride, next_k, next_j, least(deep, depth - next_k), least(wide, columns - next_j), rows * panels);
            for (long i = 0, height; i < rows; i += height) {
                height = least(most.rows, rows - i);
                const float *a_here = a + i * a_stride + k;
                long ar = a_stride, ak = 1;
                if (!a_transposed) {
                    const long next = least(most.rows, rows - i - height);
                    wanted.a = upcoming_rows(a_here + height * a_stride, a_stride, next, depth_here, height * panels);
                } else {
                    if (i % group == 0) {
                        const long together = least(group, rows - i), next_i = i + together < rows ? i + together : 0;
                        const long from = next_i ? k : next_k;
                        pack_strips(
                            a + k * a_stride + i, a_stride, depth_here, together, most.rows, strips, sums && j == 0 ? sums + i : 0);
                        wanted.a = upcoming_rows(
                            a + from * a_stride + next_i, a_stride, least(deep, depth - from), least(group, rows - next_i),
                            together * panels);
                    }
                    a_here = strips + i % group * depth_here, ar = 1, ak = height;
                }
                float *c_here = c + i * c_stride + j;
                for (long p = 0; p < panels; p++) {
                    const long first = panel_start(p, vectors, most.vectors), width = panel_start(p + 1, vectors, most.vectors) - first;
                    const float *panel = stays ? b + k * b_stride + j + first * LANES : scratch + first * LANES * depth_here;
                    const long bk = stays ? b_stride : width * LANES;
                    const long present = columns_here - first * LANES;
                    const float *begun = bias ? bias + j + first * LANES : 0;
                    float *to = c_here + first * LANES;
                    wanted.c = to;
                    if (present >= width * LANES) {
                        any_tile(height, width, depth_here, a_here, ar, ak, panel, bk, alpha, adds, to, c_stride, begun, &wanted);
                    } else {
                        // The bias must not be read past its end, nor come last where it comes first elsewhere.
                        float padded[MOST_VECTORS * LANES];
                        if (begun) FOR_VECTORS(x, present, part, { store(padded + x, get(begun + x, part)); });
                        any_tile(
                            height, width, depth_here, a_here, ar, ak, panel, bk, alpha, 0, edge, width * LANES, begun ? padded : 0, &wanted);
                        copy_edge(edge, width, height, present, adds, to, c_stride);
                    }
                }
                if (last && epilogue) finish(&after, i, j, height, columns_here, c_here, c_stride);
            }
        }
    }
}

// MARK: Which way

// Not under the thread sanitizer: the loops beside products are compiled for any CPU there (DISPATCH), and round otherwise than what follows a
// product on the unit.
#if defined(__x86_64__) && defined(__linux__) && !__has_feature(thread_sanitizer)

int fanoise_has_matrix_unit(void) {
    unsigned a, b, c, d;
    const unsigned tile_bf16 = 1u << 22, tile = 1u << 24;
    if (!__builtin_cpu_supports("x86-64-v4")) return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & (tile_bf16 | tile)) != (tile_bf16 | tile)) return 0;
    // The kernel lends the unit's registers, 8 KB a thread, to processes that ask.
    const long ARCH_REQUEST_PERMISSION = 0x1023, TILE_DATA = 18;
    return !syscall(SYS_arch_prctl, ARCH_REQUEST_PERMISSION, TILE_DATA);
}

#else

int fanoise_has_matrix_unit(void) { return 0; }

#endif

long fanoise_product_scratch(int on_unit, long columns, long depth, int a_transposed) {
#ifdef __x86_64__
    if (on_unit) return unit_product_scratch(columns, depth);
#endif
    (void)on_unit;
    return vector_product_scratch(columns, depth, a_transposed);
}

void fanoise_product(
    int on_unit, long rows, long columns, long depth, const float *a, long a_stride, int a_transposed, const float *b, long b_stride,
    int b_transposed, float alpha, int accumulate, float *c, long c_stride, const fanoise_epilogue *epilogue, float *sums, float *scratch) {
#ifdef __x86_64__
    if (on_unit) {
        for (long k = 0; sums && k < depth; k += MOST_STRIP_DEPTH)
            fanoise_add_column_sums(a + k * a_stride, a_stride, least(MOST_STRIP_DEPTH, depth - k), rows, sums);
        return unit_product(
            rows, columns, depth, a, a_stride, a_transposed, b, b_stride, b_transposed, alpha, accumulate, c, c_stride, epilogue, scratch);
    }
#endif
    (void)on_unit;
    vector_product(
        rows, columns, depth, a, a_stride, a_transposed, b, b_stride, b_transposed, alpha, accumulate, c, c_stride, epilogue, sums, scratch);
}
