// Pairs that are already in memory: a question, the lines of a text file. Not here: reading files of pairs (RecordDataset).

import Failures
import Foundation

/// Rows given one by one; row i has the concept i.
public struct InlineSource: PairSource {
    public let name: String
    public let query: Column
    public let target: Column
    public let onError = RowErrorPolicy.fail
    public let skipped = 0
    public let ids: [Int64]
    private let rows: [PairRow]

    /// Rows whose two sides are the same.
    /// - Parameter prefix: put before every text.
    public init(
        _ sides: [(side: PairSide, place: String)], kind: ColumnKind, prefix: String = "", name: String = "rows"
    ) {
        self.name = name
        query = Column(kind.rawValue, kind, prefix: prefix)
        target = query
        rows = sides.map {
            PairRow(query: $0.side, target: $0.side, queryPrefix: prefix, targetPrefix: prefix, place: $0.place)
        }
        ids = rows.indices.map(Int64.init)
    }

    public func row(_ index: Int) -> PairRow { rows[index] }

    /// One text a line; an empty last line is none.
    /// - Throws: `Failure(.inputMissing)` when the file cannot be read, `Failure(.data)` naming an empty line or bytes that are not UTF-8.
    public init(linesOf path: String, prefix: String = "") throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(.inputMissing, "\(path) cannot be read; give an existing text file, one text a line")
        }
        var lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        let texts = try lines.enumerated().map { index, line in
            let place = "\(path):\(index + 1)"
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            guard let text = String(validating: line, as: UTF8.self) else {
                throw Failure(.data, "\(place) is not UTF-8 text")
            }
            guard !text.allSatisfy(\.isWhitespace) else {
                throw Failure(.data, "\(place) is empty; every line is one text")
            }
            return (side: PairSide.text(text, alternatives: []), place: place)
        }
        self.init(texts, kind: .text, prefix: prefix, name: path)
    }
}
