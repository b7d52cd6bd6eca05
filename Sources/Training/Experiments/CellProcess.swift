// One cell as a process of its own. Not here: which cells, and what is made of them (ExperimentRunner).

import Failures
import Foundation

/// A training run in a separate process of the same program, whose words go to `log.txt` of the cell's folder.
final class CellProcess {
    let cell: ExperimentPlan.Cell
    private let process = Process()
    private let start = ContinuousClock.now

    /// Writes the cell's configuration and starts the run; it goes on where an earlier attempt of the same configuration was stopped.
    init(_ cell: ExperimentPlan.Cell, program: String) throws {
        self.cell = cell
        let folder = cell.folder
        try folder.create()
        let requested = "\(folder.path)/requested.yaml"
        let text = Data((cell.configuration.yaml).utf8)
        // An attempt at something else, or at nobody knows what, is of no use.
        if FileManager.default.contents(atPath: requested) != text {
            try? FileManager.default.removeItem(atPath: folder.checkpoints)
            try folder.create()
        }
        try RunFolder.write(text, to: requested)
        let log = "\(folder.path)/log.txt"
        guard FileManager.default.createFile(atPath: log, contents: nil),
            let output = FileHandle(forWritingAtPath: log)
        else { throw Failure(.cannotCreate, "\(log) cannot be created; choose another folder with --output") }
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["train", "--config", requested]
        if cell.ranks > 1 { process.arguments? += ["--ranks", "\(cell.ranks)"] }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        do { try process.run() } catch {
            throw Failure(.internal, "\(program) cannot be started: \(error.localizedDescription)")
        }
    }

    var isRunning: Bool { process.isRunning }

    /// Asks the run to save and end.
    func stop() { if process.isRunning { process.terminate() } }

    /// How the run ended, once it has.
    enum Outcome {
        case done(CellRecord)
        /// By a signal: it can go on.
        case stopped
        /// Another process has the folder.
        case busy
        /// The experiment cannot go on: the set-up is wrong.
        case impossible(Failure)
    }

    /// - Precondition: `isRunning` is false.
    func outcome() throws -> Outcome {
        process.waitUntilExit()
        let seconds = (ContinuousClock.now - start).seconds
        let code = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
        switch Failure.Kind(rawValue: code) {
        case nil where code == 0:
            return .done(record(values: try CellRecord.values(of: cell.folder), seconds))
        // A result: of a collapse, of a rate that is too high. Input that is not finite is none.
        case .data where Divergence.isMeant(by: message):
            return .done(record(values: [:], seconds, failure: message))
        case .resumable: return .stopped
        case nil where code >= 128: return .stopped
        case .cannotCreate where message.contains("another process"): return .busy
        case let kind:
            return .impossible(
                Failure(kind ?? .internal, "the run in \(cell.folder.path) ended with code \(code): \(message)"))
        }
    }

    private func record(values: [String: Double], _ seconds: Double, failure: String? = nil) -> CellRecord {
        CellRecord(
            configuration: cell.configuration.yaml, ranks: cell.ranks, values: values, seconds: seconds,
            failure: failure)
    }

    /// The last words by which the program reports a failure.
    private var message: String {
        let log = FileManager.default.contents(atPath: "\(cell.folder.path)/log.txt") ?? Data()
        let lines = String(decoding: log, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
        let last = lines.last { $0.hasPrefix("fanoise: ") || $0.hasPrefix("[rank ") } ?? lines.last ?? "no message"
        return last.hasPrefix("fanoise: ") ? String(last.dropFirst("fanoise: ".count)) : last
    }
}
