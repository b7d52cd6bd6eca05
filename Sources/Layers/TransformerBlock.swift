// The pre-norm transformer block on packed sequences. Not here: embeddings and pooling (Encoders).

public import Autograd
public import Kernels

/// Where the sequences of a packed batch begin and end, and who may look at whom.
public struct SequencePacking: Sendable, Equatable {
    /// Sequence s is rows `offsets[s] ..< offsets[s + 1]`.
    public let offsets: [Int]
    /// Whether a token sees only itself and what is before it.
    public let causal: Bool

    public init(offsets: [Int], causal: Bool) {
        self.offsets = offsets
        self.causal = causal
    }
}

/// Sizes of a stack of transformer blocks.
public struct TransformerShape: Sendable, Equatable {
    public var width: Int
    public var depth: Int
    public var heads: Int
    /// Width of the hidden layer of the feed-forward part.
    public var hidden: Int
    public var activation: Activation
    /// Probability of dropping an element of what a block adds to the residual stream.
    public var dropout: Float

    public init(width: Int, depth: Int, heads: Int, hidden: Int, activation: Activation = .geluErf, dropout: Float = 0)
    {
        precondition(width % heads == 0, "width \(width) is not divisible by \(heads) heads")
        self.width = width
        self.depth = depth
        self.heads = heads
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
    }
}

/// `x += dropout(attention(norm(x)))`, `x += dropout(mlp(norm(x)))`.
///
/// Initial deviations as in CLIP (Radford et al., arXiv 2103.00020): D^-½ for queries, keys and values, (2D)^-½ for the hidden
/// layer, D^-½ · (2 · depth)^-½ for what writes to the residual stream.
public struct TransformerBlock: Sendable {
    let attentionNorm: LayerNorm
    let queryKeyValue: Linear
    let attentionOutput: Linear
    let mlpNorm: LayerNorm
    let hidden: Linear
    let output: Linear
    let heads: Int
    let dropout: Float
    let dropoutStreams: (attention: UInt32, mlp: UInt32)

    public init(_ plan: inout ParameterPlan, _ name: String, shape: TransformerShape) {
        let deviation = 1 / Float(shape.width).squareRoot()
        let residualDeviation = deviation / Float(2 * shape.depth).squareRoot()
        attentionNorm = LayerNorm(&plan, "\(name).attention_norm", width: shape.width)
        queryKeyValue = Linear(
            &plan, "\(name).attention.qkv", inputs: shape.width, outputs: 3 * shape.width, deviation: deviation)
        attentionOutput = Linear(
            &plan, "\(name).attention.output", inputs: shape.width, outputs: shape.width, deviation: residualDeviation)
        mlpNorm = LayerNorm(&plan, "\(name).mlp_norm", width: shape.width)
        hidden = Linear(
            &plan, "\(name).mlp.hidden", inputs: shape.width, outputs: shape.hidden, activation: shape.activation,
            deviation: 1 / Float(2 * shape.width).squareRoot())
        output = Linear(
            &plan, "\(name).mlp.output", inputs: shape.hidden, outputs: shape.width, deviation: residualDeviation)
        heads = shape.heads
        dropout = shape.dropout
        dropoutStreams = (plan.declareDropout(), plan.declareDropout())
    }

    /// x_RD to x_RD.
    public func callAsFunction(_ x: Tensor, packing: SequencePacking, _ parameters: Parameters, on tape: Tape) -> Tensor
    {
        let qkv = queryKeyValue(attentionNorm(x, parameters, on: tape), parameters, on: tape)
        let mixed = tape.attention(qkv: qkv, offsets: packing.offsets, heads: heads, causal: packing.causal)
        let attended = attentionOutput(mixed, parameters, on: tape)
        let x = tape.add(x, tape.dropout(attended, probability: dropout, stream: dropoutStreams.attention))
        let fed = output(hidden(mlpNorm(x, parameters, on: tape), parameters, on: tape), parameters, on: tape)
        return tape.add(x, tape.dropout(fed, probability: dropout, stream: dropoutStreams.mlp))
    }
}
