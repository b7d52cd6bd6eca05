// What a set of pairs offers, whatever files it comes from. Not here: files (RecordDataset and its neighbours), preparing rows
// (RowPreparer).

/// One side of a pair, as it is stored.
public enum PairSide: Sendable, Equatable {
    case picture(PictureLocation)
    /// A caption, and others that may stand for it.
    case text(String, alternatives: [String])
    /// What another model made of the side.
    case features([Float])
    /// Texts each of which is complete: training shows one of them, another in every epoch.
    case choice([String])

    /// For people and fingerprints, never as data: its main text, its picture's place, or how many features it has.
    public var displayText: String {
        switch self {
        case .picture(let location): location.description
        case .text(let text, _): text
        case .choice(let texts): texts.first ?? ""
        case .features(let values): "\(values.count) features"
        }
    }

    /// The texts each of which says what it shows: all of a choice, or the main text; none of pictures and features.
    public var texts: [String] {
        switch self {
        case .text(let text, _): [text]
        case .choice(let texts): texts
        case .picture, .features: []
        }
    }
}

/// A target that does not belong to a row's query.
public struct Negative: Sendable, Equatable {
    /// More of one row are refused.
    public static let mostOfRow = 1000

    public var side: PairSide
    /// Concept of what it shows, where that is known: it is no negative of rows with that id.
    public var id: Int64?

    public init(_ side: PairSide, id: Int64? = nil) {
        self.side = side
        self.id = id
    }
}

/// Two sides that belong together, and targets that do not.
public struct PairRow: Sendable, Equatable {
    public var query: PairSide
    public var target: PairSide
    public var negatives: [Negative]
    /// Put before the query's text.
    public var queryPrefix: String
    /// Put before the texts of target and negatives.
    public var targetPrefix: String
    /// Where the row stands, for messages: `FILE:LINE` or `SHARD:KEY`.
    public var place: String
    /// What the data calls the row's concept, if anything.
    public var concept: ConceptName?

    public init(
        query: PairSide, target: PairSide, negatives: [Negative] = [], queryPrefix: String = "",
        targetPrefix: String = "",
        place: String, concept: ConceptName? = nil
    ) {
        self.query = query
        self.target = target
        self.negatives = negatives
        self.queryPrefix = queryPrefix
        self.targetPrefix = targetPrefix
        self.place = place
        self.concept = concept
    }
}

/// What a side holds.
public enum ColumnKind: String, Sendable, CaseIterable { case picture, text, features }

/// Where a side comes from: a field of a row, and what it holds.
public struct Column: Sendable, Equatable {
    /// nil: a name that is recognised (`ColumnNames`).
    public var name: String?
    public var kind: ColumnKind
    /// Put before every text: an instruction, `query: `.
    public var prefix: String

    public init(_ name: String?, _ kind: ColumnKind, prefix: String = "") {
        self.name = name
        self.kind = kind
        self.prefix = prefix
    }
}

/// What becomes of rows that cannot be read.
public enum RowErrorPolicy: Sendable, Equatable {
    /// The first one is an error.
    case fail
    /// They are left out and counted, as long as their share of all rows is at most `maximumShare`.
    case skip(maximumShare: Double)
}

/// Consecutive rows that come from one source of a mixture.
public struct SourcePart: Sendable, Equatable {
    public var rows: Range<Int>
    /// The most negatives that a row brings.
    public var maximumNegatives: Int

    public init(rows: Range<Int>, maximumNegatives: Int) {
        self.rows = rows
        self.maximumNegatives = maximumNegatives
    }
}

/// Which fields of a file's first row are what, by their names.
public struct TakenFields: Sendable, Equatable {
    /// What people call the source.
    public var source: String
    public var query: String
    public var target: String
    public var negatives: [String]
    /// Fields that mean nothing here, in the order written.
    public var unused: [String]

    /// For people: "query ← anchor, target ← positive, negatives ← none; unused fields: score".
    public var summary: String {
        "query ← \(query), target ← \(target), negatives ← \(negatives.isEmpty ? "none" : negatives.joined(separator: ", "))"
            + (unused.isEmpty ? "" : "; unused fields: \(unused.joined(separator: ", "))")
    }
}

/// A set of pairs with random access. Rows may be asked for from any thread.
public protocol PairSource: Sendable {
    /// What people call it: its path.
    var name: String { get }
    /// Concept of each row: rows with equal ids show the same thing, and are never each other's negatives.
    var ids: [Int64] { get }
    var query: Column { get }
    var target: Column { get }
    /// What to do about rows that cannot be read.
    var onError: RowErrorPolicy { get }
    /// Rows that were left out when the source was opened.
    var skipped: Int { get }
    /// What was wrong with the first of them, at most 10.
    var skippedReasons: [String] { get }
    /// Tells whether the data is what it was, wherever it lies now; not who changed it.
    var fingerprint: UInt64 { get }
    /// The sources that it is made of, in order; they cover all rows.
    var parts: [SourcePart] { get }
    /// Of each file of named fields, or set of files, what its first row's fields were taken for.
    var takenFields: [TakenFields] { get }
    /// The row at `index`, 0 ..< count, with all its captions.
    func row(_ index: Int) throws -> PairRow
    /// The row at `index`; without `alternatives` it may come with its main captions alone, and sooner.
    func row(_ index: Int, alternatives: Bool) throws -> PairRow
}

extension PairSource {
    /// Number of rows.
    public var count: Int { ids.count }
    public var name: String { "the rows" }
    public var skippedReasons: [String] { [] }
    public var takenFields: [TakenFields] { [] }

    /// Of the main content of all rows: for sources that are small, or in memory.
    public var fingerprint: UInt64 {
        var fingerprint = Fingerprint()
        for index in 0..<count {
            guard let row = try? row(index, alternatives: false) else { continue }
            fingerprint.add(row.query.displayText)
            fingerprint.add(row.target.displayText)
        }
        return fingerprint.value
    }

    public var parts: [SourcePart] { [SourcePart(rows: 0..<count, maximumNegatives: 0)] }
    public func row(_ index: Int, alternatives: Bool) throws -> PairRow { try row(index) }
}
