// The innermost loop of AdamW.

import Buffers
import Foundation

/// The update of `AdamW`'s documentation on buffers of one length.
func adamWUpdate(
    parameters: Floats, gradients: Floats, firstMoment: Floats, secondMoment: Floats, learningRate: Float, beta1: Float,
    beta2: Float,
    epsilon: Float, weightDecay: Float, step: Int, gradientScale: Float
) {
    let stepSize = Float(Double(learningRate) / (1 - pow(Double(beta1), Double(step))))
    let rootCorrection = Float((1 - pow(Double(beta2), Double(step))).squareRoot())
    let (p, g, m, v) = (parameters.base, gradients.base, firstMoment.base, secondMoment.base)
    for i in 0..<parameters.count {
        let gradient = gradientScale * g[i]
        m[i] = beta1 * m[i] + (1 - beta1) * gradient
        v[i] = beta2 * v[i] + (1 - beta2) * gradient * gradient
        p[i] =
            p[i] * (1 - learningRate * weightDecay) - stepSize * m[i] / (v[i].squareRoot() / rootCorrection + epsilon)
    }
}
