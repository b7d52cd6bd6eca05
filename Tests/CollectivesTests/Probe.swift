// Starts CollectivesProbe, alone or under mpirun, as a shell would. Not here: what it should do.

import Foundation
import Testing

/// What a run of the probe left behind.
struct ProbeRun {
    let code: Int32
    let output: String
    let errors: String
    let seconds: Double

    /// The lines by which ranks report failures.
    var messages: [String] {
        errors.split(whereSeparator: \.isNewline).map(String.init).filter {
            $0.hasPrefix("[rank ") || $0.hasPrefix("CollectivesProbe: ")
        }
    }

    /// The message without its prefix `[rank r host] `, which must name this host, and with `…` for the seconds that somebody waited, which
    /// a busy machine prolongs; nil unless there is exactly one.
    func onlyMessage(rank: Int? = nil) -> String? {
        guard messages.count == 1, let close = messages[0].firstIndex(of: "]") else { return nil }
        let prefix = messages[0][...close]
        let parts = prefix.dropFirst().dropLast().split(separator: " ")
        guard parts.count == 3, parts[2] == hostName else { return nil }
        if let rank, parts[1] != "\(rank)" { return nil }
        return String(messages[0][close...].dropFirst(2)).replacing(#/waited [0-9.]+ s/#, with: "waited … s")
    }
}

/// How many times longer than usual everything may take: under sanitizers (launch/sanitize).
let patience = ProcessInfo.processInfo.environment["TEST_PATIENCE"].flatMap(Int.init) ?? 1

/// Runs the probe: with `ranks` under mpirun, without alone. Never longer than 25 s.
func probe(_ arguments: String..., ranks: Int? = nil, environment: [String: String] = [:]) throws -> ProbeRun {
    let executable = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent(
        "CollectivesProbe")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    let launcher = ranks.map { ["mpirun", "--oversubscribe", "-n", "\($0)"] } ?? []
    process.arguments = ["timeout", "--kill-after=2", "\(25 * patience)"] + launcher + [executable.path] + arguments
    var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("FANOISE_") }
    variables["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
    variables["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    process.environment = variables.merging(environment) { $1 }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("probe-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (output, errors) = (folder.appendingPathComponent("output"), folder.appendingPathComponent("errors"))
    for file in [output, errors] { try Data().write(to: file) }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    let start = ContinuousClock.now
    try process.run()
    process.waitUntilExit()
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    return ProbeRun(
        code: process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus,
        output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
        errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self), seconds: seconds)
}

/// What `gethostname` says.
private let hostName: String = {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "?" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}()
