// The records of a text file, one after the other, in bounded memory. Not here: what a record says (RecordSyntax).

import Failures
import Foundation

/// Finds where records end: at a line feed or, with quoting (RFC 4180), at one that no quotation marks enclose.
struct RecordSplitter {
    /// Between fields; nil for lines without fields or quoting.
    let delimiter: UInt8?
    private enum State { case fieldStart, plain, quoted, quoteInQuoted }
    private var state = State.fieldStart
    /// Line feeds of the present record, and those before the quotation mark that opened its last quoted field.
    private var feeds = 0
    private var feedsBeforeQuote = 0

    /// Of a record that ends here inside quotation marks, the line feeds before the one that opened them.
    var openQuote: Int? { state == .quoted ? feedsBeforeQuote : nil }

    init(delimiter: UInt8?) { self.delimiter = delimiter }

    /// The index of the line feed that ends the present record; nil when it does not end in `bytes`. Goes on where it stopped.
    mutating func end(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard let base = bytes.baseAddress, start < bytes.count else { return nil }
        guard let delimiter else {
            return memchr(base + start, 0x0A, bytes.count - start).map { base.distance(to: UnsafeRawPointer($0)) }
        }
        for index in start..<bytes.count {
            let byte = bytes[index]
            switch state {
            case .quoted:
                if byte == UInt8(ascii: "\"") { state = .quoteInQuoted }
                if byte == 0x0A { feeds += 1 }
            case .quoteInQuoted where byte == UInt8(ascii: "\""): state = .quoted
            case .fieldStart where byte == UInt8(ascii: "\""):
                state = .quoted
                feedsBeforeQuote = feeds
            default:
                state = byte == delimiter ? .fieldStart : .plain
                if byte == 0x0A {
                    (state, feeds) = (.fieldStart, 0)
                    return index
                }
            }
        }
        return nil
    }
}

/// Reads a file from start to end.
struct RecordScanner {
    /// Longer records are not read.
    static let maximumBytes = 16 << 20
    private static let chunk = 1 << 20

    struct Record {
        /// Nil when it is longer than `maximumBytes`.
        var content: Range<Int>?
        /// Its place in the file.
        var offset: Int
        var length: Int
        /// Line of its first byte, 1 for the first.
        var line: Int
        /// Lines that it stands on.
        var lines: Int
        /// The line of the quotation mark inside which the file ends; nil where it does not.
        var openQuoteLine: Int?
    }

    /// Calls `body` with every record, without the line feed behind it; `content` is its range in the bytes given.
    /// - Throws: `Failure(.inputMissing)` as `missing` words it, `Failure(.inputOutput)`, and what `body` throws.
    /// - Returns: a fingerprint of the file's bytes.
    @discardableResult
    static func scan(
        _ path: String, delimiter: UInt8?, missing: String, _ body: (UnsafeRawBufferPointer, Record) throws -> Void
    ) throws -> UInt64 {
        // Opening a pipe would wait for its writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Failure(.inputMissing, missing) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(.inputMissing, missing)
        }
        var scanner = RecordScanner(splitter: RecordSplitter(delimiter: delimiter))
        while try scanner.readMore(descriptor, path) { try scanner.emit(body) }
        try scanner.emitRest(body)
        return scanner.fingerprint.value
    }

    private var splitter: RecordSplitter
    private var fingerprint = Fingerprint()
    private var buffer: [UInt8] = []
    /// Bytes of the buffer that are known not to end the record.
    private var searched = 0
    /// Place in the file of the buffer's first byte, which begins the present record unless some of it was dropped.
    private var offset = 0
    private var dropped = 0
    /// Line feeds among the bytes dropped.
    private var droppedFeeds = 0
    private var line = 1

    private init(splitter: RecordSplitter) { self.splitter = splitter }

    private mutating func readMore(_ descriptor: Int32, _ path: String) throws -> Bool {
        let old = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: Self.chunk))
        let got = try buffer.withUnsafeMutableBytes { bytes in
            while true {
                let got = read(descriptor, bytes.baseAddress.map { $0 + old }, Self.chunk)
                if got >= 0 { return got }
                guard errno == EINTR else {
                    throw Failure(.inputOutput, "\(path) cannot be read: \(String(cString: strerror(errno)))")
                }
            }
        }
        buffer.removeLast(Self.chunk - got)
        buffer.withUnsafeBytes { fingerprint.add(UnsafeRawBufferPointer(rebasing: $0[old...])) }
        return got > 0
    }

    private mutating func emit(_ body: (UnsafeRawBufferPointer, Record) throws -> Void) throws {
        var start = 0
        try buffer.withUnsafeBytes { bytes in
            while let end = splitter.end(bytes, from: searched) {
                try give(bytes, start..<end, body)
                start = end + 1
                searched = start
            }
            searched = bytes.count
        }
        // What may still grow beyond the bound is not kept.
        if buffer.count - start > Self.maximumBytes {
            droppedFeeds += buffer[start...].count { $0 == 0x0A }
            dropped += buffer.count - start
            start = buffer.count
        }
        buffer.removeFirst(start)
        offset += start
        searched = buffer.count
    }

    private mutating func emitRest(_ body: (UnsafeRawBufferPointer, Record) throws -> Void) throws {
        guard !buffer.isEmpty || dropped > 0 else { return }
        try buffer.withUnsafeBytes { try give($0, 0..<$0.count, isLast: true, body) }
    }

    private mutating func give(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, isLast: Bool = false,
        _ body: (UnsafeRawBufferPointer, Record) throws -> Void
    ) throws {
        let fits = dropped == 0 && range.count <= Self.maximumBytes
        let lines = 1 + droppedFeeds + (splitter.delimiter == nil ? 0 : bytes[range].count { $0 == 0x0A })
        let record = Record(
            content: fits ? range : nil, offset: offset + range.lowerBound - dropped, length: range.count + dropped,
            line: line, lines: lines, openQuoteLine: isLast ? splitter.openQuote.map { line + $0 } : nil)
        (dropped, droppedFeeds) = (0, 0)
        line += lines
        try body(bytes, record)
    }
}
