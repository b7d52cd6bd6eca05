// The noise against an independent float64 reference, for every scaling, energy, centring, solver, shape, world and sharding.

import Buffers
import FANoise
import Oracles
import Randomness
import Testing

/// A combination of settings with an exact reference.
struct ReferenceCase: Sendable, CustomTestStringConvertible {
    var scaling: NoiseOptions.Scaling
    var power: Double?
    var energy: NoiseOptions.Energy
    var center: Bool
    var solver: NoiseOptions.Solver

    var testDescription: String { "\(scaling) \(power ?? -1) \(energy) \(center ? "centred " : "")\(solver)" }
    var exponent: Double { power ?? (scaling == .uniform ? 0 : scaling == .linear ? 1 : 0.5) }

    static let all: [ReferenceCase] = {
        let shapes: [(NoiseOptions.Scaling, Double?)] = [
            (.uniform, nil), (.sublinear, nil), (.linear, nil), (.power, 0.25), (.power, 2), (.power, -0.5),
        ]
        var cases: [ReferenceCase] = []
        for solver in NoiseOptions.Solver.allCases {
            for center in [false, true] {
                for energy in NoiseOptions.Energy.allCases {
                    for (scaling, power) in shapes {
                        cases.append(
                            ReferenceCase(
                                scaling: scaling, power: power, energy: energy, center: center, solver: solver))
                    }
                }
            }
        }
        return cases
    }()
}

/// ‖a − b‖ / ‖noise‖: what is wrong with the noise, relative to the noise.
func error(_ result: [Float], _ x: Dense, _ noise: Dense) -> Double {
    var difference = noise
    for index in difference.values.indices { difference.values[index] += x.values[index] - Double(result[index]) }
    return noise.norm > 0 ? difference.norm / noise.norm : difference.norm
}

@Suite struct NoiseReferenceTests {
    static let shapes = [(1, 1), (1, 5), (3, 8), (7, 7), (20, 6), (33, 17), (5, 19)]

    /// Rounding X̃ = X + noise to float32 leaves 2⁻²⁴ ‖X‖/‖noise‖ (below 100 here, α = 0.5: 6e-6); the products sum at most 33
    /// terms of 2⁻²⁴ each (2e-6). Errors of σ: 2⁻⁵³ (σ_1/σ)² for the Gram route, 1e-3 · p at the very tolerance for orders of
    /// 5 × 19 and far less for these batches, whose non-zero σ lie within 10⁻⁴ of σ_1: 2e-8.
    static let tolerance = 1e-5
    /// Of float32 products σ is good to 2⁻²⁴ (σ_1/σ)² or so: 4e-5 where it is a twenty-fifth of σ_1, times p, at most 2. `decaying` batches
    /// have smaller ones: what is lost of those is in `singleProductsLoseWhatTheySay`.
    static let singleTolerance = 2e-4

    @Test(arguments: ReferenceCase.all) func matchesTheReference(_ test: ReferenceCase) throws {
        for (m, n) in Self.shapes {
            for kind in BatchKind.allCases where kind != .decaying || test.solver != .gram32 {
                let values = kind.values(rows: m, columns: n)
                let x = Dense(m, n, values)
                let field = RandomField(seed: 5, purpose: .outputNoise, stream: 2)
                let gaussian = field.normals(step: 3, firstRow: 0, rows: m, columns: n).array
                let noise = referenceNoise(
                    x, gaussian: Dense(m, n, gaussian), alpha: 0.5, power: test.exponent,
                    isMatched: test.energy == .matched,
                    isCentred: test.center)
                let options = NoiseOptions(
                    scaling: test.scaling, strength: 0.5, power: test.power, energy: test.energy, center: test.center,
                    solver: test.solver)
                for ranks in 1...4 {
                    let sharding = Sharding.allCases[(m + n + ranks) % 3]
                    let result = try perturbed(
                        values, rows: m, columns: n, options: options, ranks: ranks, sharding: sharding, stream: 2)
                    let found = error(result.values, x, noise)
                    let tolerance = test.solver == .gram32 ? Self.singleTolerance : Self.tolerance
                    #expect(found < tolerance, "\(kind) \(m)×\(n) on \(ranks) ranks, \(sharding)")
                }
            }
        }
    }

    @Test(arguments: 1...4) func gaussianIsWhiteNoise(ranks: Int) throws {
        let (m, n) = (9, 5)
        let values = BatchKind.random.values(rows: m, columns: n)
        let field = RandomField(seed: 5, purpose: .outputNoise, stream: 0)
        let gaussian = field.normals(step: 3, firstRow: 0, rows: m, columns: n).array
        let result = try perturbed(
            values, rows: m, columns: n, options: NoiseOptions(scaling: .gaussian, strength: 0.3), ranks: ranks,
            sharding: .growing)
        for index in values.indices {
            let expected = Double(values[index]) + 0.3 / 5.0.squareRoot() * Double(gaussian[index])
            // One product and one sum in float32.
            #expect(abs(Double(result.values[index]) - expected) <= 0x1p-22 * (abs(expected) + 1))
        }
    }

    /// ε from the caller takes the place of random numbers, row by row.
    @Test(arguments: [1, 3]) func acceptsGaussianNumbers(ranks: Int) throws {
        let (m, n) = (8, 6)
        let values = BatchKind.decaying.values(rows: m, columns: n)
        let gaussian = RandomField(seed: 1, purpose: .test).normals(step: 0, firstRow: 0, rows: m, columns: n).array
        let noise = referenceNoise(
            Dense(m, n, values), gaussian: Dense(m, n, gaussian), alpha: 0.5, power: 0.5, isMatched: false,
            isCentred: false)
        let result = try perturbed(
            values, rows: m, columns: n, options: NoiseOptions(strength: 0.5), ranks: ranks, gaussian: gaussian)
        #expect(error(result.values, Dense(m, n, values), noise) < Self.tolerance)
    }

    /// Both sides' rows make the one spectrum; each side draws numbers of its own.
    @Test(arguments: 1...3) func jointSpectrumStacksTheSides(ranks: Int) throws {
        let n = 6
        let sizes = [7, 11]
        let sides = [BatchKind.random.values(rows: 7, columns: n), BatchKind.decaying.values(rows: 11, columns: n)]
        let whole = Dense(18, n, sides[0] + sides[1])
        let options = NoiseOptions(strength: 0.5, spectrum: .joint)
        let parts = try inWorld(ranks) { communicator -> [[Float]] in
            let shaper = try NoiseShaper(options: options, columns: n, seed: 5)
            let local = (0..<2).map { side -> NoiseSide in
                let counts = Sharding.even.counts(rows: sizes[side], ranks: ranks)
                let first = counts[..<communicator.rank].reduce(0, +)
                let own = first * n..<(first + counts[communicator.rank]) * n
                return NoiseSide(
                    Floats(Array(sides[side][own])), rows: counts[communicator.rank], firstRow: first,
                    globalRows: sizes[side])
            }
            return try shaper.perturb(local, step: 3, communicator: communicator).map(\.perturbed.array)
        }
        for side in 0..<2 {
            let x = Dense(sizes[side], n, sides[side])
            let gaussian = RandomField(seed: 5, purpose: .outputNoise, stream: UInt32(side))
                .normals(step: 3, firstRow: 0, rows: sizes[side], columns: n).array
            let noise = referenceNoise(
                x, gaussian: Dense(x.rows, n, gaussian), alpha: 0.5, power: 0.5, isMatched: false, isCentred: false,
                rowsOfSpectrum: whole)
            #expect(error(parts.flatMap { $0[side] }, x, noise) < Self.tolerance)
        }
    }

    /// A rank's own spectrum, when asked for: rank 1 of 2 gets what it would get alone, but for the row numbers.
    @Test func scopeRankTakesOwnRows() throws {
        let (m, n) = (12, 5)
        let values = BatchKind.decaying.values(rows: m, columns: n)
        let result = try perturbed(
            values, rows: m, columns: n, options: NoiseOptions(strength: 0.5, scope: .rank), ranks: 2)
        for rank in 0..<2 {
            let own = Array(values[rank * 30..<(rank + 1) * 30])
            let gaussian = RandomField(seed: 5, purpose: .outputNoise).normals(
                step: 3, firstRow: 6 * rank, rows: 6, columns: n
            ).array
            let noise = referenceNoise(
                Dense(6, n, own), gaussian: Dense(6, n, gaussian), alpha: 0.5, power: 0.5, isMatched: false,
                isCentred: false)
            #expect(error(Array(result.values[rank * 30..<(rank + 1) * 30]), Dense(6, n, own), noise) < Self.tolerance)
        }
    }
}
