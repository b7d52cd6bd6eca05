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
        let line = try #require(output.split(separator: "\n").last, "no output; standard error: \(errors)")
        return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
}

/// The program beside the test bundle: built with the tests, from the same sources.
enum Program {
    static let path = Bundle.allBundles.compactMap(\.executableURL).first { $0.lastPathComponent.hasSuffix(".xctest") }?
        .deletingLastPathComponent().appendingPathComponent("fanoise").path
        ?? URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("fanoise").path

    /// Runs `fanoise` with arguments, under `mpirun -n ranks` unless `ranks` is 0, for at most `seconds`.
    static func run(_ arguments: [String], ranks: Int = 0, seconds: Int = 120, environment: [String: String] = [:]) throws -> Outcome {
        let launcher = ranks == 0 ? [] : ["mpirun", "-n", "\(ranks)", "--oversubscribe", "--bind-to", "none"]
        return try start(["timeout", "-k", "5", "\(seconds)"] + launcher + [path] + arguments, environment: environment)
    }

    private static func start(_ words: [String], environment: [String: String]) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        var variables = ProcessInfo.processInfo.environment
        variables["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
        variables["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
        variables["OMPI_MCA_plm_rsh_agent"] = "false"
        variables.merge(environment) { $1 }
        process.environment = variables
        process.standardInput = FileHandle.nullDevice
        // Files, not pipes: nothing blocks when a program says much.
        let folder = try TemporaryFolder()
        let (out, err) = (folder.file("out"), folder.file("err"))
        for path in [out, err] { _ = FileManager.default.createFile(atPath: path, contents: nil) }
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: out))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: err))
        try process.run()
        process.waitUntilExit()
        let code = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
        return Outcome(code: code, output: try String(contentsOfFile: out, encoding: .utf8), errors: try String(contentsOfFile: err, encoding: .utf8))
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
}
