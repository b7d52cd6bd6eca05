// Loss and every gradient against the dense oracle, at any world size. Not here: extremes (ExtremeLogitsTests.swift), files.

import Buffers
import Collectives
import Failures
import Losses
import Oracles
import Testing

/// One row of the table.
struct LossCase: Sendable, CustomTestStringConvertible {
    enum Identities: CaseIterable { case none, positives, all, equal }

    let kind: ContrastiveLossOptions.Kind
    let k: Int
    let identities: Identities
    let tile: Int?
    let counts: [Int]
    let precision: ContrastiveLossOptions.Precision
    /// ‖q‖·‖t‖/τ: 5, where exponentials are taken as they are, or 405, where every sum needs a reference.
    let largestLogit: Double

    var testDescription: String {
        "\(kind) k=\(k) ids=\(identities) tile=\(tile ?? 0) ranks=\(counts) \(precision) logits≤\(largestLogit)"
    }

    var options: ContrastiveLossOptions {
        ContrastiveLossOptions(kind: kind, tile: tile, targetsPerQuery: k, precision: precision)
    }

    var batch: DenseBatch {
        let rows = counts.reduce(0, +)
        var batch = randomBatch(
            rows: rows, width: 12, k: k, scale: (largestLogit / 5).squareRoot(), seed: UInt64(rows))
        let all = (0..<k * rows).map { Int64($0 * $0 % 7) - 3 }
        switch identities {
        case .none: batch.ids = nil
        case .positives: batch.ids = Array(all[..<rows])
        case .all: batch.ids = all
        case .equal: batch.ids = all.map { _ in 5 }
        }
        return batch
    }

    /// Sigmoid's gradients at logits of −405 are below float32's smallest number.
    static let table = combinations.filter { $0.kind != .sigmoid || $0.largestLogit == 5 }

    private static let combinations: [LossCase] = ContrastiveLossOptions.Kind.allCases.flatMap { kind in
        [1, 3].flatMap { k in
            Identities.allCases.flatMap { identities in
                [[23], [11, 12], [1, 22], [9, 0, 14], [0, 0, 5], [6, 1, 0, 16]].flatMap { counts in
                    [nil, 1, 5, 1000].flatMap { tile in
                        [(.single, 5), (.double, 5), (.double, 405)].map { precision, largestLogit in
                            LossCase(
                                kind: kind, k: k, identities: identities, tile: tile, counts: counts,
                                precision: precision, largestLogit: largestLogit)
                        }
                    }
                }
            }
        }
    }
}

@Suite struct ContrastiveLossTests {
    /// float32: logits of at most 1/τ = 5 carry 5·2⁻²⁴·√12 ≈ 1e-6 absolute, which is the relative error of a probability; sums of
    /// 69 such terms and the rounding of results stay below 3 times that. float64 computation leaves the rounding of results: 2⁻²⁴.
    @Test(arguments: LossCase.table) func agreesWithOracle(_ test: LossCase) throws {
        let batch = test.batch
        let expected = denseLoss(test.kind, batch)
        let found = try evaluate(batch, test.options, counts: test.counts)
        let tolerance = test.precision == .double ? 0x1p-23 : 3e-6
        let exact = test.precision == .double ? 1e-12 : tolerance
        #expect(relativeError(found.dqueries, expected.dqueries) < tolerance)
        #expect(relativeError(found.dtargets, expected.dtargets) < tolerance)
        for result in found.shared {
            #expect(relativeError(result.loss, expected.loss) < exact)
            #expect(relativeError(result.temperatureGradient, expected.dtemperature) < exact)
            #expect(relativeError(result.biasGradient, expected.dbias) < exact)
            #expect(abs(result.precisionAt1 - expected.precisionAt1) < 1e-12)
            #expect(result.nonFinite == nil)
            #expect((result.rows, result.columns) == (batch.rows, batch.targets.count))
            #expect(result.loss == found.shared[0].loss)
            #expect(result.temperatureGradient == found.shared[0].temperatureGradient)
        }
    }

    /// The first 8 of 16 queries against all 16 targets: the others' positives are negatives like any.
    @Test(arguments: [ContrastiveLossOptions.Kind.infonce, .sigmoid], [[16], [8, 8]])
    func samplesTheFirstStrips(_ kind: ContrastiveLossOptions.Kind, _ counts: [Int]) throws {
        let batch = randomBatch(rows: 16, width: 12)
        // Two ranks bring four rows each.
        let rows = counts.count == 1 ? Array(0..<8) : Array(0..<4) + Array(8..<12)
        let sample = DenseBatch(
            queries: rows.map { batch.queries[$0] },
            targets: (rows + (0..<16).filter { !rows.contains($0) }).map { batch.targets[$0] }, ids: nil,
            temperature: batch.temperature, bias: batch.bias)
        let expected = denseLoss(kind, sample)
        let found = try evaluate(
            batch, ContrastiveLossOptions(kind: kind, tile: 4, precision: .double, sampledRows: 7), counts: counts)
        #expect(found.shared.allSatisfy { $0.rows == 8 && $0.columns == 16 })
        #expect(relativeError(found.shared[0].loss, expected.loss) < 1e-12)
        #expect(relativeError(found.shared[0].precisionAt1, expected.precisionAt1) < 1e-12)
        #expect(relativeError(rows.map { found.dqueries[$0] }, expected.dqueries) < 0x1p-23)
        #expect(relativeError(rows.map { found.dtargets[$0] }, Array(expected.dtargets[..<8])) < 0x1p-23)
        #expect(found.dqueries[15].allSatisfy { $0 == 0 })
    }
}
