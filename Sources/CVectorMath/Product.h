// What the two ways to form products share: how they are cut, what follows them. Not here: the products (Product.c, MatrixUnit.c).
#ifndef FANOISE_PRODUCT_H
#define FANOISE_PRODUCT_H

#include "Activation.h"
#include "CVectorMath.h"
#include "Vector.h"

#ifdef __x86_64__
/// As fanoise_product_scratch and fanoise_product, on the matrix unit.
long unit_product_scratch(long columns, long depth);
void unit_product(
    long rows, long columns, long depth, const float *a, long a_stride, int a_transposed, const float *b, long b_stride, int b_transposed,
    float alpha, int accumulate, float *c, long c_stride, const fanoise_epilogue *epilogue, float *scratch);
#endif

INLINE long blocks(long count, long most) { return (count + most - 1) / most; }

/// x = x + bias + residual; what is null is left out, and the compiler knows it.
INLINE void add_elements(const float *bias, const float *residual, long count, float *x) {
    FOR_VECTORS(i, count, part, {
        v16 sum = get(x + i, part);
        if (bias) sum += get(bias + i, part);
        if (residual) sum += get(residual + i, part);
        put(x + i, sum, part);
    });
}

/// What follows the product, on rows × columns that are still in the first cache: C and everything beside it begin at (row, column).
INLINE void finish(const fanoise_epilogue *e, long row, long column, long rows, long columns, float *c, long cr) {
    const float *bias = e->bias ? e->bias + column : 0;
    for (long r = row; r < row + rows; r++, c += cr) {
        const long at = r * e->stride + column;
        const int joined = e->activated && bias && !e->residual;
        if (joined) FOR_KIND(e->activation, bias_activate_elements, c, bias, columns, e->activated + at)
        else if (bias && e->residual) add_elements(bias, e->residual + at, columns, c);
        else if (bias) add_elements(bias, 0, columns, c);
        else if (e->residual) add_elements(0, e->residual + at, columns, c);
        if (e->activated && !joined) FOR_KIND(e->activation, activate_elements, c, columns, e->activated + at)
        if (e->differentiated) FOR_KIND(e->activation, differentiate_elements, c, columns, e->differentiated + at)
    }
}

#endif
