// The noise against numpy's values, stored in GoldenNoise.swift. Not here: how they were made (Golden/make_golden.py).

import FANoise
import Oracles
import Testing

@Suite struct GoldenNoiseTests {
    @Test(arguments: GoldenNoise.all.indices, [NoiseOptions.Solver.gram, .svd, .randomized])
    func matchesNumpy(index: Int, solver: NoiseOptions.Solver) throws {
        let golden = GoldenNoise.all[index]
        let options = NoiseOptions(
            scaling: .power, strength: 1, power: golden.power, energy: golden.isMatched ? .matched : .paper,
            center: golden.isCentred, solver: solver)
        let result = try perturbed(
            golden.x, rows: golden.rows, columns: golden.columns, options: options, ranks: 1 + index % 3,
            gaussian: golden.gaussian)
        let found = error(
            result.values, Dense(golden.rows, golden.columns, golden.x),
            Dense(golden.rows, golden.columns, golden.noise))
        // Rounding X̃ to float32, ‖X‖/‖noise‖ below 20, and products of at most 7 terms: 20 · 2⁻²⁴ + 7 · 2⁻²⁴.
        #expect(found < 2e-6)
        let sigma = try #require(result.report.spectrum?.singularValues)
        // σ of a Gram matrix is good to √(n · 2⁻⁵³) σ_1 = 4e-8 σ_1 where it should be zero, and much better elsewhere.
        for (value, expected) in zip(sigma, golden.singularValues) {
            #expect(abs(value - expected) < 5e-8 * golden.singularValues[0])
        }
    }
}
