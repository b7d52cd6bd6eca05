// Matryoshka representations: the loss on nested prefixes of the embeddings. Not here: the loss of one width (Losses).
//
// Shapes: B local rows, E embedding width, d ≤ E width of a prefix.

import Autograd
import Buffers
import Collectives
import Datasets
import Kernels
import Losses

/// A weighted sum of one loss over prefixes of the embeddings, so that the first dimensions are embeddings by themselves.
///
///     L = Σ_d c_d · loss(normalise(z_Bd), normalise(w_Bd))        without dimensions: loss(z, w)
///
/// z and w carry the noise already: it is drawn once, at full width, and prefixes are cut from what it gives. They are normalised again
/// where embeddings are unit vectors. Source: Kusupati et al., "Matryoshka Representation Learning", arXiv 2205.13147, equation 1.
struct NestedLoss {
    /// The sum, and what to go back from.
    struct Result {
        /// Loss and gradients of temperature and bias are the weighted sums; precision is that of the widest prefix; the gradients
        /// with respect to embeddings are those of the last one and are not used.
        var sum: LossResult
        var seeds: [(tensor: Tensor, gradient: Floats)]
    }

    private let options: RunConfig.Loss
    private let levels: [RunConfig.Matryoshka.Level]
    private let normalizes: Bool
    private let smoothing: Double
    private let randoms: GaussianNegatives

    init(_ configuration: RunConfig) {
        options = configuration.loss
        // The widest last: it stands for the model in the metrics.
        levels = configuration.loss.matryoshka.levels.sorted { $0.dimension < $1.dimension }
        normalizes = configuration.noise.normalizesEmbeddings
        smoothing = configuration.regularize.labelSmoothing
        randoms = GaussianNegatives(count: configuration.regularize.gaussianNegatives, seed: configuration.seed)
    }

    /// *Collective.* Stops at a prefix whose loss is not finite, on every rank alike.
    /// - Parameter mixture: how the queries were mixed, if they were.
    func callAsFunction(
        queries z: Tensor, targets w: Tensor, batch: PairBatch, mixture: Mixture? = nil, model: DualEncoder,
        on head: Tape, communicator: any Communicator
    ) throws -> Result {
        // A batch holds targets row by row, the loss takes the positives and then block after block of negatives.
        let order = TargetOrder(rows: batch.rows, targetsPerRow: batch.targetsPerRow)
        let loss = ContrastiveLoss(options.options(targetsPerQuery: batch.targetsPerRow + randoms.count))
        let labels = SoftLabels(smoothing: smoothing, mixture: mixture, isSymmetric: options.kind == .symmetric)
        let ids =
            order.inBlocks(batch.targetIDs)
            + Array(repeating: PairBatch.noConcept, count: randoms.count * batch.rows)
        func result(_ z: Tensor, _ w: Tensor) throws -> LossResult {
            let targets = order.inBlocks(w.values, columns: z.columns)
            var result = try loss(
                queries: z.values, targets: withRandoms(targets, batch, columns: z.columns), ids: ids,
                rows: batch.rows, columns: z.columns,
                temperature: model.temperature, bias: model.parameters[model.bias].values[0], communicator: communicator
            )
            try labels.correct(
                &result, queries: z.values, targets: targets, rows: batch.rows, columns: z.columns,
                temperature: Double(model.temperature), communicator: communicator)
            result.dtargets = order.byRow(result.dtargets[0..<targets.count], columns: z.columns)
            return result
        }
        guard !levels.isEmpty else {
            let whole = try result(z, w)
            return Result(sum: whole, seeds: [(z, whole.dqueries), (w, whole.dtargets)])
        }
        var sum: LossResult?
        var seeds: [(tensor: Tensor, gradient: Floats)] = []
        for level in levels {
            let (z, w) = (prefix(z, level.dimension, on: head), prefix(w, level.dimension, on: head))
            var part = try result(z, w)
            part.loss = level.weight * part.loss + (sum?.loss ?? 0)
            part.temperatureGradient = level.weight * part.temperatureGradient + (sum?.temperatureGradient ?? 0)
            part.biasGradient = level.weight * part.biasGradient + (sum?.biasGradient ?? 0)
            sum = part
            guard part.loss.isFinite, part.nonFinite == nil else { break }
            for (tensor, gradient) in [(z, part.dqueries), (w, part.dtargets)] {
                let weighted = Floats(repeating: 0, count: gradient.count)
                addInto(weighted, gradient, scale: Float(level.weight))
                seeds.append((tensor, weighted))
            }
        }
        guard let sum else { preconditionFailure("a loss of no dimensions") }
        return Result(sum: sum, seeds: seeds)
    }

    /// Targets in blocks, followed by the blocks of random ones.
    private func withRandoms(_ targets: Floats, _ batch: PairBatch, columns: Int) -> Floats {
        guard randoms.count > 0 else { return targets }
        let drawn = randoms.vectors(rows: batch.rows, firstRow: batch.firstRow, columns: columns, step: batch.step)
        let result = Floats(count: targets.count + drawn.count)
        result[0..<targets.count].copy(from: targets)
        result[targets.count..<result.count].copy(from: drawn)
        return result
    }

    private func prefix(_ x: Tensor, _ columns: Int, on head: Tape) -> Tensor {
        let x = head.prefix(x, columns: columns)
        return normalizes ? head.normalizeRows(x) : x
    }
}
