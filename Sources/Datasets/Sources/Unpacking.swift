// Compressed data files, unpacked once to where rows can be read at random. Not here: how (CompressedContent), what is in them.

import Failures
import Foundation
import Synchronization

/// Unpacks `x.jsonl.gz`, `x.csv.gz`, `x.tar.gz` (also .bz2, .xz, .zst) into a cache folder.
///
/// Random access inside a compressed stream would need its decoder's state every few megabytes; the unpacked file needs disk space
/// alone, and is shared by all ranks of a host and all later runs. The folder is `$FANOISE_CACHE`, else `$XDG_CACHE_HOME/fanoise`,
/// else `~/.cache/fanoise`. A changed file (size or time) is unpacked anew; nothing is ever removed.
package enum Unpacking {
    static let endings = [".gz", ".bz2", ".xz", ".zst"]
    /// So much of the disk is left free.
    private static let reserve = 1 << 30
    /// What waits for the disk at most when the file is made durable.
    private static let unsynced = 1 << 30
    private static let looks = Atomic<Int>(0)

    /// Rises while this process waits for another one that unpacks, as long as that one gets on.
    package static var progress: Int { looks.load(ordering: .relaxed) }

    package static func noteProgress() { looks.add(1, ordering: .relaxed) }

    /// Where the content of a file can be read: the file itself unless it is compressed.
    /// - Throws: `Failure(.inputMissing)`, `Failure(.data)` for a stream that is damaged, `Failure(.cannotCreate)` when the cache
    ///   cannot hold it.
    static func path(of name: String) throws -> String {
        let lower = name.lowercased()
        guard endings.contains(where: { lower.hasSuffix($0) }) || lower.hasSuffix(".tgz") else { return name }
        var status = stat()
        guard stat(name, &status) == 0 else {
            throw Failure(.inputMissing, "the data file \(name) cannot be read: \(String(cString: strerror(errno)))")
        }
        let folder = cacheFolder
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
            throw cannotHold(folder, "\(error.localizedDescription)")
        }
        var identity = Fingerprint()
        identity.add(URL(fileURLWithPath: name).standardizedFileURL.path)
        for number in [Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec] { identity.add(number) }
        let path =
            "\(folder)/\(String(identity.value, radix: 16))-\(URL(fileURLWithPath: name).lastPathComponent).unpacked"
        // One rank of a host unpacks, the others wait for it.
        let lock = open("\(path).lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard lock >= 0 else { throw cannotHold(folder, String(cString: strerror(errno))) }
        defer { close(lock) }
        try take(lock, watching: "\(path).partial", folder: folder)
        guard !FileManager.default.fileExists(atPath: path) else { return path }
        try unpack(name, to: "\(path).partial", folder: folder)
        guard rename("\(path).partial", path) == 0 else { throw cannotHold(folder, String(cString: strerror(errno))) }
        return path
    }

    /// Waits for a lock, and notes meanwhile whether the file that its holder writes changes.
    static func take(_ lock: Int32, watching file: String, folder: String) throws(Failure) {
        var size: off_t?
        while flock(lock, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                throw cannotHold(folder, String(cString: strerror(errno)))
            }
            var status = stat()
            let found = stat(file, &status) == 0 ? status.st_size : nil
            if found != size { noteProgress() }
            size = found
            usleep(100_000)
        }
    }

    private static var cacheFolder: String {
        let environment = ProcessInfo.processInfo.environment
        if let folder = environment["FANOISE_CACHE"], !folder.isEmpty { return folder }
        if let folder = environment["XDG_CACHE_HOME"], !folder.isEmpty { return folder + "/fanoise" }
        return FileManager.default.homeDirectoryForCurrentUser.path + "/.cache/fanoise"
    }

    private static func cannotHold(_ folder: String, _ why: String) -> Failure {
        Failure(
            .cannotCreate,
            "compressed data cannot be unpacked into \(folder): \(why). Name another folder in FANOISE_CACHE")
    }

    static func unpack(_ name: String, to path: String, folder: String) throws {
        let output = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard output >= 0 else { throw cannotHold(folder, String(cString: strerror(errno))) }
        var isDone = false
        defer {
            close(output)
            if !isDone { unlink(path) }
        }
        let content = try compressedContent(of: name)
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var written = 0
        while true {
            let got = try content.read(into: &buffer)
            if got == 0 { break }
            if written & (64 << 20 - 1) < buffer.count { try requireSpace(folder) }
            try write(buffer[..<got], to: output, folder: folder)
            written += got
            if written & (unsynced - 1) == 0 { try makeDurable(output, folder) }
        }
        try makeDurable(output, folder)
        isDone = true
    }

    /// Before the file has its name: a power cut must not leave a whole name on half a file.
    private static func makeDurable(_ output: Int32, _ folder: String) throws(Failure) {
        guard fsync(output) == 0 else { throw cannotHold(folder, String(cString: strerror(errno))) }
    }

    private static func requireSpace(_ folder: String) throws(Failure) {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { return }
        guard Int(status.f_bavail) * Int(status.f_frsize) > reserve else {
            throw cannotHold(folder, "less than \(reserve >> 20) MiB of the disk are left")
        }
    }

    private static func write(_ bytes: ArraySlice<UInt8>, to output: Int32, folder: String) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            let done = rest.withUnsafeBytes { Foundation.write(output, $0.baseAddress, $0.count) }
            if done < 0, errno == EINTR { continue }
            guard done >= 0 else { throw cannotHold(folder, String(cString: strerror(errno))) }
            rest = rest.dropFirst(done)
        }
    }
}
