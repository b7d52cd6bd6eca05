// Rows of a table by index: tokens, positions. Not here: patches of pictures (Patches.swift).
//
// Shapes: R rows, V rows of the table, D width.

public import Buffers
private import CVectorMath

/// `y_r = table[ids_r]`, overwritten: ids_R, table_VD, y_RD.
/// - Precondition: 0 ≤ id < V.
public func embeddingForward(ids: [Int32], table: Floats, width: Int, into y: Floats) {
    checkEmbedding(ids, table, width, y)
    for (row, id) in ids.enumerated() {
        (y.base + row * width).update(from: table.base + Int(id) * width, count: width)
    }
}

/// `y_r += table[ids_r]`: position embeddings of packed sequences, `ids` being positions. Its backward is `embeddingBackward`.
/// - Precondition: 0 ≤ id < V.
public func addEmbedding(ids: [Int32], table: Floats, width: Int, into y: Floats) {
    checkEmbedding(ids, table, width, y)
    for (row, id) in ids.enumerated() {
        fanoise_add_scaled(y.base + row * width, table.base + Int(id) * width, 1, width)
    }
}

/// `dtable[ids_r] += dy_r`, accumulated, in the order of the rows: the same sum whatever the batch before it.
/// - Precondition: 0 ≤ id < V.
public func embeddingBackward(dy: Floats, ids: [Int32], width: Int, dtable: Floats) {
    checkEmbedding(ids, dtable, width, dy)
    for (row, id) in ids.enumerated() {
        fanoise_add_scaled(dtable.base + Int(id) * width, dy.base + row * width, 1, width)
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
