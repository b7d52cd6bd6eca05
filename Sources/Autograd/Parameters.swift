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
    /// Independent, uniform in −bound ..< bound.
    case uniform(bound: Float)
}

/// A declared parameter: the layer's handle for its tensor.
public struct ParameterReference: Sendable, Equatable {
    /// Index in the layout.
    public let index: Int
}

/// Collects what layers declare while a model is put together, in the order of the forward pass.
public struct ParameterPlan: Sendable {
    public private(set) var layout = ParameterLayout()
    private(set) var initializers: [(stream: UInt32, initializer: Initializer)] = []
    /// Indices of the parameters of adapters.
    public private(set) var adapterParameters: Set<Int> = []
    /// Of the layers that the options ask to adapt, in the order of their declaration.
    public internal(set) var adapters: [LowRankAdapter] = []
    /// Paths of all linear layers declared so far, here and in their publisher's program.
    public internal(set) var linearLayers: [(path: String, published: String?)] = []
    /// Adapters for linear layers that are yet to be declared; nil for none.
    public let lowRank: LowRankOptions?
    private var dropouts: UInt32 = 0

    public init(lowRank: LowRankOptions? = nil) { self.lowRank = lowRank }

    /// Declares one tensor.
    /// - Parameter decays: whether weight decay applies; by default to whatever has two or more dimensions.
    public mutating func declare(_ name: String, _ shape: [Int], _ initializer: Initializer, decays: Bool? = nil)
        -> ParameterReference
    {
        // Adapters do not count, so that a model with them has the weights of the model without.
        initializers.append((UInt32(layout.entries.count - adapterParameters.count), initializer))
        return ParameterReference(index: layout.add(name, shape: shape, decays: decays ?? (shape.count > 1)))
    }

    /// Declares one tensor of an adapter.
    mutating func declareOfAdapter(_ name: String, _ shape: [Int], _ initializer: Initializer) -> ParameterReference {
        initializers.append((1 << 20 + UInt32(adapterParameters.count), initializer))
        let index = layout.add(name, shape: shape, decays: true)
        adapterParameters.insert(index)
        return ParameterReference(index: index)
    }

    /// A stream number of its own for a layer with dropout, so that no two layers share a mask.
    public mutating func declareDropout() -> UInt32 {
        dropouts += 1
        return dropouts
    }
}

/// What a model's parameters are for.
public enum ParameterUse: Sendable {
    case training
    /// Values alone, read from files: no parameter has a gradient, and none is drawn.
    case inference
}

/// Where the flat buffers of `Parameters` lie.
public struct ParameterMemory {
    public let values: Floats
    public let gradients: Floats
    /// Whether the values are filled here: with values that others have in common, one of them does it for all.
    public let isFilledHere: Bool

    /// `values` and `gradients` hold at least as many elements as the two layouts.
    public init(values: Memory, gradients: Memory, isFilledHere: Bool) {
        self.values = Floats(memory: values, count: values.byteCount / MemoryLayout<Float>.stride)
        self.gradients = Floats(memory: gradients, count: gradients.byteCount / MemoryLayout<Float>.stride)
        self.isFilledHere = isFilledHere
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
    /// `trainable.count` elements, none where there is inference alone; backward passes accumulate here, `zeroGradients` clears.
    public let gradients: Floats
    /// Low-rank adapters of the model's linear layers.
    public let adapters: [LowRankAdapter]
    private let tensors: [Tensor]

    /// Allocates the flat buffers and fills them: element k of parameter p is a function of (seed, p, k) alone.
    /// - Parameters:
    ///   - frozen: indices in the plan's layout of parameters that get no gradient.
    ///   - memory: nil for memory of its own.
    public init(
        _ plan: ParameterPlan, seed: UInt64, frozen: Set<Int> = [], memory: ParameterMemory? = nil,
        use: ParameterUse = .training
    ) {
        let (layout, trainable) = plan.layout.movingBehind(frozen)
        let values = memory?.values[0..<layout.count] ?? Floats(count: layout.count)
        let gradientCount = use == .training ? trainable.count : 0
        let gradients = memory?.gradients[0..<gradientCount] ?? Floats(count: gradientCount)
        gradients.fill(0)
        if memory?.isFilledHere ?? true { Self.fill(values, layout, plan, seed: seed, draws: use == .training) }
        self.layout = layout
        self.trainable = trainable
        trainableIndices = layout.entries.indices.filter { !frozen.contains($0) }
        self.values = values
        self.gradients = gradients
        adapters = plan.adapters
        self.tensors = layout.entries.enumerated().map { index, entry in
            Tensor(
                parameter: index, shape: entry.shape, values: values[entry.range],
                gradient: use == .inference || frozen.contains(index) ? nil : gradients[entry.range])
        }
    }

    /// First values, and zeros between tensors.
    /// - Parameter draws: false leaves random values zero: drawing them takes longer than reading what replaces them.
    private static func fill(
        _ values: Floats, _ layout: ParameterLayout, _ plan: ParameterPlan, seed: UInt64, draws: Bool
    ) {
        values.fill(0)
        for (entry, (stream, initializer)) in zip(layout.entries, plan.initializers) {
            let view = values[entry.range]
            let field = RandomField(seed: seed, purpose: .initialWeights, stream: stream)
            switch initializer {
            case .zeros: break
            case .ones: view.fill(1)
            case .constant(let value): view.fill(value)
            case .normal(let deviation) where draws:
                field.normals(step: 0, row: 0, into: view)
                for element in 0..<view.count { view.base[element] *= deviation }
            case .uniform(let bound) where draws:
                for element in 0..<view.count {
                    view.base[element] = bound * (2 * field.uniform(row: 0, column: element) - 1)
                }
            case .normal, .uniform: break
            }
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

    /// A part of a parameter along its first dimension: a view of its values and of its gradient.
    public func part(_ range: Range<Int>) -> Tensor {
        guard let parameter else { preconditionFailure("a part of what is no parameter") }
        let stride = values.count / shape[0]
        let elements = range.lowerBound * stride..<range.upperBound * stride
        return Tensor(
            parameter: parameter, shape: [range.count] + shape.dropFirst(), values: values[elements],
            gradient: gradient?[elements])
    }
}
