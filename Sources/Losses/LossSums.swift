// What a loss adds up over its tiles, and how the ranks' sums become the result. Not here: the loss's formula.

import Buffers
import Collectives
import Kernels

/// The sums of one evaluation on one rank.
final class LossSums<Element: LogitArithmetic> {
    let batch: GlobalBatch<Element>
    let wantsGradients: Bool
    /// This rank's part of the global mean: already divided by N.
    var loss = 0.0
    /// Local rows whose positive is first.
    var correct = 0
    /// This rank's part of d loss / db.
    var biasGradient = 0.0
    /// The first local row whose loss is not finite.
    var nonFiniteRow: Int?
    /// Rows whose loss is taken: N, or those of a sample.
    var countedRows = 0
    /// Of the local rows.
    let dqueries_BE: Buffer<Element>
    /// Of the local columns.
    let dtargets_KBE: Buffer<Element>

    init(_ batch: GlobalBatch<Element>, gradients: Bool) {
        self.batch = batch
        wantsGradients = gradients
        dqueries_BE = Buffer(repeating: 0, count: gradients ? batch.queries_BE.count : 0)
        dtargets_KBE = Buffer(repeating: 0, count: gradients ? batch.targets_KBE.count : 0)
    }

    /// Adds a row's loss, divided by N.
    func add(loss value: Double, row: Int) {
        loss += value
        if !value.isFinite, nonFiniteRow == nil { nonFiniteRow = row }
    }

    /// Counts a row whose positive's logit exceeds every other one that takes part.
    ///
    /// Logits differ from the exact ones by rounding: a sum of E products in sequence, whose error is about √E units. Positives
    /// closer than that to the best other column are equal to it, and equality counts against.
    func count(row: Int, positive: Double, bestOther: Double) {
        let magnitude = batch.census.queryNorms_B[row] * batch.census.largestTarget / batch.temperature
        let tolerance = (2 + Double(batch.width).squareRoot()) * Element.unitRoundoff * magnitude
        if positive - tolerance > bestOther { correct += 1 }
    }

    /// Reduces over the ranks. *Collective*: one all-gather of a few numbers.
    func finish(_ local: LocalRows, _ communicator: any Communicator) throws -> LossResult {
        var temperatureGradient = 0.0
        if wantsGradients {
            // z = s/τ and dQ = G·T/τ: Σ_ij G_ij · ∂z_ij/∂τ = −Σ_ij G_ij s_ij/τ² = −1/τ Σ_i ⟨dq_i, q_i⟩.
            for row in 0..<batch.localRows {
                let start = row * batch.width
                temperatureGradient -=
                    Element.dot(
                        dqueries_BE.base + start, batch.queries_BE.base + start, count: batch.width) / batch.temperature
            }
        }
        var result = LossResult(
            loss: 0, dqueries: Element.floats(dqueries_BE), dtargets: Element.floats(dtargets_KBE),
            temperatureGradient: 0,
            biasGradient: 0, precisionAt1: 0, rows: countedRows, columns: batch.columns, nonFinite: nil)
        let position = firstNonFinite(result, local)
        let mine = Doubles([
            loss, Double(correct), temperatureGradient, biasGradient, Double(position?.place.rawValue ?? -1),
            Double(position?.row ?? 0),
        ])
        let all = Doubles(count: mine.count * communicator.size)
        try communicator.allGather(mine, into: all)
        var isCorrect = 0.0
        for rank in 0..<communicator.size {
            // In rank order on every rank: the same sums everywhere, bit for bit.
            let entry = all[rank * mine.count..<(rank + 1) * mine.count].array
            result.loss += entry[0]
            isCorrect += entry[1]
            result.temperatureGradient += entry[2]
            result.biasGradient += entry[3]
            if result.nonFinite == nil, let place = LossResult.NonFinite.Place(rawValue: Int(entry[4])) {
                result.nonFinite = .init(rank: rank, row: Int(entry[5]), place: place)
            }
        }
        result.precisionAt1 = countedRows == 0 ? 0 : isCorrect / Double(countedRows)
        guard let nonFinite = result.nonFinite else { return result }
        return batch.census.failed(nonFinite, local, gradients: wantsGradients)
    }

    private func firstNonFinite(_ result: LossResult, _ local: LocalRows) -> LossResult.NonFinite? {
        func found(_ place: LossResult.NonFinite.Place, _ row: Int) -> LossResult.NonFinite {
            .init(rank: batch.census.rank, row: local.selection.given(row), place: place)
        }
        if let row = nonFiniteRow { return found(.loss, row) }
        if let index = Kernels.firstNonFinite(result.dqueries) { return found(.queryGradient, index / batch.width) }
        if let index = Kernels.firstNonFinite(result.dtargets) { return found(.targetGradient, index / batch.width) }
        return nil
    }
}
