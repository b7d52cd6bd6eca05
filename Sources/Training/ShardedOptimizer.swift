// The optimizer of one rank: its ranges, its state, its schedule, its average. Not here: the formulas (Optimizers), the exchange.

import Buffers
import Checkpoints
import Collectives
import Optimizers

/// An optimizer over the ranges of the trainable parameters that this rank owns; with one rank, over everything.
public final class ShardedOptimizer {
    let shards: ParameterShards
    let state: OptimizerState
    /// Nil without `ema.decay`.
    let average: MovingAverage?
    private let parameters: Floats
    private let gradients: Floats
    private let map: UpdateMap
    private let rule: Optimizer
    private let schedule: LearningRateSchedule
    private let clip: Double?
    private let bounds: [ParameterBound]

    /// - Parameters:
    ///   - steps: of the whole run: the course of the learning rate.
    ///   - publishedLogTemperature: ln τ of the weights that training begins with, if published.
    ///   - rank, worldSize: decide which ranges are owned.
    /// - Throws: `Failure(.configuration)` when a pattern of `optimizer.rates` means no trainable parameter.
    init(
        _ configuration: RunConfig, steps: Int, model: DualEncoder, publishedLogTemperature: Float? = nil, rank: Int,
        worldSize: Int
    ) throws {
        let (optimizer, layout) = (configuration.optimizer, model.parameters.trainable)
        shards = ParameterShards(layout: layout, worldSize: worldSize)
        let ranges = shards.ranges(rank: rank)
        rule = optimizer.rule
        state = OptimizerState(rule.stateNames, ranges: ranges)
        average = configuration.ema.decay.map {
            MovingAverage(decay: $0, warmsUp: configuration.ema.warmup, ranges: ranges)
        }
        parameters = model.parameters.trainableValues
        gradients = model.parameters.gradients
        map = UpdateMap(layout, rates: try optimizer.rates(of: model.parameters))
        schedule = LearningRateSchedule(
            optimizer.schedule.kind.course, peak: optimizer.learningRate,
            warmup: optimizer.schedule.warmup.steps(of: steps), steps: steps,
            floor: optimizer.schedule.floor)
        clip = optimizer.clip
        bounds = [model.temperatureBound(configuration.loss.temperature, published: publishedLogTemperature)]
    }

    /// What checkpoints hold of this rank: the rule's state and the average.
    var kept: [OptimizerShard] {
        ([state] + (average.map { [$0.state] } ?? [])).flatMap { state in
            zip(state.names, state.buffers).map { OptimizerShard(name: $0, ranges: state.ranges, values: $1) }
        }
    }

    func learningRate(step: Int) -> Double { schedule.rate(at: step) }

    /// Σ g² over the owned ranges.
    func squaredNorm() -> Double { GradientClipping.squaredNorm(of: gradients, in: state.ranges) }

    /// Updates the owned parameters from the summed gradients, clipped by their global norm, and their average. *Collective.*
    func update(norm: Double, step: Int, communicator: any Communicator) throws {
        if step == 1 { average?.begin(parameters) }
        try rule.update(
            state, parameters: parameters, gradients: gradients, map: map, learningRate: schedule.rate(at: step),
            step: step, gradientScale: GradientClipping.coefficient(norm: norm, limit: clip), bounds: bounds,
            sumOverRanks: { try communicator.allReduce($0) })
        average?.update(parameters, step: step)
    }

    /// Runs `body` with the averages in place of the parameters; without averages, with the parameters. *Collective*, and so is what
    /// `body` throws, unless the world is of no further use.
    func withAverages<Result>(
        _ exchange: GradientExchange, _ communicator: any Communicator, _ body: () throws -> Result
    ) throws -> Result {
        guard let average else { return try body() }
        // Neighbours may still read the parameters, which may be theirs too.
        try communicator.barrier()
        let trained = state.ranges.map { range in
            let kept = Floats(count: range.count)
            kept.copy(from: parameters[range])
            return kept
        }
        average.write(to: parameters)
        try exchange.gatherParameters()
        let outcome = Swift.Result { try body() }
        if case .failure(let error) = outcome, error is CollectiveError { throw error }
        try communicator.barrier()
        for (range, kept) in zip(state.ranges, trained) { parameters[range].copy(from: kept) }
        try exchange.gatherParameters()
        return try outcome.get()
    }
}

extension RunConfig.Optimizer {
    /// The same in the optimizers' own terms.
    var rule: Optimizer {
        switch kind {
        case .adamw:
            .adamW(AdamW(beta1: betas.first, beta2: betas.second, epsilon: epsilon, weightDecay: weightDecay))
        case .lamb:
            .lamb(LAMB(beta1: betas.first, beta2: betas.second, epsilon: epsilon, weightDecay: weightDecay))
        case .lion: .lion(Lion(beta1: betas.first, beta2: betas.second, weightDecay: weightDecay))
        case .sgd: .sgd(SGD(momentum: momentum, nesterov: nesterov, weightDecay: weightDecay))
        }
    }
}

extension RunConfig.ScheduleKind {
    fileprivate var course: LearningRateSchedule.Kind {
        switch self {
        case .constant: .constant
        case .linear: .linear
        case .cosine: .cosine
        }
    }
}
