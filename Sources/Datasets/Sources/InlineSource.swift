// Rows that are already in memory: a question, the classes' sentences. Not here: the lines of a file (TextLines), files of pairs
// (RecordDataset).

/// Rows given one by one; row i has the concept i.
public struct InlineSource: PairSource {
    public let query: Column
    public let target: Column
    public let onError = RowErrorPolicy.fail
    public let skipped = 0
    public let ids: [Int64]
    private let sides: [(side: PairSide, place: String)]

    /// Rows whose two sides are the same.
    /// - Parameter prefix: put before every text.
    public init(_ sides: [(side: PairSide, place: String)], kind: ColumnKind, prefix: String = "") {
        self.sides = sides
        query = Column(kind.rawValue, kind, prefix: prefix)
        target = query
        ids = sides.indices.map(Int64.init)
    }

    public func row(_ index: Int) -> PairRow {
        let (side, place) = sides[index]
        return PairRow(
            query: side, target: side, queryPrefix: query.prefix, targetPrefix: query.prefix, place: place)
    }
}
