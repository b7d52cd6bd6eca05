// The content of a compressed file, piece after piece. Not here: where it goes (Unpacking).

import CArchive
import CZlib
import Failures
import Foundation

/// A stream that is unpacked as it is read, and checked by the sums that its format has.
protocol CompressedContent: AnyObject {
    /// Fills the buffer's beginning.
    /// - Returns: bytes; 0 after the last one.
    /// - Throws: `Failure(.data)` for a stream that is damaged, cut off, or followed by something else.
    func read(into buffer: inout [UInt8]) throws -> Int
}

/// What a file holds, by its first bytes.
/// - Throws: `Failure(.data)` where it is not compressed, `Failure(.inputMissing)` where it cannot be read.
func compressedContent(of name: String) throws -> any CompressedContent {
    guard let file = fopen(name, "re") else {
        throw Failure(.inputMissing, "the data file \(name) cannot be read: \(String(cString: strerror(errno)))")
    }
    var first: [UInt8] = [0, 0]
    let count = fread(&first, 1, 2, file)
    guard count > 0 else {
        fclose(file)
        throw Failure(.data, "\(name) is empty, which no compressed file is; fetch or make it anew")
    }
    guard count == 2, first == GzipContent.mark else {
        fclose(file)
        return try ArchiveContent(name)
    }
    rewind(file)
    return try GzipContent(file, name)
}

private func cannotUnpack(_ name: String, at byte: Int? = nil, _ why: String) -> Failure {
    Failure(.data, "\(name) cannot be unpacked\(byte.map { " at byte \($0)" } ?? ""): \(why)")
}

/// gzip: members one behind the other, each with its checksum and length (RFC 1952), through zlib. libarchive, which reads the other
/// formats, verifies neither of the two.
private final class GzipContent: CompressedContent {
    static let mark: [UInt8] = [0x1f, 0x8b]
    private static let pieceBytes = 1 << 16
    /// The largest window; only what is wrapped as gzip.
    private static let windowBits: Int32 = 15 + 16

    private let name: String
    private let file: UnsafeMutablePointer<FILE>
    private let piece = UnsafeMutablePointer<UInt8>.allocate(capacity: pieceBytes)
    /// zlib keeps a pointer to its stream, which must not move.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    /// Bytes taken from the file.
    private var taken = 0
    /// Between two members, or after the last.
    private var isBetween = false

    init(_ file: UnsafeMutablePointer<FILE>, _ name: String) throws {
        (self.file, self.name) = (file, name)
        stream.initialize(to: z_stream())
        guard inflateInit2_(stream, Self.windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw Failure(.internal, "no memory for unpacking \(name)")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        piece.deallocate()
        fclose(file)
    }

    func read(into buffer: inout [UInt8]) throws -> Int {
        try buffer.withUnsafeMutableBufferPointer { buffer in
            stream.pointee.next_out = buffer.baseAddress
            stream.pointee.avail_out = UInt32(buffer.count)
            while stream.pointee.avail_out > 0 {
                if stream.pointee.avail_in == 0 { try take() }
                if isBetween, try !beginsAnother() { break }
                guard stream.pointee.avail_in > 0 else { throw failure("it is cut off") }
                switch inflate(stream, Z_NO_FLUSH) {
                case Z_OK: break
                case Z_STREAM_END: isBetween = true
                case Z_NEED_DICT: throw failure("it needs a dictionary")
                case Z_MEM_ERROR: throw Failure(.internal, "no memory for unpacking \(name)")
                default: throw failure(stream.pointee.msg.map { String(cString: $0) } ?? "it is damaged")
                }
            }
            return buffer.count - Int(stream.pointee.avail_out)
        }
    }

    /// The file's next piece; none at its end.
    private func take() throws {
        let count = fread(piece, 1, Self.pieceBytes, file)
        guard count > 0 || ferror(file) == 0 else { throw failure(String(cString: strerror(errno))) }
        taken += count
        stream.pointee.next_in = piece
        stream.pointee.avail_in = UInt32(count)
    }

    /// Whether another member begins behind one; zeros, which tapes and blocks of disks are filled up with, are passed over.
    private func beginsAnother() throws -> Bool {
        while stream.pointee.avail_in > 0, let next = stream.pointee.next_in, next.pointee == 0 {
            stream.pointee.next_in = next + 1
            stream.pointee.avail_in -= 1
            if stream.pointee.avail_in == 0 { try take() }
        }
        guard stream.pointee.avail_in > 0, let next = stream.pointee.next_in else { return false }
        guard next.pointee == Self.mark[0] else { throw failure("what follows the compressed data is not gzip") }
        inflateReset(stream)
        isBetween = false
        return true
    }

    private func failure(_ why: String) -> Failure {
        cannotUnpack(name, at: taken - Int(stream.pointee.avail_in), why)
    }
}

/// bzip2, xz and zstd, through libarchive.
private final class ArchiveContent: CompressedContent {
    private let name: String
    private let archive: OpaquePointer
    private var isEmpty = false

    init(_ name: String) throws {
        guard let archive = archive_read_new() else { throw Failure(.internal, "no memory for unpacking \(name)") }
        (self.name, self.archive) = (name, archive)
        // These alone: of others the library asks whatever program is there, and it finds some in the midst of plain text.
        for support in [
            archive_read_support_filter_bzip2, archive_read_support_filter_xz, archive_read_support_filter_zstd,
        ] { _ = support(archive) }
        archive_read_support_format_raw(archive)
        archive_read_support_format_empty(archive)
        var entry: OpaquePointer?
        guard archive_read_open_filename(archive, name, 1 << 16) == ARCHIVE_OK else { throw damaged() }
        switch archive_read_next_header(archive, &entry) {
        case ARCHIVE_OK: break
        case ARCHIVE_EOF: isEmpty = true
        default: throw damaged()
        }
        guard isEmpty || archive_filter_count(archive) > 1 else {
            throw Failure(.data, "\(name) is not compressed, although its name says so; rename it")
        }
    }

    deinit { archive_read_free(archive) }

    func read(into buffer: inout [UInt8]) throws -> Int {
        guard !isEmpty else { return 0 }
        let got = archive_read_data(archive, &buffer, buffer.count)
        guard got >= 0 else { throw damaged() }
        if got == 0 { try requireEnd() }
        return got
    }

    /// The library takes what is no further stream for the end of a bzip2 file, a damaged stream too. Zeros are passed over, as in gzip.
    private func requireEnd() throws {
        let taken = Int(archive_filter_bytes(archive, -1))
        guard let file = FileHandle(forReadingAtPath: name) else { return }
        defer { try? file.close() }
        try file.seek(toOffset: UInt64(taken))
        while let rest = try file.read(upToCount: 1 << 20), !rest.isEmpty {
            guard rest.allSatisfy({ $0 == 0 }) else {
                throw cannotUnpack(name, at: taken, "what follows the compressed data is no further stream")
            }
        }
    }

    private func damaged() -> Failure {
        let reason = archive_error_string(archive).map { String(cString: $0) } ?? "it is cut off or damaged"
        // Negative where the library does not know.
        let byte = archive_filter_bytes(archive, -1)
        return cannotUnpack(name, at: byte >= 0 ? Int(byte) : nil, reason)
    }
}
