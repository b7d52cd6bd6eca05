// A value that a tape may differentiate. Not here: how values are computed (Operations), where parameters lie (Parameters.swift).

public import Buffers

/// A dense row-major float32 array of known shape, and where its gradient goes.
///
/// Tensors are references: two layers that use one tensor share its gradient. Local to a rank and to its thread.
public final class Tensor {
    public let shape: [Int]
    /// `shape` elements, row-major. Never written after the operation that made it.
    public let values: Floats
    /// Whether the loss is to be differentiated with respect to this tensor.
    public let requiresGradient: Bool
    /// Index in the model's layout when this is a parameter; nil for intermediates and inputs.
    public let parameter: Int?
    /// Whether its rows are sequences, after pooling, rather than tokens.
    var isPooled = false
    /// Parameters: the view of the flat gradient that kernels accumulate into. Intermediates: the finished sum of the gradients that
    /// came back so far; it may be shared, and is not written to where it is.
    var gradient: Floats?

    /// A constant, or (`requiresGradient`) a leaf whose gradient `Tape.gradient(of:)` returns.
    public init(_ values: Floats, shape: [Int], requiresGradient: Bool = false) {
        precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
        self.shape = shape
        self.values = values
        self.requiresGradient = requiresGradient
        self.parameter = nil
    }

    /// A parameter: views into the flat buffers of its layout; `gradient` nil freezes it.
    init(parameter: Int, shape: [Int], values: Floats, gradient: Floats?) {
        self.shape = shape
        self.values = values
        self.requiresGradient = gradient != nil
        self.parameter = parameter
        self.gradient = gradient
    }

    /// Product of all dimensions but the last.
    public var rows: Int { shape.dropLast().reduce(1, *) }
    /// The last dimension.
    public var columns: Int { shape.last ?? 1 }
}
