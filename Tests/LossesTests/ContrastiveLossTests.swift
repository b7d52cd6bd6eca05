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

    var testDescription: String { "\(kind) k=\(k) ids=\(identities) tile=\(tile ?? 0) ranks=\(counts) \(precision)" }

    var options: ContrastiveLossOptions {
        ContrastiveLossOptions(kind: kind, tile: tile, targetsPerQuery: k, precision: precision)
    }

    var batch: DenseBatch {
        let rows = counts.reduce(0, +)
        var batch = randomBatch(rows: rows, width: 12, k: k, seed: UInt64(rows))
        let all = (0..<k * rows).map { Int64($0 * $0 % 7) - 3 }
        switch identities {
        case .none: batch.ids = nil
        case .positives: batch.ids = Array(all[..<rows])
        case .all: batch.ids = all
        case .equal: batch.ids = all.map { _ in 5 }
        }
        return batch
    }

    static let table: [LossCase] = ContrastiveLossOptions.Kind.allCases.flatMap { kind in
        [1, 3].flatMap { k in
            Identities.allCases.flatMap { identities in
                [[23], [11, 12], [1, 22], [9, 0, 14], [0, 0, 5], [6, 1, 0, 16]].flatMap { counts in
                    [nil, 1, 5, 1000].flatMap { tile in
                        [.single, .double].map { precision in
                            LossCase(
                                kind: kind, k: k, identities: identities, tile: tile, counts: counts,
                                precision: precision)
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
}
