// Reading files whose size is known before anything is believed. Not here: formats (NPY, Safetensors), writing (OutputFile.swift).

package import Buffers
import Failures
import Foundation

/// A regular file open for reading, with its size: every read is checked against it, so that nothing is allocated on a header's word.
///
/// Reads are positioned (`pread`) and carry no state. The file is closed with the last reference.
package final class InputFile {
    package let path: String
    package let byteCount: Int
    private let descriptor: Int32

    /// - Throws: `Failure(.inputMissing)` when nothing readable is at `path`: no file, a directory, a pipe, no permission.
    package init(path: String) throws {
        // Without O_NONBLOCK, opening a pipe would wait for its writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code = errno
            let advice = code == EMFILE || code == ENFILE ? systemAdvice(code) : "check the path"
            throw Failure(.inputMissing, "\(path): cannot be opened for reading: \(systemMessage(code)); \(advice)")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            let found = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "neither a file nor a directory"
            close(descriptor)
            throw Failure(.inputMissing, "\(path): expected a regular file, found \(found)")
        }
        self.path = path
        self.descriptor = descriptor
        byteCount = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// Fills `bytes` with the file's bytes from `offset` on.
    ///
    /// - Throws: `Failure(.data)` when the file ends before; `Failure(.inputOutput)` when the system cannot read it.
    package func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        precondition(offset >= 0, "reading at the negative offset \(offset)")
        var done = 0
        while done < bytes.count {
            let result = pread(
                descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset + done))
            if result < 0 {
                if errno == EINTR { continue }
                throw Failure(.inputOutput, "\(path): reading at byte \(offset + done) failed: \(systemMessage())")
            }
            guard result > 0 else {
                throw Failure(
                    .data,
                    "\(path): expected \(bytes.count) bytes at byte \(offset), found the end after \(done): the file is truncated"
                )
            }
            done += result
        }
    }

    /// `count` bytes from `offset` on; the caller has compared `count` with `byteCount`.
    package func bytes(at offset: Int, count: Int) throws -> [UInt8] {
        precondition(
            offset >= 0 && count >= 0 && offset + count <= byteCount,
            "\(count) bytes at \(offset) of a file of \(byteCount)")
        return try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            initialized = count
        }
    }

    /// The whole file mapped privately and copy-on-write: pages are read when touched and shared with other readers of the file
    /// until somebody writes to them, which never reaches the file. Reserves no swap space, so the file may be larger than memory.
    package func map() throws -> Memory {
        guard byteCount > 0 else { return Memory(byteCount: 0) }
        let size = byteCount
        guard let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0),
            address != MAP_FAILED
        else {
            throw Failure(.inputOutput, "\(path): mapping \(size) bytes failed: \(systemMessage())")
        }
        return Memory(address: address, byteCount: size, release: { munmap($0, size) })
    }
}

/// The system's sentence for `errno`.
package func systemMessage(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }

/// What to do about a file that cannot be created.
func creationAdvice(_ code: Int32) -> String {
    [ENOENT, ENOTDIR, EACCES, EPERM].contains(code)
        ? "check that its directory exists and is writable" : systemAdvice(code)
}

/// What to do about an error of writing.
package func systemAdvice(_ code: Int32 = errno) -> String {
    switch code {
    case ENOSPC, EDQUOT: "free space there or write elsewhere"
    case EROFS, EACCES, EPERM: "make it writable or write elsewhere"
    case EMFILE, ENFILE: "raise the limit of open files (ulimit -n)"
    default: "check the device"
    }
}
