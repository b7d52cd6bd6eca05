// The feed-forward part of a transformer block. Not here: what is around it.

import Autograd
import Kernels

/// `y = output(act(hidden(x)))`: two linear layers, width → hidden width → width.
struct FeedForward: Sendable {
    let hidden: Linear
    let output: Linear
    private let activation: Activation

    /// - Parameters:
    ///   - name: of the part; the layers are `NAME.hidden` and `NAME.output`.
    ///   - deviation: standard deviation of the output layer's initial weights; the hidden layer's is (2D)^-½.
    init(_ plan: inout ParameterPlan, _ name: String, shape: TransformerShape, deviation: Float) {
        hidden = Linear(
            &plan, "\(name).hidden", inputs: shape.width, outputs: shape.hidden,
            deviation: 1 / Float(2 * shape.width).squareRoot())
        output = Linear(&plan, "\(name).output", inputs: shape.hidden, outputs: shape.width, deviation: deviation)
        activation = shape.activation
    }

    /// - Parameter residual: what the result is added to.
    func callAsFunction(_ x: Tensor, residual: Tensor? = nil, _ parameters: Parameters, on tape: Tape) -> Tensor {
        tape.feedForward(
            x, hidden: hidden.operands(parameters), activation: activation, output: output.operands(parameters),
            residual: residual)
    }
}
