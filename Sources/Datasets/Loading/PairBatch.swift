// A prepared batch, as training sees it. Not here: preparing it (RowPreparer), encoders' own inputs (Encoders).
//
// Shapes: B local rows, N global rows, S side of a picture.

public import Buffers

/// One side of the local rows.
public enum SideBatch: Sendable {
    /// B pictures, [B, 3, S, S], normalised.
    case pictures(Floats, size: Int)
    /// B texts packed one behind the other: text b is `ids[offsets[b] ..< offsets[b + 1]]`, from start to end of text.
    case text(ids: [Int32], offsets: [Int])
    /// B rows of precomputed features, [B, columns].
    case features(Floats, columns: Int)

    /// B.
    public var rows: Int {
        switch self {
        case .pictures(let values, let size): values.count / (3 * size * size)
        case .text(_, let offsets): offsets.count - 1
        case .features(let values, let columns): values.count / columns
        }
    }
}

/// The rows of one step that one rank holds.
public struct PairBatch: Sendable {
    public var step: Int
    /// 0 for the first.
    public var epoch: Int
    public var queries: SideBatch
    public var targets: SideBatch
    /// Concept of each local row, B entries.
    public var ids: [Int64]
    /// Place in the global batch of the first local row.
    public var firstRow: Int
    /// N; fewer in the last batch of an epoch.
    public var globalRows: Int
    /// Row of the data that each local row shows, B entries.
    public var rowIndices: [Int]

    public init(
        step: Int, epoch: Int, queries: SideBatch, targets: SideBatch, ids: [Int64], firstRow: Int, globalRows: Int,
        rowIndices: [Int]
    ) {
        precondition(
            queries.rows == ids.count && targets.rows == ids.count && rowIndices.count == ids.count,
            "\(queries.rows) queries, \(targets.rows) targets, \(rowIndices.count) rows, \(ids.count) ids")
        self.step = step
        self.epoch = epoch
        self.queries = queries
        self.targets = targets
        self.ids = ids
        self.firstRow = firstRow
        self.globalRows = globalRows
        self.rowIndices = rowIndices
    }

    /// B.
    public var rows: Int { ids.count }
}
