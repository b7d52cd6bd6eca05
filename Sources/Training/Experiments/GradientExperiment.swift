// Expected gradients under noise, by Monte-Carlo, against the formulas. Not here: the formulas (NoisyGradient), their derivation
// (docs/mathematics-gradient.md).
//
// Shapes: N pairs, E columns.

import Buffers
import Failures
import Foundation
import Kernels
import Randomness

/// An experiment of kind gradient: placements × shapes × normalisation are its arms, batches its seeds.
///
/// Draws come in pairs of opposite noise, so that what is odd in the noise cancels, and are the same for all arms.
struct GradientExperiment {
    let config: ExperimentConfig
    let command: String

    private enum Placement: String, CaseIterable { case query, keys, both }
    private enum Shape: String, CaseIterable { case isotropic, sublinear }

    private struct Arm {
        let placement: Placement
        let shape: Shape
        let isRenormalized: Bool
        var name: String { "\(placement.rawValue), \(shape.rawValue), \(isRenormalized ? "normalised" : "raw")" }
    }

    private static let arms = [false, true].flatMap { isRenormalized in
        Placement.allCases.flatMap { placement in
            Shape.allCases.map { Arm(placement: placement, shape: $0, isRenormalized: isRenormalized) }
        }
    }

    private static let measures = [
        ExperimentResults.Measure(
            key: "radial", label: "⟨q, E∇̃ − ∇⟩ τ²/δ², which the paper has at 1", isShare: false, greaterIsBetter: nil),
        ExperimentResults.Measure(
            key: "tangential", label: "‖E∇̃ − ∇‖ τ²/δ² across q", isShare: false, greaterIsBetter: nil),
        ExperimentResults.Measure(
            key: "shift", label: "‖E∇̃ − ∇‖ / ‖∇‖", isShare: false, greaterIsBetter: nil),
        ExperimentResults.Measure(
            key: "residual", label: "‖measured − predicted‖ / ‖predicted‖, against what Monte-Carlo error makes of it",
            isShare: false, greaterIsBetter: nil),
    ]

    func run(say: (String) -> Void, isStopped: () -> Bool) throws -> ExperimentResults {
        let clock = ContinuousClock.now
        // By arm: cells, and what the formulas say.
        var cells = [[ExperimentResults.Cell]](repeating: [], count: Self.arms.count)
        var predictions = [[[String: Double]]](repeating: [], count: Self.arms.count)
        for (index, seed) in config.seeds.values.enumerated() {
            if isStopped() { break }
            let start = ContinuousClock.now
            for (arm, found) in try batch(seed).enumerated() {
                cells[arm].append(
                    ExperimentResults.Cell(seed: seed, folder: "", values: found.measured, seconds: 0, failure: nil))
                predictions[arm].append(found.predicted)
            }
            say(
                "\(index + 1)/\(config.seeds.values.count)  \(ProgressLine.decimal((ContinuousClock.now - start).seconds, 1)) s"
            )
        }
        var statistics = ExperimentStatistics(seeds: config.seeds.values, draws: config.resamples)
        let arms = Self.arms.enumerated().map { index, arm in
            let summaries = Self.measures.compactMap { measure in
                let values = Dictionary(
                    uniqueKeysWithValues: cells[index].map { ($0.seed, $0.values[measure.key] ?? .nan) })
                var summary = statistics.summaries([ArmSample(values: values)], measure: measure, baselines: [nil])[0]
                let predicted = predictions[index].compactMap { $0[measure.key] }
                if !predicted.isEmpty { summary?.predicted = predicted.reduce(0, +) / Double(predicted.count) }
                return summary
            }
            return ExperimentResults.Arm(
                name: arm.name, label: arm.name,
                settings: [
                    .init(key: "placement", value: arm.placement.rawValue),
                    .init(key: "shape", value: arm.shape.rawValue),
                    .init(key: "normalised", value: "\(arm.isRenormalized)"),
                ], cells: cells[index], summaries: summaries)
        }
        return ExperimentResults(
            name: config.name, title: config.heading, question: config.question, method: config.method,
            expectation: config.expectation, conclusion: config.conclusion, measures: Self.measures, arms: arms,
            seeds: config.seeds.values, confidence: statistics.confidence, resamples: config.resamples,
            seconds: (ContinuousClock.now - clock).seconds,
            missingCells: Self.arms.count * (config.seeds.values.count - cells[0].count), command: command)
    }

    // MARK: One batch

    private typealias Found = (measured: [String: Double], predicted: [String: Double])

    /// Measures and predictions of every arm, means over the queries of one batch.
    private func batch(_ seed: UInt64) throws -> [Found] {
        let options = config.gradient
        let pairs = Self.pairs(options, seed: seed)
        let shapes = try Shape.allCases.map { try Noise($0 == .sublinear ? 0.5 : 0, of: pairs.keys, options.deviation) }
        var found: [[Found]] = Array(repeating: [], count: Self.arms.count)
        var sums = Self.arms.map { _ in (0..<options.queries).map { _ in Moments(columns: options.columns) } }
        let models = [false, true].map { isRenormalized in
            (0..<options.queries).map {
                NoisyGradient(
                    query: pairs.queries[$0], keys: pairs.keys, positive: $0, temperature: options.temperature,
                    isRenormalized: isRenormalized)
            }
        }
        let field = RandomField(seed: seed, purpose: .outputNoise)
        let raw = Floats(count: options.columns)
        for sample in 0..<options.samples / 2 {
            let noise = (0..<options.rows + options.queries).map { row in
                field.normals(step: sample, row: row, into: raw)
                return raw.array.map(Double.init)
            }
            let shaped = shapes.map { shape in noise.map { shape.colour($0) } }
            for (index, arm) in Self.arms.enumerated() {
                let own = shaped[arm.shape == .sublinear ? 1 : 0]
                for query in 0..<options.queries {
                    let model = models[arm.isRenormalized ? 1 : 0][query]
                    let sides = [1.0, -1.0].map { sign in
                        model.gradient(
                            query: arm.placement == .keys
                                ? model.query : add(model.query, own[options.rows + query], sign),
                            keys: arm.placement == .query
                                ? model.keys : zip(model.keys, own).map { add($0, $1, sign) })
                    }
                    sums[index][query].add(zip(sides[0], sides[1]).map { ($0 + $1) / 2 })
                }
            }
        }
        for (index, arm) in Self.arms.enumerated() {
            let shape = shapes[arm.shape == .sublinear ? 1 : 0]
            for query in 0..<options.queries {
                let model = models[arm.isRenormalized ? 1 : 0][query]
                found[index].append(
                    compare(sums[index][query], model, predicted: prediction(arm, model, shape), options))
            }
        }
        return found.map { parts in
            (mean(parts.map(\.measured)), mean(parts.map(\.predicted)))
        }
    }

    private func prediction(_ arm: Arm, _ model: NoisyGradient, _ noise: Noise) -> [Double] {
        let onQuery = model.queryShift(covariance: noise.covariance, directions: noise.directions)
        let onKeys = model.keyShift(covariance: noise.covariance)
        switch arm.placement {
        case .query: return onQuery
        case .keys: return onKeys
        case .both: return add(onQuery, onKeys, 1)
        }
    }

    private func compare(
        _ moments: Moments, _ model: NoisyGradient, predicted: [Double], _ options: GradientConfig
    ) -> Found {
        let plain = model.gradient(query: model.query, keys: model.keys)
        let shift = add(moments.mean, plain, -1)
        let scale = options.temperature * options.temperature / (options.deviation * options.deviation)
        func values(_ shift: [Double]) -> [String: Double] {
            let across = tangent(shift, at: model.query)
            return [
                "radial": scale * dot(model.query, shift), "tangential": scale * dot(across, across).squareRoot(),
                "shift": (dot(shift, shift) / dot(plain, plain)).squareRoot(),
            ]
        }
        let size = dot(predicted, predicted).squareRoot()
        let missed = add(shift, predicted, -1)
        var (measured, expected) = (values(shift), values(predicted))
        measured["residual"] = dot(missed, missed).squareRoot() / size
        expected["residual"] = moments.errorOfMean / size
        return (measured, expected)
    }

    private func mean(_ parts: [[String: Double]]) -> [String: Double] {
        Dictionary(
            uniqueKeysWithValues: (parts.first ?? [:]).keys.map { key in
                (key, parts.reduce(0) { $0 + ($1[key] ?? .nan) } / Double(parts.count))
            })
    }

    /// Unit keys with a common mean and a falling spectrum, as trained representations have, and unit queries at a given mean cosine
    /// to them.
    private static func pairs(_ options: GradientConfig, seed: UInt64) -> (queries: [[Double]], keys: [[Double]]) {
        let field = RandomField(seed: seed, purpose: .test)
        let columns = options.columns
        func normals(_ step: Int, _ row: Int) -> [Double] {
            let raw = Floats(count: columns)
            field.normals(step: step, row: row, into: raw)
            return raw.array.map(Double.init)
        }
        func unit(_ x: [Double]) -> [Double] {
            let norm = dot(x, x).squareRoot()
            return x.map { $0 / norm }
        }
        let keys = (0..<options.rows).map { row in
            unit(normals(0, row).enumerated().map { ($0 == 0 ? 1 : 0) + $1 / Double($0 + 1).squareRoot() })
        }
        let queries = keys.enumerated().map { row, key in
            let other = unit(tangent(normals(1, row), at: key))
            let sine = (1 - options.cosine * options.cosine).squareRoot()
            return unit(zip(key, other).map { options.cosine * $0 + sine * $1 })
        }
        return (queries, keys)
    }
}

/// Noise of one shape: `ε = M g`, M = δ V diag(S) Vᵀ with S_j = σ_j^p, scaled to Σ S² = E.
private struct Noise {
    let covariance: [[Double]]
    /// Eigenvectors and eigenvalues of the covariance.
    let directions: [(vector: [Double], variance: Double)]
    private let matrix: [[Double]]

    init(_ power: Double, of rows: [[Double]], _ deviation: Double) throws {
        let columns = rows[0].count
        let gram = Doubles(repeating: 0, count: columns * columns)
        for row in rows { for a in 0..<columns { for b in 0..<columns { gram[a * columns + b] += row[a] * row[b] } } }
        let values = try symmetricEigen(gram, order: columns).array
        // σ = √λ; directions outside the data's span have none.
        let amplitudes = values.map { $0 > 1e-12 ? Foundation.pow($0.squareRoot(), power) : 0 }
        let scale = (Double(columns) / amplitudes.reduce(0) { $0 + $1 * $1 }).squareRoot() * deviation
        let directions = (0..<columns).map { index in
            let amplitude = amplitudes[index] * scale
            return (vector: gram[index * columns..<(index + 1) * columns].array, variance: amplitude * amplitude)
        }
        func sum(_ weight: (Double) -> Double) -> [[Double]] {
            (0..<columns).map { a in
                (0..<columns).map { b in directions.reduce(0) { $0 + weight($1.variance) * $1.vector[a] * $1.vector[b] }
                }
            }
        }
        self.directions = directions
        covariance = sum { $0 }
        matrix = sum { $0.squareRoot() }
    }

    func colour(_ g: [Double]) -> [Double] { product(matrix, g) }
}

/// Sums for the mean of vectors and the size of its error.
private struct Moments {
    private var sum: [Double]
    private var squares = 0.0
    private var count = 0.0

    init(columns: Int) { sum = Array(repeating: 0, count: columns) }

    mutating func add(_ x: [Double]) {
        for index in x.indices { sum[index] += x[index] }
        squares += dot(x, x)
        count += 1
    }

    var mean: [Double] { sum.map { $0 / count } }

    /// √(E‖mean − expectation‖²), from the sample's variance.
    var errorOfMean: Double { ((squares - dot(sum, sum) / count) / (count - 1) / count).squareRoot() }
}

private func add(_ a: [Double], _ b: [Double], _ scale: Double) -> [Double] {
    var result = a
    for index in a.indices { result[index] += scale * b[index] }
    return result
}
