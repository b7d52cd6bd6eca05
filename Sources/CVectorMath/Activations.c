// Bias, activation and their gradients on rows × columns. Not here: the products around them (gemm).
#include "Activation.h"
#include "CVectorMath.h"
#include "Vector.h"

/// pre += bias, y = act(pre), row by row.
INLINE void forward(int kind, float *pre, const float *bias, long rows, long columns, float *y) {
    for (long r = 0; r < rows; r++, pre += columns, y += columns) bias_activate_elements(kind, pre, bias, columns, y);
}

DISPATCH void fanoise_bias_activation(float *pre, const float *bias, long rows, long columns, int kind, float *y) {
    if (bias) {
        FOR_KIND(kind, forward, pre, bias, rows, columns, y)
    } else {
        FOR_KIND(kind, activate_elements, pre, rows * columns, y)
    }
}

DISPATCH void fanoise_activation_backward(const float *dy, const float *pre, long count, int kind, float *dx) {
    FOR_KIND(kind, slope_elements, dy, pre, count, dx)
}

DISPATCH void fanoise_add_column_sums(const float *x, long stride, long rows, long columns, float *total) {
    long i = 0;
    for (; i + 4 * LANES <= columns; i += 4 * LANES) {
        v16 a = 0, b = 0, c = 0, d = 0;
        for (long r = 0; r < rows; r++) {
            const float *p = x + r * stride + i;
            a += load(p), b += load(p + LANES), c += load(p + 2 * LANES), d += load(p + 3 * LANES);
        }
        store(total + i, load(total + i) + a);
        store(total + i + LANES, load(total + i + LANES) + b);
        store(total + i + 2 * LANES, load(total + i + 2 * LANES) + c);
        store(total + i + 3 * LANES, load(total + i + 3 * LANES) + d);
    }
    for (; i < columns; i += LANES) {
        long part = columns - i < LANES ? columns - i : 0;
        v16 a = 0;
        for (long r = 0; r < rows; r++) a += get(x + r * stride + i, part);
        put(total + i, get(total + i, part) + a, part);
    }
}
