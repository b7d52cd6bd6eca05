// Rows scaled to unit length. Not here: layer normalisation (LayerNorm.swift).
//
// Shapes: R rows, C columns; inverseNorms_R.

public import Buffers
private import CVectorMath

/// `y_r = x_r / max(‖x_r‖₂, ε)`, the norm in float64. Overwrites `y` (which may be `x`) and `inverseNorms`.
///
/// `inverseNorms_r` is 1/‖x_r‖, or −1/ε for a row no longer than ε: such a row is only scaled, and the sign tells the backward.
public func normalizeRowsForward(
    _ x: Floats, rows: Int, columns: Int, epsilon: Float, into y: Floats, inverseNorms: Floats
) {
    checkShape(rows, columns)
    precondition(epsilon > 0, "epsilon \(epsilon) is not positive")
    check("x", x, holds: rows * columns)
    check("y", y, holds: rows * columns)
    check("inverseNorms", inverseNorms, holds: rows)
    fanoise_normalize_rows(x.base, epsilon, rows, columns, y.base, inverseNorms.base)
}

/// `dx_r = (dy_r − (dy_r · y_r) y_r) / ‖x_r‖`, or `dy_r / ε` for a row no longer than ε. Overwrites `dx` (which may be `dy`).
public func normalizeRowsBackward(dy: Floats, y: Floats, inverseNorms: Floats, rows: Int, columns: Int, into dx: Floats)
{
    checkShape(rows, columns)
    check("dy", dy, holds: rows * columns)
    check("y", y, holds: rows * columns)
    check("dx", dx, holds: rows * columns)
    check("inverseNorms", inverseNorms, holds: rows)
    fanoise_normalize_rows_backward(dy.base, y.base, inverseNorms.base, rows, columns, dx.base)
}
