// Pairs from text files of records: JSONL, CSV, TSV. Not here: finding records (RecordScanner), their syntax (RecordSyntax), the
// meaning of fields (RowMapper), decoding pictures (PictureStore), choosing rows (GlobalSampler).

import Failures
import Foundation

/// How a record is written.
public protocol RecordSyntax: Sendable {
    /// For messages: "one JSON object a line".
    static var words: String { get }
    /// Between fields, where quotation marks may enclose line feeds; nil where a record is a line.
    static var delimiter: UInt8? { get }
}

/// What reading needs of a syntax.
protocol ReadableSyntax: RecordSyntax {
    associatedtype Fields: RowFields
    /// What the first record of a file says about the others; nil when it is an ordinary one.
    static func header(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, place: String) throws(Failure) -> [String]?
    /// The fields of a record.
    static func fields(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, header: [String], place: String
    ) throws(Failure) -> Fields
}

/// The rows of files of records, in order. Empty lines do not count; a byte order mark is passed over.
///
/// Every record is checked when the files are opened, in bounded memory; after that a row costs memory only for its place and id, and
/// is read again when it is asked for. At most a few of the files are open at a time.
public struct RecordDataset<Syntax: RecordSyntax>: PairSource {
    public let name: String
    public let columns: SourceColumns
    public let onError: RowErrorPolicy
    public var ids: [Int64] { index.ids }
    public var skipped: Int { index.skipped }
    public var skippedReasons: [String] { index.reasons }
    public var query: Column { columns.sides.query }
    public var target: Column { columns.sides.target }
    public let fingerprint: UInt64
    public let takenFields: [TakenFields]
    public var parts: [SourcePart] { [SourcePart(rows: 0..<count, maximumNegatives: index.maximumNegatives)] }

    let files: [DataFile]
    private let index: RowIndex
    /// Of each file.
    private let headers: [[String]]
    private let read: @Sendable (UnsafeRawBufferPointer, [String], String, String, Bool) throws -> PairRow

    /// Opens and checks files.
    /// - Throws: `Failure(.inputMissing)` if one cannot be read; `Failure(.data)` naming file, line and field for a record that is
    ///   wrong (or, with `skip`, when too many are) and when no row is left.
    init(files: [DataFile], columns: SourceColumns, onError: RowErrorPolicy) throws where Syntax: ReadableSyntax {
        precondition(!files.isEmpty, "a data set of no files")
        name = files.count == 1 ? files[0].name : "\(files[0].name) and \(files.count - 1) more"
        self.files = files
        self.columns = columns
        self.onError = onError
        let mapper = RowMapper(columns: columns)
        read = { bytes, header, place, folder, alternatives in
            let fields = try Syntax.fields(bytes, 0..<bytes.count, header: header, place: place)
            return try mapper.map(fields, place: place, folder: folder, alternatives: alternatives)
        }
        var headers: [[String]] = []
        var index = RowIndex(name: name, onError: onError)
        var fingerprint = Fingerprint()
        let source = name
        var taken: TakenFields?
        for file in files {
            index.beginFile()
            var header: [String]?
            let content = try RecordScanner.scan(
                file.path, delimiter: Syntax.delimiter,
                missing: "the data file \(file.name) cannot be read; it must be an existing file, \(Syntax.words)"
            ) { bytes, record in
                let place = "\(file.name):\(record.line)"
                if let line = record.openQuoteLine {
                    // The rows behind it are not wrong: nobody has seen them.
                    throw Failure(
                        .data,
                        "\(file.name):\(line): the quotation mark that opens a field is never closed; close it, or double it "
                            + "and enclose the field")
                }
                let content = record.content.map { Self.trimmed(bytes, $0, isFirst: record.offset == 0) }
                // Delimiters alone are a row of empty fields, tabs as commas.
                if let content, bytes[content].allSatisfy({ JSONLine.isSpace($0) && $0 != Syntax.delimiter }) { return }
                if header == nil {
                    guard let content else { throw Self.tooLong(place) }
                    let found = try Syntax.header(bytes, content, place: place)
                    header = found ?? []
                    if found != nil { return }
                }
                let skippedBytes = content.map { $0.lowerBound - (record.content?.lowerBound ?? 0) } ?? 0
                try index.add(
                    offset: record.offset + skippedBytes, length: content?.count ?? 0, line: record.line,
                    lines: record.lines, place: place
                ) { () throws(Failure) in
                    guard let content else { throw Self.tooLong(place) }
                    let fields = try Syntax.fields(bytes, content, header: header ?? [], place: place)
                    let row = try mapper.map(fields, place: place, folder: file.folder, alternatives: true)
                    if taken == nil { taken = mapper.taken(fields, source: source) }
                    return row
                }
            }
            headers.append(header ?? [])
            fingerprint.add(Int(bitPattern: UInt(content)))
        }
        try index.finish()
        self.index = index
        self.headers = headers
        self.fingerprint = fingerprint.value
        takenFields = columns.only == nil ? taken.map { [$0] } ?? [] : []
    }

    private static func tooLong(_ place: String) -> Failure {
        Failure(.data, "\(place): the record is longer than \(RecordScanner.maximumBytes >> 20) MiB")
    }

    /// A record without byte order mark and carriage return.
    private static func trimmed(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, isFirst: Bool) -> Range<Int> {
        var range = range
        if isFirst, bytes[range].starts(with: [0xEF, 0xBB, 0xBF]) { range = range.lowerBound + 3..<range.upperBound }
        if bytes[range].last == 0x0D { range = range.lowerBound..<range.upperBound - 1 }
        return range
    }

    public func row(_ index: Int) throws -> PairRow { try row(index, alternatives: true) }

    public func row(_ row: Int, alternatives: Bool) throws -> PairRow {
        precondition(ids.indices.contains(row), "row \(row) of \(ids.count)")
        let place = index.place(row)
        let file = files[place.file]
        let bytes = try FilePool.shared.bytes(of: file.path, place.range)
        return try bytes.withUnsafeBytes {
            try read($0, headers[place.file], "\(file.name):\(place.line)", file.folder, alternatives)
        }
    }
}

/// A file of a data set.
struct DataFile: Sendable, Equatable {
    /// What people call it.
    var name: String
    /// Where its content can be read, unpacked.
    var path: String
    /// Where paths in it begin.
    var folder: String

    init(_ name: String, unpackedTo path: String? = nil) {
        self.name = name
        self.path = path ?? name
        folder = URL(fileURLWithPath: name).standardizedFileURL.deletingLastPathComponent().path
    }
}

/// Where the rows of files are, and what they show.
struct RowIndex: Sendable {
    private(set) var ids: [Int64] = []
    private var offsets: [Int] = []
    private var lengths: [Int32] = []
    private var lines: [Int32] = []
    /// First row of each file.
    private var firstRows: [Int] = []
    private(set) var skipped = 0
    private(set) var reasons: [String] = []
    private(set) var maximumNegatives = 0
    private let name: String
    private let onError: RowErrorPolicy
    private var concepts = ConceptIDs()

    init(name: String, onError: RowErrorPolicy) {
        self.name = name
        self.onError = onError
    }

    mutating func beginFile() { firstRows.append(ids.count) }

    /// Adds a row, or counts one that `map` finds wrong.
    /// - Parameters:
    ///   - lines: lines that it stands on. A wrong one counts as many: with a quotation mark too many it has taken rows in.
    ///   - place: where it stands, for messages.
    /// - Returns: whether it was added.
    @discardableResult
    mutating func add(
        offset: Int, length: Int, line: Int, lines: Int = 1, place: String,
        _ map: () throws(Failure) -> PairRow
    ) throws(Failure) -> Bool {
        do throws(Failure) {
            let found = try map()
            // A row without an id is a concept of its own.
            var id = ConceptIDs.own("\(place) \(ids.count)")
            if let name = found.concept { id = try concepts.number(of: name.bytes, place: "\(place): id") }
            ids.append(id)
            offsets.append(offset)
            lengths.append(Int32(length))
            self.lines.append(Int32(clamping: line))
            maximumNegatives = max(maximumNegatives, found.negatives.count)
            return true
        } catch {
            guard case .skip = onError else { throw error }
            skipped += lines
            if reasons.count < 10 { reasons.append(error.message) }
            return false
        }
    }

    /// To be called once all rows are known.
    mutating func finish() throws(Failure) {
        concepts = ConceptIDs()
        if case .skip(let share) = onError, Double(skipped) > share * Double(skipped + ids.count) {
            throw Failure(
                .data,
                "\(name): \(skipped) of \(skipped + ids.count) rows cannot be read, more than the share of \(share) allowed; "
                    + "the first: \(reasons.first ?? "")")
        }
        guard !ids.isEmpty else {
            throw Failure(
                .data,
                "\(name) has no rows" + (skipped > 0 ? " that can be read, of \(skipped): \(reasons.first ?? "")" : ""))
        }
    }

    func place(_ row: Int) -> (file: Int, range: Range<Int>, line: Int) {
        var (low, high) = (0, firstRows.count)
        while low + 1 < high {
            let middle = (low + high) / 2
            if firstRows[middle] <= row { low = middle } else { high = middle }
        }
        return (low, offsets[row]..<offsets[row] + Int(lengths[row]), Int(lines[row]))
    }
}
