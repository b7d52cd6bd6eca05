// Choosing rows, and one row for each sequence: mean, weighted sum, maximum. Not here: embedding tables (Embedding.swift).
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
        fanoise_add_column_sums(x.base + start * columns, columns, end - start, columns, target)
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

/// `y_b = Σ_r w_r x_r` over rows offsets_b ..< offsets_(b+1), overwritten: x_RC, w_R, y_BC.
/// - Precondition: as of `meanPoolForward`; a weight for each row.
public func weightedPoolForward(_ x: Floats, weights: [Float], offsets: [Int], columns: Int, into y: Floats) {
    checkSequences(offsets, rows: x, columns: columns, pooled: y)
    precondition(weights.count == offsets[offsets.count - 1], "\(weights.count) weights of \(x.count / columns) rows")
    y.fill(0)
    for sequence in 0..<offsets.count - 1 {
        let target = y.base + sequence * columns
        for row in offsets[sequence]..<offsets[sequence + 1] {
            fanoise_add_scaled(target, x.base + row * columns, weights[row], columns)
        }
    }
}

/// `dx_r = w_r dy_b` for the rows r of sequence b, overwritten.
public func weightedPoolBackward(_ dy: Floats, weights: [Float], offsets: [Int], columns: Int, into dx: Floats) {
    checkSequences(offsets, rows: dx, columns: columns, pooled: dy)
    precondition(weights.count == offsets[offsets.count - 1], "\(weights.count) weights of \(dx.count / columns) rows")
    for sequence in 0..<offsets.count - 1 {
        for row in offsets[sequence]..<offsets[sequence + 1] {
            let target = dx.base + row * columns
            target.update(from: dy.base + sequence * columns, count: columns)
            fanoise_scale(target, weights[row], columns)
        }
    }
}

/// `y_bc = max of x_rc over rows offsets_b ..< offsets_(b+1)`, overwritten: x_RC, y_BC.
/// - Returns: for every element of y the row it is from, the first of equals.
/// - Precondition: as of `meanPoolForward`.
public func maxPoolForward(_ x: Floats, offsets: [Int], columns: Int, into y: Floats) -> [Int32] {
    checkSequences(offsets, rows: x, columns: columns, pooled: y)
    var rows = [Int32](repeating: 0, count: y.count)
    for sequence in 0..<offsets.count - 1 {
        let (start, end) = (offsets[sequence], offsets[sequence + 1])
        let target = y.base + sequence * columns
        target.update(from: x.base + start * columns, count: columns)
        for column in 0..<columns { rows[sequence * columns + column] = Int32(start) }
        for row in start + 1..<end {
            let source = x.base + row * columns
            for column in 0..<columns where source[column] > target[column] {
                target[column] = source[column]
                rows[sequence * columns + column] = Int32(row)
            }
        }
    }
    return rows
}

/// `dx_rc = dy_bc` where r is the row that y_bc is from, 0 elsewhere, overwritten.
/// - Parameter rows: what `maxPoolForward` returned.
public func maxPoolBackward(_ dy: Floats, rows: [Int32], columns: Int, into dx: Floats) {
    precondition(rows.count == dy.count, "\(rows.count) rows of \(dy.count) elements")
    dx.fill(0)
    for (element, row) in rows.enumerated() { dx.base[Int(row) * columns + element % columns] = dy.base[element] }
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
