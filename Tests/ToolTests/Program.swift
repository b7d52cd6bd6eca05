// Starts the built program as a user would: alone, or under mpirun. Not here: what is expected of it.

import Foundation
import Testing

/// What a finished program leaves.
struct Outcome {
    let code: Int32
    let output: String
    let errors: String

    /// The JSON object on the last line of standard output.
    func json() throws -> [String: Any] {
        let line = try #require(
            output.split(separator: "\n").last, "exit code \(code), no output; standard error: \(errors)")
        return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }

    /// The lines by which the program reports failures.
    var messages: [String] {
        errors.split(whereSeparator: \.isNewline).map(String.init).filter {
            $0.hasPrefix("fanoise: ") || $0.hasPrefix("[rank ")
        }
    }

    /// Lines that contain all of `words`.
    func lines(with words: String...) -> [Substring] {
        errors.split(whereSeparator: \.isNewline).filter { line in words.allSatisfy { line.contains($0) } }
    }

    /// How often a word stands in standard error.
    func count(of word: String) -> Int { errors.components(separatedBy: word).count - 1 }
}

/// Where a program's ranks come from.
enum Start: CustomTestStringConvertible, Hashable, Sendable {
    /// One rank, no launcher.
    case alone
    /// `--ranks N`: threads of one process.
    case threads(Int)
    /// `mpirun -n N`.
    case mpi(Int)

    var ranks: Int {
        switch self {
        case .alone: 1
        case .threads(let count), .mpi(let count): count
        }
    }

    var testDescription: String {
        switch self {
        case .alone: "alone"
        case .threads(let count): "--ranks \(count)"
        case .mpi(let count): "mpirun -n \(count)"
        }
    }
}

/// The program beside the test bundle: built with the tests, from the same sources.
enum Program {
    static let path =
        Bundle.allBundles.compactMap(\.executableURL).first { $0.lastPathComponent.hasSuffix(".xctest") }?
        .deletingLastPathComponent().appendingPathComponent("fanoise").path
        ?? URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("fanoise")
        .path

    /// How many times longer than usual everything may take: under sanitizers (launch/sanitize).
    static let patience = ProcessInfo.processInfo.environment["TEST_PATIENCE"].flatMap(Int.init) ?? 1

    /// Runs `fanoise` to its end, for at most `seconds`.
    static func run(
        _ arguments: [String], _ start: Start = .alone, seconds: Int = 60, wrapper: [String] = []
    ) throws -> Outcome {
        let limit = ["timeout", "-k", "5", "\(seconds * patience)"]
        return try RunningProgram(arguments, start, limit: limit, wrapper: wrapper).outcome()
    }
}

/// A started program; stopped when it is forgotten.
final class RunningProgram {
    private let process = Process()
    private let folder: TemporaryFolder

    /// - Parameters:
    ///   - limit: words before the command. Without `timeout`, signals reach the program (or mpirun) itself.
    ///   - wrapper: words before the program, on every rank.
    init(_ arguments: [String], _ start: Start, limit: [String] = [], wrapper: [String] = []) throws {
        folder = try TemporaryFolder()
        var words = limit
        if case .mpi(let count) = start {
            words += ["mpirun", "-n", "\(count)", "--oversubscribe", "--bind-to", "none"]
        }
        words += wrapper + [Program.path] + arguments
        if case .threads(let count) = start { words += ["--ranks", "\(count)"] }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.environment = Self.environment
        process.standardInput = FileHandle.nullDevice
        // Files, not pipes: nothing blocks when a program says much.
        process.standardOutput = try Self.newFile(folder.file("out"))
        process.standardError = try Self.newFile(folder.file("err"))
        if case .mpi = start { try Self.withoutBlockedSignals(process.run) } else { try process.run() }
    }

    /// A child inherits the signals that this thread blocks, which on a thread of the concurrency pool are all of them. The program
    /// unblocks those that it waits for; mpirun does not.
    private static func withoutBlockedSignals(_ body: () throws -> Void) rethrows {
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }

    deinit { if process.isRunning { process.terminate() } }

    var isRunning: Bool { process.isRunning }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// What it has said on standard error so far.
    func errors() throws -> String { try String(contentsOfFile: folder.file("err"), encoding: .utf8) }

    /// Waits for the end.
    func outcome() throws -> Outcome {
        process.waitUntilExit()
        let code = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
        return Outcome(
            code: code, output: try String(contentsOfFile: folder.file("out"), encoding: .utf8),
            errors: try String(contentsOfFile: folder.file("err"), encoding: .utf8))
    }

    /// The user's environment without what would change the program, and with what Open MPI needs in a container.
    private static var environment: [String: String] {
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("FANOISE_") }
        variables["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
        variables["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
        variables["OMPI_MCA_plm_rsh_agent"] = "false"
        return variables
    }

    private static func newFile(_ path: String) throws -> FileHandle {
        try Data().write(to: URL(fileURLWithPath: path))
        return try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    }
}

/// A folder that disappears with its last reference.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "fanoise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// What lies in the folder, sorted.
    var contents: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}
