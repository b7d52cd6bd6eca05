// Updates of a range by SGD, Lion and LAMB, and the moving average, one pass over memory each. Not here: AdamW (AdamW.swift), schedules,
// clipping, sharding, which parameters decay (Optimizers).

public import Buffers
private import CVectorMath
import Foundation

/// One step of SGD with momentum on n elements, in place; g = gradientScale · gradient.
///
/// ```
/// p ← p · (1 − η λ)
/// m ← μ m + g
/// p ← p − η · m                 nesterov: p − η · (g + μ m)
/// ```
/// Source: Sutskever et al., ICML 2013, in the form of `torch.optim.SGD` without dampening; but the decay is decoupled, as for AdamW.
public func sgdUpdate(
    parameters: Floats, gradients: Floats, momentum m: Floats, learningRate: Double, momentumShare: Double,
    nesterov: Bool,
    weightDecay: Double, gradientScale: Float
) {
    let count = parameters.count
    check("gradients", gradients, holds: count)
    check("momentum", m, holds: count)
    fanoise_sgd(
        parameters.base, gradients.base, m.base, count,
        fanoise_sgd_constants(
            gradient_scale: gradientScale, momentum: Float(momentumShare),
            velocity_share: nesterov ? Float(momentumShare) : 1,
            gradient_share: nesterov ? 1 : 0, decay: Float(1 - learningRate * weightDecay),
            learning_rate: Float(learningRate)))
}

/// One step of Lion on n elements, in place; g = gradientScale · gradient, sign(0) = 0.
///
/// ```
/// p ← p · (1 − η λ) − η · sign(β₁ m + (1 − β₁) g)
/// m ← β₂ m + (1 − β₂) g
/// ```
/// Source: Chen et al., "Symbolic discovery of optimization algorithms", arXiv 2302.06675, algorithm 2.
public func lionUpdate(
    parameters: Floats, gradients: Floats, momentum m: Floats, learningRate: Double, beta1: Double, beta2: Double,
    weightDecay: Double, gradientScale: Float
) {
    let count = parameters.count
    check("gradients", gradients, holds: count)
    check("momentum", m, holds: count)
    fanoise_lion(
        parameters.base, gradients.base, m.base, count,
        fanoise_lion_constants(
            gradient_scale: gradientScale, beta1: Float(beta1), one_minus_beta1: Float(1 - beta1), beta2: Float(beta2),
            one_minus_beta2: Float(1 - beta2), decay: Float(1 - learningRate * weightDecay),
            learning_rate: Float(learningRate)))
}

/// The direction of LAMB for n elements of one tensor, t = `step` from 1, g = gradientScale · gradient.
///
/// ```
/// m ← β₁ m + (1 − β₁) g
/// v ← β₂ v + (1 − β₂) g²
/// u = m/(1 − β₁ᵗ) / (√v / √(1 − β₂ᵗ) + ε) + λ p
/// ```
/// Overwrites `gradients` with u. Returns Σ p² and Σ u², in float64, from which the trust ratio of the whole tensor is made.
/// Source: You et al., "Large batch optimization for deep learning", arXiv 1904.00962, algorithm 2.
public func lambDirection(
    parameters: Floats, gradients: Floats, firstMoment: Floats, secondMoment: Floats, beta1: Double, beta2: Double,
    epsilon: Double, weightDecay: Double, step: Int, gradientScale: Float
) -> (parameters: Double, direction: Double) {
    precondition(step >= 1, "step \(step) does not count from 1")
    let count = parameters.count
    check("gradients", gradients, holds: count)
    check("firstMoment", firstMoment, holds: count)
    check("secondMoment", secondMoment, holds: count)
    var squares = [0.0, 0.0]
    fanoise_lamb_direction(
        parameters.base, gradients.base, firstMoment.base, secondMoment.base, count,
        fanoise_lamb_constants(
            gradient_scale: gradientScale, beta1: Float(beta1), one_minus_beta1: Float(1 - beta1), beta2: Float(beta2),
            one_minus_beta2: Float(1 - beta2), inverse_correction: Float(1 / (1 - pow(beta1, Double(step)))),
            inverse_root_correction: Float(1 / (1 - pow(beta2, Double(step))).squareRoot()), epsilon: Float(epsilon),
            weight_decay: Float(weightDecay)), &squares)
    return (squares[0], squares[1])
}

/// `e ← e + (1 − decay) (p − e)`: an exponential moving average of p.
public func averageUpdate(_ e: Floats, _ p: Floats, decay: Double) {
    check("values", p, holds: e.count)
    fanoise_average(e.base, p.base, Float(1 - decay), e.count)
}
