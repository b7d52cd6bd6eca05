// AdamW's update of a range, one pass over memory. Not here: schedules, clipping, sharding, which parameters decay (Optimizers).

public import Buffers
private import CVectorMath
import Foundation

/// One step of AdamW on n elements, in place; t = `step` counts from 1, g = gradientScale · gradient.
///
/// ```
/// p ← p · (1 − η λ)
/// m ← β₁ m + (1 − β₁) g
/// v ← β₂ v + (1 − β₂) g²
/// p ← p − η/(1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
/// ```
/// η learning rate, λ weight decay. Source: Loshchilov and Hutter, arXiv 1711.05101, in the form of PyTorch's `torch.optim.AdamW`
/// (ε after the bias correction). Constants are formed in float64. 7 floats of memory traffic an element.
public func adamWUpdate(
    parameters: Floats, gradients: Floats, firstMoment: Floats, secondMoment: Floats, learningRate: Double,
    beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double, step: Int, gradientScale: Float
) {
    precondition(step >= 1, "step \(step) does not count from 1")
    let count = parameters.count
    check("gradients", gradients, holds: count)
    check("firstMoment", firstMoment, holds: count)
    check("secondMoment", secondMoment, holds: count)
    let (correction1, correction2) = (1 - pow(beta1, Double(step)), 1 - pow(beta2, Double(step)))
    let constants = fanoise_adamw_constants(
        gradient_scale: gradientScale, beta1: Float(beta1), one_minus_beta1: Float(1 - beta1), beta2: Float(beta2),
        one_minus_beta2: Float(1 - beta2), decay: Float(1 - learningRate * weightDecay),
        step_size: Float(learningRate / correction1), inverse_root_correction: Float(1 / correction2.squareRoot()),
        epsilon: Float(epsilon))
    parallel(count, elements: 7 * count) { part in
        let first = part.lowerBound
        fanoise_adamw(
            parameters.base + first, gradients.base + first, firstMoment.base + first, secondMoment.base + first,
            part.count, constants)
    }
}
