// JPEG and PNG decoding for Swift. Both libraries report errors by leaving with longjmp, which must not cross Swift frames: here every
// jump ends inside the C function that set it up. No policy: limits, orientation and transparency are Swift's business.
#ifndef FANOISE_CPICTURES_H
#define FANOISE_CPICTURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// What a decoder found, and why it stopped.
typedef struct {
    uint32_t width;
    uint32_t height;
    /// Bytes of a decoded pixel. JPEG: 3 RGB, 4 CMYK as stored; PNG: 3 RGB, 4 RGBA, not premultiplied.
    uint32_t channels;
    /// The library's sentence, after `false`; ends with a zero.
    char message[256];
} fanoise_image;

/// Decodes a JPEG into `output`, rows without padding, at `eighths` / 8 of its size (1 ... 8), sides rounded up.
///
/// With `output` NULL only the header is read: `image` then has the full size. Errors of libjpeg are `false`, and so are its warnings
/// that pixels are missing or wrong: bad codes, data that ends inside a scan, scans that never came. Other warnings are not.
bool fanoise_read_jpeg(
    const uint8_t *bytes, size_t count, int eighths, uint8_t *_Nullable output, size_t capacity, fanoise_image *image);

/// Decodes a PNG of any kind into `output`, 8 bits a channel, rows without padding; of 16 bits the upper 8 are taken, as Pillow does.
///
/// With `output` NULL only the header is read. Colour spaces, gamma and all other metadata are skipped unread.
bool fanoise_read_png(const uint8_t *bytes, size_t count, uint8_t *_Nullable output, size_t capacity, fanoise_image *image);

#pragma clang assume_nonnull end
#endif
