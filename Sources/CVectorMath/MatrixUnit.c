// Matrix products in float32 on the CPU's matrix unit (Intel AMX), which multiplies tiles of bfloat16 and sums in float32, sixteen times as
// fast as vector registers multiply float32. Not here: products without it (Product.c), which of the two is used
// (Kernels/ProductUnit.swift).
//
// A float32 has 24 significant bits and is the sum of three bfloat16 of 8: x = x₀ + x₁ + x₂, each the nearest to what is left; exactly, where
// |x| ≥ 2^-103. Of the nine products of parts, six are formed: x₀y₀, x₀y₁, x₁y₀, x₁y₁, x₀y₂, x₂y₀. What is left out, x₁y₂ + x₂y₁ + x₂y₂,
// is at most 2^-24 |xy| (|x₁| ≤ 2^-8 |x|, |x₂| ≤ 2^-17 |x|): no more than rounding xy to float32 costs. The unit sums 32 products apart, in two
// chains of 16, before they meet the element: a long sum is rounded along a shorter way.
// At the ends of the range: an infinity becomes NaN (∞ − ∞ is its second part), and so does what rounds to one; a result within 2^-8 of the
// largest number may become infinite; parts, products of parts and sums below 2^-126 are zero.
// Sources: Henry, Tang and Heinecke, "Leveraging the bfloat16 Artificial Intelligence Datatype for Higher-Precision Computations",
// ARITH 2019; Intel 64 and IA-32 Architectures Software Developer's Manual, TDPBF16PS.
//
// As in Product.c, the blocks of K depend on K alone, and an element of C is the same sum in the same order whatever M and N are.
#ifdef __x86_64__

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

// From here on everything is compiled for a CPU with the unit, what is included too.
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,amx-tile,amx-bf16,prfchw"))), apply_to = function)

#include "Product.h"
#include "Tile.h"

enum {
    PARTS = 3,
    /// A tile: rows of 64 bytes, each 16 pairs of bfloat16. It is free which k meet in a pair, as long as A and B agree: k and k + 16.
    TILE_ROWS = 16,
    TILE_DEPTH = 2 * LANES,
    TILE_BYTES = 1024,
    /// Two by two tiles are summed at a time.
    BLOCK = 2 * TILE_ROWS,
    /// The deepest block of B, and the elements of a block.
    MOST_DEPTH = 384,
    BLOCK_ELEMENTS = 224 * 1024,
};

// MARK: Parts

typedef uint32_t u16 __attribute__((ext_vector_type(LANES)));

/// Sixteen pairs (x_i, y_i), as `PARTS` vectors of sixteen pairs of bfloat16 at `parts`, `stride` bytes apart.
INLINE void split(v16 x, v16 y, char *parts, long stride) {
    const u16 half = 0x8000, top = 0xFFFF0000;
#pragma clang loop unroll(full)
    for (int part = 0; part < PARTS; part++) {
        // Rounded on the bits, half away from zero. The last part is a bfloat16 already.
        const u16 carry = part < PARTS - 1 ? half : (u16)0;
        const u16 low = (u16)x + carry, high = ((u16)y + carry) & top;
        *(u16 *)(parts + part * stride) = low >> 16 | high;
        x -= (v16)(low & top);
        y -= (v16)high;
    }
}

/// The `count` first of 16 floats, zeros after them; all of them where `whole`.
INLINE v16 first(const int whole, const float *p, long count) {
    return whole || count >= LANES ? load(p) : count > 0 ? load_part(p, count, 0) : (v16)0.0f;
}

/// One row of a tile in each of the parts, which are `stride` bytes apart: 32 floats of a row of A, of which `left` are there.
INLINE void pack_row(const int whole, const float *x, long left, char *row, long stride) {
    split(first(whole, x, left), first(whole, x + LANES, left - LANES), row, stride);
}

/// One tile in each of the parts: `present` rows of A, their K in one piece, of which `left` is there.
INLINE void pack_rows(const int whole, const float *x, long row, long present, long left, char *tile, long stride) {
    for (long r = 0; r < TILE_ROWS; r++) pack_row(whole, x + r * row, r < present ? left : 0, tile + r * 64, stride);
}

/// Sixteen rows of sixteen floats, transposed: `rows` of them are there, `count` floats of each.
INLINE void load_transposed(const int whole, const float *x, long row, long rows, long count, v16 block[LANES]) {
#pragma clang loop unroll(full)
    for (int r = 0; r < LANES; r++) block[r] = first(whole, x + r * row, whole || r < rows ? count : 0);
    transpose(block);
}

/// Tiles of columns of a B that is stored transposed, as pack_rows makes those of rows of A.
INLINE void pack_transposed_columns(const int whole, const float *x, long row, long present, long left, char *tile, long stride) {
    v16 low[LANES], high[LANES];
    load_transposed(whole, x, row, present, left, low);
    load_transposed(whole, x + LANES, row, present, left - LANES, high);
#pragma clang loop unroll(full)
    for (int k = 0; k < LANES; k++) split(low[k], high[k], tile + k * 64, stride);
}

/// The same of rows of an A that is stored transposed: `present` of them side by side, `left` rows of K.
INLINE void pack_transposed_rows(const int whole, const float *x, long row, long present, long left, char *tile, long stride) {
    v16 low[LANES], high[LANES];
    load_transposed(whole, x, row, left, present, low);
    load_transposed(whole, x + LANES * row, row, left - LANES, present, high);
#pragma clang loop unroll(full)
    for (int r = 0; r < LANES; r++) split(low[r], high[r], tile + r * 64, stride);
}

// Operands lie as tiles in the order in which they are multiplied: for every panel of up to BLOCK rows of A or columns of B, for every
// TILE_DEPTH of K, for every part, one tile or two.

/// Tiles side by side in the panel that begins at `start` of `count` rows or columns.
INLINE long tiles_at(long start, long count) { return count - start > TILE_ROWS ? 2 : 1; }

/// Packs `count` rows of A or columns of B, `depth` deep, tile by tile. x's rows are rows of K or, where `along`, hold K.
#define PACK(along, PACK_TILE)                                                                                                          \
    const long steps = blocks(depth, TILE_DEPTH);                                                                                       \
    for (long start = 0; start < count; start += BLOCK) {                                                                               \
        const long side = tiles_at(start, count), part = side * TILE_BYTES;                                                             \
        for (long s = 0; s < steps; s++)                                                                                                \
            for (long t = 0; t < side; t++) {                                                                                           \
                const long at = start + t * TILE_ROWS, k = s * TILE_DEPTH, present = count - at, left = depth - k;                      \
                const float *from = along ? x + at * row + k : x + k * row + at;                                                        \
                char *tile = tiles + s * PARTS * part + t * TILE_BYTES;                                                                 \
                if (present >= TILE_ROWS && left >= TILE_DEPTH) PACK_TILE(1, from, row, present, left, tile, part);                     \
                else PACK_TILE(0, from, row, present, left, tile, part);                                                                \
            }                                                                                                                           \
        tiles += steps * PARTS * part;                                                                                                  \
    }

INLINE void pack_a(const float *x, long row, long depth, long count, char *tiles) { PACK(1, pack_rows) }
INLINE void pack_transposed_a(const float *x, long row, long depth, long count, char *tiles) { PACK(0, pack_transposed_rows) }
INLINE void pack_transposed_b(const float *x, long row, long depth, long count, char *tiles) { PACK(1, pack_transposed_columns) }

/// The same of B as it is, row by row, as memory likes to be read.
INLINE void pack_b(const float *x, long row, long depth, long count, char *tiles) {
    const long steps = blocks(depth, TILE_DEPTH);
    for (long s = 0; s < steps; s++)
        for (long k = 0; k < LANES; k++)
            for (long start = 0; start < count; start += TILE_ROWS) {
                const long panel = start / BLOCK * BLOCK, side = tiles_at(panel, count);
                const long present = count - start, left = depth - s * TILE_DEPTH - k;
                char *tile = tiles + steps * PARTS * (panel / TILE_ROWS) * TILE_BYTES
                    + (s * PARTS * side + (start - panel) / TILE_ROWS) * TILE_BYTES + k * 64;
                const float *low = x + (s * TILE_DEPTH + k) * row + start, *high = low + LANES * row;
                if (present >= TILE_ROWS && left > LANES) split(load(low), load(high), tile, side * TILE_BYTES);
                else split(first(0, low, left > 0 ? present : 0), first(0, high, left > LANES ? present : 0), tile, side * TILE_BYTES);
            }
}

// MARK: Products

/// `OPERATION` on tiles 0 to 3 and what lies at rows of `x` that are `row` floats apart.
#define FOR_SUMS(OPERATION, x, row)                                                                                                     \
    OPERATION(0, x, (row) * (long)sizeof(float));                                                                                       \
    if (wide > 1) OPERATION(1, x + TILE_ROWS, (row) * (long)sizeof(float));                                                             \
    if (tall > 1) OPERATION(2, x + TILE_ROWS * (row), (row) * (long)sizeof(float));                                                     \
    if (tall > 1 && wide > 1) OPERATION(3, x + TILE_ROWS * (row) + TILE_ROWS, (row) * (long)sizeof(float));

/// Rows of A that are packed while others are multiplied: BLOCK of them, whole in width and depth, to tiles as `pack_a` makes them.
typedef struct {
    const float *x;
    long row;
    char *tiles;
} ahead;

/// Packs rows `from` to before `to` of what is ahead, TILE_DEPTH of K from step `s` on, and asks for the same of the strip after it.
INLINE void pack_ahead(const ahead *next, long s, long from, long to) {
    char *tiles = next->tiles + s * PARTS * 2 * TILE_BYTES;
    for (long r = from; r < to; r++) {
        const float *x = next->x + r * next->row + s * TILE_DEPTH, *after = x + BLOCK * next->row;
        __builtin_prefetch(after, 0, 2);
        __builtin_prefetch(after + LANES, 0, 2);
        pack_row(1, x, 0, tiles + r * 64, 2 * TILE_BYTES);
    }
}

/// Adds Σ_k A(r, k) B(k, c) to `tall` × `wide` tiles of sums, in the unit's registers 0 to 3, which go to rows of `c` that are `row` apart.
/// Meanwhile packs the rows `from` to before `to` of `next`: the vector registers have nothing else to do.
INLINE void add_tile_products(
    const int tall, const int wide, long steps, const char *a, const char *b, const float *c, long row, const ahead *next, long from,
    long to) {
    const long a_step = PARTS * tall * TILE_BYTES, b_step = PARTS * wide * TILE_BYTES;
    // Eight lines of the next step, to the first cache. Without, the unit waits for tiles to come from the second cache: a tenth of the time,
    // and a quarter where another processor shares the core.
#define FETCH(next, line)                                                                                                               \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 8; i++) __builtin_prefetch((next) + ((line) + i) * 64);
    // The upper and the lower tile of a part of A, the left and the right one of B.
#define UPPER(part) _tile_loadd(4, a + (part) * tall * TILE_BYTES, 64);
#define LOWER(part) if (tall > 1) _tile_loadd(5, a + ((part) * tall + 1) * TILE_BYTES, 64);
#define LEFT(part) _tile_loadd(6, b + (part) * wide * TILE_BYTES, 64);
#define RIGHT(part) if (wide > 1) _tile_loadd(7, b + ((part) * wide + 1) * TILE_BYTES, 64);
    // The products of two tiles, and a part of the next step: a sixth of it in each of six rounds.
#define UPPER_LEFT(n) { _tile_dpbf16ps(0, 4, 6); FETCH(b + b_step, 8 * wide * n) }
#define UPPER_RIGHT(n) if (wide > 1) { _tile_dpbf16ps(1, 4, 7); FETCH(b + b_step, 8 * wide * n + 8) }
#define LOWER_LEFT(n) { if (tall > 1) _tile_dpbf16ps(2, 5, 6); FETCH(a + a_step, 8 * tall * n) }
#define LOWER_RIGHT(n) if (tall > 1) { if (wide > 1) _tile_dpbf16ps(3, 5, 7); FETCH(a + a_step, 8 * tall * n + 8) }
    // All four, and each tile of the part that is next as soon as the one in its place is done with: two at a time the unit would wait for.
#define THEN_ROWS(n, part) UPPER_LEFT(n) UPPER_RIGHT(n) UPPER(part) LOWER_LEFT(n) LOWER_RIGHT(n) LOWER(part)
#define THEN_COLUMNS(n, part) UPPER_LEFT(n) LOWER_LEFT(n) LEFT(part) UPPER_RIGHT(n) LOWER_RIGHT(n) RIGHT(part)
    for (long s = 0; s < steps; s++, a += a_step, b += b_step) {
        // C comes from memory while products are formed.
        if (s < 4)
            for (long r = s * 4 * tall; r < (s + 1) * 4 * tall; r++)
                for (int t = 0; t < wide; t++) __builtin_prefetch(c + r * row + t * TILE_ROWS, 1);
        pack_ahead(next, s, from, to);
        // The largest last, so that small ones are summed without its rounding, in an order in which an operand stays: seven loads.
        UPPER(2) LEFT(0) RIGHT(0) LOWER(2)
        THEN_ROWS(0, 1)
        THEN_COLUMNS(1, 1)
        THEN_ROWS(2, 0)
        THEN_COLUMNS(3, 2)
        THEN_COLUMNS(4, 0)
        UPPER_LEFT(5) UPPER_RIGHT(5) LOWER_LEFT(5) LOWER_RIGHT(5)
    }
}

/// C = alpha · A · B, added to C where asked, for the `rows` × `columns` that are there of tall × wide tiles. `edge` is a block of scratch.
INLINE void block(
    const int tall, const int wide, long steps, const char *a, const char *b, long rows, long columns, float alpha, int accumulate, float *c,
    long stride, float *edge, const ahead *next, long from, long to) {
    const int whole = rows == tall * TILE_ROWS && columns == wide * TILE_ROWS;
    // With alpha = 1 sums go on from C, in place or, where the block is not whole, through the scratch.
    const int goes_on = accumulate && alpha == 1;
    float *sums = whole && alpha == 1 ? c : edge;
    const long row = sums == c ? stride : BLOCK;
    if (goes_on) {
        if (sums == edge)
            for (long r = 0; r < rows; r++)
                FOR_VECTORS(x, columns, part, { store(edge + r * BLOCK + x, get(c + r * stride + x, part)); });
        FOR_SUMS(_tile_loadd, sums, row)
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    add_tile_products(tall, wide, steps, a, b, sums, row, next, from, to);
    FOR_SUMS(_tile_stored, sums, row)
    if (sums == edge)
        for (long r = 0; r < rows; r++, c += stride)
            FOR_VECTORS(x, columns, part, {
                v16 value = alpha * load(edge + r * BLOCK + x);
                put(c + x, accumulate && !goes_on ? get(c + x, part) + value : value, part);
            });
}

/// Depth of the blocks that K is cut into: equal ones, but for being whole tiles.
static long unit_depth(long depth) { return blocks(blocks(depth, blocks(depth, MOST_DEPTH)), TILE_DEPTH) * TILE_DEPTH; }

/// Columns of each block of B.
static long unit_width(long columns, long deep) {
    const long most = BLOCK_ELEMENTS / deep / BLOCK * BLOCK;
    return blocks(blocks(columns, blocks(columns, most)), BLOCK) * BLOCK;
}

long unit_product_scratch(long columns, long depth) {
    const long deep = unit_depth(depth);
    // What is there may begin anywhere: a line more.
    return ((unit_width(columns, deep) + 2 * BLOCK) * deep * PARTS * 2 + 64) / (long)sizeof(float) + BLOCK * BLOCK;
}

void unit_product(
    long rows, long columns, long depth, const float *a, long a_stride, int a_transposed, const float *b, long b_stride, int b_transposed,
    float alpha, int accumulate, float *c, long c_stride, const fanoise_epilogue *epilogue, float *scratch) {
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shapes = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    const long deep = unit_depth(depth), wide = unit_width(columns, deep);
    float *edge = (float *)(((uintptr_t)scratch + 63) / 64 * 64);
    // Two strips of A, in turn.
    const long strip_bytes = BLOCK * deep * PARTS * 2;
    char *strips = (char *)(edge + BLOCK * BLOCK), *panels = strips + 2 * strip_bytes;
    _tile_loadconfig(&shapes);
    for (long k = 0; k < depth; k += deep) {
        const long here = least(deep, depth - k), steps = blocks(here, TILE_DEPTH);
        const int adds = accumulate || k > 0, last = k + deep >= depth;
        for (long j = 0; j < columns; j += wide) {
            const long width = least(wide, columns - j);
            if (b_transposed) pack_transposed_b(b + j * b_stride + k, b_stride, here, width, panels);
            else pack_b(b + k * b_stride + j, b_stride, here, width, panels);
            int packed = 0;
            for (long i = 0; i < rows; i += BLOCK) {
                const long height = least(BLOCK, rows - i), count = blocks(width, BLOCK);
                char *strip = strips + i / BLOCK % 2 * strip_bytes;
                const float *a_here = a_transposed ? a + k * a_stride + i : a + i * a_stride + k;
                if (a_transposed) pack_transposed_a(a_here, a_stride, here, height, strip);
                else if (!packed) pack_a(a_here, a_stride, here, height, strip);
                // The next strip is packed a part with each block of this one, if it is whole.
                packed = !a_transposed && here % TILE_DEPTH == 0 && i + 2 * BLOCK <= rows;
                const ahead next = {a_here + BLOCK * a_stride, a_stride, strips + (i / BLOCK + 1) % 2 * strip_bytes};
                float *c_here = c + i * c_stride + j;
                const char *panel = panels;
                for (long x = 0; x < count; x++) {
                    const long present = least(BLOCK, width - x * BLOCK), side = tiles_at(x * BLOCK, width);
                    const long from = packed ? BLOCK * x / count : 0, to = packed ? BLOCK * (x + 1) / count : 0;
#define BLOCK_OF(tall, wide)                                                                                                            \
    block(tall, wide, steps, strip, panel, height, present, alpha, adds, c_here + x * BLOCK, c_stride, edge, &next, from, to)
                    if (height > TILE_ROWS) {
                        if (side > 1) BLOCK_OF(2, 2);
                        else BLOCK_OF(2, 1);
                    } else {
                        if (side > 1) BLOCK_OF(1, 2);
                        else BLOCK_OF(1, 1);
                    }
                    panel += steps * PARTS * side * TILE_BYTES;
                }
                if (last && epilogue) finish(epilogue, i, j, height, width, c_here, c_stride);
            }
        }
    }
    _tile_release();
}

#pragma clang attribute pop

#endif
