// Which columns share a row's id, in memory that does not grow with their number of pairs. Not here: what is done with them.

/// The columns whose id equals that of a row: pairs that are never each other's negatives.
///
/// Columns are kept sorted by (id, column); a row remembers its part of that order. Memory O(rows + columns), even when all ids
/// are equal; building costs O(M log M), a query O(log M + matches).
struct EqualIdentities {
    /// Columns by (id, column).
    private let order: [Int]
    /// Where in `order` the columns of each row's id lie.
    private let ranges: [Range<Int>]

    /// - Parameters:
    ///   - rows: ids of the rows of the global batch.
    ///   - columns: ids of the first `columns.count` columns; the others have none and equal nothing.
    init(rows: [Int64], columns: [Int64]) {
        let order = columns.indices.sorted { (columns[$0], $0) < (columns[$1], $1) }
        self.order = order
        ranges = rows.map { id in
            let start = order.partitionPoint { columns[$0] >= id }
            return start..<order.partitionPoint(from: start) { columns[$0] > id }
        }
    }

    /// Calls `body` with every column of `columns` whose id is that of `row`, in ascending order.
    func forEach(row: Int, in columns: Range<Int>, _ body: (Int) -> Void) {
        let range = ranges[row]
        var position = order[range].partitionPoint { $0 >= columns.lowerBound }
        while position < range.upperBound, order[position] < columns.upperBound {
            body(order[position])
            position += 1
        }
    }
}

extension RandomAccessCollection where Index == Int {
    /// The first index from `start` on where `predicate` holds, `endIndex` if nowhere; it holds from there on.
    fileprivate func partitionPoint(from start: Int? = nil, _ predicate: (Element) -> Bool) -> Int {
        var low = start ?? startIndex
        var high = endIndex
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
