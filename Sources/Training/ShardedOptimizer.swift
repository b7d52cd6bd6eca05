// The optimizer of one rank: its ranges, its moments, its schedule. Not here: the formula (Optimizers), the exchange.

import Buffers
import Optimizers

/// AdamW over the ranges that this rank owns; with one rank, over everything.
public final class ShardedOptimizer {
    let shards: ParameterShards
    let state: AdamW.State
    private let parameters: Floats
    private let gradients: Floats
    private let decay: WeightDecayMap
    private let rule: AdamW
    private let schedule: LearningRateSchedule
    private let clip: Double?
    private let bounds: [ParameterBound]

    /// - Parameters:
    ///   - steps: of the whole run: the course of the learning rate.
    ///   - rank, worldSize: decide which ranges are owned.
    init(
        _ configuration: RunConfig.Optimizer, steps: Int, model: DualEncoder, bounds: [ParameterBound], rank: Int,
        worldSize: Int
    ) {
        shards = ParameterShards(layout: model.parameters.trainable, worldSize: worldSize)
        state = AdamW.State(ranges: shards.ranges(rank: rank))
        parameters = model.parameters.trainableValues
        gradients = model.parameters.gradients
        decay = WeightDecayMap(model.parameters.trainable)
        rule = AdamW(
            beta1: configuration.betas.first, beta2: configuration.betas.second, epsilon: configuration.epsilon,
            weightDecay: configuration.weightDecay)
        schedule = LearningRateSchedule(
            configuration.schedule.kind.course, peak: configuration.learningRate, warmup: configuration.schedule.warmup,
            steps: steps,
            floor: configuration.schedule.floor)
        clip = configuration.clip
        self.bounds = bounds
    }

    func learningRate(step: Int) -> Double { schedule.rate(at: step) }

    /// Σ g² over the owned ranges.
    func squaredNorm() -> Double { GradientClipping.squaredNorm(of: gradients, in: state.ranges) }

    /// Updates the owned parameters from the summed gradients, clipped by their global norm.
    func update(norm: Double, step: Int) {
        rule.update(
            state, parameters: parameters, gradients: gradients, decay: decay, learningRate: schedule.rate(at: step),
            step: step,
            gradientScale: GradientClipping.coefficient(norm: norm, limit: clip), bounds: bounds)
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
