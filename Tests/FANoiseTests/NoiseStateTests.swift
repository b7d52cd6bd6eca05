// What survives a step: shapes under `refresh`, their saving, the schedule; and options that contradict each other.

import Buffers
import Collectives
import FANoise
import Failures
import Foundation
import Oracles
import Randomness
import Testing

@Suite struct NoiseStateTests {
    private static func batch(_ step: Int, _ m: Int, _ n: Int) -> [Float] {
        RandomField(seed: 9, purpose: .test, stream: 1).normals(step: step, firstRow: 0, rows: m, columns: n).array
    }

    /// Perturbs batches of `steps` in a row, on W ranks, with shapers that may start from saved states; returns values and states.
    private func train(
        _ steps: Range<Int>, options: NoiseOptions, rows m: Int, columns n: Int, ranks: Int, from saved: [Doubles] = []
    ) throws -> [(values: [[Float]], state: [Doubles], spectrumSteps: [Int?])] {
        try inWorld(ranks) { communicator in
            let shaper = try NoiseShaper(options: options, columns: n, seed: 5)
            try shaper.restore(saved)
            let counts = Sharding.even.counts(rows: m, ranks: ranks)
            let first = counts[..<communicator.rank].reduce(0, +)
            let count = counts[communicator.rank]
            let results = try steps.map { step in
                let own = Array(Self.batch(step, m, n)[first * n..<(first + count) * n])
                return try shaper.perturb(
                    Floats(own), rows: count, firstRow: first, globalRows: m, step: step, communicator: communicator)
            }
            return (results.map(\.perturbed.array), shaper.state, results.map(\.report.spectrumStep))
        }
    }

    /// The spectrum of the window's first step serves all its steps, with new random numbers each.
    @Test(arguments: 1...3) func refreshKeepsTheShape(ranks: Int) throws {
        let (m, n) = (12, 5)
        let parts = try train(
            3..<8, options: NoiseOptions(strength: 0.5, refresh: 3), rows: m, columns: n, ranks: ranks)
        #expect(parts[0].spectrumSteps == [3, 3, 3, 6, 6])
        for (index, step) in (3..<8).enumerated() {
            let x = Dense(m, n, Self.batch(step, m, n))
            let gaussian = RandomField(seed: 5, purpose: .outputNoise).normals(
                step: step, firstRow: 0, rows: m, columns: n
            ).array
            let noise = referenceNoise(
                x, gaussian: Dense(m, n, gaussian), alpha: 0.5, power: 0.5, isMatched: false, isCentred: false,
                rowsOfSpectrum: Dense(m, n, Self.batch(step / 3 * 3, m, n)))
            #expect(error(parts.flatMap { $0.values[index] }, x, noise) < NoiseReferenceTests.tolerance)
        }
    }

    /// 8 steps = 5 + save + restore + 3, bit for bit, in the middle of a window; tall and wide batches take the two forms of M.
    @Test(arguments: [(40, 5), (4, 9)], [NoiseOptions.Scaling.sublinear, .shuffled, .gaussian])
    func resumesBitForBit(size: (Int, Int), scaling: NoiseOptions.Scaling) throws {
        for refresh in [1, 4] {
            let options = NoiseOptions(scaling: scaling, refresh: refresh)
            let whole = try train(0..<8, options: options, rows: size.0, columns: size.1, ranks: 2)
            let before = try train(0..<5, options: options, rows: size.0, columns: size.1, ranks: 2)
            #expect(before[0].state.isEmpty == (refresh == 1))
            #expect(before[0].state.map(\.array) == before[1].state.map(\.array))
            let after = try train(
                5..<8, options: options, rows: size.0, columns: size.1, ranks: 2, from: before[0].state)
            for rank in 0..<2 { #expect(before[rank].values + after[rank].values == whole[rank].values) }
        }
    }

    @Test func statesThatDoNotFitAreRefused() throws {
        let saved = try train(0..<1, options: NoiseOptions(refresh: 2), rows: 6, columns: 4, ranks: 1)[0].state[0]
        let shaper = try NoiseShaper(options: NoiseOptions(refresh: 2), columns: 5, seed: 0)
        let nan = Doubles(saved.array)
        nan[5] = .nan
        for wrong in [saved, saved[0..<3], saved[0..<saved.count - 1], nan, Doubles(count: 0)] {
            #expect(throws: Failure.self) { try shaper.restore([wrong]) }
        }
        let fitting = try NoiseShaper(options: NoiseOptions(refresh: 2), columns: 4, seed: 0)
        for wrong in [saved[0..<saved.count - 1], nan] {
            #expect(throws: Failure.self) { try fitting.restore([wrong]) }
        }
        try fitting.restore([saved])
    }

    /// Spectrum and shape are the same bits on every rank, whichever rank solved.
    @Test(arguments: [NoiseOptions.Solver.gram, .svd, .randomized], [(30, 7), (7, 30)])
    func allRanksHoldTheSameBits(solver: NoiseOptions.Solver, size: (Int, Int)) throws {
        let options = NoiseOptions(solver: solver, sketch: 3, refresh: 2)
        let states = try inWorld(4) { communicator -> [[Double]] in
            let shaper = try NoiseShaper(options: options, columns: size.1, seed: 5)
            let counts = Sharding.growing.counts(rows: size.0, ranks: 4)
            let first = counts[..<communicator.rank].reduce(0, +)
            let count = counts[communicator.rank]
            let sides = (0..<3).map { side in
                NoiseSide(
                    Floats(Array(Self.batch(side, size.0, size.1)[first * size.1..<(first + count) * size.1])),
                    rows: count,
                    firstRow: first, globalRows: size.0)
            }
            _ = try shaper.perturb(sides, step: 0, communicator: communicator)
            return shaper.state.map(\.array)
        }
        #expect(Set(states).count == 1 && states[0].count == 3)
    }

    @Test func noiseIsAFunctionOfSeedStepAndSide() throws {
        let values = BatchKind.random.values(rows: 6, columns: 4)
        func run(_ step: Int, _ seed: UInt64, _ stream: UInt32) throws -> [Float] {
            try perturbed(values, rows: 6, columns: 4, options: NoiseOptions(), step: step, seed: seed, stream: stream)
                .values
        }
        let base = try run(1, 1, 0)
        #expect(try run(1, 1, 0) == base)
        for other in [try run(2, 1, 0), try run(1, 2, 0), try run(1, 1, 1)] {
            #expect(zip(base, other).allSatisfy { $0 != $1 })
        }
    }

    @Test func scheduleIsAFunctionOfTheStep() {
        let cases: [(NoiseOptions.Schedule, [Float])] = [
            (.constant, [2, 2, 2, 2, 2, 2]), (.warmup(steps: 4), [0, 0.5, 1, 1.5, 2, 2]),
            (.decay(from: 1, to: 5), [2, 2, 1.5, 1, 0.5, 0]),
        ]
        for (schedule, expected) in cases {
            let options = NoiseOptions(strength: 2, schedule: schedule)
            #expect((0..<6).map { options.strength(at: $0) } == expected)
        }
    }

    @Test(arguments: [
        NoiseOptions(scaling: .none), NoiseOptions(strength: 0), NoiseOptions(schedule: .decay(from: 0, to: 1)),
    ])
    func withoutNoiseTheBatchIsUntouched(options: NoiseOptions) throws {
        let values = BatchKind.random.values(rows: 6, columns: 4)
        let result = try perturbed(values, rows: 6, columns: 4, options: options, ranks: 2)
        #expect(result.values == values)
        #expect(
            result.report.noiseToSignal == 0 && abs(result.report.cosine - 1) < 1e-15 && result.report.spectrum == nil)
    }

    @Test(arguments: [
        NoiseOptions(strength: -1), NoiseOptions(strength: .nan), NoiseOptions(scaling: .power),
        NoiseOptions(power: .infinity),
        NoiseOptions(scaling: .linear, power: 2), NoiseOptions(scaling: .gaussian, power: 0.5),
        NoiseOptions(refresh: 0),
        NoiseOptions(sketch: 0), NoiseOptions(refresh: 2, scope: .rank), NoiseOptions(schedule: .warmup(steps: 0)),
        NoiseOptions(schedule: .decay(from: 3, to: 3)),
    ])
    func contradictionsAreConfigurationFailures(options: NoiseOptions) {
        let failure = #expect(throws: Failure.self) { try NoiseShaper(options: options, columns: 4, seed: 0) }
        #expect(failure?.exitCode == 78)
    }
}
