// An affine map. Not here: what is applied around it.

public import Autograd
public import Kernels

/// `y = act(x · Wᵀ + b)`: weight [outputs, inputs] as in PyTorch, bias [outputs] or none.
public struct Linear: Sendable {
    public let weight: ParameterReference
    public let bias: ParameterReference?
    public let activation: Activation

    /// - Parameter deviation: standard deviation of the initial weights.
    public init(
        _ plan: inout ParameterPlan, _ name: String, inputs: Int, outputs: Int, bias: Bool = true,
        activation: Activation = .identity,
        deviation: Float
    ) {
        weight = plan.declare("\(name).weight", [outputs, inputs], .normal(deviation: deviation))
        self.bias = bias ? plan.declare("\(name).bias", [outputs], .zeros) : nil
        self.activation = activation
    }

    public func callAsFunction(_ x: Tensor, _ parameters: Parameters, on tape: Tape) -> Tensor {
        tape.linear(x, weight: parameters[weight], bias: bias.map { parameters[$0] }, activation: activation)
    }
}
