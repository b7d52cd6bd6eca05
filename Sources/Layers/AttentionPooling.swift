// A sequence's vector by attention of a learned query. Source: Zhai et al., arXiv 2106.04560, section 3.4 ("MAP head"), as published
// with SigLIP. Not here: the attention of one query (Kernels).
//
// Shapes: B sequences, R rows of all, D width.

public import Autograd
import Kernels

/// `a = output(attention(query(probe), key_value(x)))`, `y = a + mlp(norm(a))`.
public struct AttentionPooling: Sendable {
    let probe: ParameterReference
    let query: Linear
    let keyValue: Linear
    let attentionOutput: Linear
    let norm: LayerNorm
    let mlp: FeedForward
    let heads: Int
    private let width: Int
    private let hiddenWidth: Int

    public init(_ plan: inout ParameterPlan, _ name: String, shape: TransformerShape) {
        let width = shape.width
        let deviation = 1 / Float(width).squareRoot()
        probe = plan.declare("\(name).probe", [1, width], .normal(deviation: deviation))
        query = Linear(&plan, "\(name).attention.query", inputs: width, outputs: width, deviation: deviation)
        keyValue = Linear(&plan, "\(name).attention.key_value", inputs: width, outputs: 2 * width, deviation: deviation)
        attentionOutput = Linear(
            &plan, "\(name).attention.output", inputs: width, outputs: width, deviation: deviation)
        norm = LayerNorm(&plan, "\(name).norm", width: width, epsilon: shape.epsilon)
        mlp = FeedForward(&plan, "\(name).mlp", shape: shape, deviation: deviation)
        heads = shape.heads
        self.width = width
        hiddenWidth = shape.hidden
    }

    /// x_RD to y_BD; sequence b is rows `offsets[b] ..< offsets[b + 1]`, none empty.
    public func callAsFunction(_ x: Tensor, offsets: [Int], _ parameters: Parameters, on tape: Tape) -> Tensor {
        let pooled = tape.queryAttention(
            query(parameters[probe], parameters, on: tape), keyValue: keyValue(x, parameters, on: tape),
            packing: QueryPacking(offsets: offsets), heads: heads)
        let a = attentionOutput(pooled, parameters, on: tape)
        return mlp(norm(a, parameters, on: tape), residual: a, parameters, on: tape)
    }

    /// Multiply-adds for one sequence.
    public func products(tokens: Int) -> Double {
        let width = Double(width)
        return Double(tokens) * 2 * width * (width + 1) + width * (width + 2 * Double(hiddenWidth))
    }
}
