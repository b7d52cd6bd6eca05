// Rows of a table by index: tokens, positions. Not here: patches of pictures (Patches.swift).
//
// Shapes: R rows, V rows of the table, D width.

public import Buffers
private import CVectorMath

/// `y_r = table[ids_r]`, overwritten: ids_R, table_VD, y_RD.
/// - Precondition: 0 ≤ id < V.
public func embeddingForward(ids: [Int32], table: Floats, width: Int, into y: Floats) {
    checkEmbedding(ids, table, width, y)
    parallel(ids.count, elements: 2 * ids.count * width) { part in
        for row in part {
            (y.base + row * width).update(from: table.base + Int(ids[row]) * width, count: width)
        }
    }
}

/// `dtable[ids_r] += dy_r`, accumulated, in the order of the rows: the same sum whatever the batch before it.
/// - Precondition: 0 ≤ id < V.
public func embeddingBackward(dy: Floats, ids: [Int32], width: Int, dtable: Floats) {
    checkEmbedding(ids, dtable, width, dy)
    // Each thread takes some columns of all rows, which keeps their order.
    parallel(width, elements: 2 * ids.count * width) { part in
        for (row, id) in ids.enumerated() {
            fanoise_add_scaled(
                dtable.base + Int(id) * width + part.lowerBound, dy.base + row * width + part.lowerBound, 1, part.count)
        }
    }
}

private func checkEmbedding(_ ids: [Int32], _ table: Floats, _ width: Int, _ rows: Floats) {
    precondition(width > 0 && table.count % width == 0, "table of \(table.count) elements has no rows of \(width)")
    check("rows", rows, holds: ids.count * width)
    let count = table.count / width
    for (row, id) in ids.enumerated() {
        precondition(id >= 0 && Int(id) < count, "row \(row): id \(id) exceeds a table of \(count) rows")
    }
}
