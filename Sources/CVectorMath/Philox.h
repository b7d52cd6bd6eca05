// Random bits: Philox 4×32-10 on 16 counters at a time (Salmon et al., SC 2011). Not here: what key and counter are made of.
#ifndef FANOISE_PHILOX_H
#define FANOISE_PHILOX_H

#include "Vector.h"

typedef uint32_t u16x __attribute__((ext_vector_type(16)));
typedef uint64_t u16w __attribute__((ext_vector_type(16)));

/// Ten rounds on word vectors c[0…3] of 16 counters: the same function as Swift's `Philox.bits`.
INLINE void philox(u16x c[4], uint32_t key0, uint32_t key1) {
#pragma clang loop unroll(full)
    for (int round = 0; round < 10; round++) {
        u16w p0 = __builtin_convertvector(c[0], u16w) * 0xD2511F53u;
        u16w p1 = __builtin_convertvector(c[2], u16w) * 0xCD9E8D57u;
        u16x a = __builtin_convertvector(p1 >> 32, u16x) ^ c[1] ^ key0;
        u16x b = __builtin_convertvector(p0 >> 32, u16x) ^ c[3] ^ key1;
        c[1] = __builtin_convertvector(p1, u16x);
        c[3] = __builtin_convertvector(p0, u16x);
        c[0] = a;
        c[2] = b;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

/// The words of the 16 blocks that begin with column `first` of a row.
INLINE void row_words(const uint32_t *counter, const uint32_t *key, long first, u16x c[4]) {
    const u16x lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    c[0] = lanes + (counter[0] + (uint32_t)(first / 4)), c[1] = counter[1], c[2] = counter[2], c[3] = counter[3];
    philox(c, key[0], key[1]);
}

#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

/// From vectors of the first, second, … number of 16 blocks to those of columns in order: number w of block b belongs to column 4 b + w.
#define IN_COLUMN_ORDER(T, c)                                                                                                           \
    do {                                                                                                                                \
        T even0 = ZIP_LOW(c[0], c[2]), even1 = ZIP_HIGH(c[0], c[2]), odd0 = ZIP_LOW(c[1], c[3]), odd1 = ZIP_HIGH(c[1], c[3]);             \
        c[0] = ZIP_LOW(even0, odd0), c[1] = ZIP_HIGH(even0, odd0), c[2] = ZIP_LOW(even1, odd1), c[3] = ZIP_HIGH(even1, odd1);             \
    } while (0)

#endif
