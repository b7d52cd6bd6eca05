// JPEG through libjpeg-turbo. Not here: limits, CMYK to RGB, orientation (Swift).
#include "CPictures.h"
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

// In this order: the codes of jerror.h depend on what jpeglib.h defines.
#include <jpeglib.h>

#include <jerror.h>

/// More scans than any encoder writes. Each costs a pass over the whole picture, however few bytes it has.
enum { MOST_SCANS = 100 };

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf escape;
    char *message;
    bool ended_early;
} failure_state;

static void fail(j_common_ptr common) {
    failure_state *state = (failure_state *)common->err;
    char text[JMSG_LENGTH_MAX];
    common->err->format_message(common, text);
    snprintf(state->message, sizeof((fanoise_image *)0)->message, "%s", text);
    longjmp(state->escape, 1);
}

/// Warnings have level −1.
static void judge(j_common_ptr common, int level) {
    if (level >= 0) return;
    switch (common->err->msg_code) {
    case JWRN_JPEG_EOF: ((failure_state *)common->err)->ended_early = true; break;
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC: fail(common);
    default: break;
    }
}

static void say_nothing(j_common_ptr common) { (void)common; }

static void leave(failure_state *state, const char *message) {
    snprintf(state->message, sizeof((fanoise_image *)0)->message, "%s", message);
    longjmp(state->escape, 1);
}

static void count_scans(j_common_ptr common) {
    if (common->is_decompressor && ((j_decompress_ptr)common)->input_scan_number > MOST_SCANS)
        leave((failure_state *)common->err, "it has more than 100 scans");
}

/// Whether scans are missing of a picture whose data ended early: a component without any, or a coefficient without all of its bits.
static bool lacks_scans(j_decompress_ptr jpeg) {
    for (int component = 0; component < jpeg->num_components; component++) {
        if (!jpeg->comp_info[component].quant_table) return true;
        if (!jpeg->progressive_mode || !jpeg->coef_bits) continue;
        for (int coefficient = 0; coefficient < DCTSIZE2; coefficient++)
            if (jpeg->coef_bits[component][coefficient] != 0) return true;
    }
    return false;
}

bool fanoise_read_jpeg(const uint8_t *bytes, size_t count, int eighths, uint8_t *output, size_t capacity, fanoise_image *image) {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_progress_mgr progress = {.progress_monitor = count_scans};
    failure_state state = {.message = image->message};
    jpeg.err = jpeg_std_error(&state.base);
    state.base.error_exit = fail;
    state.base.emit_message = judge;
    state.base.output_message = say_nothing;
    jpeg_create_decompress(&jpeg);
    if (setjmp(state.escape)) {
        jpeg_destroy_decompress(&jpeg);
        return false;
    }
    jpeg.progress = &progress;
    jpeg_mem_src(&jpeg, bytes, count);
    jpeg_read_header(&jpeg, TRUE);
    if (jpeg.num_components != 1 && jpeg.num_components != 3 && jpeg.num_components != 4) leave(&state, "it has neither 1, 3 nor 4 components");
    jpeg.out_color_space = jpeg.num_components == 4 ? JCS_CMYK : JCS_RGB;
    image->width = jpeg.image_width;
    image->height = jpeg.image_height;
    image->channels = jpeg.num_components == 4 ? 4 : 3;
    if (output) {
        jpeg.scale_num = (unsigned)eighths;
        jpeg.scale_denom = 8;
        jpeg_start_decompress(&jpeg);
        image->width = jpeg.output_width;
        image->height = jpeg.output_height;
        size_t stride = (size_t)jpeg.output_width * image->channels;
        if (capacity < stride * jpeg.output_height) leave(&state, "its size changed between two readings");
        while (jpeg.output_scanline < jpeg.output_height) {
            JSAMPROW row = output + stride * jpeg.output_scanline;
            jpeg_read_scanlines(&jpeg, &row, 1);
        }
        if (state.ended_early && lacks_scans(&jpeg)) leave(&state, "its data end before its last scan");
    }
    jpeg_destroy_decompress(&jpeg);
    return true;
}
