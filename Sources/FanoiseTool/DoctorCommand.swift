// `fanoise doctor`: parsing and printing only. Not here: measuring (MachineSpeed), judging (SetupAdvice).

import ArgumentParser
import Collectives
import Failures
import Foundation
import Kernels
import Training

/// Shows what the machine can do and what in its set-up is wrong.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Examine the machine: cores, libraries, measured speed, mistakes in the set-up.",
        discussion: """
            Under mpirun it also measures what goes between the ranks. With --predict it makes one rank's share of a step of that \
            configuration, and tells what a step would take on each number of ranks, and what it would be spent on (docs/scaling.md).
            """)

    @Flag(help: "Print one JSON object on standard output.") var json = false
    @Option(help: "Seconds to measure for; 0 measures nothing.") var seconds = 2.0
    @Option(help: "Folder in which runs are written, for the free space.") var output = "."
    @OptionGroup var prediction: PredictionOptions

    func validate() throws {
        guard seconds >= 0, seconds <= 600 else { throw ValidationError("--seconds \(seconds): expected 0 to 600") }
    }

    func run() throws {
        let (json, seconds, output, prediction) = (json, seconds, output, prediction)
        // Read once here, so that a mistake is one message and no rank starts.
        let configuration = try prediction.configuration()
        try Self.requireFolder(output)
        let environment = ProcessInfo.processInfo.environment
        let code = World.run { communicator in
            // One rank measures the machine while the others leave it the cores; then all measure what goes between them.
            var report: Report?
            if communicator.rank == 0 {
                let machine = Machine.current(folder: output)
                let speed = seconds > 0 ? MachineSpeed.measure(threads: machine.cores, seconds: seconds) : nil
                report = Report(
                    processor: machine.processor, cores: machine.cores, physicalCores: machine.physicalCores,
                    memoryBytes: machine.memoryBytes, simd: machine.simd,
                    products: ProductUnit.used, blasCore: blasCoreName(), mpi: World.libraryVersion,
                    sharedMemoryBytes: machine.sharedMemoryBytes, diskBytes: machine.diskBytes, speed: speed,
                    suggestion: SetupAdvice.layout(for: machine),
                    advice: SetupAdvice.advice(
                        machine: machine, blasCore: blasCoreName(), environment: environment, speed: speed))
            }
            if seconds > 0, communicator.size > 1 {
                let exchange = try CollectiveSpeed.measure(communicator)
                report?.collectives = exchange
            }
            guard var report else { return }
            if let configuration {
                report.prediction = try prediction.predict(
                    configuration, speed: report.speed ?? .measure(threads: report.cores, seconds: 1),
                    collectives: report.collectives)
            }
            try printLine(json ? try report.json() : report.table)
        }
        if code != 0 { throw ExitCode(code) }
    }
}

extension DoctorCommand {
    /// - Throws: `Failure(.inputMissing)` when nothing is there, `Failure(.cannotCreate)` when it is no folder.
    private static func requireFolder(_ path: String) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw Failure(.inputMissing, "--output \(path): there is no such folder; give one that is there")
        }
        guard isFolder.boolValue else {
            throw Failure(.cannotCreate, "--output \(path): expected a folder to write runs in, found a file")
        }
    }
}

/// What doctor found.
private struct Report: Encodable {
    let processor: String
    let cores: Int
    let physicalCores: Int
    let memoryBytes: Int
    let simd: SIMDLevel
    let products: ProductUnit
    let blasCore: String
    let mpi: String
    let sharedMemoryBytes: Int?
    let diskBytes: Int?
    let speed: MachineSpeed?
    var collectives: CollectiveSpeed?
    let suggestion: SetupAdvice.Layout
    let advice: [String]
    var prediction: Prediction?

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    private var matrixUnit: String {
        if products == .matrix { return "AMX, for float32 products" }
        return ProductUnit.present.contains(.matrix) ? "AMX, switched off by FANOISE_MATRIX_UNIT=0" : "none"
    }

    var table: String {
        func gibibytes(_ bytes: Int?) -> String {
            bytes.map { String(format: "%.1f GiB", Double($0) / 1073741824) } ?? "unknown"
        }
        var rows = [
            ("processor", processor), ("cores", "\(cores) usable, \(physicalCores) of them physical"),
            ("vectors", simd.rawValue), ("matrix unit", matrixUnit),
            ("memory", gibibytes(memoryBytes)), ("OpenBLAS kernels", blasCore), ("MPI", mpi),
            ("/dev/shm free", gibibytes(sharedMemoryBytes)),
            ("disk free", gibibytes(diskBytes)),
        ]
        if let speed {
            func pair(_ one: Double, _ all: Double, _ unit: String) -> String {
                String(format: "%.0f %@ on one core, %.0f on %d", one, unit, all, speed.threads)
            }
            rows += [
                ("matrix products", pair(speed.gemmOneCore, speed.gemmAllCores, "GFLOP/s")),
                ("memory bandwidth", pair(speed.triadOneCore, speed.triadAllCores, "GB/s")),
            ]
        }
        if let collectives {
            rows += [
                (
                    "all-reduce",
                    String(
                        format:
                            "%d ranks on %d node(s): %.1f µs for a number, %.1f GB/s for 4 MiB, %.1f GB/s for 64 MiB",
                        collectives.ranks, collectives.nodes.count, collectives.latency * 1e6,
                        collectives.mediumBandwidth, collectives.largeBandwidth)
                ),
                (
                    "by messages",
                    String(
                        format: "%.1f GB/s reduce-scatter, %.1f GB/s all-gather",
                        collectives.reduceScatterBandwidth, collectives.allGatherBandwidth)
                ),
                (
                    "as in training",
                    String(
                        format: "%.1f GB/s gradients, %.1f GB/s parameters",
                        collectives.gradientBandwidth, collectives.parameterBandwidth)
                ),
            ]
        } else {
            rows.append(("all-reduce", "not measured: mpirun -n RANKS fanoise doctor does"))
        }
        rows.append(
            ("suggestion", "mpirun -n \(suggestion.ranks) fanoise train … --set threads=\(suggestion.threadsPerRank)"))
        let width = rows.map(\.0.count).max() ?? 0
        let lines = rows.map { $0.0.padding(toLength: width + 2, withPad: " ", startingAt: 0) + $0.1 }
        let verdict = advice.isEmpty ? ["Nothing to improve was found."] : advice.map { "! \($0)" }
        return (lines + [""] + verdict + (prediction.map { ["", $0.table] } ?? [])).joined(separator: "\n")
    }
}
