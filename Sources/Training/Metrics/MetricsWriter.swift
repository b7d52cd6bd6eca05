// The file metrics.jsonl of a run, and others with an object for each step. Not here: what is in a row (MetricsRow.swift), event files.

import Failures
import Foundation

/// Appends rows to a JSON-lines file, each in one write, so that a reader never sees half of one. Used by rank 0 alone.
public final class MetricsWriter {
    private let path: String
    private let descriptor: Int32
    /// Bytes of the whole rows.
    private var length = 0

    /// Opens or creates the file and removes what a resumed run will write again.
    ///
    /// - Parameter resumedStep: the last step of the checkpoint that training continues from; 0 at a fresh start. The file is cut
    ///   before the first row of a later step, and before a line that is not a row (a crash may leave half of one).
    /// - Parameter repeatsEvaluation: whether the evaluation of that step is made again, because the checkpoint does not know of it:
    ///   its row goes, too.
    /// - Throws: `Failure(.cannotCreate)` or `Failure(.inputOutput)` naming path and cause.
    public init(path: String, resumedStep: Int = 0, repeatsEvaluation: Bool = false) throws {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw MetricsWriter.failure(.cannotCreate, "open", path) }
        do {
            length = MetricsWriter.validLength(
                of: try contents(), through: resumedStep, withEvaluation: !repeatsEvaluation)
            guard ftruncate(descriptor, off_t(length)) == 0 else {
                throw MetricsWriter.failure(.inputOutput, "truncate", path)
            }
            guard lseek(descriptor, 0, SEEK_END) >= 0 else {
                throw MetricsWriter.failure(.inputOutput, "seek in", path)
            }
        } catch {
            close(descriptor)
            throw error
        }
    }

    deinit { close(descriptor) }

    /// Appends a row. It survives the end of this process at once, a power cut after `flush()`. A row that cannot be written whole
    /// leaves nothing.
    public func write(_ row: MetricsRow) throws { try write(line: row.json) }

    /// The same for a line that is no row but has a step.
    func write(line json: String) throws {
        let line = Array((json + "\n").utf8)
        var done = 0
        while done < line.count {
            let written = line[done...].withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else {
                let failure = MetricsWriter.failure(.inputOutput, "write to", path)
                _ = ftruncate(descriptor, off_t(length))
                _ = lseek(descriptor, off_t(length), SEEK_SET)
                throw failure
            }
            done += written
        }
        length += line.count
    }

    /// Waits until all rows are on the disk: with every checkpoint, so that the rows up to its step are never lost.
    public func flush() throws {
        guard fsync(descriptor) == 0 else { throw MetricsWriter.failure(.inputOutput, "fsync", path) }
    }

    private func contents() throws -> [UInt8] {
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw MetricsWriter.failure(.inputOutput, "read", path) }
            guard count > 0 else { return result }
            result += chunk[..<count]
        }
    }

    /// Bytes of the leading whole rows whose step is at most `step`; without the row of that step's evaluation where that is not wanted.
    static func validLength(of bytes: [UInt8], through step: Int, withEvaluation: Bool = true) -> Int {
        struct Head: Decodable {
            let step: Int
            let isOfEvaluation: Bool

            enum CodingKeys: String, CodingKey { case step, loss }

            init(from decoder: any Decoder) throws {
                let row = try decoder.container(keyedBy: CodingKeys.self)
                step = try row.decode(Int.self, forKey: .step)
                // Those of steps alone have a loss, if only null.
                isOfEvaluation = !row.contains(.loss)
            }
        }
        var start = 0
        while let newline = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            guard let head = try? JSONDecoder().decode(Head.self, from: Data(bytes[start..<newline])),
                head.step <= step, withEvaluation || head.step < step || !head.isOfEvaluation
            else { break }
            start = newline + 1
        }
        return start
    }

    private static func failure(_ kind: Failure.Kind, _ operation: String, _ path: String) -> Failure {
        let advice =
            errno == ENOSPC || errno == EDQUOT ? "; free space there or choose another place with --set output=DIR" : ""
        return Failure(kind, "cannot \(operation) \(path): \(String(cString: strerror(errno)))\(advice)")
    }
}
