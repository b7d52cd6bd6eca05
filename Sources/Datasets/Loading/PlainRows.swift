// One side of rows in order and unchanged, each seen once. Not here: pairs to be scored (EvaluationSet), encoding (Training).

/// The rows of a source prepared as one side: no augmentation, main captions, nothing kept in memory. A row that cannot be read is an
/// error. May be used from several threads.
public struct PlainRows: Sendable {
    private let preparer: RowPreparer

    /// - Parameter source: its query side is what is prepared.
    /// - Throws: `Failure(.configuration)` if a column holds something else than its preparation expects.
    public init(source: any PairSource, preparation: SidePreparation) throws {
        let both = PairPreparation(query: preparation, target: preparation)
        preparer = try RowPreparer(source: source, preparation: both, seed: 0, cacheBytes: 0)
    }

    /// Number of rows.
    public var count: Int { preparer.source.count }

    /// The rows of a range, in their order.
    public func batch(_ rows: Range<Int>) throws -> SideBatch { try preparer.plain(rows: rows, side: 0) }
}
