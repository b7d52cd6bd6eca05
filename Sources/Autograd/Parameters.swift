// The parameters of a model: declared by layers, stored flat. Not here: their updates (Optimizers) and files (Checkpoints).

public import Buffers
import Randomness

/// How a parameter begins.
public enum Initializer: Sendable, Equatable {
    case zeros
    case ones
    case constant(Float)
    /// Independent N(0, deviation²).
    case normal(deviation: Float)
}

/// A declared parameter: the layer's handle for its tensor.
public struct ParameterReference: Sendable, Equatable {
    /// Index in the layout.
    public let index: Int
}

/// Collects what layers declare while a model is put together, in the order of the forward pass.
public struct ParameterPlan: Sendable {
    public private(set) var layout = ParameterLayout()
    private(set) var initializers: [Initializer] = []
    private var dropouts: UInt32 = 0

    public init() {}

    /// Declares one tensor.
    /// - Parameter decays: whether weight decay applies; by default to whatever has two or more dimensions.
    public mutating func declare(_ name: String, _ shape: [Int], _ initializer: Initializer, decays: Bool? = nil)
        -> ParameterReference
    {
        initializers.append(initializer)
        return ParameterReference(index: layout.add(name, shape: shape, decays: decays ?? (shape.count > 1)))
    }

    /// A stream number of its own for a layer with dropout, so that no two layers share a mask.
    public mutating func declareDropout() -> UInt32 {
        dropouts += 1
        return dropouts
    }
}

/// Values of all parameters and gradients of the trainable ones, each one flat buffer.
///
/// The trainable parameters come first: they are one layout by themselves, which gradients, moments and the exchange between ranks
/// share. Frozen ones lie behind them, in one piece that training never writes; they have values and nothing else.
public final class Parameters {
    /// All parameters in the order of their declaration.
    public let layout: ParameterLayout
    /// The trainable ones alone; element k of it is element k of `layout`.
    public let trainable: ParameterLayout
    /// For each entry of `trainable`, its index in `layout`.
    public let trainableIndices: [Int]
    /// `layout.count` elements, padding zero.
    public let values: Floats
    /// `trainable.count` elements; backward passes accumulate here, `zeroGradients` clears.
    public let gradients: Floats
    private let tensors: [Tensor]

    /// Allocates the flat buffers and fills them: element k of parameter p is a function of (seed, p, k) alone.
    /// - Parameter frozen: indices in the plan's layout of parameters that get no gradient.
    public init(_ plan: ParameterPlan, seed: UInt64, frozen: Set<Int> = []) {
        let (layout, trainable) = plan.layout.movingBehind(frozen)
        let values = Floats(repeating: 0, count: layout.count)
        let gradients = Floats(repeating: 0, count: trainable.count)
        for (index, (entry, initializer)) in zip(layout.entries, plan.initializers).enumerated() {
            let view = values[entry.range]
            switch initializer {
            case .zeros: break
            case .ones: view.fill(1)
            case .constant(let value): view.fill(value)
            case .normal(let deviation):
                RandomField(seed: seed, purpose: .initialWeights, stream: UInt32(index)).normals(
                    step: 0, row: 0, into: view)
                for element in 0..<view.count { view.base[element] *= deviation }
            }
        }
        self.layout = layout
        self.trainable = trainable
        trainableIndices = layout.entries.indices.filter { !frozen.contains($0) }
        self.values = values
        self.gradients = gradients
        self.tensors = layout.entries.enumerated().map { index, entry in
            Tensor(
                parameter: index, shape: entry.shape, values: values[entry.range],
                gradient: frozen.contains(index) ? nil : gradients[entry.range])
        }
    }

    /// The values of the trainable parameters: a view of `trainable.count` elements.
    public var trainableValues: Floats { values[0..<trainable.count] }

    /// The tensor of a declared parameter.
    public subscript(reference: ParameterReference) -> Tensor { tensors[reference.index] }

    public func zeroGradients() { gradients.fill(0) }
}

extension Tensor {
    /// The view that backward kernels accumulate a parameter's gradient into; nil when it is frozen.
    public var parameterGradient: Floats? { parameter == nil ? nil : gradient }
}
