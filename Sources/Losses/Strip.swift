// Which rows of the global batch are finished together. Not here: their logits (LogitTiles.swift).

/// Rows of the global batch, of every rank a part: in rank order they are rows 0 ..< `rows` of the strip.
struct Strip {
    /// Rows of each rank's part.
    let counts: [Int]
    /// This rank's part, of its local rows.
    let local: Range<Int>
    /// Where this rank's part begins in the strip.
    let first: Int
    /// Index in the global batch of every row.
    let globalRows: [Int]

    /// S.
    var rows: Int { globalRows.count }

    /// The rows of all ranks in strips of about `limit` > 0 rows, each rank's rows spread evenly over them; the same on all ranks.
    static func plan(_ census: Census, limit: Int) -> [Strip] {
        let parts = census.rows / limit + (census.rows % limit == 0 ? 0 : 1)
        return (0..<parts).map { Strip(part: $0, of: parts, census) }.filter { $0.rows > 0 }
    }

    private init(part: Int, of parts: Int, _ census: Census) {
        let ranges = census.counts.map { $0 * part / parts..<$0 * (part + 1) / parts }
        counts = ranges.map(\.count)
        local = ranges[census.rank]
        first = counts[..<census.rank].reduce(0, +)
        var rows: [Int] = []
        var start = 0
        for (range, count) in zip(ranges, census.counts) {
            rows += range.map { start + $0 }
            start += count
        }
        globalRows = rows
    }

    /// The local row at a place of the strip; nil when it is another rank's.
    func localRow(_ row: Int) -> Int? {
        row >= first && row < first + local.count ? local.lowerBound + row - first : nil
    }
}
