// Random access to many files through few descriptors. Not here: what the bytes mean.

import Failures
import Foundation
import Synchronization

/// Open files, the least recently used of which is closed when there are too many: thousands of shards need no thousands of
/// descriptors. May be used from several threads.
final class FilePool: Sendable {
    /// Descriptors belong to the process, and so does this.
    static let shared = FilePool(capacity: 64)

    /// Closed when the last reader lets go of it.
    private final class OpenFile: Sendable {
        let descriptor: Int32
        init(_ descriptor: Int32) { self.descriptor = descriptor }
        deinit { close(descriptor) }
    }

    private struct State {
        var files: [String: (file: OpenFile, lastUse: Int)] = [:]
        var uses = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    init(capacity: Int) { self.capacity = capacity }

    /// Files open now.
    var openFiles: Int { state.withLock { $0.files.count } }

    /// The bytes `range` of a file.
    /// - Throws: `Failure(.inputMissing)` when it cannot be opened, `Failure(.data)` when it ends before the range does,
    ///   `Failure(.inputOutput)` when reading fails.
    func bytes(of path: String, _ range: Range<Int>) throws(Failure) -> [UInt8] {
        let file = try open(path)
        var done = 0
        var problem: Failure?
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            while done < range.count, let base = buffer.baseAddress {
                let got = pread(file.descriptor, base + done, range.count - done, off_t(range.lowerBound + done))
                if got < 0, errno == EINTR { continue }
                guard got > 0 else {
                    problem =
                        got < 0
                        ? Failure(.inputOutput, "\(path) cannot be read: \(String(cString: strerror(errno)))")
                        : Failure(
                            .data,
                            "\(path) ends before byte \(range.upperBound): it has changed "
                                + "since it was opened, or is cut off")
                    break
                }
                done += got
            }
            count = done
        }
        if let problem { throw problem }
        return bytes
    }

    /// The size of a regular file.
    func size(of path: String) throws(Failure) -> Int {
        var status = stat()
        guard fstat(try open(path).descriptor, &status) == 0 else {
            throw Failure(.inputOutput, "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        return Int(status.st_size)
    }

    private func open(_ path: String) throws(Failure) -> OpenFile {
        if let file = state.withLock({ Self.use(&$0, path) }) { return file }
        // Opening a pipe would wait for its writer.
        let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw Failure(.inputMissing, "\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        let file = OpenFile(descriptor)
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(.inputMissing, "\(path) is not a regular file")
        }
        state.withLock { state in
            state.uses += 1
            state.files[path] = (file, state.uses)
            if state.files.count > capacity,
                let oldest = state.files.min(by: { $0.value.lastUse < $1.value.lastUse })?.key
            {
                state.files[oldest] = nil
            }
        }
        return file
    }

    private static func use(_ state: inout State, _ path: String) -> OpenFile? {
        guard let file = state.files[path]?.file else { return nil }
        state.uses += 1
        state.files[path]?.lastUse = state.uses
        return file
    }
}
