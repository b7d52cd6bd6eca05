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

/// Lanes of `a` and `b` with the bit `S` of the row number and the bit `S` of the lane number exchanged.
#define LOW(i, S) (i & S ? 16 + i - S : i)
#define HIGH(i, S) (i & S ? 16 + i : i + S)
#define SHUFFLE(a, b, F, S)                                                                                                             \
    __builtin_shufflevector(                                                                                                            \
        a, b, F(0, S), F(1, S), F(2, S), F(3, S), F(4, S), F(5, S), F(6, S), F(7, S), F(8, S), F(9, S), F(10, S), F(11, S), F(12, S),   \
        F(13, S), F(14, S), F(15, S))
#define EXCHANGE(rows, S)                                                                                                               \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < LANES; i++) if (!(i & S)) {                                                  \
        v16 a = rows[i], b = rows[i + S];                                                                                               \
        rows[i] = SHUFFLE(a, b, LOW, S);                                                                                                \
        rows[i + S] = SHUFFLE(a, b, HIGH, S);                                                                                           \
    }

/// Sixteen rows of sixteen floats, transposed in place.
INLINE void transpose(v16 rows[LANES]) {
    EXCHANGE(rows, 8)
    EXCHANGE(rows, 4)
    EXCHANGE(rows, 2)
    EXCHANGE(rows, 1)
}

/// total_rv += Σ_k A(r, k) B(k, v) for one register tile: `rows` ≤ MOST_ROWS, `vectors` ≤ MOST_VECTORS, constants after inlining.
/// A(r, k) = a[r ar + k ak]; vector v of row k of B begins at b[k bk + v bv].
INLINE void add_products(
    const int rows, const int vectors, long depth, const float *a, long ar, long ak, const float *b, long bk, long bv,
    v16 total[MOST_ROWS][MOST_VECTORS]) {
    // A register for each row's distance in bytes. The compiler would add `ar` up from row to row in every step, on ports that the
    // products need: it must not know how they come about.
    long distance[MOST_ROWS];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
        distance[r] = r * ar * (long)sizeof *a;
        __asm__("" : "+r"(distance[r]));
    }
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
