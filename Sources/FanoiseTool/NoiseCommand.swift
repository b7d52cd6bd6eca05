// `fanoise noise`: FANoise on an array from a file. Not here: the noise (FANoise), sharding (ShardedArray.swift).

public import ArgumentParser
import Buffers
import Collectives
public import FANoise
import Failures
import Foundation
import Kernels

extension NoiseOptions.Scaling: ExpressibleByArgument {}
extension NoiseOptions.Energy: ExpressibleByArgument {}
extension NoiseOptions.Solver: ExpressibleByArgument {}

/// What the rows are when the noise meets them.
enum Features: String, CaseIterable, ExpressibleByArgument, Sendable {
    /// As in the file.
    case raw
    /// Divided by their Euclidean length, so that the strength is relative to 1.
    case unit
}

struct NoiseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "noise",
        abstract: "Add feature-adaptive noise to the rows of an array.",
        discussion: """
            X~ = X + strength/sqrt(n) eps V diag(S) V^T, with S_j = sigma_j^p / mean(sigma^p) of the whole array's singular values. Rows are \
            sharded over ranks; the output does not depend on their number. uniform: p = 0, sublinear: p = 1/2, linear: p = 1; shuffled: \
            the values of p = 1/2 (or --power) in random order; gaussian: the same in all directions, of the data or not. --power p sets \
            the exponent of sublinear, power and shuffled.
            """)

    @Option(help: "Array to read (.npy, rows x columns).") var input: String
    @Option(help: "Array to write (.npy, float32).") var output: String
    @Option(parsing: .unconditional, help: "Strength alpha, 0 or more.") var strength: Float = 0.1
    @Option(help: "How noise follows the spectrum.") var scaling: NoiseOptions.Scaling = .sublinear
    @Option(parsing: .unconditional, help: "Exponent p.") var power: Double?
    @Option(help: "What the strength fixes: the published formula, or the noise's energy.") var energy:
        NoiseOptions.Energy = .paper
    @Flag(help: "Take the spectrum of the rows minus their mean.") var center = false
    @Option(help: "Seed of the noise.") var seed: UInt64 = 42
    @Option(help: "Step of the noise: another step, other numbers.") var step = 0
    @Option(help: "Array of standard normals (.npy, the shape of the input) in place of random numbers.") var gaussian:
        String?
    @Option(help: "How the spectrum is found.") var solver: NoiseOptions.Solver = .auto
    @Option(parsing: .unconditional, help: "Directions that the randomized solver resolves.") var sketch = 256
    @Option(help: "Whether rows are divided by their length first.") var features: Features = .raw
    @Flag(help: "Divide the noisy rows by their length.") var renormalize = false
    @Flag(help: "Add the singular values to the JSON object.") var singularValues = false
    @OptionGroup var world: WorldOptions
    @Flag(help: "Print one JSON object on standard output.") var json = false

    func run() throws {
        let options = NoiseOptions(
            scaling: scaling, strength: strength, power: power, energy: energy, center: center, solver: solver,
            sketch: min(sketch, Int(Int32.max)))
        do {
            try options.validate()
        } catch let failure as Failure {
            throw Failure(.usage, failure.message.replacingOccurrences(of: "noise.", with: "--"))
        }
        guard step >= 0 else { throw Failure(.usage, "--step is \(step); it must be 0 or more") }
        let job = NoiseJob(
            options: options, input: input, output: output, gaussian: gaussian, seed: seed, step: step,
            features: features,
            renormalize: renormalize)
        let (asJSON, withValues) = (json, singularValues)
        try world.run { communicator in
            let summary = try job.run(communicator)
            guard communicator.rank == 0 else { return }
            summary.tellPeople()
            if asJSON { try printJSON(withValues ? summary : summary.withoutSingularValues) }
        }
    }
}

/// The work of `fanoise noise` on one rank.
private struct NoiseJob: Sendable {
    var options: NoiseOptions
    var input: String
    var output: String
    var gaussian: String?
    var seed: UInt64
    var step: Int
    var features: Features
    var renormalize: Bool

    /// *Collective.*
    func run(_ communicator: any Communicator) throws -> NoiseSummary {
        let array = try ShardedArray(path: input, communicator: communicator)
        let numbers = try gaussian.map { path -> ShardedArray in
            let numbers = try ShardedArray(path: path, communicator: communicator)
            guard numbers.globalRows == array.globalRows, numbers.columns == array.columns else {
                throw Failure(
                    .data,
                    "\(path) has shape [\(numbers.globalRows), \(numbers.columns)]; \(input) needs [\(array.globalRows), \(array.columns)]"
                )
            }
            return numbers
        }
        let n = array.columns
        let values_BN = features == .unit ? ShardedArray.unitRows(array.values_BN, columns: n) : array.values_BN
        let shaper = try NoiseShaper(options: options, columns: n, seed: seed)
        do {
            let (noisy_BN, report) = try shaper.perturb(
                values_BN, rows: array.range.count, firstRow: array.range.lowerBound, globalRows: array.globalRows,
                step: step,
                communicator: communicator, gaussian: numbers?.values_BN)
            let spectrum =
                try report.spectrum
                ?? Spectrum.measure(
                    values_BN, rows: array.range.count, columns: n, firstRow: array.range.lowerBound,
                    globalRows: array.globalRows,
                    center: options.center, solver: options.solver, sketch: options.sketch, communicator: communicator)
            try requireFinite(noisy_BN, of: array, communicator)
            let result_BN = renormalize ? ShardedArray.unitRows(noisy_BN, columns: n) : noisy_BN
            try array.write(result_BN, to: output, communicator: communicator)
            return NoiseSummary(report, spectrum, options, ranks: communicator.size)
        } catch let failure as Failure where failure.kind == .data {
            throw Failure(.data, "\([input, gaussian].compactMap { $0 }.joined(separator: ", ")): \(failure.message)")
        }
    }

    /// Throws on every rank alike when a row of the result has an element that float32 does not hold. *Collective.*
    private func requireFinite(
        _ noisy_BN: Floats, of array: ShardedArray, _ communicator: any Communicator
    ) throws {
        let first = firstNonFinite(noisy_BN).map { array.range.lowerBound + $0 / array.columns }
        guard let row = try communicator.allGather(first ?? -1).first(where: { $0 >= 0 }) else { return }
        throw Failure(
            .data, "row \(row) with its noise is beyond float32's range; lower --strength \(options.strength)")
    }
}

/// The JSON object of `fanoise noise`; the keys are a contract.
private struct NoiseSummary: Encodable {
    var noise_to_signal: Double
    var cosine: Double
    var effective_rank: Double
    var flatness: Double
    var singular_values: [Double]?
    var rows: Int
    var columns: Int
    var strength: Float
    var scaling: String
    var solver: String
    var ranks: Int
    var advice: [String]

    init(_ report: NoiseReport, _ spectrum: Spectrum, _ options: NoiseOptions, ranks: Int) {
        noise_to_signal = report.noiseToSignal
        cosine = report.cosine
        effective_rank = spectrum.effectiveRank
        flatness = spectrum.flatness
        singular_values = spectrum.singularValues
        rows = spectrum.rows
        columns = spectrum.columns
        strength = options.strength
        scaling = options.scaling.rawValue
        solver = options.solver.resolved(rows: spectrum.rows, columns: spectrum.columns).rawValue
        self.ranks = ranks
        advice = report.advice.map(\.description)
    }

    var withoutSingularValues: NoiseSummary {
        var copy = self
        copy.singular_values = nil
        return copy
    }

    func tellPeople() {
        tell(
            """
            rows x columns    \(rows) x \(columns)
            scaling           \(scaling), strength \(strength), solver \(solver), ranks \(ranks)
            noise to signal   \(fixed(noise_to_signal))
            cos(x, x~)        \(fixed(cosine))
            effective rank    \(fixed(effective_rank)) of \(min(rows, columns))
            flatness          \(fixed(flatness))
            """)
        for line in advice { tell("note: \(line)") }
    }
}

/// Six significant digits.
func fixed(_ value: Double) -> String { String(format: "%.6g", value) }
