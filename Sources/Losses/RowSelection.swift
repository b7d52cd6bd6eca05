// The rows of a shard that take part. Not here: anything that knows other ranks.

import Buffers

/// The valid rows of a local batch, and the way there and back for matrices made of one or more blocks of its rows.
///
/// Rows that do not take part (padding of a last short batch) are taken out before anything else, so that no formula knows them.
struct RowSelection {
    /// Rows of the batch as given.
    let rows: Int
    /// Indices of the rows that take part, ascending.
    let kept: [Int]

    init(valid: [Bool]?, rows: Int) {
        self.rows = rows
        kept = valid.map { valid in (0..<rows).filter { valid[$0] } } ?? Array(0..<rows)
    }

    private var keepsAll: Bool { kept.count == rows }

    /// The kept rows of every block of `values`; `values` itself when all are kept.
    func gather(_ values: Floats, columns: Int) -> Floats {
        if keepsAll { return values }
        let blocks = values.count / (rows * columns)
        let result = Floats(count: blocks * kept.count * columns)
        forEachRow(blocks: blocks) { given, row in
            result[row * columns..<(row + 1) * columns].copy(from: values[given * columns..<(given + 1) * columns])
        }
        return result
    }

    /// The same for one number a row.
    func gather(_ values: [Int64]) -> [Int64] {
        if keepsAll { return values }
        var result: [Int64] = []
        forEachRow(blocks: values.count / rows) { given, _ in result.append(values[given]) }
        return result
    }

    /// Every row of every block in its place, 0 in those that were left out.
    func scatter(_ values: Floats, blocks: Int, columns: Int) -> Floats {
        if keepsAll { return values }
        let result = Floats(repeating: 0, count: blocks * rows * columns)
        forEachRow(blocks: blocks) { given, row in
            result[given * columns..<(given + 1) * columns].copy(from: values[row * columns..<(row + 1) * columns])
        }
        return result
    }

    /// Where a row of the kept ones (of any block) was given.
    func given(_ row: Int) -> Int { row / kept.count * rows + kept[row % kept.count] }

    private func forEachRow(blocks: Int, _ body: (_ given: Int, _ row: Int) -> Void) {
        for block in 0..<blocks {
            for (index, row) in kept.enumerated() { body(block * rows + row, block * kept.count + index) }
        }
    }
}
