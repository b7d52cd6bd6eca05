// Layer normalisation. Source: Ba, Kiros, Hinton, "Layer Normalization", arXiv 1607.06450.

public import Autograd

/// `y = gain ⊙ (x − mean) / √(variance + ε) + shift` over the last dimension; variance with divisor D.
public struct LayerNorm: Sendable {
    public let gain: ParameterReference
    public let shift: ParameterReference
    public let epsilon: Float

    public init(_ plan: inout ParameterPlan, _ name: String, width: Int, epsilon: Float = 1e-5) {
        gain = plan.declare("\(name).weight", [width], .ones)
        shift = plan.declare("\(name).bias", [width], .zeros)
        self.epsilon = epsilon
    }

    public func callAsFunction(_ x: Tensor, _ parameters: Parameters, on tape: Tape) -> Tensor {
        tape.layerNorm(x, gain: parameters[gain], shift: parameters[shift], epsilon: epsilon)
    }
}
