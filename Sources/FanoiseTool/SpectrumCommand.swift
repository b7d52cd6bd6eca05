// `fanoise spectrum`: the singular values of an array and what noise would do to them. Not here: the spectrum (FANoise).

import ArgumentParser
import FANoise
import Failures

struct SpectrumCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spectrum",
        abstract: "Singular values of an array, and which of them noise of a given strength would hide.",
        discussion: """
            The noise bulk is where the singular values of isotropic noise of this strength lie, strength (1 -/+ sqrt(m/n)); a direction \
            is detectable above (m/n)^(1/4) strength. Both are for the rows as given, or of length 1 with --features unit.
            """)

    @Option(help: "Array to read (.npy, rows x columns).") var input: String
    @Option(parsing: .unconditional, help: "Strength alpha, 0 or more.") var strength: Double = 0.1
    @Option(help: "Whether rows are divided by their length first.") var features: Features = .raw
    @Flag(help: "Take the spectrum of the rows minus their mean.") var center = false
    @Option(help: "How the spectrum is found.") var solver: NoiseOptions.Solver = .auto
    @Option(parsing: .unconditional, help: "Directions that the randomized solver resolves.") var sketch = 256
    @OptionGroup var world: WorldOptions
    @Flag(help: "Print one JSON object on standard output.") var json = false

    func run() throws {
        guard strength.isFinite, strength >= 0 else {
            throw Failure(.usage, "--strength is \(strength); it must be a finite number, 0 or more")
        }
        guard sketch >= 1 else { throw Failure(.usage, "--sketch is \(sketch); it must be 1 or more") }
        let (path, strength, features, center, solver, json) = (input, strength, features, center, solver, json)
        let directions = min(sketch, Int(Int32.max))
        try world.run { communicator in
            let array = try ShardedArray(path: path, communicator: communicator)
            let values_BN =
                features == .unit ? ShardedArray.unitRows(array.values_BN, columns: array.columns) : array.values_BN
            let spectrum: Spectrum
            do {
                spectrum = try Spectrum.measure(
                    values_BN, rows: array.range.count, columns: array.columns, firstRow: array.range.lowerBound,
                    globalRows: array.globalRows, center: center, solver: solver, sketch: directions,
                    communicator: communicator)
            } catch let failure as Failure where failure.kind == .data {
                throw Failure(.data, "\(path): \(failure.message)")
            }
            guard communicator.rank == 0 else { return }
            let summary = SpectrumSummary(
                spectrum, strength: strength, center: center, solver: solver, ranks: communicator.size)
            summary.tellPeople()
            if json { try printJSON(summary) }
        }
    }
}

/// The JSON object of `fanoise spectrum`; the keys are a contract.
private struct SpectrumSummary: Encodable {
    var singular_values: [Double]
    var effective_rank: Double
    var flatness: Double
    var top_share: Double
    var bulk_lower: Double
    var bulk_upper: Double
    var detection_threshold: Double
    var share_below_threshold: Double
    var advice: [String]
    var rows: Int
    var columns: Int
    /// Singular values above the tolerance.
    var dimension: Int
    var strength: Double
    var solver: String
    var ranks: Int

    init(_ spectrum: Spectrum, strength: Double, center: Bool, solver: NoiseOptions.Solver, ranks: Int) {
        singular_values = spectrum.singularValues
        effective_rank = spectrum.effectiveRank
        flatness = spectrum.flatness
        top_share = spectrum.topShare
        (bulk_lower, bulk_upper) = spectrum.bulk(strength: strength)
        detection_threshold = spectrum.detectionThreshold(strength: strength)
        share_below_threshold = spectrum.shareBelowThreshold(strength: strength)
        advice = Advice.on(spectrum, strength: strength, centered: center).map(\.description)
        rows = spectrum.rows
        columns = spectrum.columns
        dimension = spectrum.dimension
        self.strength = strength
        self.solver = solver.resolved(rows: rows, columns: columns).rawValue
        self.ranks = ranks
    }

    func tellPeople() {
        let shown = 8
        let leading = singular_values.prefix(shown).map(fixed).joined(separator: " ")
        tell(
            """
            rows x columns    \(rows) x \(columns), spanning \(dimension) directions
            singular values   \(leading)\(singular_values.count > shown ? " ... \(fixed(singular_values[singular_values.count - 1]))" : "")
            effective rank    \(fixed(effective_rank)) of \(singular_values.count)
            flatness          \(fixed(flatness))
            first direction   \(fixed(100 * top_share)) % of the energy
            noise bulk        \(fixed(bulk_lower)) to \(fixed(bulk_upper)) at strength \(fixed(strength))
            detection         \(fixed(detection_threshold)): \(fixed(100 * share_below_threshold)) % of the directions lie at or below
            """)
        for line in advice { tell("note: \(line)") }
    }
}
