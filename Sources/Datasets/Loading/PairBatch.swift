// A prepared batch, as training sees it. Not here: preparing it (RowPreparer), encoders' own inputs (Encoders).
//
// Shapes: B local rows, N global rows, k targets a row brings, S side of a picture.

public import Buffers

/// One side of the local rows.
public enum SideBatch: Sendable {
    /// B pictures (of targets k·B), [B, 3, S, S], normalised.
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
    /// k·B, row by row: a row's own target, then its k − 1 negatives.
    public var targets: SideBatch
    /// k, the same on every rank.
    public var targetsPerRow: Int
    /// Concept of each local row, B entries.
    public var ids: [Int64]
    /// Concept of each target, k·B entries; `noConcept` where it is not known.
    public var targetIDs: [Int64]
    /// Place in the global batch of the first local row.
    public var firstRow: Int
    /// N; fewer in the last batch of an epoch.
    public var globalRows: Int
    /// Row of the data that each local row shows, B entries.
    public var rowIndices: [Int]
    /// Rows of the data that could not be read, for which others stand here.
    public var replacedRows: Set<Int> = []

    /// The concept of negatives that belong to none: no row has it.
    public static let noConcept = ConceptIDs.own("")

    /// - Parameter targetIDs: nil where each row brings its own target alone.
    public init(
        step: Int, epoch: Int, queries: SideBatch, targets: SideBatch, targetsPerRow: Int = 1, ids: [Int64],
        targetIDs: [Int64]? = nil, firstRow: Int, globalRows: Int, rowIndices: [Int]
    ) {
        let targetIDs = targetIDs ?? ids
        precondition(
            queries.rows == ids.count && targets.rows == targetsPerRow * ids.count && targetIDs.count == targets.rows
                && rowIndices.count == ids.count,
            "\(queries.rows) queries, \(targets.rows) targets, \(rowIndices.count) rows, \(ids.count) ids")
        self.step = step
        self.epoch = epoch
        self.queries = queries
        self.targets = targets
        self.targetsPerRow = targetsPerRow
        self.targetIDs = targetIDs
        self.ids = ids
        self.firstRow = firstRow
        self.globalRows = globalRows
        self.rowIndices = rowIndices
    }

    /// B.
    public var rows: Int { ids.count }
}
