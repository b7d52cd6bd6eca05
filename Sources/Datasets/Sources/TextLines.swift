// The lines of a text file as rows. Not here: lines that are JSON (RecordDataset, IdentifiedTexts).

import Failures
import Foundation

/// One text a line; an empty last line is none, and a byte order mark is passed over. Both sides of row i are its text, and it has the concept i.
///
/// The file, unpacked where its name says that it is compressed, is memory-mapped; a row costs memory for its place and its concept.
public struct TextLines: PairSource {
    /// Its path.
    public let name: String
    public let query: Column
    public let target: Column
    public let onError = RowErrorPolicy.fail
    public let skipped = 0
    public let ids: [Int64]
    public let fingerprint: UInt64
    private let data: Data
    private let starts: [Int]

    /// - Parameter prefix: put before every text.
    /// - Throws: `Failure(.inputMissing)` when the file cannot be read, `Failure(.data)` naming an empty line or bytes that are not UTF-8.
    public init(path: String, prefix: String = "") throws {
        let place = try Unpacking.path(of: path)
        do { data = try Data(contentsOf: URL(fileURLWithPath: place), options: .alwaysMapped) } catch {
            throw Failure(.inputMissing, "\(path) cannot be read; give an existing text file, one text a line")
        }
        var starts: [Int] = []
        var fingerprint = Fingerprint()
        try data.withUnsafeBytes { bytes in
            fingerprint.add(bytes)
            var start = bytes.count - bytes.withoutByteOrderMark.count
            while start < bytes.count {
                let line = bytes.line(from: start)
                _ = try Self.text(bytes, line, place: "\(path):\(starts.count + 1)")
                starts.append(start)
                start = line.upperBound + 1
            }
        }
        let column = Column(ColumnKind.text.rawValue, .text, prefix: prefix)
        (name, query, target, self.starts, self.fingerprint) = (path, column, column, starts, fingerprint.value)
        ids = starts.indices.map(Int64.init)
    }

    public func row(_ index: Int) throws -> PairRow {
        let place = "\(name):\(index + 1)"
        let text = try data.withUnsafeBytes { try Self.text($0, $0.line(from: starts[index]), place: place) }
        let side = PairSide.text(text, alternatives: [])
        return PairRow(query: side, target: side, queryPrefix: query.prefix, targetPrefix: query.prefix, place: place)
    }

    /// A line without its carriage return.
    private static func text(
        _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>, place: @autoclosure () -> String
    ) throws -> String {
        guard line.count <= RecordScanner.maximumBytes else {
            throw Failure(.data, "\(place()) is longer than \(RecordScanner.maximumBytes >> 20) MiB")
        }
        let content = bytes[line].last == UInt8(ascii: "\r") ? bytes[line].dropLast() : bytes[line]
        guard let text = String(validating: content, as: UTF8.self) else {
            throw Failure(.data, "\(place()) is not UTF-8 text")
        }
        guard !text.allSatisfy(\.isWhitespace) else {
            throw Failure(.data, "\(place()) is empty; every line is one text")
        }
        return text
    }
}

extension Collection<UInt8> {
    /// The bytes of a text without the byte order mark that some programs put first.
    package var withoutByteOrderMark: SubSequence { dropFirst(starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0) }
}

extension UnsafeRawBufferPointer {
    /// The bytes from `start` up to the next line feed, or to the end.
    func line(from start: Int) -> Range<Int> {
        guard let base = baseAddress, let feed = memchr(base + start, 0x0A, count - start) else { return start..<count }
        return start..<base.distance(to: UnsafeRawPointer(feed))
    }
}
