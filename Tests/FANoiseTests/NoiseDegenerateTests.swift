// Batches that are empty, flat, zero or broken: finite noise, none, or one sentence on every rank. Not here: ordinary batches.

import Buffers
import Collectives
import FANoise
import Failures
import Testing

@Suite struct NoiseDegenerateTests {
    static let adaptive: [NoiseOptions.Scaling] = [.uniform, .sublinear, .linear, .shuffled]

    @Test(arguments: adaptive, NoiseOptions.Solver.allCases)
    func zeroBatchesGetNoNoise(scaling: NoiseOptions.Scaling, solver: NoiseOptions.Solver) throws {
        for (m, n) in [(1, 1), (4, 7), (7, 4)] {
            for ranks in [1, 3] {
                for energy in NoiseOptions.Energy.allCases {
                    let zeros = BatchKind.zero.values(rows: m, columns: n)
                    let options = NoiseOptions(scaling: scaling, energy: energy, solver: solver)
                    let result = try perturbed(
                        zeros, rows: m, columns: n, options: options, ranks: ranks, sharding: .lastOnly)
                    #expect(result.values == zeros)
                    #expect(
                        result.report.noiseToSignal == 0 && result.report.cosine == 1
                            && result.report.advice == [.empty])
                }
            }
        }
    }

    /// A centred batch of equal rows is zero up to rounding: the tolerance, relative to what centring removed, must catch it.
    @Test(arguments: NoiseOptions.Solver.allCases) func equalRowsHaveNothingToCentre(solver: NoiseOptions.Solver) throws
    {
        for (m, n) in [(1, 5), (2, 3), (40, 6), (41, 6), (43, 5), (60, 9), (77, 8), (5, 17), (7, 23)] {
            let values = BatchKind.equalRows.values(rows: m, columns: n)
            let result = try perturbed(
                values, rows: m, columns: n, options: NoiseOptions(scaling: .uniform, center: true, solver: solver),
                ranks: 2)
            #expect(result.values == values, "\(m)×\(n)")
        }
    }

    @Test(arguments: NoiseOptions.Solver.allCases) func noRowsAtAll(solver: NoiseOptions.Solver) throws {
        let result = try perturbed([], rows: 0, columns: 4, options: NoiseOptions(solver: solver), ranks: 2)
        #expect(result.values.isEmpty && result.report.noiseToSignal == 0)
    }

    /// Rank-deficient batches get noise in their span only: what is orthogonal to it stays.
    @Test(arguments: adaptive, [NoiseOptions.Solver.gram, .svd, .randomized])
    func noiseStaysInTheSpan(scaling: NoiseOptions.Scaling, solver: NoiseOptions.Solver) throws {
        // Rows span e_0 + e_1 and e_2; e_0 − e_1 and e_3 are never touched.
        let (m, n) = (6, 4)
        var values = Array(repeating: Float(0), count: m * n)
        for row in 0..<m {
            values[row * n] = Float(row) - 2
            values[row * n + 1] = Float(row) - 2
            values[row * n + 2] = Float(row % 3) + 1
        }
        let result = try perturbed(
            values, rows: m, columns: n, options: NoiseOptions(scaling: scaling, strength: 1, solver: solver), ranks: 2)
        for row in 0..<m {
            let noise = (0..<n).map { Double(result.values[row * n + $0] - values[row * n + $0]) }
            let size = noise.reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(size > 0.01)
            // Rounding of values below 8 and of the basis.
            #expect(abs(noise[0] - noise[1]) < 4e-6 && abs(noise[3]) < 4e-6)
        }
        #expect(result.report.advice.contains(.rankDeficient(dimension: 2, order: 4)))
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity], NoiseOptions.Scaling.allCases)
    func nonFiniteValuesNameRankAndRow(value: Float, scaling: NoiseOptions.Scaling) throws {
        let (m, n) = (9, 11)
        var values = BatchKind.random.values(rows: m, columns: n)
        values[7 * n + 10] = value
        let broken = values
        let options = NoiseOptions(scaling: scaling, power: scaling == .power ? 0.5 : nil)
        let messages = try inWorld(3) { communicator -> String in
            let shaper = try NoiseShaper(options: options, columns: n, seed: 1)
            let first = 3 * communicator.rank
            do {
                _ = try shaper.perturb(
                    Floats(Array(broken[first * n..<(first + 3) * n])), rows: 3, firstRow: first, globalRows: m,
                    step: 0,
                    communicator: communicator)
                return "no failure"
            } catch let failure as Failure {
                return "\(failure.exitCode): \(failure.message)"
            }
        }
        #expect(
            Set(messages) == [
                "65: representations are not finite: row 7 of the global batch, on rank 2, has a NaN or an infinity"
            ])
    }

    @Test func givenNumbersMustBeFiniteToo() {
        let values = BatchKind.random.values(rows: 4, columns: 3)
        var gaussian = values
        gaussian[7] = .nan
        let broken = gaussian
        let failure = #expect(throws: Failure.self) {
            try perturbed(values, rows: 4, columns: 3, options: NoiseOptions(), ranks: 2, gaussian: broken)
        }
        #expect(failure?.exitCode == 65)
        #expect(failure?.message.contains("given Gaussian numbers are not finite: row 2") == true)
    }

    @Test func rowsThatDoNotAddUpFailOnEveryRank() throws {
        let codes = try inWorld(2) { communicator -> Int32 in
            let shaper = try NoiseShaper(options: NoiseOptions(), columns: 2, seed: 1)
            do {
                _ = try shaper.perturb(
                    Floats(repeating: 1, count: 4), rows: 2, firstRow: 2 * communicator.rank, globalRows: 5, step: 0,
                    communicator: communicator)
                return 0
            } catch let failure as Failure { return failure.exitCode }
        }
        #expect(codes == [70, 70])
    }

    /// The largest float32 squares overflow float32, not the float64 of the spectrum.
    @Test func hugeAndTinyValuesHaveASpectrum() throws {
        for scale in [Float(1e30), 1e-30] {
            let values = BatchKind.random.values(rows: 8, columns: 5).map { $0 * scale }
            let result = try perturbed(values, rows: 8, columns: 5, options: NoiseOptions(scaling: .uniform), ranks: 2)
            #expect(result.values.allSatisfy { $0.isFinite })
            #expect(result.report.spectrum?.dimension == 5)
        }
    }
}
