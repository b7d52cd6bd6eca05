// Texts with names, one JSON object a line, as retrieval benchmarks keep corpus and queries. Not here: judgements, scores.

import Failures
import Foundation

/// The lines of a BEIR `corpus.jsonl` or `queries.jsonl`: `{"_id": "d1", "title": "…", "text": "…"}`. A row's text is title and text with
/// a space between, spaces at its ends removed, as BEIR's models read it.
///
/// The file is memory-mapped; a row costs memory for its name and its place.
public struct IdentifiedTexts: PairSource {
    public let path: String
    public let query: Column
    public let target: Column
    public let onError = RowErrorPolicy.fail
    public let skipped = 0
    public let ids: [Int64]
    /// The `_id` of each row.
    public let names: [String]
    private let data: Data
    private let starts: [Int]
    private let lines: [Int32]

    /// - Parameter column: what a row is taken as; of the kind text.
    /// - Throws: `Failure(.inputMissing)` when there is no such file; `Failure(.data)` naming file and line when one is not such an
    ///   object, when a name comes twice, and when there is none.
    public init(path: String, column: Column) throws {
        do { data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped) } catch {
            throw Failure(
                .inputMissing, "\(path) cannot be read; it must be a JSONL file with _id and text in each line")
        }
        (self.path, query, target) = (path, column, column)
        var (names, starts, lines): ([String], [Int], [Int32]) = ([], [], [])
        var seen: Set<String> = []
        try data.withUnsafeBytes { bytes in
            var (start, line) = (bytes.count - bytes.withoutByteOrderMark.count, 0)
            while start < bytes.count {
                let range = bytes.line(from: start)
                line += 1
                defer { start = range.upperBound + 1 }
                guard !bytes[range].allSatisfy({ JSONLine.isSpace($0) }) else { continue }
                let name = try Self.fields(bytes, range, place: "\(path):\(line)").name
                guard seen.insert(name).inserted else {
                    throw Failure(.data, "\(path):\(line): the _id '\(name)' is there already; every _id is one text")
                }
                names.append(name)
                starts.append(range.lowerBound)
                lines.append(Int32(clamping: line))
            }
        }
        guard !names.isEmpty else { throw Failure(.data, "\(path) has no texts") }
        (self.names, self.starts, self.lines) = (names, starts, lines)
        ids = names.map { ConceptIDs.hash($0.utf8) }
    }

    public func row(_ index: Int) throws -> PairRow {
        let place = "\(path):\(lines[index])"
        let text = try data.withUnsafeBytes {
            try Self.fields($0, $0.line(from: starts[index]), place: place).text
        }
        let side = PairSide.text(text, alternatives: [])
        return PairRow(
            query: side, target: side, queryPrefix: query.prefix, targetPrefix: query.prefix, place: place)
    }

    private static func fields(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, place: String) throws -> (
        name: String, text: String
    ) {
        guard range.count <= RecordScanner.maximumBytes else {
            throw Failure(.data, "\(place): the record is longer than \(RecordScanner.maximumBytes >> 20) MiB")
        }
        let fields: [(name: String, value: JSONField)]
        do throws(JSONLineError) { fields = try JSONLine.fields(bytes, range) } catch {
            throw Failure(.data, "\(place):\(error.column): \(error.reason)")
        }
        func string(_ name: String) throws -> String? {
            switch fields.first(where: { $0.name == name })?.value {
            case .string(let range): return JSONLine.text(bytes, range)
            case .scalar(let range) where String(decoding: bytes[range], as: UTF8.self) == "null": return nil
            case .scalar(let range) where name == "_id": return String(decoding: bytes[range], as: UTF8.self)
            case nil: return nil
            default: throw Failure(.data, "\(place): \(name) is not a text")
            }
        }
        guard let name = try string("_id"), !name.isEmpty else {
            throw Failure(.data, "\(place): the field _id is missing or empty")
        }
        guard let text = try string("text") else { throw Failure(.data, "\(place): the field text is missing") }
        let whole = (try string("title") ?? "") + " " + text
        return (name, whole.trimmingCharacters(in: .whitespacesAndNewlines))
    }
}
