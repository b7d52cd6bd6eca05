// Learning rates and clipping against closed forms. Not here: the update (OptimizerTests.swift).

import Buffers
import Foundation
import Testing

@testable import Optimizers

@Suite struct ScheduleTests {
    static let rootHalf = 0.5.squareRoot()
    static let rates: [(LearningRateSchedule, [Double])] = [
        (LearningRateSchedule(.cosine, peak: 2, warmup: 2, steps: 6), [1, 2, 2, 1 + rootHalf, 1, 1 - rootHalf, 0, 0]),
        (LearningRateSchedule(.linear, peak: 2, warmup: 4, steps: 8), [0.5, 1, 1.5, 2, 2, 1.5, 1, 0.5, 0]),
        (LearningRateSchedule(.linear, peak: 2, warmup: 0, steps: 4, floor: 0.5), [2, 1.75, 1.5, 1.25, 1, 1]),
        (LearningRateSchedule(.constant, peak: 3, warmup: 3, steps: 4), [1, 2, 3, 3, 3]),
        (LearningRateSchedule(.cosine, peak: 1, warmup: 2, steps: 2), [0.5, 1, 1, 0]),
        (LearningRateSchedule(.cosine, peak: 1, warmup: 0, steps: 0), [1, 0]),
    ]

    @Test(arguments: rates)
    func tables(schedule: LearningRateSchedule, expected: [Double]) {
        for (index, value) in expected.enumerated() {
            // A few operations on numbers up to 3.
            #expect(abs(schedule.rate(at: index + 1) - value) < 8 * Double.ulpOfOne, "step \(index + 1)")
        }
    }

    /// `transformers.get_cosine_schedule_with_warmup` and `get_linear_schedule_with_warmup`: the factor of 0-based step s.
    @Test(arguments: [LearningRateSchedule.Kind.cosine, .linear])
    func behindTheWarmUpItIsTheFormulaOfTransformers(kind: LearningRateSchedule.Kind) {
        let (warmup, total) = (30, 600)
        let schedule = LearningRateSchedule(kind, peak: 1e-3, warmup: warmup, steps: total)
        for s in warmup..<total {
            let progress = Double(s - warmup) / Double(max(1, total - warmup))
            let factor =
                kind == .cosine
                ? max(0, 0.5 * (1 + cos(Double.pi * 0.5 * 2 * progress)))
                : max(0, Double(total - s) / Double(max(1, total - warmup)))
            #expect(abs(schedule.rate(at: s + 1) - 1e-3 * factor) < 1e-3 * 8 * Double.ulpOfOne)
        }
        for s in 1..<warmup { #expect(schedule.rate(at: s) == 1e-3 * Double(s) / Double(warmup)) }
        #expect(schedule.rate(at: total) > 0)
    }

    static let coefficients: [(Double, Double)] = [
        (0, 1), (0.5, 1), (1, 1 / 1.000001), (4, 1 / 4.000001), (1e30, 1e-30),
    ]

    @Test(arguments: coefficients)
    func clippingIsThatOfTorch(norm: Double, expected: Double) {
        #expect(GradientClipping.coefficient(norm: norm, limit: 1) == Float(expected))
        #expect(GradientClipping.coefficient(norm: norm, limit: nil) == 1)
    }

    @Test(arguments: [0, 1, 7, 8, 9, 31, 100])
    func squaredNorms(count: Int) {
        // Whole numbers: sums are exact in float64. The first element lies at an unaligned place.
        let values = Floats((0..<count + 1).map { Float($0) })
        let found = GradientClipping.squaredNorm(of: values, in: [1..<count + 1])
        #expect(found == Double(count * (count + 1) * (2 * count + 1) / 6))
        #expect(GradientClipping.squaredNorm(of: values, in: [0..<count / 2, count / 2..<count + 1]) == found)
    }

    @Test func aNonFiniteElementShowsInTheNorm() {
        for bad in [Float.nan, .infinity] {
            for place in [0, 12] {
                let values = Floats(repeating: 1, count: 13)
                values[place] = bad
                #expect(!GradientClipping.squaredNorm(of: values, in: [0..<13]).isFinite)
            }
        }
    }
}
