// Choosing and averaging rows. Not here: embedding tables (Embedding.swift).
//
// Shapes: R rows, B chosen rows or sequences, C columns.

public import Buffers
private import CVectorMath

/// `y_b = x[indices_b]`, overwritten: x_RC, y_BC (class token, end of text).
/// - Precondition: 0 ≤ index < R.
public func gatherRows(_ x: Floats, rows indices: [Int], columns: Int, into y: Floats) {
    checkRows(indices, of: x, columns: columns, chosen: y)
    for (row, index) in indices.enumerated() {
        (y.base + row * columns).update(from: x.base + index * columns, count: columns)
    }
}

/// `dx[indices_b] += dy_b`: the backward of `gatherRows`. Adds, so that rows chosen twice are right: fill `dx` with zeros first.
/// - Precondition: 0 ≤ index < R.
public func scatterAddRows(_ dy: Floats, rows indices: [Int], columns: Int, into dx: Floats) {
    checkRows(indices, of: dx, columns: columns, chosen: dy)
    for (row, index) in indices.enumerated() {
        fanoise_add_scaled(dx.base + index * columns, dy.base + row * columns, 1, columns)
    }
}

private func checkRows(_ indices: [Int], of x: Floats, columns: Int, chosen: Floats) {
    precondition(columns > 0 && x.count % columns == 0, "\(x.count) elements have no rows of \(columns)")
    check("chosen rows", chosen, holds: indices.count * columns)
    let rows = x.count / columns
    for index in indices { precondition(index >= 0 && index < rows, "row \(index) of \(rows)") }
}

/// `y_b = mean of rows offsets_b ..< offsets_(b+1)`, overwritten: x_RC, y_BC.
/// - Precondition: `offsets` begins with 0, rises strictly, and ends with R: an empty sequence has no mean.
public func meanPoolForward(_ x: Floats, offsets: [Int], columns: Int, into y: Floats) {
    checkSequences(offsets, rows: x, columns: columns, pooled: y)
    y.fill(0)
    for sequence in 0..<offsets.count - 1 {
        let (start, end) = (offsets[sequence], offsets[sequence + 1])
        let target = y.base + sequence * columns
        fanoise_add_column_sums(x.base + start * columns, end - start, columns, target)
        fanoise_scale(target, 1 / Float(end - start), columns)
    }
}

/// `dx_r = dy_b / length_b` for the rows r of sequence b, overwritten.
public func meanPoolBackward(_ dy: Floats, offsets: [Int], columns: Int, into dx: Floats) {
    checkSequences(offsets, rows: dx, columns: columns, pooled: dy)
    for sequence in 0..<offsets.count - 1 {
        let (start, end) = (offsets[sequence], offsets[sequence + 1])
        let first = dx.base + start * columns
        first.update(from: dy.base + sequence * columns, count: columns)
        fanoise_scale(first, 1 / Float(end - start), columns)
        for row in start + 1..<end { (dx.base + row * columns).update(from: first, count: columns) }
    }
}

private func checkSequences(_ offsets: [Int], rows: Floats, columns: Int, pooled: Floats) {
    precondition(
        columns > 0 && offsets.first == 0,
        "offsets begin with \(offsets.first.map(String.init) ?? "nothing"), columns \(columns)")
    for (start, end) in zip(offsets, offsets.dropFirst()) {
        precondition(start < end, "sequence of rows \(start) ..< \(end)")
    }
    check("rows", rows, holds: offsets[offsets.count - 1] * columns)
    check("pooled", pooled, holds: (offsets.count - 1) * columns)
}
