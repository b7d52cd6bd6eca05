// Layer normalisation of rows. Not here: L2 normalisation (RowNormalization.swift).
//
// Shapes: R rows, C columns; gain_C, shift_C, mean_R, inverseDeviation_R.

public import Buffers
private import CVectorMath

/// `y_r = gain ⊙ (x_r − mean_r) · inverseDeviation_r + shift`, with `inverseDeviation_r = 1/√(variance_r + ε)`.
///
/// The variance is Σ(x − mean)²/C, in two passes: no cancellation. Overwrites `y`, `mean`, `inverseDeviation`.
/// Source: Ba, Kiros, Hinton, arXiv 1607.06450, equation 4.
public func layerNormForward(
    _ x: Floats, gain: Floats, shift: Floats, epsilon: Float, rows: Int, columns: Int, into y: Floats, mean: Floats,
    inverseDeviation: Floats
) {
    check("x", x, holds: rows * columns)
    checkNorm(gain, shift, y, mean, inverseDeviation, rows, columns)
    fanoise_layer_norm(x.base, gain.base, shift.base, epsilon, rows, columns, y.base, mean.base, inverseDeviation.base)
}

/// `sum = x + residual`, `y = layerNorm(sum)`, in one pass over memory. Overwrites `sum` (which may be `x` or `residual`), `y`, `mean`,
/// `inverseDeviation`. The backward is that of `layerNormForward` at `sum`; its `dx` goes to both terms.
public func residualLayerNormForward(
    _ x: Floats, residual: Floats, gain: Floats, shift: Floats, epsilon: Float, rows: Int, columns: Int, sum: Floats,
    into y: Floats,
    mean: Floats, inverseDeviation: Floats
) {
    check("x", x, holds: rows * columns)
    check("residual", residual, holds: rows * columns)
    check("sum", sum, holds: rows * columns)
    checkNorm(gain, shift, y, mean, inverseDeviation, rows, columns)
    fanoise_residual_layer_norm(
        x.base, residual.base, gain.base, shift.base, epsilon, rows, columns, sum.base, y.base, mean.base,
        inverseDeviation.base)
}

/// With `h = (x − mean) · inverseDeviation` and `d = dy ⊙ gain`:
///
/// ```
/// dx_r     = (d_r − mean(d_r) − h_r · mean(d_r ⊙ h_r)) · inverseDeviation_r     overwritten; may be dy
/// dgain   += Σ_r dy_r ⊙ h_r                                                    accumulated
/// dshift  += Σ_r dy_r                                                          accumulated
/// ```
public func layerNormBackward(
    _ dy: Floats, x: Floats, gain: Floats, mean: Floats, inverseDeviation: Floats, rows: Int, columns: Int,
    into dx: Floats,
    dgain: Floats?, dshift: Floats?
) {
    check("x", x, holds: rows * columns)
    check("dy", dy, holds: rows * columns)
    checkNorm(gain, dshift ?? gain, dx, mean, inverseDeviation, rows, columns)
    if let dgain { check("dgain", dgain, holds: columns) }
    fanoise_layer_norm_backward(
        dy.base, x.base, gain.base, mean.base, inverseDeviation.base, rows, columns, dx.base, dgain?.base, dshift?.base)
}

private func checkNorm(
    _ gain: Floats, _ shift: Floats, _ y: Floats, _ mean: Floats, _ inverseDeviation: Floats, _ rows: Int,
    _ columns: Int
) {
    checkShape(rows, columns)
    check("gain", gain, holds: columns)
    check("shift", shift, holds: columns)
    check("result", y, holds: rows * columns)
    check("mean", mean, holds: rows)
    check("inverseDeviation", inverseDeviation, holds: rows)
}
