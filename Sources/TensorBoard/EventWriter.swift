// The event file of a run for TensorBoard. Not here: what is in an event (Event.swift), when one is written (Training).

import Failures
import Foundation

/// Appends events to a new file `events.out.tfevents.…` in a folder, each in one write. Used by rank 0 alone.
///
/// Files are never written to twice: a run that resumes begins another one, which tells readers to forget what the earlier ones say of
/// its first step and later ones. Names sort in the order in which the files were begun.
public final class EventWriter {
    public let path: String
    private let descriptor: Int32
    private let clock: () -> Double
    /// Bytes of the whole records.
    private var length = 0

    /// - Parameters:
    ///   - firstStep: the first step that will be written.
    ///   - clock: seconds since 1970; nil: the system's.
    /// - Throws: `Failure(.cannotCreate)` or `Failure(.inputOutput)` naming path and cause.
    public init(folder: String, firstStep: Int, clock: (() -> Double)? = nil) throws {
        let clock = clock ?? { Date().timeIntervalSince1970 }
        let now = clock()
        let number = Self.number(after: (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [], now: now)
        path = "\(folder)/\(Self.prefix)\(number).\(Self.host).\(getpid()).0"
        self.clock = clock
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Self.failure(.cannotCreate, "create", path) }
        try append(Event(time: now, step: 0, content: .version))
        if firstStep > 0 { try append(Event(time: now, step: firstStep, content: .start)) }
    }

    deinit { close(descriptor) }

    /// Appends what is known of a step. A record that cannot be written whole leaves nothing.
    public func write(_ summaries: [Summary], step: Int) throws {
        guard !summaries.isEmpty else { return }
        try append(Event(time: clock(), step: step, content: .summaries(summaries)))
    }

    /// Waits until all records are on the disk.
    public func flush() throws {
        guard fsync(descriptor) == 0 else { throw Self.failure(.inputOutput, "fsync", path) }
    }

    private func append(_ event: Event) throws {
        let record = event.record
        var done = 0
        while done < record.count {
            let written = record[done...].withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else {
                let failure = Self.failure(.inputOutput, "write to", path)
                _ = ftruncate(descriptor, off_t(length))
                throw failure
            }
            done += written
        }
        length += record.count
    }

    static let prefix = "events.out.tfevents."

    /// The time in the file's name: readers take files in the order of their names.
    static func number(after names: [String], now: Double) -> Int {
        let earlier = names.filter { $0.hasPrefix(prefix) }.compactMap {
            $0.dropFirst(prefix.count).split(separator: ".").first.flatMap { Int($0) }
        }.filter { $0 < 9_000_000_000 }
        return max(Int(now), (earlier.max() ?? 0) + 1)
    }

    private static var host: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "host" }
        let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.replacing(/[^A-Za-z0-9-]/, with: "-")
    }

    private static func failure(_ kind: Failure.Kind, _ operation: String, _ path: String) -> Failure {
        Failure(
            kind,
            "cannot \(operation) \(path): \(String(cString: strerror(errno))); free space there, or go without with --set log.tensorboard=false"
        )
    }
}
