// Where the members of a tar file lie. Not here: which of them belong together (WebDataset). Nothing is ever unpacked.

import CArchive
import Failures
import Foundation

/// Reads a tar file's headers through libarchive: old, ustar, GNU (long names) and pax.
enum TarIndex {
    struct Member {
        var name: String
        /// Of the tar file's bytes.
        var range: Range<Int>
    }

    /// Calls `body` with every regular file, in order.
    ///
    /// Members' sizes are checked against the file's; the end mark must be there, so that a file that is cut off anywhere is noticed.
    /// - Returns: a fingerprint of names, places, sizes, and what `sample` takes of the content.
    /// - Throws: `Failure(.inputMissing)`; `Failure(.data)` naming file, member and byte; what `body` throws.
    static func scan(_ file: DataFile, _ body: (Member) throws -> Void) throws -> UInt64 {
        let size = try FilePool.shared.size(of: file.path)
        guard let archive = archive_read_new() else { throw Failure(.internal, "no memory for reading \(file.name)") }
        defer { archive_read_free(archive) }
        archive_read_support_format_tar(archive)
        var end = 0
        var last: String?
        func wrong(_ what: String, at byte: Int) -> Failure {
            Failure(.data, "\(file.name): \(last.map { "after the member \($0), " } ?? "")at byte \(byte): \(what)")
        }
        func libraryError() -> Failure {
            wrong(archive_error_string(archive).map { String(cString: $0) } ?? "no tar file", at: end)
        }
        guard archive_read_open_filename(archive, file.path, 10_240) == ARCHIVE_OK else { throw libraryError() }
        var fingerprint = Fingerprint()
        fingerprint.add(size)
        var entry: OpaquePointer?
        while true {
            let result = archive_read_next_header(archive, &entry)
            if result == ARCHIVE_EOF { break }
            // A warning concerns names in the present locale; they are taken as they are.
            guard result == ARCHIVE_OK || result == ARCHIVE_WARN, let entry else { throw libraryError() }
            let start = Int(archive_filter_bytes(archive, 0))
            guard let name = archive_entry_pathname_utf8(entry) ?? archive_entry_pathname(entry) else {
                throw wrong("a member without a name", at: start)
            }
            let member = String(cString: name)
            let length = archive_entry_hardlink(entry) == nil ? Int(archive_entry_size(entry)) : 0
            guard length >= 0, length <= size - start else {
                throw wrong(
                    "the member \(member) claims \(length) bytes of \(max(0, size - start)): the file is cut off or damaged",
                    at: start)
            }
            end = start + (length + 511) / 512 * 512
            last = member
            // S_IFREG; links, folders and devices are no data.
            guard archive_entry_filetype(entry) == 0o100_000, archive_entry_hardlink(entry) == nil else { continue }
            guard archive_entry_sparse_count(entry) == 0 else {
                throw wrong("the member \(member) is sparse; pack it again without holes", at: start)
            }
            fingerprint.add(member)
            fingerprint.add(start)
            fingerprint.add(length)
            let evidence = sample(of: start..<start + length)
            try FilePool.shared.bytes(of: file.path, evidence).withUnsafeBytes { fingerprint.add($0) }
            try body(Member(name: member, range: start..<start + length))
        }
        try requireEndMark(file, from: end, size: size) { wrong($0, at: $1) }
        return fingerprint.value
    }

    /// What of a member tells whether it has changed: a small one whole, else its end, which lies beside the next header, so that reading it
    /// costs no time. The end of a compressed picture depends on all of it.
    private static func sample(of member: Range<Int>) -> Range<Int> {
        member.count <= 4096 ? member : member.upperBound - 64..<member.upperBound
    }

    /// Behind the last member there is a block of zeros, and nothing but zeros.
    private static func requireEndMark(
        _ file: DataFile, from end: Int, size: Int, _ wrong: (String, Int) -> Failure
    ) throws {
        guard size - end >= 512 else { throw wrong("the end mark is missing: the file is cut off", min(end, size)) }
        for start in stride(from: end, to: size, by: 1 << 20) {
            let bytes = try FilePool.shared.bytes(of: file.path, start..<min(start + 1 << 20, size))
            if let place = bytes.firstIndex(where: { $0 != 0 }) {
                throw wrong("something that is no member, behind the last one", start + place)
            }
        }
    }
}
