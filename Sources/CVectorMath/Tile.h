// What products in registers share: the tile's size, sixteen rows transposed. Not here: the products (Product.c, Attention.c).
#ifndef FANOISE_TILE_H
#define FANOISE_TILE_H

#include "Vector.h"

/// The largest register tile.
enum { MOST_ROWS = 8, MOST_VECTORS = 3 };

/// The register file's tile: it must hold rows × vectors sums of 16 floats, and a row of B.
typedef struct {
    long rows, vectors;
} tile_shape;

static inline tile_shape best_tile(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("x86-64-v4")) return (tile_shape){8, 3};
    if (!__builtin_cpu_supports("x86-64-v3")) return (tile_shape){3, 1};
#endif
    return (tile_shape){6, 1};
}

/// Shuffles that are one instruction: elements, or pairs of them, of `a` and `b` in turn, from each quarter's low or high half; the even or the
/// odd quarters of both.
#define IN_QUARTERS(a, b, A, B, C, D)                                                                                                   \
    __builtin_shufflevector(a, b, A, B, C, D, A + 4, B + 4, C + 4, D + 4, A + 8, B + 8, C + 8, D + 8, A + 12, B + 12, C + 12, D + 12)
#define QUARTERS(a, b, F)                                                                                                               \
    __builtin_shufflevector(                                                                                                            \
        a, b, F, F + 1, F + 2, F + 3, F + 8, F + 9, F + 10, F + 11, F + 16, F + 17, F + 18, F + 19, F + 24, F + 25, F + 26, F + 27)

/// Sixteen rows of sixteen floats, transposed in place: 4 × 4 blocks first, a quarter of each of four rows, then the blocks.
INLINE void transpose(v16 rows[LANES]) {
#pragma clang loop unroll(full)
    for (int i = 0; i < LANES; i += 4) {
        const v16 a = IN_QUARTERS(rows[i], rows[i + 1], 0, 16, 1, 17), b = IN_QUARTERS(rows[i], rows[i + 1], 2, 18, 3, 19);
        const v16 c = IN_QUARTERS(rows[i + 2], rows[i + 3], 0, 16, 1, 17), d = IN_QUARTERS(rows[i + 2], rows[i + 3], 2, 18, 3, 19);
        rows[i] = IN_QUARTERS(a, c, 0, 1, 16, 17);
        rows[i + 1] = IN_QUARTERS(a, c, 2, 3, 18, 19);
        rows[i + 2] = IN_QUARTERS(b, d, 0, 1, 16, 17);
        rows[i + 3] = IN_QUARTERS(b, d, 2, 3, 18, 19);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const v16 a = QUARTERS(rows[i], rows[i + 4], 0), b = QUARTERS(rows[i], rows[i + 4], 4);
        const v16 c = QUARTERS(rows[i + 8], rows[i + 12], 0), d = QUARTERS(rows[i + 8], rows[i + 12], 4);
        rows[i] = QUARTERS(a, c, 0);
        rows[i + 4] = QUARTERS(b, d, 0);
        rows[i + 8] = QUARTERS(a, c, 4);
        rows[i + 12] = QUARTERS(b, d, 4);
    }
}

/// How many bytes after A's first each of its rows begins, to be kept in registers: the compiler would add `ar` up from row to row in every
/// step, on ports that the products need. It must not know how the distances come about.
INLINE void row_distances(const int rows, long ar, long distance[MOST_ROWS]) {
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
        distance[r] = r * ar * (long)sizeof(float);
        __asm__("" : "+r"(distance[r]));
    }
}

/// total_rv += Σ_k A(r, k) B(k, v) for one register tile: `rows` ≤ MOST_ROWS, `vectors` ≤ MOST_VECTORS, constants after inlining.
/// A(0, k) = a[k ak], further rows at their distances; vector v of row k of B begins at b[k bk + v bv].
INLINE void add_products(
    const int rows, const int vectors, long depth, const float *a, const long distance[MOST_ROWS], long ak, const float *b, long bk,
    long bv, v16 total[MOST_ROWS][MOST_VECTORS]) {
    const char *column = (const char *)a;
#pragma clang loop unroll_count(2)
    for (long k = 0; k < depth; k++, column += ak * (long)sizeof *a, b += bk) {
        v16 row[MOST_VECTORS];
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) row[v] = load(b + v * bv);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            v16 factor = *(const float *)(column + distance[r]);
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) total[r][v] += factor * row[v];
        }
    }
}

#endif
