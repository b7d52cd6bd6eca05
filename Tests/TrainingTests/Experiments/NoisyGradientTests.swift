// Formulas of expected gradients against second differences and draws. Not here: whole experiments of kind gradient.

import Buffers
import Foundation
import Randomness
import Testing

@testable import Training

@Suite struct NoisyGradientTests {
    private static let columns = 5

    private static func unit(_ row: Int) -> [Double] {
        let raw = Floats(count: columns)
        RandomField(seed: 9, purpose: .test).normals(step: 0, row: row, into: raw)
        let values = raw.array.map(Double.init)
        let norm = dot(values, values).squareRoot()
        return values.map { $0 / norm }
    }

    private static func model(_ isRenormalized: Bool) -> NoisyGradient {
        NoisyGradient(
            query: unit(0), keys: (1..<8).map(unit), positive: 2, temperature: 0.3, isRenormalized: isRenormalized)
    }

    /// A covariance that is no multiple of I, by its directions.
    private static let directions = (0..<columns).map { index in
        (vector: (0..<columns).map { $0 == index ? 1.0 : 0 }, variance: 0.5 + Double(index))
    }
    private static let covariance = (0..<columns).map { a in
        (0..<columns).map { b in a == b ? 0.5 + Double(a) : 0 }
    }

    /// ½ Σ_a c_a (g(+h v_a) − 2 g + g(−h v_a)) / h²
    private static func secondDifferences(_ gradient: ([Double]) -> [Double]) -> [Double] {
        let h = 1e-4
        let here = gradient(Array(repeating: 0, count: columns))
        var sum = [Double](repeating: 0, count: columns)
        for (vector, variance) in directions {
            let (ahead, behind) = (gradient(vector.map { h * $0 }), gradient(vector.map { -h * $0 }))
            for column in sum.indices {
                sum[column] += 0.5 * variance * (ahead[column] - 2 * here[column] + behind[column]) / (h * h)
            }
        }
        return sum
    }

    private static func plus(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 + $1 } }

    private static func differ(_ a: [Double], _ b: [Double]) -> Double {
        let difference = zip(a, b).map { $0 - $1 }
        return (dot(difference, difference) / dot(b, b)).squareRoot()
    }

    @Test(arguments: [false, true]) func noiseOnKeys(_ isRenormalized: Bool) {
        let model = Self.model(isRenormalized)
        // Independent noise on each key: the sum of what each one's adds.
        var expected = [Double](repeating: 0, count: Self.columns)
        for key in model.keys.indices {
            let part = Self.secondDifferences { noise in
                var keys = model.keys
                keys[key] = Self.plus(keys[key], noise)
                return model.gradient(query: model.query, keys: keys)
            }
            expected = Self.plus(expected, part)
        }
        #expect(Self.differ(model.keyShift(covariance: Self.covariance), expected) < 1e-5)
    }

    @Test(arguments: [false, true]) func noiseOnTheQuery(_ isRenormalized: Bool) {
        let model = Self.model(isRenormalized)
        let expected = Self.secondDifferences {
            model.gradient(query: Self.plus(model.query, $0), keys: model.keys)
        }
        let shift = model.queryShift(covariance: Self.covariance, directions: Self.directions)
        #expect(Self.differ(shift, expected) < 1e-5)
    }

    /// The gradient is that of the loss.
    @Test(arguments: [false, true]) func theGradientIsThatOfTheLoss(_ isRenormalized: Bool) {
        let model = Self.model(isRenormalized)
        func loss(_ x: [Double]) -> Double {
            let norm = isRenormalized ? dot(x, x).squareRoot() : 1
            let z = model.keys.map { dot(x, $0) / norm / model.temperature }
            return log(z.reduce(0) { $0 + exp($1) }) - z[model.positive]
        }
        let gradient = model.gradient(query: model.query, keys: model.keys)
        for column in 0..<Self.columns {
            var (ahead, behind) = (model.query, model.query)
            ahead[column] += 1e-6
            behind[column] -= 1e-6
            #expect(abs((loss(ahead) - loss(behind)) / 2e-6 - gradient[column]) < 1e-7)
        }
    }

    /// With isotropic noise on many keys of equal weight, the paper's term alone is left: E∇̃ − ∇ = (δ²/τ²) q, and a normalisation
    /// of the query removes it.
    @Test func manyKeysLeaveStein() {
        let isotropic = (0..<Self.columns).map { a in (0..<Self.columns).map { a == $0 ? 0.01 : 0 } }
        let keys = (1..<4000).map(Self.unit)
        let raw = NoisyGradient(
            query: Self.unit(0), keys: keys, positive: 0, temperature: 10, isRenormalized: false)
        let stein = raw.query.map { 0.01 / 100 * $0 }
        #expect(Self.differ(raw.keyShift(covariance: isotropic), stein) < 1e-3)
        let normalised = NoisyGradient(
            query: raw.query, keys: keys, positive: 0, temperature: 10, isRenormalized: true)
        #expect(abs(dot(normalised.keyShift(covariance: isotropic), raw.query)) < 1e-12)
    }

    /// Stopped in the middle, an experiment without cells leaves the results of an earlier run as they are.
    @Test func aStoppedRunWritesNothing() throws {
        var config = ExperimentConfig()
        (config.name, config.kind, config.seeds.values) = ("gradient", .gradient, [1, 2])
        config.gradient.samples = 20
        (config.gradient.rows, config.gradient.columns, config.gradient.queries) = (10, 6, 2)
        var options = ExperimentRunner.Options()
        options.output = FileManager.default.temporaryDirectory.appending(path: "gradient-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: options.output) }
        let experiment = try Experiment(config, options: options, program: "", command: "")
        #expect(!experiment.keepsCells)
        #expect(try experiment.run(say: { _ in }, isStopped: { false }).missingCells == 0)
        let files = ["results.json", "results.csv", "report.html"].map {
            URL(fileURLWithPath: "\(experiment.folder)/\($0)")
        }
        let before = try files.map { try Data(contentsOf: $0) }
        var looks = 0
        let part = try experiment.run(
            say: { _ in },
            isStopped: {
                looks += 1
                return looks > 1
            })
        #expect(part.missingCells == 12)
        #expect(try files.map { try Data(contentsOf: $0) } == before)
    }

    /// A small experiment: measured values agree with predicted ones within Monte-Carlo error.
    @Test func monteCarloAgrees() throws {
        var config = ExperimentConfig()
        (config.name, config.kind, config.seeds.values) = ("gradient", .gradient, [1, 2])
        config.gradient.samples = 4000
        (config.gradient.rows, config.gradient.columns, config.gradient.queries) = (10, 6, 2)
        config.gradient.deviation = 0.005
        let results = try GradientExperiment(config: config, command: "").run(say: { _ in }, isStopped: { false })
        #expect(results.arms.count == 12 && results.missingCells == 0)
        for arm in results.arms {
            let residual = try #require(arm.summary("residual"))
            let expected = try #require(residual.predicted)
            #expect(residual.mean < 2 * expected + 0.02 && expected < 0.3, "\(arm.name): \(residual.mean), \(expected)")
        }
        let keys = try #require(results.arm("keys, isotropic, raw")?.summary("radial"))
        #expect(abs(keys.mean - (keys.predicted ?? 0)) < 0.1)
    }
}
