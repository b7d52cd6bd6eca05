// PNG through libpng. Not here: the structure of the file, limits, transparency (Swift).
#include "CPictures.h"
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

typedef struct {
    jmp_buf escape;
    char *message;
    const uint8_t *bytes;
    size_t left;
    png_structp png;
    png_infop info;
} reading_state;

static void fail(png_structp png, png_const_charp text) {
    reading_state *state = png_get_error_ptr(png);
    snprintf(state->message, sizeof((fanoise_image *)0)->message, "%s", text);
    longjmp(state->escape, 1);
}

static void say_nothing(png_structp png, png_const_charp text) { (void)png, (void)text; }

static void take(png_structp png, png_bytep output, size_t count) {
    reading_state *state = png_get_io_ptr(png);
    if (count > state->left) png_error(png, "its data end too early");
    memcpy(output, state->bytes, count);
    state->bytes += count;
    state->left -= count;
}

/// Any kind of PNG becomes 8-bit RGB, or RGBA where anything may be transparent.
static void ask_for_rgb(png_structp png, png_infop info) {
    int kind = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
    if (kind == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (kind == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    if (png_get_valid(png, info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(png);
    if (depth == 16) png_set_strip_16(png);
    if (!(kind & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(png);
}

static void decode(reading_state *state, uint8_t *output, size_t capacity, fanoise_image *image) {
    png_structp png = state->png;
    png_infop info = state->info;
    png_set_read_fn(png, state, take);
    png_set_user_limits(png, 1 << 24, 1 << 24);
    // A negative number stands for all chunks that are not needed to decode the pixels.
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_read_info(png, info);
    ask_for_rgb(png, info);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    image->width = png_get_image_width(png, info);
    image->height = png_get_image_height(png, info);
    image->channels = png_get_channels(png, info);
    if (!output) return;
    size_t stride = png_get_rowbytes(png, info);
    if (stride != (size_t)image->width * image->channels || capacity < stride * image->height)
        png_error(png, "its size changed between two readings");
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t row = 0; row < image->height; row++) png_read_row(png, output + row * stride, NULL);
    png_read_end(png, NULL);
}

bool fanoise_read_png(const uint8_t *bytes, size_t count, uint8_t *output, size_t capacity, fanoise_image *image) {
    // Everything that changes after setjmp is reached through pointers, and so is in memory when it returns a second time.
    reading_state state = {.message = image->message, .bytes = bytes, .left = count};
    if (setjmp(state.escape)) {
        png_destroy_read_struct(&state.png, &state.info, NULL);
        return false;
    }
    state.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, fail, say_nothing);
    if (state.png) state.info = png_create_info_struct(state.png);
    if (state.info) decode(&state, output, capacity, image);
    else snprintf(image->message, sizeof image->message, "libpng has no memory, or is another version than its header");
    bool done = state.info != NULL;
    png_destroy_read_struct(&state.png, &state.info, NULL);
    return done;
}
