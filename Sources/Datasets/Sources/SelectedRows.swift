// Some rows of a source, in another order. Not here: where the rows come from.

/// The rows that were chosen, as a source of their own.
public struct SelectedRows: PairSource {
    private let source: any PairSource
    private let rows: [Int]
    public let ids: [Int64]
    /// As many as say of these rows what the source's say of all: its share, rounded down.
    public let skipped: Int

    /// - Precondition: each of `rows` is one of the source's.
    public init(_ source: any PairSource, rows: [Int]) {
        self.source = source
        self.rows = rows
        ids = rows.map { source.ids[$0] }
        skipped = source.skipped * rows.count / max(source.count, 1)
    }

    public var name: String { source.name }
    public var query: Column { source.query }
    public var target: Column { source.target }
    public var onError: RowErrorPolicy { source.onError }
    public var skippedReasons: [String] { source.skippedReasons }
    public var takenFields: [TakenFields] { source.takenFields }
    public var fingerprint: UInt64 { Fingerprint.of(source, rows: rows) }
    public var parts: [SourcePart] {
        [SourcePart(rows: 0..<rows.count, maximumNegatives: source.parts.map(\.maximumNegatives).max() ?? 0)]
    }
    public func row(_ index: Int) throws -> PairRow { try source.row(rows[index]) }
    public func row(_ index: Int, alternatives: Bool) throws -> PairRow {
        try source.row(rows[index], alternatives: alternatives)
    }
}
