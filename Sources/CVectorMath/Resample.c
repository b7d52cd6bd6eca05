// Weighted means of bytes in 32-bit fixed point, the inner loops of resizing pictures. Not here: the weights (Pictures).
#include "CVectorMath.h"
#include "Vector.h"

typedef int32_t i4 __attribute__((ext_vector_type(4)));
typedef uint8_t b4 __attribute__((ext_vector_type(4)));
typedef uint8_t b16 __attribute__((ext_vector_type(16)));

enum { HALF = 1 << (FANOISE_RESAMPLE_BITS - 1) };

INLINE uint8_t to_byte(int32_t sum) {
    int32_t value = sum >> FANOISE_RESAMPLE_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

DISPATCH void fanoise_mix_rows(const uint8_t *rows, long stride, const int32_t *weights, long taps, long n, uint8_t *output) {
    long x = 0;
    for (; x + LANES <= n; x += LANES) {
        i16 sum = HALF;
        for (long tap = 0; tap < taps; tap++) {
            b16 bytes;
            memcpy(&bytes, rows + tap * stride + x, sizeof bytes);
            sum += __builtin_convertvector(bytes, i16) * weights[tap];
        }
        sum >>= FANOISE_RESAMPLE_BITS;
        sum = sum < 0 ? (i16)0 : sum;
        sum = sum > 255 ? (i16)255 : sum;
        b16 bytes = __builtin_convertvector(sum, b16);
        memcpy(output + x, &bytes, sizeof bytes);
    }
    for (; x < n; x++) {
        int32_t sum = HALF;
        for (long tap = 0; tap < taps; tap++) sum += rows[tap * stride + x] * weights[tap];
        output[x] = to_byte(sum);
    }
}

/// `taps` pixels of three bytes, one behind the other. Reads four bytes of every pixel but the last.
INLINE i4 mix_pixels(const uint8_t *pixel, const int32_t *weights, long taps) {
    i4 sum = HALF;
    for (long tap = 0; tap + 1 < taps; tap++, pixel += 3) {
        b4 bytes;
        memcpy(&bytes, pixel, sizeof bytes);
        sum += __builtin_convertvector(bytes, i4) * weights[tap];
    }
    return sum + (i4){pixel[0], pixel[1], pixel[2], 0} * weights[taps - 1];
}

DISPATCH void fanoise_mix_columns(
    const uint8_t *row, const int32_t *starts, const int32_t *counts, const int32_t *weights, long taps, long n, uint8_t *output) {
    for (long x = 0; x < n; x++) {
        i4 sum = mix_pixels(row + 3L * starts[x], weights + x * taps, counts[x]);
        for (int channel = 0; channel < 3; channel++) output[3 * x + channel] = to_byte(sum[channel]);
    }
}
