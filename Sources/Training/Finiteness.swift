// Non-finite values end the run on all ranks alike, before the update. Not here: the checks inside FANoise and Losses.

import Buffers
import Collectives
import Datasets
import Failures
import Kernels
import Losses

extension TrainingStep {
    /// Throws on every rank when the loss is not finite on some rank.
    func requireFinite(_ result: LossResult, _ batch: PairBatch, step: Int) throws {
        guard !result.loss.isFinite || result.nonFinite != nil else { return }
        let place = result.nonFinite.map { "\($0)" } ?? "no single row is the cause"
        throw Failure(
            .data,
            "step \(step): the loss is not finite: \(place)\(names(of: batch, at: result.nonFinite)). Lower the learning rate, "
                + "raise loss.temperature.minimum, or look at those rows")
    }

    /// Throws on every rank when a summed gradient is not finite; each rank says whether its own rows were the cause.
    func requireFinite(gradientNorm: Double, _ batch: PairBatch, step: Int) throws {
        guard !gradientNorm.isFinite else { return }
        let gradients = model.parameters.gradients
        let culprit = model.parameters.layout.entries.first { !allFinite(gradients[$0.range]) }
        let cause = culprit.map { "\($0.name), from this rank's rows \(Self.listing(batch))" } ?? "none of this rank's rows are the cause"
        throw Failure(
            .data,
            "step \(step): the gradient is not finite: \(cause). Lower the learning rate or the clipping norm, and resume from the last checkpoint")
    }

    private func names(of batch: PairBatch, at place: LossResult.NonFinite?) -> String {
        guard let place, place.rank == communicator.rank, place.row < batch.rowIndices.count else { return "" }
        return " (row \(batch.rowIndices[place.row]) of the training data)"
    }

    private static func listing(_ batch: PairBatch) -> String {
        let shown = batch.rowIndices.prefix(8).map(String.init).joined(separator: ", ")
        return batch.rowIndices.count > 8 ? "\(shown), … (\(batch.rowIndices.count) in all)" : shown
    }
}
