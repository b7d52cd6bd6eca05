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
    parallel(rows, elements: 2 * rows * columns) { part in
        let (first, offset) = (part.lowerBound, part.lowerBound * columns)
        fanoise_layer_norm(
            x.base + offset, gain.base, shift.base, epsilon, part.count, columns, y.base + offset, mean.base + first,
            inverseDeviation.base + first)
    }
}

/// With `h = (x − mean) · inverseDeviation` and `d = dy ⊙ gain`:
///
/// ```
/// dx_r     = (d_r − mean(d_r) − h_r · mean(d_r ⊙ h_r)) · inverseDeviation_r + added_r    overwritten; may be dy
/// dgain   += Σ_r dy_r ⊙ h_r                                                             accumulated
/// dshift  += Σ_r dy_r                                                                   accumulated
/// ```
/// - Parameter added: what else has come to x, R×C: the gradient that passed the norm by on the residual stream.
public func layerNormBackward(
    _ dy: Floats, x: Floats, gain: Floats, mean: Floats, inverseDeviation: Floats, rows: Int, columns: Int,
    adding added: Floats? = nil, into dx: Floats, dgain: Floats?, dshift: Floats?
) {
    check("x", x, holds: rows * columns)
    check("dy", dy, holds: rows * columns)
    if let added { check("added", added, holds: rows * columns) }
    checkNorm(gain, dshift ?? gain, dx, mean, inverseDeviation, rows, columns)
    if let dgain { check("dgain", dgain, holds: columns) }
    sumRows(rows, columns: columns, into: [dgain, dshift]) { block, sums in
        let (first, offset) = (block.lowerBound, block.lowerBound * columns)
        fanoise_layer_norm_backward(
            dy.base + offset, x.base + offset, gain.base, mean.base + first, inverseDeviation.base + first,
            added.map { $0.base + offset }, block.count, columns, dx.base + offset, sums[0]?.base, sums[1]?.base)
    }
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
