// One training step, top to bottom: the picture in docs/design.md. Not here: the loop around it (Trainer).
//
// Shapes: B local rows, N global rows, k targets a row brings, E embedding width. x, y representations; z, w embeddings; d… gradients of the global loss.

import Autograd
import Buffers
import Collectives
import Datasets
import Encoders
import FANoise
import Losses

/// A step of contrastive training on one rank of W. *Collective*: every rank calls it with its shard of the same global batch.
final class TrainingStep {
    let noise: BatchNoise
    let model: DualEncoder
    let optimizer: ShardedOptimizer
    let communicator: any Communicator
    private let configuration: RunConfig
    private let loss: NestedLoss
    let exchange: GradientExchange
    /// Where a row of the training data stands, `FILE:LINE`, for messages.
    var placeOfRow: (Int) -> String? = { _ in nil }
    private var clock = PhaseClock()

    init(configuration: RunConfig, model: DualEncoder, optimizer: ShardedOptimizer, communicator: any Communicator)
        throws
    {
        self.configuration = configuration
        self.model = model
        self.optimizer = optimizer
        self.communicator = communicator
        noise = try BatchNoise(configuration, model: model, communicator: communicator)
        loss = NestedLoss(configuration)
        exchange = GradientExchange(communicator: communicator, shards: optimizer.shards, model: model)
    }

    /// Encodes, perturbs, compares, differentiates and updates.
    ///
    /// - Parameters:
    ///   - step: 1 for the first.
    ///   - stopRequested: whether this rank has been asked to stop; the report says whether any has.
    /// - Throws: on every rank alike, `Failure` when representations, loss or gradients are not finite (before the update);
    ///   `CollectiveError` when a peer is lost.
    func callAsFunction(_ batch: PairBatch, step: Int, stopRequested: Bool = false) throws -> StepReport {
        communicator.step = step
        clock.reset()
        model.parameters.zeroGradients()
        exchange.begin()
        try noise.countRows(of: batch)

        // Encode the local rows of both sides; what the spectrum of the queries sends travels while the targets are encoded.
        var query = try towerPass(.query, batch, step: step)
        var target = try towerPass(.target, batch, step: step)
        var x_BE = clock.measure(.forward) { query.pass.forward() }
        let mixture = try mixture(batch, step: step)
        if let mixture { x_BE = try mixture.mixed(x_BE, columns: model.columns, communicator) }
        let head = Tape()
        let x = Tensor(x_BE, shape: [batch.rows, model.columns], requiresGradient: true)
        let queries = try clock.measure(.noise) {
            let features = noise.features(of: x, on: head)
            try noise.begin(queries: features, of: batch, step: step)
            return features
        }
        let y_KBE = clock.measure(.forward) { target.pass.forward() }

        try meet()

        // FANoise on the spectrum of the global batch; embeddings are what the loss sees.
        let y = Tensor(y_KBE, shape: [batch.targets.rows, model.columns], requiresGradient: true)
        let (z, w, reports) = try clock.measure(.noise) {
            try requireFinite(step: step) {
                try noise.embeddings(
                    queries: queries, targets: noise.features(of: y, on: head), targetsPerRow: batch.targetsPerRow,
                    firstRow: batch.firstRow, globalRows: batch.globalRows, step: step, on: head)
            }
        }
        let noiseReports = [reports.query ?? query.report, reports.target ?? target.report]

        // Local rows against global columns; gradients of the mean over all N rows.
        let (result, seeds) = try clock.measure(.loss) {
            let nested = try loss(
                queries: z, targets: w, batch: batch, mixture: mixture, model: model, on: head,
                communicator: communicator)
            return (nested.sum, nested.seeds)
        }
        try requireFinite(result, batch, step: step)

        // Back through the head and both towers, from the layout's end to its start; buckets leave on the way.
        try clock.measure(.backward) {
            head.backward(from: seeds)
            // Before the first bucket leaves: ranks without rows send all of theirs at the end.
            var dx_BE = gradient(of: x, head)
            if let mixture { dx_BE = try mixture.gradient(dx_BE, columns: model.columns, communicator) }
            try addLossGradients(result)
            try target.pass.backward(gradient(of: y, head)) { try self.exchange.finished(parameter: $0) }
            try query.pass.backward(dx_BE) { try self.exchange.finished(parameter: $0) }
        }
        let (gradientNorm, stop) = try clock.measure(.communication) {
            try exchange.finish()
            return try globalNorm(stopRequested: stopRequested)
        }
        try requireFinite(gradientNorm: gradientNorm, batch, step: step)

        // Every rank updates its own ranges, then everybody gets everything.
        try clock.measure(.optimizer) {
            try optimizer.update(norm: gradientNorm, step: step, communicator: communicator)
        }
        try clock.measure(.communication) { try exchange.gatherParameters() }
        chargeSpectrum(noiseReports)

        return StepReport(
            step: step, loss: result.loss, precisionAt1: result.precisionAt1, temperature: Double(model.temperature),
            learningRate: optimizer.learningRate(step: step), gradientNorm: gradientNorm, queryNoise: noiseReports[0],
            targetNoise: noiseReports[1], seconds: clock.seconds, hiddenCommunication: exchange.hiddenShare,
            stopRequested: stop,
            floatingPointOperations: query.pass.floatingPointOperations + target.pass.floatingPointOperations)
    }
}

extension TrainingStep {
    private enum Side: Int { case query, target }

    /// One tower over the local rows, with the noise on its tokens if noise acts there.
    private func towerPass(_ side: Side, _ batch: PairBatch, step: Int) throws -> (
        pass: TowerPass, report: NoiseReport?
    ) {
        let encoder = side == .query ? model.query : model.target
        let input = (side == .query ? batch.queries : batch.targets).encoderInput
        // Token rows are numbered over the global batch, so that masks and noise do not depend on the world size.
        let counts = try numbersTokens ? communicator.allGather(encoder.tokenRows(of: input)) : []
        let firstRow = counts.prefix(communicator.rank).reduce(0, +)
        // One encoder has one numbering: its targets' tokens follow all of its queries', so that their masks differ.
        let before =
            try numbersTokens && model.isShared && side == .target
            ? communicator.allGather(encoder.tokenRows(of: batch.queries.encoderInput)).reduce(0, +) : 0
        let sequencesBefore = model.isShared && side == .target ? batch.globalRows : 0
        let context = ForwardContext(
            step: step, firstRow: before + firstRow,
            firstSequence: sequencesBefore + batch.firstRow * (side == .query ? 1 : batch.targetsPerRow),
            dropoutSeed: configuration.seed)
        var perturbed: (tokens: Floats, report: NoiseReport)?
        if noise.actsOnTokens {
            try meet()
            let tokens =
                input.rows == 0 ? Floats(count: 0) : encoder.embed(input, model.parameters, on: Tape(.inference)).values
            perturbed = try clock.measure(.noise) {
                try requireFinite(step: step) {
                    try noise.perturbedTokens(
                        tokens, side: side.rawValue, firstRow: firstRow, globalRows: counts.reduce(0, +),
                        step: step)
                }
            }
        }
        var tokens = perturbed?.tokens
        if configuration.regularize.neftune > 0, input.rows > 0 {
            let plain = tokens ?? encoder.embed(input, model.parameters, on: Tape(.inference)).values
            tokens = TokenNoise(
                strength: Float(configuration.regularize.neftune), seed: configuration.seed, side: side.rawValue)(
                    plain, of: input, encoder, firstRow: firstRow, step: step)
        }
        let pass = TowerPass(
            encoder: encoder, input: input, parameters: model.parameters, context: context,
            batch: configuration.batch, perturbedTokens: tokens)
        return (pass, perturbed?.report)
    }

    /// Ranks wait for the slowest, which is not the price of what follows: noise and loss begin with what all of them bring. *Collective.*
    private func meet() throws {
        try clock.measure(.communication) { try communicator.barrier() }
    }

    /// How the queries of a step are mixed; nil where they are not. *Collective.*
    private func mixture(_ batch: PairBatch, step: Int) throws -> Mixture? {
        guard configuration.regularize.mixup > 0 else { return nil }
        return try Mixture(
            share: configuration.regularize.mixup, seed: configuration.seed, step: step, rows: batch.rows,
            communicator: communicator)
    }

    private var numbersTokens: Bool {
        noise.actsOnTokens || configuration.regularize.neftune > 0 || configuration.model.query.dropout > 0
            || configuration.model.target.dropout > 0 || model.parameters.adapters.contains { $0.dropout > 0 }
    }

    /// The gradients of temperature and bias are the same on all ranks, and gradients are summed: one rank alone adds them.
    private func addLossGradients(_ result: LossResult) throws {
        if communicator.rank == 0 {
            let (parameters, options) = (model.parameters, configuration.loss)
            // p = ln τ, so dL/dp = τ · dL/dτ.
            if options.temperature.learned {
                parameters[model.logTemperature].parameterGradient?[0] +=
                    Float(result.temperatureGradient) * model.temperature
            }
            if options.kind == .sigmoid, options.bias.learned {
                parameters[model.bias].parameterGradient?[0] += Float(result.biasGradient)
            }
        }
        try exchange.finished(parameter: model.bias.index)
        try exchange.finished(parameter: model.logTemperature.index)
    }

    private func gradient(of leaf: Tensor, _ head: Tape) -> Floats {
        head.gradient(of: leaf) ?? Floats(repeating: 0, count: leaf.values.count)
    }

    /// ‖Σ_ranks g‖, and whether any rank was asked to stop, in one all-reduce.
    private func globalNorm(stopRequested: Bool) throws -> (norm: Double, stop: Bool) {
        let sums = Doubles([optimizer.squaredNorm(), stopRequested ? 1 : 0])
        try communicator.allReduce(sums)
        return (sums[0].squareRoot(), sums[1] > 0)
    }

    /// The noise phase was timed as a whole; the spectrum's part of it is a phase of its own.
    private func chargeSpectrum(_ reports: [NoiseReport?]) {
        let spectrum = reports.reduce(0) { $0 + ($1?.seconds.spectrum ?? 0) }
        clock.add(spectrum, to: .spectrum)
        clock.add(-spectrum, to: .noise)
    }

}

extension RunConfig.Loss {
    /// The same in the loss's own terms.
    func options(targetsPerQuery: Int) -> ContrastiveLossOptions {
        var tileColumns: Int?
        if case .value(let columns) = tile { tileColumns = columns }
        return ContrastiveLossOptions(kind: kind, tile: tileColumns, targetsPerQuery: targetsPerQuery)
    }
}

extension SideBatch {
    /// The same for an encoder.
    var encoderInput: EncoderInput {
        switch self {
        case .pictures(let values, let size):
            .pictures(values, count: values.count / (3 * size * size))
        case .text(let ids, let offsets):
            .text(ids: ids, offsets: offsets)
        case .features(let values, let columns):
            .features(values, count: values.count / columns)
        }
    }
}
