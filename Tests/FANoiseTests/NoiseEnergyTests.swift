// What the noise is as a random variable: its energy, its shape matrix, shuffling, the figures reported. Not here: references.

import Buffers
import FANoise
import Foundation
import Oracles
import Randomness
import Testing

@Suite struct NoiseEnergyTests {
    /// E‖noise row‖² = α²/n Σ S²; over N rows the mean has the standard deviation α²/n √(2 Σ S⁴ / N).
    @Test(
        arguments: [NoiseOptions.Scaling.gaussian, .uniform, .sublinear, .linear, .shuffled],
        NoiseOptions.Energy.allCases)
    func energyOfARow(scaling: NoiseOptions.Scaling, energy: NoiseOptions.Energy) throws {
        let (m, n, alpha) = (4000, 8, 0.7)
        let values = BatchKind.decaying.values(rows: m, columns: n)
        let options = NoiseOptions(scaling: scaling, strength: Float(alpha), energy: energy)
        let result = try perturbed(values, rows: m, columns: n, options: options, ranks: 2)
        var gains = Array(repeating: 1.0, count: n)
        if let exponent = options.exponent {
            let powers = jacobiSVD(Dense(m, n, values)).sigma.map { Foundation.pow($0, exponent) }
            gains = powers.map { $0 * Double(n) / powers.reduce(0, +) }
        }
        if energy == .matched {
            let squares = gains.reduce(0) { $0 + $1 * $1 }
            gains = gains.map { $0 * (Double(n) / squares).squareRoot() }
        }
        let squares = gains.reduce(0) { $0 + $1 * $1 }
        let fourths = gains.reduce(0) { $0 + pow($1, 4) }
        let expected = alpha * alpha / Double(n) * squares
        let found = zip(values, result.values).reduce(0) { $0 + pow(Double($1.1) - Double($1.0), 2) } / Double(m)
        let deviation = alpha * alpha / Double(n) * (2 * fourths / Double(m)).squareRoot()
        #expect(abs(found - expected) < 4 * deviation)
        let signal = values.reduce(0) { $0 + Double($1) * Double($1) }
        // The figure is of the noise before rounding to float32.
        #expect(abs(result.report.noiseToSignal / (found * Double(m) / signal).squareRoot() - 1) < 1e-5)
        #expect(abs(result.report.rowNorm / (signal / Double(m)).squareRoot() - 1) < 1e-9)
        let cosines = (0..<m).map { row -> Double in
            let (x, y) = (
                values[row * n..<row * n + n].map { Double($0) },
                result.values[row * n..<row * n + n].map { Double($0) }
            )
            let products = zip(x, y).reduce(into: (0.0, 0.0, 0.0)) {
                $0 = ($0.0 + $1.0 * $1.1, $0.1 + $1.0 * $1.0, $0.2 + $1.1 * $1.1)
            }
            return products.0 / (products.1 * products.2).squareRoot()
        }
        #expect(abs(result.report.cosine - cosines.reduce(0, +) / Double(m)) < 1e-6)
    }

    /// M itself, read off with ε = I and a strength that makes rounding of X + noise harmless.
    private func shapeMatrix(
        _ options: NoiseOptions, _ values: [Float], _ m: Int, _ n: Int, seed: UInt64 = 5, ranks: Int = 1
    )
        throws -> Dense
    {
        var identity = Array(repeating: Float(0), count: m * n)
        for index in 0..<min(m, n) { identity[index * n + index] = 1 }
        var options = options
        options.strength = 1e4 * Float(n).squareRoot()
        let result = try perturbed(
            values, rows: m, columns: n, options: options, ranks: ranks, seed: seed, gaussian: identity)
        return Dense(n, n, (0..<n * n).map { (Double(result.values[$0]) - Double(values[$0])) / 1e4 })
    }

    @Test(arguments: [1, 3]) func shufflingKeepsTheGains(ranks: Int) throws {
        let (m, n) = (20, 6)
        let values = BatchKind.decaying.values(rows: m, columns: n)
        let ordered = try shapeMatrix(NoiseOptions(), values, m, n)
        let shuffled = try shapeMatrix(NoiseOptions(scaling: .shuffled), values, m, n, ranks: ranks)
        let other = try shapeMatrix(NoiseOptions(scaling: .shuffled), values, m, n, seed: 6)
        // Eigenvalues of M are S, whatever the order; float32 products of gains up to 3.
        for (value, expected) in zip(jacobiSVD(shuffled).sigma, jacobiSVD(ordered).sigma) {
            #expect(abs(value - expected) < 1e-5)
        }
        #expect(zip(shuffled.values, ordered.values).contains { abs($0 - $1) > 0.1 })
        #expect(zip(shuffled.values, other.values).contains { abs($0 - $1) > 0.1 })
        #expect(zip(shuffled.values, shuffled.transposed.values).allSatisfy { abs($0 - $1) < 1e-5 })
        // Same eigenvectors: the matrices commute.
        let commutator = zip((shuffled * ordered).values, (ordered * shuffled).values).map { abs($0 - $1) }
        #expect(commutator.allSatisfy { $0 < 1e-4 })
    }

    /// Only the non-zero directions take part: a zero direction never receives a gain.
    @Test func shufflingLeavesZeroDirections() throws {
        let (m, n) = (12, 6)
        let values = BatchKind.deficient.values(rows: m, columns: n)
        let sigma = jacobiSVD(try shapeMatrix(NoiseOptions(scaling: .shuffled), values, m, n)).sigma
        let ordered = jacobiSVD(try shapeMatrix(NoiseOptions(), values, m, n)).sigma
        for (value, expected) in zip(sigma, ordered) { #expect(abs(value - expected) < 1e-5) }
        #expect(sigma[2] < 1e-5)
    }

    /// With a flat tail the randomized solver's picture of the rest is right: M is that of the exact solver.
    @Test(arguments: 1...3) func randomizedResolvesAFlatTail(ranks: Int) throws {
        let (m, n) = (60, 40)
        let left = jacobiSVD(Dense(n, m, BatchKind.random.values(rows: n, columns: m))).right
        let right = jacobiSVD(Dense(n, n, BatchKind.random.values(rows: n, columns: n))).right
        var scaled = left
        for row in 0..<m { for column in 0..<n { scaled[row, column] *= column < 4 ? 40 - Double(column) * 5 : 1 } }
        let values = (scaled * right.transposed).values.map { Float($0) }
        let exact = try shapeMatrix(NoiseOptions(solver: .svd), values, m, n)
        let options = NoiseOptions(solver: .randomized, sketch: 4)
        let found = try shapeMatrix(options, values, m, n, ranks: ranks)
        // Three steps reduce what the start has of the tail by (1/25)⁶; the rest is float32.
        #expect(zip(found.values, exact.values).allSatisfy { abs($0 - $1) < 2e-5 })
        let report = try perturbed(values, rows: m, columns: n, options: options).report
        #expect(report.solver == .randomized && report.advice.contains(.approximate(resolved: 4, order: 40)))
    }

    /// A batch of fewer directions than the sketch is exact, tall or wide.
    @Test(arguments: [(60, 40), (40, 60)]) func randomizedIsExactForLowRank(m: Int, n: Int) throws {
        let values = BatchKind.deficient.values(rows: m, columns: n)
        let exact = try perturbed(values, rows: m, columns: n, options: NoiseOptions(strength: 1, solver: .svd))
        let found = try perturbed(
            values, rows: m, columns: n, options: NoiseOptions(strength: 1, solver: .randomized, sketch: 8))
        #expect(zip(found.values, exact.values).allSatisfy { abs($0 - $1) < 1e-5 })
        #expect(found.report.spectrum?.dimension == 2 && found.report.spectrum?.isApproximate == false)
    }
}
