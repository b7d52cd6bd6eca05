// Held-out pairs, in order and unchanged. Not here: encoding and scoring (Training).

/// The pairs of a data set as they are: no augmentation, main captions, rows in the order of the file. A row that cannot be read is an
/// error: a score means the same rows everywhere.
///
/// Queries are all rows; the gallery has one row of each concept, the first, so that a concept's caption is there once however many
/// pictures ask for it.
public struct EvaluationSet: Sendable {
    private let preparer: RowPreparer
    /// Concept of each row.
    public let ids: [Int64]
    /// The first row of each concept, in the order of the file.
    public let gallery: [Int]

    /// - Throws: `Failure(.configuration)` if a column holds something else than its preparation expects.
    public init(source: any PairSource, preparation: PairPreparation, cacheBytes: Int = 512 << 20) throws {
        preparer = try RowPreparer(source: source, preparation: preparation, seed: 0, cacheBytes: cacheBytes)
        ids = source.ids
        var seen: Set<Int64> = []
        gallery = ids.indices.filter { seen.insert(source.ids[$0]).inserted }
    }

    /// Number of rows.
    public var count: Int { ids.count }
    /// Concepts of the gallery's rows.
    public var galleryIDs: [Int64] { gallery.map { ids[$0] } }

    /// The rows of a rank: contiguous parts in rank order.
    public func rows(rank: Int, of worldSize: Int) -> Range<Int> { evenRange(of: count, part: rank, of: worldSize) }

    /// A row as it is stored.
    public func row(_ index: Int) throws -> PairRow { try preparer.source.row(index, alternatives: false) }

    /// The query sides of any rows, in their order.
    public func queries(_ rows: some Sequence<Int>) throws -> SideBatch { try preparer.plain(rows: rows, side: 0) }

    /// The target sides of any rows, in their order.
    public func targets(_ rows: some Sequence<Int>) throws -> SideBatch { try preparer.plain(rows: rows, side: 1) }
}

/// Cuts `rows` into parts of `size`, the last one shorter.
public func chunks<Rows: Collection>(of rows: Rows, size: Int) -> [Rows.SubSequence] {
    precondition(size > 0, "chunks of \(size)")
    return stride(from: 0, to: rows.count, by: size).map { rows.dropFirst($0).prefix(size) }
}
