// One training step, top to bottom: the picture in docs/design.md, section 1. Not here: the loop around it (Trainer).
//
// Shapes: B local rows, N global rows, E embedding width. x representations, z embeddings, d… gradients of the global loss.

import Autograd
import Buffers
import Collectives
import Datasets
import Encoders
import FANoise
import Failures
import Foundation
import Kernels
import Losses
import Optimizers

/// A step of contrastive training on one rank of W. *Collective*: every rank calls it with its shard of the same global batch.
final class TrainingStep {
    let configuration: RunConfig
    let model: DualEncoder
    let optimizer: ShardedOptimizer
    private let communicator: any Communicator
    private let noise: BatchNoise
    private let loss: ContrastiveLoss
    private let exchange: GradientExchange
    var clock = PhaseClock()

    init(configuration: RunConfig, model: DualEncoder, optimizer: ShardedOptimizer, communicator: any Communicator) {
        self.configuration = configuration
        self.model = model
        self.optimizer = optimizer
        self.communicator = communicator
        noise = BatchNoise(configuration: configuration, model: model, communicator: communicator)
        loss = ContrastiveLoss(configuration.lossOptions)
        exchange = GradientExchange(
            communicator: communicator, shards: optimizer.shards, parameters: model.parameters.values, gradients: model.parameters.gradients)
    }

    /// Encodes, perturbs, compares, differentiates and updates.
    ///
    /// - Parameter step: 1 for the first.
    /// - Throws: `Failure` when representations, loss or gradients are not finite on some rank (all ranks throw, before the update);
    ///   `CollectiveError` when a peer is lost.
    func callAsFunction(_ batch: PairBatch, step: Int) throws -> StepReport {
        communicator.step = step
        clock.reset()
        model.parameters.zeroGradients()
        exchange.begin()

        // Encode the local rows of both sides.
        var (query, target) = try passes(over: batch, step: step)
        let x_BE = clock.measure(.forward) { query.forward() }
        let y_BE = clock.measure(.forward) { target.forward() }

        // FANoise on the spectrum of the global batch; embeddings are what the loss sees.
        let head = Tape()
        let x = Tensor(x_BE, shape: [batch.rows, model.columns], requiresGradient: true)
        let y = Tensor(y_BE, shape: [batch.rows, model.columns], requiresGradient: true)
        let (z, w, reports) = try noise.embeddings(queries: x, targets: y, batch: batch, step: step, on: head, clock: &clock)

        // Local rows against global columns; gradients of the mean over all N rows.
        let result = try clock.measure(.loss) {
            try loss.evaluate(
                queries: z.values, targets: w.values, ids: batch.ids, rows: batch.rows, columns: model.columns,
                temperature: model.temperature, bias: model.parameters[model.bias].values[0], communicator: communicator, gradients: true)
        }
        try requireFinite(result, batch, step: step)

        // Back through the head and both towers, from the end of the layout to its start; buckets leave on the way.
        try clock.measure(.backward) {
            head.backward(from: [(z, result.dqueries), (w, result.dtargets)])
            try addLossGradients(result)
            try target.backward(head.gradient(of: y) ?? zeros(like: y)) { try self.exchange.finished(parameter: $0) }
            try query.backward(head.gradient(of: x) ?? zeros(like: x)) { try self.exchange.finished(parameter: $0) }
        }
        try clock.measure(.communication) { try exchange.finish() }

        // Every rank updates its own ranges, then everybody gets everything.
        let gradientNorm = try clock.measure(.communication) {
            try communicator.allReduce(optimizer.squaredNorm()).squareRoot()
        }
        try requireFinite(gradientNorm: gradientNorm, batch, step: step)
        clock.measure(.optimizer) { optimizer.update(norm: gradientNorm, step: step) }
        try clock.measure(.communication) { try exchange.gatherParameters() }

        return StepReport(
            step: step, loss: result.loss, precisionAt1: result.precisionAt1, temperature: Double(model.temperature),
            learningRate: optimizer.learningRate(step: step), gradientNorm: gradientNorm, queryNoise: reports.query,
            targetNoise: reports.target, seconds: clock.seconds, floatingPointOperations: operations(query, target))
    }
}

extension TrainingStep {
    /// Both towers over the local rows, with the noise that acts on their tokens if it acts there.
    private func passes(over batch: PairBatch, step: Int) throws -> (query: TowerPass, target: TowerPass) {
        let chunk = configuration.batch.cacheChunk
        func pass(_ encoder: any Encoder, _ side: SideBatch, _ index: NoiseSide) throws -> TowerPass {
            let input = side.encoderInput
            let tokens = encoder.tokenRows(of: input)
            // Token rows are numbered over the global batch, so that masks and noise do not depend on the world size.
            let counts = try noise.numbersTokens ? communicator.allGather(tokens) : []
            let context = ForwardContext(
                step: step, firstRow: counts.prefix(communicator.rank).reduce(0, +), dropoutSeed: configuration.seed)
            let tokenNoise = try noise.tokenNoise(
                encoder, input, index, firstRow: context.firstRow, globalRows: counts.reduce(0, +), step: step, clock: &clock)
            return TowerPass(
                encoder: encoder, input: input, parameters: model.parameters, context: context, chunk: chunk, tokenNoise: tokenNoise)
        }
        return (try pass(model.query, batch.queries, .query), try pass(model.target, batch.targets, .target))
    }

    /// The gradients of temperature and bias are the same on all ranks and gradients are summed: one rank alone adds them.
    private func addLossGradients(_ result: LossResult) throws {
        let parameters = model.parameters
        if communicator.rank == 0 {
            let loss = configuration.loss
            // p = ln τ, so dL/dp = τ · dL/dτ.
            if loss.temperature.learned {
                parameters[model.logTemperature].parameterGradient?[0] += Float(result.temperatureGradient) * model.temperature
            }
            if loss.kind == .sigmoid, loss.bias.learned { parameters[model.bias].parameterGradient?[0] += Float(result.biasGradient) }
        }
        try exchange.finished(parameter: model.bias.index)
        try exchange.finished(parameter: model.logTemperature.index)
    }

    private func zeros(like tensor: Tensor) -> Floats { Floats(repeating: 0, count: tensor.values.count) }

    /// Matrix-product operations of the step on this rank: forward, twice that backward, and a forward more when caching.
    private func operations(_ query: TowerPass, _ target: TowerPass) -> Double {
        let passes = configuration.batch.cacheChunk == nil ? 3.0 : 4.0
        return passes * (model.query.forwardFLOPs(of: query.input) + model.target.forwardFLOPs(of: target.input))
    }
}
