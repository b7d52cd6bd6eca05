// Pairs that are already in memory: a question, the lines of a text file. Not here: reading files of pairs (JSONLDataset).

import Failures
import Foundation

/// Rows given one by one; row i has the concept i.
public struct InlineSource: PairSource {
    public let query: Column
    public let target: Column
    public let onError = RowErrorPolicy.fail
    public let skipped = 0
    public let ids: [Int64]
    private let rows: [PairRow]

    /// Rows whose two sides are the same.
    public init(_ sides: [(side: PairSide, place: String)], kind: ColumnKind) {
        query = Column(kind.rawValue, kind)
        target = query
        rows = sides.map { PairRow(query: $0.side, target: $0.side, place: $0.place) }
        ids = rows.indices.map(Int64.init)
    }

    public func row(_ index: Int) -> PairRow { rows[index] }

    /// One text a line; an empty last line is none.
    /// - Throws: `Failure(.inputMissing)` when the file cannot be read, `Failure(.data)` naming an empty line or bytes that are not UTF-8.
    public init(linesOf path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(.inputMissing, "\(path) cannot be read; give an existing text file, one text a line")
        }
        guard let text = String(validating: data, as: UTF8.self) else { throw Failure(.data, "\(path) is not UTF-8 text") }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        for (index, line) in lines.enumerated() where line.allSatisfy(\.isWhitespace) {
            throw Failure(.data, "\(path):\(index + 1) is empty; every line is one text")
        }
        self.init(lines.enumerated().map { (.text(String($1), alternatives: []), "\(path):\($0 + 1)") }, kind: .text)
    }
}
