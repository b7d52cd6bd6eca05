// Large logits, tiny losses, ties, values that are not numbers, ranks that disagree. Not here: ordinary batches.

import Buffers
import Collectives
import Failures
import Foundation
import Losses
import Oracles
import Testing

@Suite struct ExtremeTests {
    /// ‖q‖‖t‖/τ of the rows' logits.
    @Test(arguments: ContrastiveLossOptions.Kind.allCases, [100.0, 1e4, 1e6]) func largeLogits(
        _ kind: ContrastiveLossOptions.Kind, _ magnitude: Double
    ) throws {
        let batch = randomBatch(rows: 17, width: 24, k: 2, scale: (magnitude * 0.01).squareRoot(), temperature: 0.01)
        let expected = denseLoss(kind, batch)
        let found = try evaluate(
            batch, ContrastiveLossOptions(kind: kind, tile: 4, targetsPerQuery: 2), counts: [5, 12])
        #expect(relativeError(found.shared[0].loss, expected.loss) < 1e-9)
        #expect(relativeError(found.shared[0].temperatureGradient, expected.dtemperature) < 1e-9)
        #expect(relativeError(found.dqueries, expected.dqueries) < 0x1p-23)
        #expect(relativeError(found.dtargets, expected.dtargets) < 0x1p-23)
    }

    /// float32's logits are coarse here, but nothing overflows.
    @Test(arguments: ContrastiveLossOptions.Kind.allCases) func largeLogitsStayFiniteInSinglePrecision(
        _ kind: ContrastiveLossOptions.Kind
    ) throws {
        let batch = randomBatch(rows: 17, width: 24, scale: 10, temperature: 0.01)
        let expected = denseLoss(kind, batch)
        let found = try evaluate(batch, ContrastiveLossOptions(kind: kind, precision: .single), counts: [9, 8])
        #expect(found.shared.allSatisfy { $0.nonFinite == nil })
        // Logits of 1e4 are off by 1e4 · √24 · 2⁻²⁴ ≈ 3e-3, which is what a loss near 1e3 and its probabilities feel.
        #expect(relativeError(found.shared[0].loss, expected.loss) < 1e-5)
        #expect(relativeError(found.dqueries, expected.dqueries) < 1e-2)
    }

    /// One-hot rows: every query is 30 above its negatives, and the loss is (N − 1) e⁻³⁰ to all digits, not 1 − 1.
    @Test(arguments: [ContrastiveLossOptions.Precision.single, .double]) func tinyLossKeepsItsDigits(
        _ precision: ContrastiveLossOptions.Precision
    ) throws {
        let rows = 8
        let unit = (0..<rows).map { i in (0..<rows).map { $0 == i ? 1.0 : 0.0 } }
        let batch = DenseBatch(queries: unit, targets: unit, ids: nil, temperature: Double(Float(1.0 / 30)), bias: 0)
        let found = try evaluate(batch, ContrastiveLossOptions(kind: .symmetric, precision: precision), counts: [3, 5])
        let other = exp(-1 / batch.temperature)
        let tolerance = precision == .single ? 1e-5 : 1e-12
        #expect(relativeError(found.shared[0].loss, 7 * other) < tolerance)
        // d loss / d q_i: −7 e⁻³⁰ at its own coordinate, e⁻³⁰ at the others; both directions, each half.
        #expect(relativeError(found.dqueries[0][0], -7 * other / batch.temperature / 8) < 1e-5)
        #expect(relativeError(found.dqueries[0][1], other / batch.temperature / 8) < 1e-5)
    }

    /// Two equal targets: neither query's positive is the best alone, whatever the rounding of the products.
    @Test(arguments: [ContrastiveLossOptions.Precision.single, .double], ContrastiveLossOptions.Kind.allCases)
    func tiesCountAgainst(_ precision: ContrastiveLossOptions.Precision, _ kind: ContrastiveLossOptions.Kind) throws {
        var batch = randomBatch(rows: 40, width: 300, seed: 9)
        batch.queries = batch.targets
        batch.targets[31] = batch.targets[2]
        let options = ContrastiveLossOptions(kind: kind, tile: 7, precision: precision)
        let found = try evaluate(batch, options, counts: [19, 21])
        // Query 2 ties; query 31's own target is now another one's.
        #expect(abs(found.shared[0].precisionAt1 - 38.0 / 40) < 1e-12)
        batch.ids = (0..<40).map { $0 == 31 ? 2 : $0 }
        let masked = try evaluate(batch, options, counts: [19, 21])
        #expect(abs(masked.shared[0].precisionAt1 - 39.0 / 40) < 1e-12)
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity]) func nonFiniteInputIsNamedOnAllRanks(_ value: Double) throws {
        var batch = randomBatch(rows: 9, width: 4, k: 2)
        batch.targets[9 + 7][1] = value
        let found = try evaluate(
            batch, ContrastiveLossOptions(kind: .symmetric, targetsPerQuery: 2), counts: [4, 0, 5])
        for result in found.shared {
            // Rank 2 holds rows 4 ..< 9: its row 3, second block of 5.
            #expect(result.nonFinite == LossResult.NonFinite(rank: 2, row: 8, place: .target))
            #expect(result.loss.isNaN && result.temperatureGradient.isNaN)
            #expect(result.dqueries.array.allSatisfy(\.isNaN) && result.dtargets.array.allSatisfy(\.isNaN))
        }
    }

    /// Finite rows whose gradient is beyond float32.
    @Test func overflowingGradientIsNamedOnAllRanks() throws {
        var batch = randomBatch(rows: 6, width: 4, temperature: 0.01)
        batch.targets[5] = [3e38, 3e38, 3e38, 3e38]
        batch.queries[0] = [1, 1, 1, 1]
        let found = try evaluate(batch, ContrastiveLossOptions(kind: .infonce), counts: [3, 3])
        for result in found.shared {
            #expect(result.nonFinite == LossResult.NonFinite(rank: 0, row: 0, place: .queryGradient))
        }
    }

    @Test func ranksThatDisagreeAllThrow() throws {
        let failures = try ThreadWorld.run(ranks: 3) { world -> String in
            do {
                _ = try ContrastiveLoss(ContrastiveLossOptions())(
                    queries: Floats([1, 0]), targets: Floats([1, 0]), rows: 1, columns: 2,
                    temperature: world.rank == 2 ? 0.5 : 0.25, communicator: world)
                return "none"
            } catch let failure as Failure { return failure.message }
        }
        #expect(
            failures.allSatisfy { $0 == "the ranks disagree on the loss's temperature: 0.25 on rank 0, 0.5 on rank 2" })
    }
}
