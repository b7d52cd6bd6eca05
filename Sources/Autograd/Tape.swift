// Records operations and replays them backwards. Not here: the operations themselves (Operations*.swift).

public import Buffers
import Kernels

/// What a forward pass must know beside its input, so that randomness is a function of the global batch.
public struct ForwardContext: Sendable, Equatable {
    /// The training step: counter of dropout masks.
    public var step: Int
    /// Global index of the first token (row) of this pass in the global batch.
    public var firstRow: Int
    /// Global index of the first sequence of this pass: numbers the rows of what is pooled.
    public var firstSequence: Int
    /// The key of dropout masks; nil turns dropout off (evaluation).
    public var dropoutSeed: UInt64?

    public init(step: Int = 0, firstRow: Int = 0, firstSequence: Int = 0, dropoutSeed: UInt64? = nil) {
        self.step = step
        self.firstRow = firstRow
        self.firstSequence = firstSequence
        self.dropoutSeed = dropoutSeed
    }

    /// Global index of the first row of a tensor of this pass; of a parameter, which every pass has as a whole, 0.
    func firstRow(of tensor: Tensor) -> Int {
        if tensor.parameter != nil { return 0 }
        return tensor.isPooled ? firstSequence : firstRow
    }

    /// No dropout.
    public static let evaluation = ForwardContext()
}

/// The record of one forward pass.
///
/// Operations append what their backward needs; `backward` takes them off again from the end, so that activations are freed as soon
/// as they have served, and a parameter is reported at the moment its gradient is complete. A tape is used once.
public final class Tape {
    /// Whether operations are remembered.
    public enum Mode: Sendable {
        case recording
        /// Nothing is kept: evaluation, and the first pass of gradient caching.
        case inference
    }

    public let mode: Mode
    public let context: ForwardContext
    /// Whether `checkpoint` keeps the input of a layer alone (gradient checkpointing).
    public let checkpoints: Bool
    /// Whether some operation used a trainable parameter, recorded or not: whether a backward pass has anything to do.
    public private(set) var usesTrainableParameters = false
    /// Floating-point operations of the linear layers' products so far, forward and backward: two per multiply-add. What is not
    /// differentiated is not counted, for it is not computed.
    public internal(set) var linearOperations = 0.0
    private var operations: [Operation] = []
    private var pendingUses: [Int: Int] = [:]

    private struct Operation {
        let output: Tensor
        let parameters: [Int]
        let backward: (Floats) -> Void
    }

    public init(_ mode: Mode = .recording, context: ForwardContext = .evaluation, checkpoints: Bool = false) {
        self.mode = mode
        self.context = context
        self.checkpoints = checkpoints
    }

    /// Operations recorded and not yet replayed.
    public var count: Int { operations.count }

    /// Makes the output of an operation and, where a gradient will be wanted, remembers how to differentiate it.
    ///
    /// - Parameters:
    ///   - values: the result of the forward kernel.
    ///   - inputs: everything the result depends on, parameters included.
    ///   - backward: receives `d output`, which it must not write to, and hands each input its gradient: `accumulate` for
    ///     intermediates, kernels that accumulate into `parameterGradient` for parameters. Everything it captures is freed after, or
    ///     with the tape: so it must not hold the tape itself (`[unowned self]`).
    /// - Returns: the output; it requires a gradient when some input does and the tape records.
    public func record(_ values: Floats, shape: [Int], inputs: [Tensor?], backward: @escaping (Floats) -> Void)
        -> Tensor
    {
        if inputs.contains(where: { $0?.parameterGradient != nil }) { usesTrainableParameters = true }
        let tracked = mode == .recording && inputs.contains { $0?.requiresGradient == true }
        let output = Tensor(values, shape: shape, requiresGradient: tracked)
        output.isPooled = inputs.contains { $0?.isPooled == true }
        guard tracked else { return output }
        let parameters = inputs.compactMap { $0.flatMap { $0.requiresGradient ? $0.parameter : nil } }
        for parameter in parameters { pendingUses[parameter, default: 0] += 1 }
        operations.append(Operation(output: output, parameters: parameters, backward: backward))
        return output
    }

    /// `layer(x)`; with `checkpoints`, nothing of it is kept but x, and `backward` computes it again: less memory, one more forward pass.
    ///
    /// Both passes see the same masks, for these are functions of the context: the gradient is the same to the last bit.
    /// Source: Chen et al., "Training deep nets with sublinear memory cost", arXiv 1604.06174.
    /// - Parameter layer: pure; may use tensors of this tape beside x.
    public func checkpoint(_ x: Tensor, _ layer: @escaping (Tensor, Tape) -> Tensor) -> Tensor {
        guard mode == .recording, checkpoints else { return layer(x, self) }
        let context = context
        func run() -> (tape: Tape, input: Tensor, output: Tensor) {
            let tape = Tape(.recording, context: context)
            let input = Tensor(x.values, shape: x.shape, requiresGradient: x.requiresGradient)
            input.isPooled = x.isPooled
            return (tape, input, layer(input, tape))
        }
        let (tape, _, result) = run()
        usesTrainableParameters = usesTrainableParameters || tape.usesTrainableParameters
        linearOperations += tape.linearOperations
        let output = Tensor(result.values, shape: result.shape, requiresGradient: result.requiresGradient)
        output.isPooled = result.isPooled
        guard output.requiresGradient else { return output }
        let parameters = Array(tape.pendingUses.keys)
        for parameter in parameters { pendingUses[parameter, default: 0] += 1 }
        operations.append(
            Operation(output: output, parameters: parameters) { [unowned self] dy in
                let (again, input, result) = run()
                again.backward(from: [(result, dy)])
                linearOperations += again.linearOperations
                if let dx = input.gradient { pass(dx, to: x) }
            })
        return output
    }

    /// Adds a contribution to the gradient of an intermediate. `compute` overwrites the buffer it is given with the contribution.
    /// Nothing is computed for tensors that need no gradient.
    public func accumulate(into tensor: Tensor, _ compute: (Floats) -> Void) {
        guard tensor.requiresGradient else { return }
        let contribution = Floats(count: tensor.values.count)
        compute(contribution)
        pass(contribution, to: tensor)
    }

    /// Hands a finished contribution to an intermediate without copying; whoever keeps `contribution`, too, does not write to it. A parameter
    /// that is an operation's input as it stands accumulates it in its flat buffer.
    public func pass(_ contribution: Floats, to tensor: Tensor) {
        guard tensor.requiresGradient else { return }
        if let gradient = tensor.parameterGradient {
            addInto(gradient, contribution)
            return
        }
        guard let earlier = tensor.gradient else {
            tensor.gradient = contribution
            return
        }
        tensor.gradient = sum(contribution, earlier)
    }

    /// Adds a contribution to few of the elements of a gradient: of a parameter's in its flat buffer; of an intermediate's in what has come to it
    /// so far, where nobody else looks at that.
    /// - Parameter add: adds to the buffer it is given.
    func accumulate(sparsely tensor: Tensor, _ add: (Floats) -> Void) {
        guard tensor.requiresGradient else { return }
        if let gradient = tensor.parameterGradient { return add(gradient) }
        var earlier = takeGradient(of: tensor)
        if earlier?.isOnlyView() == true, let earlier {
            add(earlier)
            tensor.gradient = earlier
            return
        }
        tensor.gradient = earlier
        accumulate(into: tensor) { contribution in
            contribution.fill(0)
            add(contribution)
        }
    }

    /// What has come to an intermediate so far, for an operation that adds its own contribution to it and hands on the sum; nil: nothing.
    func takeGradient(of tensor: Tensor) -> Floats? {
        defer { tensor.gradient = nil }
        return tensor.gradient
    }

    /// Differentiates: from the gradients of some outputs back to every parameter and leaf.
    ///
    /// Parameter gradients are added to what their flat buffer holds. The tape is empty afterwards.
    /// - Parameters:
    ///   - seeds: tensors with their gradients `dL/dtensor`, same element count.
    ///   - finished: told the layout index of each parameter when nothing on this tape will add to its gradient any more.
    public func backward(
        from seeds: [(tensor: Tensor, gradient: Floats)], finished: (Int) throws -> Void
    ) rethrows {
        for (tensor, gradient) in seeds {
            precondition(
                tensor.values.count == gradient.count,
                "gradient of \(gradient.count) for a tensor of shape \(tensor.shape)")
            pass(gradient, to: tensor)
        }
        while let operation = operations.popLast() {
            if let gradient = operation.output.gradient {
                operation.output.gradient = nil
                operation.backward(gradient)
            }
            for parameter in operation.parameters {
                let left = (pendingUses[parameter] ?? 1) - 1
                pendingUses[parameter] = left
                if left == 0 { try finished(parameter) }
            }
        }
    }

    /// The same, when nobody waits for single parameters.
    public func backward(from seeds: [(tensor: Tensor, gradient: Floats)]) { backward(from: seeds) { _ in } }

    /// The gradient that `backward` left in a leaf (`requiresGradient`, not a parameter); nil when nothing reached it.
    public func gradient(of leaf: Tensor) -> Floats? { leaf.gradient }
}
