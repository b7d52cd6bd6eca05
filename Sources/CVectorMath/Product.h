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

/// What follows the product, on rows × columns that are still in the first cache: C and everything beside it begin at (row, column).
INLINE void finish(const fanoise_epilogue *e, long row, long column, long rows, long columns, float *c, long cr) {
    for (long r = row; r < row + rows; r++, c += cr) {
        if (e->bias || e->residual) {
            const float *bias = e->bias ? e->bias + column : 0;
            const float *residual = e->residual ? e->residual + r * e->stride + column : 0;
            FOR_VECTORS(i, columns, part, {
                v16 x = get(c + i, part);
                if (bias) x += get(bias + i, part);
                if (residual) x += get(residual + i, part);
                put(c + i, x, part);
            });
        }
        if (e->activated) FOR_KIND(e->activation, activate_elements, c, columns, e->activated + r * e->stride + column)
        if (e->differentiated) FOR_KIND(e->activation, differentiate_elements, c, columns, e->differentiated + r * e->stride + column)
    }
}

#endif
