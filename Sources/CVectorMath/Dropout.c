// Dropout of one row, its random bits made on the way. Not here: the bits (Philox.h).
#include "CVectorMath.h"
#include "Philox.h"

DISPATCH void fanoise_dropout_row(
    const float *x, long n, const uint32_t *counter, const uint32_t *key, uint32_t threshold, float scale, float *y) {
    for (long first = 0; first < n; first += 4 * LANES) {
        u16x bits[4];
        row_words(counter, key, first, bits);
        IN_COLUMN_ORDER(u16x, bits);
#pragma clang loop unroll(full)
        for (int u = 0; u < 4; u++) {
            long i = first + u * LANES, part = n - i < LANES ? n - i : 0;
            if (i >= n) break;
            v16 kept = (bits[u] >> 8) < threshold ? get(x + i, part) * scale : (v16)0.0f;
            put(y + i, kept, part);
        }
    }
}
