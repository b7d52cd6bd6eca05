// The bytes of a configuration file, whatever lies at its path. Not here: what they mean (ConfigTree.swift).

import Failures
import Foundation

/// A configuration file open for reading: a file, a device, or a pipe that a shell has made (`<(…)`, `/dev/stdin`).
enum ConfigFile {
    /// Seconds that a pipe may be silent.
    static let patience = 60

    /// The first `count` bytes, or all when there are fewer.
    /// - Throws: `Failure(.inputMissing)` when it cannot be opened or read, when it is a pipe with a name, for which nobody may ever write
    ///   anything, and when nothing comes for `patience` seconds.
    static func read(_ path: String, upToCount count: Int) throws -> Data {
        func unreadable(_ why: String) -> Failure {
            Failure(.inputMissing, "configuration file \(path) cannot be read: \(why); see configs/ for examples")
        }
        // Without O_NONBLOCK, opening a pipe would wait for its writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw unreadable(String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(String(cString: strerror(errno))) }
        if status.st_mode & S_IFMT == S_IFIFO {
            // Linux shows a pipe without a name as pipe:[NUMBER].
            let name = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")
            guard name?.hasPrefix("pipe:[") == true else { throw unreadable("it is a pipe, expected a file") }
        }
        var data = Data()
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while data.count < count {
            let got = Foundation.read(descriptor, &buffer, min(buffer.count, count - data.count))
            if got == 0 { break }
            if got > 0 {
                data.append(contentsOf: buffer[..<got])
            } else if errno == EAGAIN {
                var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                guard poll(&event, 1, Int32(patience * 1000)) != 0 else {
                    throw unreadable("nothing came for \(patience) s")
                }
            } else if errno != EINTR {
                throw unreadable(String(cString: strerror(errno)))
            }
        }
        return data
    }
}
