// The rules of update, each a set of constants and a pure update of given buffers. Not here: the learning rate
// (LearningRateSchedule.swift), who owns which range (ParameterShards.swift), the innermost loops (Kernels).

public import Buffers
import Kernels

/// A rule by which gradients change parameters. The equations are in the cases' types.
///
/// Weight decay is decoupled in all of them, and multiplied by the learning rate: p loses η λ p a step, where the layout says that
/// decay applies.
public enum Optimizer: Sendable, Equatable {
    case adamW(AdamW)
    case sgd(SGD)
    case lion(Lion)
    case lamb(LAMB)

    /// The flat buffers that the rule keeps, by their names in checkpoints.
    public var stateNames: [String] {
        switch self {
        case .adamW, .lamb: ["first_moment", "second_moment"]
        case .sgd, .lion: ["momentum"]
        }
    }

    /// Updates the parameters in `state.ranges`, and the state, in place.
    ///
    /// Local, but for LAMB, whose ratios are those of whole tensors: it calls `sumOverRanks` once, on every rank.
    ///
    /// - Parameters:
    ///   - parameters: flat, of the layout's count; only the owned ranges are read and written.
    ///   - gradients: flat, of the layout's count; only the owned ranges are read. LAMB leaves its directions there.
    ///   - step: t, 1 at the first update.
    ///   - gradientScale: factor of the gradient: the clipping coefficient.
    ///   - bounds: limits applied to the owned ranges after the update.
    ///   - sumOverRanks: replaces its argument by the sum over all ranks that share the layout.
    public func update(
        _ state: OptimizerState, parameters: Floats, gradients: Floats, map: UpdateMap, learningRate: Double, step: Int,
        gradientScale: Float = 1, bounds: [ParameterBound] = [], sumOverRanks: (Doubles) throws -> Void
    ) rethrows {
        precondition(
            parameters.count == map.count && gradients.count == map.count,
            "\(parameters.count) parameters and \(gradients.count) gradients of a layout of \(map.count)")
        precondition(
            step >= 1 && learningRate.isFinite && gradientScale.isFinite,
            "step \(step), rate \(learningRate), scale \(gradientScale)")
        precondition(state.names == stateNames, "a state of \(state.names) for \(stateNames)")
        if case .lamb(let rule) = self {
            try rule.update(
                state, parameters: parameters, gradients: gradients, map: map, learningRate: learningRate, step: step,
                gradientScale: gradientScale, sumOverRanks: sumOverRanks)
        } else {
            for (index, range) in state.ranges.enumerated() {
                map.forEachSegment(in: range) { segment in
                    let packed = state.packed(segment.range, inRangeAt: index)
                    update(
                        parameters[segment.range], gradients[segment.range], state.buffers.map { $0[packed] }, segment,
                        learningRate: learningRate * segment.rate, step: step, gradientScale: gradientScale)
                }
            }
        }
        for range in state.ranges { for bound in bounds { bound.apply(to: parameters, within: range) } }
    }

    /// One segment by a rule that looks at each element by itself.
    private func update(
        _ parameters: Floats, _ gradients: Floats, _ state: [Floats], _ segment: UpdateMap.Segment,
        learningRate: Double,
        step: Int, gradientScale: Float
    ) {
        switch self {
        case .adamW(let rule):
            adamWUpdate(
                parameters: parameters, gradients: gradients, firstMoment: state[0], secondMoment: state[1],
                learningRate: learningRate, beta1: rule.beta1, beta2: rule.beta2, epsilon: rule.epsilon,
                weightDecay: segment.decays ? rule.weightDecay : 0, step: step, gradientScale: gradientScale)
        case .sgd(let rule):
            sgdUpdate(
                parameters: parameters, gradients: gradients, momentum: state[0], learningRate: learningRate,
                momentumShare: rule.momentum, nesterov: rule.nesterov,
                weightDecay: segment.decays ? rule.weightDecay : 0,
                gradientScale: gradientScale)
        case .lion(let rule):
            lionUpdate(
                parameters: parameters, gradients: gradients, momentum: state[0], learningRate: learningRate,
                beta1: rule.beta1, beta2: rule.beta2, weightDecay: segment.decays ? rule.weightDecay : 0,
                gradientScale: gradientScale)
        case .lamb: preconditionFailure("LAMB looks at whole tensors")
        }
    }
}

private func checkRule(betas: [Double] = [], epsilon: Double = 1, weightDecay: Double) {
    precondition(betas.allSatisfy { (0..<1).contains($0) }, "\(betas) are not in 0 ..< 1")
    precondition(epsilon > 0 && weightDecay >= 0, "epsilon \(epsilon), weight decay \(weightDecay)")
}

/// Adam with decoupled weight decay.
///
///     g ← scale · g
///     p ← p − η λ p                           (only where the layout says that decay applies)
///     m ← β₁ m + (1 − β₁) g
///     v ← β₂ v + (1 − β₂) g²
///     p ← p − η / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
///
/// Source: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2, in the form of
/// `torch.optim.AdamW`: λ is multiplied by the learning rate, ε is added after the bias correction of the second moment.
public struct AdamW: Sendable, Equatable {
    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double
    /// λ.
    public var weightDecay: Double

    public init(beta1: Double = 0.9, beta2: Double = 0.98, epsilon: Double = 1e-6, weightDecay: Double = 0.1) {
        checkRule(betas: [beta1, beta2], epsilon: epsilon, weightDecay: weightDecay)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
    }
}

/// Stochastic gradient descent with momentum.
///
///     g ← scale · g
///     p ← p − η λ p
///     m ← μ m + g
///     p ← p − η m                 (nesterov: p − η (g + μ m))
///
/// Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013, in the form of
/// `torch.optim.SGD` without dampening. Deviation: the decay is decoupled; torch adds λ p to g, and so to the momentum.
public struct SGD: Sendable, Equatable {
    /// μ; 0 for none.
    public var momentum: Double
    public var nesterov: Bool
    /// λ.
    public var weightDecay: Double

    public init(momentum: Double = 0.9, nesterov: Bool = false, weightDecay: Double = 0) {
        checkRule(betas: [momentum], weightDecay: weightDecay)
        self.momentum = momentum
        self.nesterov = nesterov
        self.weightDecay = weightDecay
    }
}

/// Lion: the sign of an interpolated momentum. Every element moves by the learning rate, so rates are a third to a tenth of AdamW's.
///
///     g ← scale · g
///     p ← p − η λ p − η sign(β₁ m + (1 − β₁) g)
///     m ← β₂ m + (1 − β₂) g
///
/// Source: Chen et al., "Symbolic discovery of optimization algorithms", arXiv 2302.06675, algorithm 2. No deviations; sign(0) = 0.
public struct Lion: Sendable, Equatable {
    public var beta1: Double
    public var beta2: Double
    /// λ.
    public var weightDecay: Double

    public init(beta1: Double = 0.9, beta2: Double = 0.99, weightDecay: Double = 0.1) {
        checkRule(betas: [beta1, beta2], weightDecay: weightDecay)
        self.beta1 = beta1
        self.beta2 = beta2
        self.weightDecay = weightDecay
    }
}

/// Adam's direction, scaled tensor by tensor to the length of the tensor.
///
///     g ← scale · g
///     m ← β₁ m + (1 − β₁) g
///     v ← β₂ v + (1 − β₂) g²
///     u = m / (1 − β₁ᵗ) / (√v / √(1 − β₂ᵗ) + ε) + λ p
///     p ← p − η r u,      r = ‖p‖ / ‖u‖ of the whole tensor, whoever owns its parts
///
/// Source: You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", arXiv 1904.00962, algorithm 2, with
/// φ(z) = z. Deviations: r = 1 where a norm is 0, and for parameters without decay (biases, norms, temperature), as in the authors'
/// own program.
public struct LAMB: Sendable, Equatable {
    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double
    /// λ.
    public var weightDecay: Double

    public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-6, weightDecay: Double = 0.01) {
        checkRule(betas: [beta1, beta2], epsilon: epsilon, weightDecay: weightDecay)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
    }

    /// One pass for directions and their norms, the sum over ranks, one pass for the parameters.
    fileprivate func update(
        _ state: OptimizerState, parameters: Floats, gradients: Floats, map: UpdateMap, learningRate: Double, step: Int,
        gradientScale: Float, sumOverRanks: (Doubles) throws -> Void
    ) rethrows {
        let squares = Doubles(repeating: 0, count: 2 * map.tensors.count)
        for (index, range) in state.ranges.enumerated() {
            map.forEachTensor(in: range) { tensor, segment in
                let packed = state.packed(segment.range, inRangeAt: index)
                let sums = lambDirection(
                    parameters: parameters[segment.range], gradients: gradients[segment.range],
                    firstMoment: state.buffers[0][packed], secondMoment: state.buffers[1][packed], beta1: beta1,
                    beta2: beta2, epsilon: epsilon, weightDecay: segment.decays ? weightDecay : 0, step: step,
                    gradientScale: gradientScale)
                squares[2 * tensor] += sums.parameters
                squares[2 * tensor + 1] += sums.direction
            }
        }
        try sumOverRanks(squares)
        for range in state.ranges {
            map.forEachTensor(in: range) { tensor, segment in
                let (length, stride) = (squares[2 * tensor].squareRoot(), squares[2 * tensor + 1].squareRoot())
                let ratio = segment.decays && length > 0 && stride > 0 ? length / stride : 1
                addInto(
                    parameters[segment.range], gradients[segment.range],
                    scale: Float(-learningRate * segment.rate * ratio))
            }
        }
    }
}
