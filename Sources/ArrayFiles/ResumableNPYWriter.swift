// A .npy file that is written row by row over hours, and goes on where it was stopped. Not here: files written at once (NPYWriter.swift).

public import Buffers
import Failures
import Foundation

/// Element types that rows are written in.
public enum RowType: String, Sendable, CaseIterable {
    case float32, float16

    var descriptor: String { self == .float32 ? "<f4" : "<f2" }
    var byteCount: Int { self == .float32 ? 4 : 2 }
}

/// Writes the rows of an array to `PATH.partial`, and now and then to `PATH.progress` how many of them are durable and what they were
/// made from. A later writer of the same rows from the same things goes on behind them; `finish` gives the array its name.
///
/// Dropped before the first `save`, it leaves nothing behind. One process at a time writes to a path.
public final class ResumableNPYWriter {
    /// What `PATH.progress` holds.
    private struct Progress: Codable {
        /// What the rows are made from.
        var made: [String: String]
        /// Rows that are durable.
        var rows: Int
    }

    /// Rows that an earlier writer has left.
    public let resumedRows: Int
    /// Why an earlier writer's rows are not used: a sentence; nil when there are none, or they are used.
    public let restart: String?
    private let path: String
    private let rows: Int
    private let columns: Int
    private let type: RowType
    private let made: [String: String]
    private let headerBytes: Int
    private var descriptor: Int32
    private var written: Int
    private var saved: Int

    /// - Parameter made: what the rows are made from, by name; rows that were made from anything else are written anew.
    /// - Throws: `Failure(.cannotCreate)` when `path` cannot be written to, or another process is writing to it.
    public init(path: String, rows: Int, columns: Int, type: RowType, made: [String: String]) throws {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw Failure(.cannotCreate, "\(path): expected a file or nothing to write to, found something else")
        }
        let descriptor = open(path + ".partial", O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            let code = errno
            throw Failure(.cannotCreate, "\(path): cannot be created: \(systemMessage(code)); \(creationAdvice(code))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw Failure(.cannotCreate, "\(path): another process is writing it; wait for it or write elsewhere")
        }
        // The lock may have become free because its holder has just given the file its final name.
        var (held, named) = (stat(), stat())
        guard fstat(descriptor, &held) == 0, stat(path + ".partial", &named) == 0, held.st_ino == named.st_ino,
            held.st_dev == named.st_dev
        else {
            close(descriptor)
            throw Failure(.cannotCreate, "\(path): another process has just finished it; use it or write elsewhere")
        }
        let header = NPYHeader.bytes(descriptor: type.descriptor, shape: [rows, columns])
        let found = Self.resumable(
            descriptor, path: path, made: made, header: header, rowBytes: columns * type.byteCount, rows: rows)
        (self.path, self.rows, self.columns, self.type, self.made) = (path, rows, columns, type, made)
        self.descriptor = descriptor
        (resumedRows, restart, headerBytes) = (found.rows, found.reason, header.count)
        (written, saved) = (found.rows, found.rows)
        let end = found.rows == 0 ? 0 : header.count + found.rows * columns * type.byteCount
        guard ftruncate(descriptor, off_t(end)) == 0, lseek(descriptor, off_t(end), SEEK_SET) >= 0 else {
            throw failure("preparing it")
        }
        if found.rows == 0 {
            removeProgress()
            try header.withUnsafeBytes { try write($0) }
        }
    }

    deinit {
        guard descriptor >= 0 else { return }
        if saved == 0 { unlink(path + ".partial") }
        close(descriptor)
    }

    /// How many rows of an earlier writer can be kept, and if none although there are some, why.
    private static func resumable(
        _ descriptor: Int32, path: String, made: [String: String], header: [UInt8], rowBytes: Int, rows: Int
    ) -> (rows: Int, reason: String?) {
        guard let data = FileManager.default.contents(atPath: path + ".progress") else { return (0, nil) }
        let again = "the rows written before are made anew"
        guard let progress = try? JSONDecoder().decode(Progress.self, from: data) else {
            return (0, "\(path).progress is damaged: \(again)")
        }
        let changed = Set(progress.made.keys).union(made.keys).filter { progress.made[$0] != made[$0] }.sorted()
        guard changed.isEmpty else {
            let plural = changed.count == 1 ? "has" : "have"
            return (0, "\(changed.joined(separator: ", ")) \(plural) changed since \(path) was begun: \(again)")
        }
        var status = stat()
        var begin = [UInt8](repeating: 0, count: header.count)
        let isThere =
            fstat(descriptor, &status) == 0 && progress.rows > 0 && progress.rows <= rows
            && Int(status.st_size) >= header.count + progress.rows * rowBytes
            && pread(descriptor, &begin, begin.count, 0) == begin.count && begin == header
        return isThere ? (progress.rows, nil) : (0, "\(path).partial lacks rows that it should have: \(again)")
    }

    /// Appends rows, [n, columns].
    ///
    /// - Throws: `Failure(.inputOutput)` when the device refuses them; `Failure(.data)` naming a row beyond float16's range.
    /// - Precondition: no more rows than are missing.
    public func append(_ values: Floats) throws {
        let count = values.count / max(columns, 1)
        precondition(written + count <= rows, "\(count) rows behind \(written) of \(rows)")
        switch type {
        case .float32:
            try write(UnsafeRawBufferPointer(start: values.base, count: values.count * MemoryLayout<Float>.stride))
        case .float16:
            let halves = Buffer<Float16>(count: values.count)
            for index in 0..<values.count {
                halves.base[index] = Float16(values.base[index])
                guard halves.base[index].isFinite else {
                    throw Failure(
                        .data,
                        "row \(written + index / columns) has \(values.base[index]), beyond float16's range; write float32"
                    )
                }
            }
            try write(UnsafeRawBufferPointer(start: halves.base, count: halves.count * MemoryLayout<Float16>.stride))
        }
        written += count
    }

    /// Makes the rows so far durable and says so in `PATH.progress`.
    public func save() throws {
        guard written > saved, written < rows else { return }
        guard fsync(descriptor) == 0 else { throw failure("making it durable") }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        let data = try encoder.encode(Progress(made: made, rows: written))
        // Of a fixed name, so that a process that is killed here leaves nothing that its successor does not replace.
        let temporary = path + ".progress.partial"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard file >= 0 else { throw failure("saving its progress") }
        defer { close(file) }
        try data.withUnsafeBytes { try Self.write($0, to: file) { failure("saving its progress") } }
        guard fsync(file) == 0, rename(temporary, path + ".progress") == 0 else { throw failure("saving its progress") }
        try syncDirectory((path as NSString).deletingLastPathComponent)
        saved = written
    }

    /// Makes the array durable and gives it its name.
    /// - Precondition: every row has been appended.
    public func finish() throws {
        precondition(written == rows, "\(rows - written) rows were never appended: \(path)")
        guard fsync(descriptor) == 0 else { throw failure("making it durable") }
        guard rename(path + ".partial", path) == 0 else { throw failure("moving it into place") }
        close(descriptor)
        descriptor = -1
        removeProgress()
        try syncDirectory((path as NSString).deletingLastPathComponent)
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        try Self.write(bytes, to: descriptor) { failure("writing it") }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to file: Int32, failure: () -> Failure) throws {
        var done = 0
        while done < bytes.count {
            let result = Foundation.write(file, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            if result < 0 {
                if errno == EINTR { continue }
                throw failure()
            }
            done += result
        }
    }

    private func removeProgress() {
        unlink(path + ".progress")
        unlink(path + ".progress.partial")
    }

    private func failure(_ operation: String) -> Failure {
        Failure(.inputOutput, "\(path): \(operation) failed: \(systemMessage()); \(systemAdvice())")
    }
}
