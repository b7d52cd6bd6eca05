// An affine map. Not here: what is applied around it.

public import Autograd
public import Kernels

/// `y = act(x · Wᵀ + b)`: weight [outputs, inputs] as in PyTorch, bias [outputs] or none; with adapters where the plan asks for them.
public struct Linear: Sendable {
    public let weight: ParameterReference
    public let bias: ParameterReference?
    public let activation: Activation
    private let adapters: [LowRankAdapter]

    /// - Parameters:
    ///   - parts: of a fused layer, the names of the layers whose outputs lie side by side, equally wide: they take the place of the
    ///     name's last component where single layers are meant, and each has its own adapter.
    ///   - deviation: standard deviation of the initial weights.
    public init(
        _ plan: inout ParameterPlan, _ name: String, inputs: Int, outputs: Int, bias: Bool = true,
        activation: Activation = .identity, parts: [String] = [], deviation: Float
    ) {
        precondition(parts.isEmpty || outputs % parts.count == 0, "\(outputs) outputs in parts \(parts)")
        let weight = plan.declare("\(name).weight", [outputs, inputs], .normal(deviation: deviation))
        self.weight = weight
        self.bias = bias ? plan.declare("\(name).bias", [outputs], .zeros) : nil
        self.activation = activation
        let parent = name.lastIndex(of: ".").map { name[...$0] } ?? ""
        let layers = parts.isEmpty ? [name] : parts.map { parent + $0 }
        let width = outputs / layers.count
        adapters = layers.enumerated().compactMap { index, layer in
            plan.declareAdapter(layer, weight: weight, outputs: index * width..<(index + 1) * width)
        }
    }

    /// - Parameters:
    ///   - outputs: those that are wanted; nil: all.
    ///   - residual: what the result is added to.
    public func callAsFunction(
        _ x: Tensor, outputs: Range<Int>? = nil, residual: Tensor? = nil, _ parameters: Parameters, on tape: Tape
    ) -> Tensor {
        tape.linear(x, operands(parameters, outputs: outputs), activation: activation, residual: residual)
    }

    /// What it applies before its activation: the part of these outputs, or all of it.
    func operands(_ parameters: Parameters, outputs: Range<Int>? = nil) -> LinearOperands {
        guard let outputs else {
            return LinearOperands(
                weight: parameters[weight], bias: bias.map { parameters[$0] }, adapters: adapters, of: parameters)
        }
        return LinearOperands(
            weight: parameters[weight].part(outputs), bias: bias.map { parameters[$0].part(outputs) },
            adapters: adapters.compactMap { $0.of(outputs) }, of: parameters)
    }
}
