// One side of pairs in the place of both. Not here: where the pairs come from.

/// Pairs of which only the queries, or only the targets, are wanted.
public struct OneSide: PairSource {
    private let source: any PairSource
    private let takesTarget: Bool

    /// - Parameter target: whether the targets are wanted rather than the queries.
    public init(_ source: any PairSource, target: Bool) {
        self.source = source
        takesTarget = target
    }

    public var ids: [Int64] { source.ids }
    public var query: Column { takesTarget ? source.target : source.query }
    public var target: Column { query }
    public var onError: RowErrorPolicy { source.onError }
    public var skipped: Int { source.skipped }
    public func row(_ index: Int) throws -> PairRow {
        var row = try source.row(index, alternatives: false)
        if takesTarget {
            (row.query, row.queryPrefix) = (row.target, row.targetPrefix)
        } else {
            (row.target, row.targetPrefix) = (row.query, row.queryPrefix)
        }
        return row
    }
}
