// What a set of pairs offers, whatever file it comes from. Not here: files (JSONLDataset), preparing rows (SidePreparer).

/// One side of a pair, as it is stored.
public enum PairSide: Sendable, Equatable {
    /// A picture file.
    case picture(path: String)
    /// A caption, and others that may stand for it.
    case text(String, alternatives: [String])
    /// What another model made of the side.
    case features([Float])
}

/// Two sides that belong together.
public struct PairRow: Sendable, Equatable {
    public var query: PairSide
    public var target: PairSide
    /// Where the row stands, for messages: `FILE:LINE`.
    public var place: String

    public init(query: PairSide, target: PairSide, place: String) {
        self.query = query
        self.target = target
        self.place = place
    }
}

/// What a side holds.
public enum ColumnKind: String, Sendable, CaseIterable { case picture, text, features }

/// Where a side comes from: a field of a row, and what it holds.
public struct Column: Sendable, Equatable {
    public var name: String
    public var kind: ColumnKind

    public init(_ name: String, _ kind: ColumnKind) {
        self.name = name
        self.kind = kind
    }
}

/// What becomes of rows that cannot be read.
public enum RowErrorPolicy: Sendable, Equatable {
    /// The first one is an error.
    case fail
    /// They are left out and counted, as long as their share of all rows is at most `maximumShare`.
    case skip(maximumShare: Double)
}

/// A set of pairs with random access. Rows may be asked for from any thread.
public protocol PairSource: Sendable {
    /// Concept of each row: rows with equal ids show the same thing, and are never each other's negatives.
    var ids: [Int64] { get }
    var query: Column { get }
    var target: Column { get }
    /// What to do about rows that cannot be read.
    var onError: RowErrorPolicy { get }
    /// Rows that were left out when the source was opened.
    var skipped: Int { get }
    /// The row at `index`, 0 ..< count, with all its captions.
    func row(_ index: Int) throws -> PairRow
    /// The row at `index`; without `alternatives` it may come with its main captions alone, and sooner.
    func row(_ index: Int, alternatives: Bool) throws -> PairRow
}

extension PairSource {
    /// Number of rows.
    public var count: Int { ids.count }

    public func row(_ index: Int, alternatives: Bool) throws -> PairRow { try row(index) }
}
