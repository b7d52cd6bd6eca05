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
    parameters: Floats, gradients: Floats, firstMoment: Floats, secondMoment: Floats, learningRate: Float, beta1: Float,
    beta2: Float,
    epsilon: Float, weightDecay: Float, step: Int, gradientScale: Float
) {
    precondition(step >= 1, "step \(step) does not count from 1")
    let count = parameters.count
    check("gradients", gradients, holds: count)
    check("firstMoment", firstMoment, holds: count)
    check("secondMoment", secondMoment, holds: count)
    let (rate, b1, b2) = (Double(learningRate), Double(beta1), Double(beta2))
    fanoise_adamw(
        parameters.base, gradients.base, firstMoment.base, secondMoment.base, count,
        fanoise_adamw_constants(
            gradient_scale: gradientScale, beta1: beta1, one_minus_beta1: Float(1 - b1), beta2: beta2,
            one_minus_beta2: Float(1 - b2),
            decay: Float(1 - rate * Double(weightDecay)), step_size: Float(rate / (1 - pow(b1, Double(step)))),
            inverse_root_correction: Float(1 / (1 - pow(b2, Double(step))).squareRoot()), epsilon: epsilon))
}
