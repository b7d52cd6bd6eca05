// Pairs from a JSONL file. Not here: the syntax (JSONLine), decoding pictures (PictureStore), choosing rows (GlobalSampler).

import Failures
import Foundation

/// The rows of a JSONL file: one JSON object a line, UTF-8; empty lines do not count.
///
/// ```
/// {"id": "1F600", "image": "images/noto/1F600.png", "text": "grinning face", "texts": ["face", "grin"]}
/// ```
///
/// - `id`: the concept, a string or an integer; without it a row is a concept of its own.
/// - The field that a picture column names: a path inside the file's folder. `image`, `image_path`, `file` and `file_name` stand for
///   one another when the named one is missing.
/// - The field that a text column names: the caption, or a list of them, the first of which is the main one. `text` and `caption`
///   stand for one another. The field named like it with an s (`texts`, `captions`), where it is a list of texts, has others.
/// - Other fields are ignored, but must be JSON.
///
/// Every line is checked when the file is opened; after that a row costs memory only for its place and id, and is read again from the
/// memory-mapped file when it is asked for.
public struct JSONLDataset: PairSource {
    public let path: String
    public let query: Column
    public let target: Column
    public let onError: RowErrorPolicy
    public let ids: [Int64]
    public let skipped: Int
    /// What was wrong with the first lines that were left out, at most 10.
    public let skippedReasons: [String]

    /// A hash of the file's bytes (FNV-1a over words of eight): tells whether the data is what it was, not who changed it.
    public let fingerprint: UInt64

    private let folder: String
    private let data: Data
    private let starts: [Int]
    private let lines: [Int32]

    /// Opens and checks a file.
    /// - Throws: `Failure(.inputMissing)` if it cannot be read; `Failure(.data)` naming file, line and field for a line that is wrong
    ///   (or, with `skip`, when too many are) and when no row is left.
    public init(
        path: String, query: Column = Column("image", .picture), target: Column = Column("text", .text),
        onError: RowErrorPolicy = .fail
    ) throws {
        do { data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped) } catch {
            throw Failure(
                .inputMissing,
                "the data file \(path) cannot be read; it must be an existing file, one JSON object a line")
        }
        self.path = path
        self.query = query
        self.target = target
        self.onError = onError
        folder = URL(fileURLWithPath: path).standardizedFileURL.deletingLastPathComponent().path
        fingerprint = data.withUnsafeBytes(Self.hash)
        let reader = RowReader(path: path, folder: folder, query: query, target: target)
        let index = try data.withUnsafeBytes { try RowIndex($0, reader: reader, onError: onError) }
        (ids, starts, lines) = (index.ids, index.starts, index.lines)
        (skipped, skippedReasons) = (index.skipped, index.reasons)
        guard !ids.isEmpty else {
            throw Failure(
                .data,
                "\(path) has no rows" + (skipped > 0 ? " that can be read, of \(skipped): \(skippedReasons[0])" : ""))
        }
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ UInt64(bytes.count)
        let words = bytes.count / 8
        for word in 0..<words {
            hash = (hash ^ bytes.loadUnaligned(fromByteOffset: 8 * word, as: UInt64.self)) &* 0x100_0000_01b3
        }
        for byte in bytes[(8 * words)...] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }

    public func row(_ index: Int) throws -> PairRow { try row(index, alternatives: true) }

    public func row(_ index: Int, alternatives: Bool) throws -> PairRow {
        precondition(ids.indices.contains(index), "row \(index) of \(ids.count)")
        let reader = RowReader(path: path, folder: folder, query: query, target: target)
        return try data.withUnsafeBytes { bytes in
            try reader.row(
                bytes, RowIndex.line(bytes, from: starts[index]), line: Int(lines[index]), alternatives: alternatives
            ).row
        }
    }
}

/// Where the rows of a file are, and what they show.
private struct RowIndex {
    var ids: [Int64] = []
    var starts: [Int] = []
    var lines: [Int32] = []
    var skipped = 0
    var reasons: [String] = []

    init(_ bytes: UnsafeRawBufferPointer, reader: RowReader, onError: RowErrorPolicy) throws {
        var concepts = ConceptIDs()
        var start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        var number = 0
        while start < bytes.count {
            let line = Self.line(bytes, from: start)
            number += 1
            defer { start = line.upperBound + 1 }
            guard !bytes[line].allSatisfy({ JSONLine.isSpace($0) }) else { continue }
            do {
                let found = try reader.row(bytes, line, line: number, alternatives: true)
                // A row without an id gets one that no sensible id of the file equals.
                let id = found.id ?? ArraySlice("\0line \(number)".utf8)
                ids.append(try concepts.number(of: id, place: "\(reader.path):\(number): id"))
                starts.append(line.lowerBound)
                lines.append(Int32(clamping: number))
            } catch let failure as Failure {
                guard case .skip = onError else { throw failure }
                skipped += 1
                if reasons.count < 10 { reasons.append(failure.message) }
            }
        }
        if case .skip(let share) = onError, Double(skipped) > share * Double(skipped + ids.count) {
            throw Failure(
                .data,
                "\(reader.path): \(skipped) of \(skipped + ids.count) rows cannot be read, more than the share of \(share) allowed; "
                    + "the first: \(reasons.first ?? "")")
        }
    }

    /// The bytes from `start` to the next line feed.
    static func line(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Range<Int> {
        guard let base = bytes.baseAddress, start < bytes.count else { return start..<start }
        guard let feed = memchr(base + start, 0x0A, bytes.count - start) else { return start..<bytes.count }
        return start..<base.distance(to: UnsafeRawPointer(feed))
    }
}

/// One line as a row, or a sentence about what is wrong with it.
private struct RowReader {
    let path: String
    let folder: String
    let query: Column
    let target: Column

    private typealias Fields = [(name: String, value: JSONField)]
    private static let families = [["image", "image_path", "file", "file_name"], ["text", "caption"]]

    func row(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, line: Int, alternatives: Bool
    ) throws(Failure) -> (row: PairRow, id: ArraySlice<UInt8>?) {
        let place = "\(path):\(line)"
        let fields: Fields
        do throws(JSONLineError) { fields = try JSONLine.fields(bytes, range) } catch {
            throw Failure(.data, "\(place):\(error.column): \(error.reason)")
        }
        func side(_ column: Column) throws(Failure) -> PairSide {
            switch column.kind {
            case .picture: .picture(path: try picture(bytes, fields, column, place))
            case .text: try text(bytes, fields, column, place, alternatives: alternatives)
            case .features:
                throw Failure(
                    .data, "\(place): JSONL holds no features; give a .npy or safetensors file, or a folder of them")
            }
        }
        let row = PairRow(query: try side(query), target: try side(target), place: place)
        return (row, try id(bytes, fields, place))
    }

    private func id(_ bytes: UnsafeRawBufferPointer, _ fields: Fields, _ place: String) throws(Failure)
        -> ArraySlice<UInt8>?
    {
        guard let field = fields.first(where: { $0.name == "id" }) else { return nil }
        switch field.value {
        case .string(let range) where !range.isEmpty: return ArraySlice(JSONLine.text(bytes, range).utf8)
        case .scalar(let range) where Int64(String(decoding: bytes[range], as: UTF8.self)) != nil:
            return ArraySlice(bytes[range])
        default: throw Failure(.data, "\(place): id is neither a text nor an integer")
        }
    }

    /// The field that a column names, or one that stands for it.
    private func field(_ fields: Fields, _ column: Column, _ place: String) throws(Failure) -> (
        name: String, value: JSONField
    ) {
        let names = [column.name] + (Self.families.first { $0.contains(column.name) } ?? [])
        for name in names {
            if let field = fields.first(where: { $0.name == name }) { return field }
        }
        let present = fields.map(\.name).joined(separator: ", ")
        throw Failure(.data, "\(place): the field \(column.name) is missing; there are: \(present)")
    }

    private func picture(
        _ bytes: UnsafeRawBufferPointer, _ fields: Fields, _ column: Column, _ place: String
    ) throws(Failure) -> String {
        let field = try field(fields, column, place)
        guard case .string(let range) = field.value else {
            throw Failure(.data, "\(place): \(field.name) is not the path of a picture")
        }
        let relative = JSONLine.text(bytes, range)
        func refused(_ why: String) -> Failure { Failure(.data, "\(place): \(field.name) '\(relative)' \(why)") }
        guard !relative.utf8.isEmpty else { throw refused("is empty") }
        guard !relative.utf8.contains(0) else { throw refused("has a zero byte") }
        guard relative.utf8.first != UInt8(ascii: "/") else {
            throw refused("is absolute; paths begin at the folder of the data file")
        }
        guard !relative.utf8.split(separator: UInt8(ascii: "/")).contains(where: { $0.elementsEqual("..".utf8) }) else {
            throw refused("leaves the folder of the data file")
        }
        return folder + "/" + relative
    }

    private func text(
        _ bytes: UnsafeRawBufferPointer, _ fields: Fields, _ column: Column, _ place: String, alternatives: Bool
    ) throws(Failure) -> PairSide {
        let field = try field(fields, column, place)
        var captions: [String]
        switch field.value {
        case .string(let range): captions = [JSONLine.text(bytes, range)]
        case .array(let range):
            guard let list = list(bytes, range), !list.isEmpty else {
                throw Failure(.data, "\(place): \(field.name) is a list, but not of one text or more")
            }
            captions = list
        default: throw Failure(.data, "\(place): \(field.name) is neither a text nor a list of texts")
        }
        if alternatives, let others = fields.first(where: { $0.name == field.name + "s" }),
            case .array(let range) = others.value
        {
            guard let list = list(bytes, range) else {
                throw Failure(.data, "\(place): \(others.name) is not a list of texts")
            }
            captions += list
        }
        let main = captions.removeFirst()
        guard main.utf8.contains(where: { $0 > 0x20 }) else { throw Failure(.data, "\(place): \(field.name) is empty") }
        return .text(
            main, alternatives: captions.filter { !$0.utf8.elementsEqual(main.utf8) && $0.utf8.contains { $0 > 0x20 } })
    }

    /// The texts of an array; nil if something else is among them.
    private func list(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> [String]? {
        guard let values = try? JSONLine.elements(bytes, range) else { return nil }
        var texts: [String] = []
        for value in values {
            guard case .string(let range) = value else { return nil }
            texts.append(JSONLine.text(bytes, range))
        }
        return texts
    }
}
