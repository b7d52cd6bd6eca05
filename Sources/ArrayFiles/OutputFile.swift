// Writing a file so that it is there whole or not at all. Not here: formats (NPY, Safetensors), directories of files (Checkpoints).

import Failures
import Foundation

/// A file under construction: bytes go to a temporary file beside the destination, which `commit` renames into place.
///
/// Until `commit` has returned, the destination is what it was before; a file that is dropped uncommitted leaves nothing behind.
/// A symbolic link is followed: the file it names is replaced, not the link.
package final class OutputFile {
    package let path: String
    /// Bytes accepted so far.
    package private(set) var byteCount = 0
    private let destination: String
    private let temporary: String
    private let observe: ((UnsafeRawBufferPointer) -> Void)?
    private var descriptor: Int32
    private var pending: [UInt8] = []
    private static let bufferSize = 1 << 18

    /// - Parameter observe: sees every byte once, in order, before it is written: for checksums.
    /// - Throws: `Failure(.cannotCreate)` when no file can be made beside `path`, or when something else than a file is there.
    package init(path: String, observe: ((UnsafeRawBufferPointer) -> Void)? = nil) throws {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            let found = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "a device, pipe or socket"
            throw Failure(.cannotCreate, "\(path): expected a file or nothing to write to, found \(found)")
        }
        let destination = realpath(path, nil).map { resolved in
            defer { free(resolved) }
            return String(cString: resolved)
        }
        self.path = path
        self.destination = destination ?? path
        temporary = self.destination + ".\(getpid())-\(UInt32.random(in: 0 ... .max)).partial"
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        let code = errno
        self.observe = observe
        guard descriptor >= 0 else {
            throw Failure(.cannotCreate, "\(path): cannot be created: \(systemMessage(code)); \(creationAdvice(code))")
        }
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(temporary)
    }

    /// Appends `bytes`. - Throws: `Failure(.inputOutput)` (disk full, quota, device gone).
    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        observe?(bytes)
        byteCount += bytes.count
        if pending.count + bytes.count > Self.bufferSize {
            try pending.withUnsafeBytes { try flush($0) }
            pending.removeAll(keepingCapacity: true)
        }
        if bytes.count >= Self.bufferSize { try flush(bytes) } else { pending.append(contentsOf: bytes) }
    }

    /// Makes the bytes durable and gives them their name: fsync of the file, rename, fsync of the directory.
    ///
    /// Without the last, the rename itself can be lost with the power.
    package func commit() throws {
        precondition(descriptor >= 0, "\(path) is committed twice")
        try pending.withUnsafeBytes { try flush($0) }
        guard fsync(descriptor) == 0 else { throw failure("making it durable") }
        let closed = close(descriptor)
        descriptor = -1
        guard closed == 0, rename(temporary, destination) == 0 else {
            let error = failure("moving it into place")
            unlink(temporary)
            throw error
        }
        try syncDirectory((destination as NSString).deletingLastPathComponent)
    }

    private func flush(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let result = Foundation.write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            if result < 0 {
                if errno == EINTR { continue }
                throw failure("writing it")
            }
            done += result
        }
    }

    private func failure(_ operation: String) -> Failure {
        Failure(.inputOutput, "\(path): \(operation) failed: \(systemMessage()); \(systemAdvice())")
    }
}

/// Makes the names in a directory durable. - Throws: `Failure(.inputOutput)`.
package func syncDirectory(_ path: String) throws {
    let directory = path.isEmpty ? "." : path
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
        throw Failure(
            .inputOutput, "\(directory): cannot be opened as a directory: \(systemMessage()); \(systemAdvice())")
    }
    defer { close(descriptor) }
    // Some network file systems refuse to sync a directory, and have nothing to sync.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
        throw Failure(
            .inputOutput, "\(directory): making the directory durable failed: \(systemMessage()); \(systemAdvice())")
    }
}
