// Non-finite values end the run on all ranks alike, before the update. Not here: the checks inside FANoise and Losses.

import Buffers
import Collectives
import Datasets
import Failures
import Kernels
import Losses

/// Tells training that has diverged from input that is wrong, by what a run says at its end.
enum Divergence {
    /// Of an evaluation between two steps.
    static let ofEmbeddings = "the model's embeddings are not finite"

    static func isMeant(by message: String) -> Bool {
        let words = message.replacing(#/^\[rank [^\]]*\] /#, with: "")
        return words.contains(#/^step [0-9]+: [^:]* not finite:/#) || words.hasPrefix(ofEmbeddings)
    }
}

extension TrainingStep {
    /// Runs what throws when it meets a value that is not finite, and adds the step to what it says.
    func requireFinite<Value>(step: Int, _ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let failure as Failure where failure.kind == .data {
            throw Failure(.data, "step \(step): \(failure.message). Lower the learning rate, or look at that row")
        }
    }

    /// Throws, equally on every rank, when the loss is not finite on some rank. *Collective.*
    func requireFinite(_ result: LossResult, _ batch: PairBatch, step: Int) throws {
        guard !result.loss.isFinite || result.nonFinite != nil else { return }
        var cause = "no single row is the cause"
        if let place = result.nonFinite {
            // The rank that holds the row knows where it comes from.
            let row = Buffer<Int64>([batch.rows > 0 ? Int64(batch.rowIndices[place.row % batch.rows]) : -1])
            try communicator.broadcast(row, root: place.rank)
            cause = "\(place)" + (row[0] >= 0 ? " (row \(name(ofRow: Int(row[0]))) of the training data)" : "")
        }
        throw Failure(
            .data,
            "step \(step): the loss is not finite: \(cause). Lower the learning rate, raise loss.temperature.minimum, or look at those rows"
        )
    }

    /// Throws, equally on every rank, when a summed gradient is not finite; says which rank's rows were the cause. *Collective.*
    func requireFinite(gradientNorm: Double, _ batch: PairBatch, step: Int) throws {
        guard !gradientNorm.isFinite else { return }
        let culprits = try communicator.allGather(exchange.nonFiniteParameter ?? -1)
        var cause = "every rank's part of it is, but not their sum"
        if let rank = culprits.firstIndex(where: { $0 >= 0 }) {
            let rows = try communicator.broadcast(Array(listing(batch).utf8), root: rank)
            cause =
                "\(model.parameters.layout.entries[culprits[rank]].name), from rows \(String(decoding: rows, as: UTF8.self)) "
                + "of the training data on rank \(rank)"
        }
        throw Failure(
            .data,
            "step \(step): the gradient is not finite: \(cause). Lower the learning rate or the clipping norm, and resume from the last "
                + "checkpoint")
    }

    private func name(ofRow index: Int) -> String { placeOfRow(index).map { "\(index), \($0)," } ?? "\(index)" }

    private func listing(_ batch: PairBatch) -> String {
        let shown = batch.rowIndices.prefix(8).map { index in
            placeOfRow(index).map { "\(index) (\($0))" } ?? "\(index)"
        }.joined(separator: ", ")
        return batch.rowIndices.count > 8 ? "\(shown), … (\(batch.rowIndices.count) in all)" : shown
    }
}
