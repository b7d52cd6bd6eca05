// Dropout as a function of (step, global row, column). Not here: the numbers (RandomField).
//
// Shapes: R rows, C columns.

public import Buffers
private import CVectorMath
public import Randomness

/// `y_rc = x_rc · [u_rc < keep] / keep` with u uniform from `field` at (step, globalRows_r, c). Overwrites `y`, which may be `x`.
///
/// Its own backward: applied to `dy` with the same arguments it gives `dx`, the mask being made again and never stored. The mask does
/// not depend on how rows are spread over ranks, if each comes with its global number.
/// Source: Srivastava et al., JMLR 15 (2014), section 4, scaled while training ("inverted").
public func dropoutForward(
    _ x: Floats, keep: Float, field: RandomField, step: Int, rows globalRows: [Int], columns: Int, into y: Floats
) {
    checkDropout(x, keep, rows: globalRows.count, columns, y)
    parallel(globalRows.count, elements: 4 * globalRows.count * columns) { part in
        for row in part {
            dropRow(x.base + row * columns, keep, field, step, globalRows[row], columns, into: y.base + row * columns)
        }
    }
}

/// The same for consecutive global rows, the first of which is `firstRow`; R = x.count / columns.
public func dropoutForward(
    _ x: Floats, keep: Float, field: RandomField, step: Int, firstRow: Int, columns: Int, into y: Floats
) {
    precondition(columns > 0, "\(columns) columns")
    let rows = x.count / columns
    checkDropout(x, keep, rows: rows, columns, y)
    parallel(rows, elements: 4 * rows * columns) { part in
        for row in part {
            dropRow(x.base + row * columns, keep, field, step, firstRow + row, columns, into: y.base + row * columns)
        }
    }
}

private func checkDropout(_ x: Floats, _ keep: Float, rows: Int, _ columns: Int, _ y: Floats) {
    precondition(keep > 0 && keep <= 1, "keep probability \(keep) is outside (0, 1]")
    check("x", x, holds: rows * columns)
    check("y", y, holds: rows * columns)
}

private func dropRow(
    _ x: UnsafePointer<Float>, _ keep: Float, _ field: RandomField, _ step: Int, _ row: Int, _ columns: Int,
    into y: UnsafeMutablePointer<Float>
) {
    // u < keep compared on the 24 bits of RandomField.uniform; keep · 2²⁴ ≤ 2²⁴ is exact.
    let threshold = UInt32((keep * 0x1p24).rounded(.up))
    field.withPhilox(step: step, row: row) { fanoise_dropout_row(x, columns, $0, $1, threshold, 1 / keep, y) }
}
