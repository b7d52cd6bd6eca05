// The transformer block on packed sequences, with its norms before or after its parts. Not here: embeddings and pooling (Encoders).

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

    /// What a query at `rows[s]` sees of its sequence s, for every one.
    /// - Precondition: `rows[s]` is a row of sequence s.
    func queries(at rows: [Int]) -> QueryPacking {
        precondition(rows.count == offsets.count - 1, "\(rows.count) rows of \(offsets.count - 1) sequences")
        for (row, (start, end)) in zip(rows, zip(offsets, offsets.dropFirst())) {
            precondition(start <= row && row < end, "row \(row) is not of the sequence \(start) ..< \(end)")
        }
        return QueryPacking(offsets: offsets, ends: causal ? rows.map { $0 + 1 } : nil)
    }

    /// Pairs of a row and a row that it sees: of all rows, or of `rows` alone.
    public func pairs(of rows: [Int]? = nil) -> Int {
        if let rows {
            let seen = queries(at: rows)
            return zip(seen.offsets, seen.ends).reduce(0) { $0 + $1.1 - $1.0 }
        }
        return zip(offsets, offsets.dropFirst()).reduce(0) { sum, sequence in
            let length = sequence.1 - sequence.0
            return sum + (causal ? length * (length + 1) / 2 : length * length)
        }
    }

    /// The length of the longest sequence.
    public var longest: Int { zip(offsets, offsets.dropFirst()).reduce(0) { max($0, $1.1 - $1.0) } }
}

/// Sizes of a stack of transformer blocks.
public struct TransformerShape: Sendable, Equatable {
    public var width: Int
    public var depth: Int
    public var heads: Int
    /// Width of the hidden layer of the feed-forward part.
    public var hidden: Int
    public var activation: Activation
    /// Where the norms of a block are.
    public var norms: NormPlacement
    /// ε of every norm.
    public var epsilon: Float
    /// Whether queries, keys and values have a bias.
    public var attentionBias: Bool
    /// Probability of dropping an element of what a block adds to the residual stream.
    public var dropout: Float

    public init(
        width: Int, depth: Int, heads: Int, hidden: Int, activation: Activation = .geluErf,
        norms: NormPlacement = .before, epsilon: Float = 1e-5, attentionBias: Bool = true, dropout: Float = 0
    ) {
        precondition(width % heads == 0, "width \(width) is not divisible by \(heads) heads")
        self.width = width
        self.depth = depth
        self.heads = heads
        self.hidden = hidden
        self.activation = activation
        self.norms = norms
        self.epsilon = epsilon
        self.attentionBias = attentionBias
        self.dropout = dropout
    }
}

/// Where the norms of a block are: before its parts, on what they read (Xiong et al., arXiv 2002.04745), or after them, on the sum that
/// they add to (Vaswani et al., arXiv 1706.03762, section 3.1).
public enum NormPlacement: Sendable, Equatable {
    case before
    case after
}

/// `x += dropout(attention(norm(x)))`, `x += dropout(mlp(norm(x)))`; with norms after:
/// `x = norm(x + dropout(attention(x)))`, `x = norm(x + dropout(mlp(x)))`.
///
/// Initial deviations as in CLIP (Radford et al., arXiv 2103.00020): D^-½ for queries, keys and values, (2D)^-½ for the hidden
/// layer, D^-½ · (2 · depth)^-½ for what writes to the residual stream.
public struct TransformerBlock: Sendable {
    let attentionNorm: LayerNorm
    let queryKeyValue: Linear
    let attentionOutput: Linear
    let mlpNorm: LayerNorm
    let mlp: FeedForward
    let heads: Int
    let norms: NormPlacement
    let dropout: Float
    let dropoutStreams: (attention: UInt32, mlp: UInt32)

    public init(_ plan: inout ParameterPlan, _ name: String, shape: TransformerShape) {
        let deviation = 1 / Float(shape.width).squareRoot()
        let residualDeviation = deviation / Float(2 * shape.depth).squareRoot()
        attentionNorm = LayerNorm(
            &plan, "\(name).attention_norm", width: shape.width, epsilon: shape.epsilon)
        queryKeyValue = Linear(
            &plan, "\(name).attention.qkv", inputs: shape.width, outputs: 3 * shape.width,
            bias: shape.attentionBias, parts: ["query", "key", "value"], deviation: deviation)
        attentionOutput = Linear(
            &plan, "\(name).attention.output", inputs: shape.width, outputs: shape.width, deviation: residualDeviation)
        mlpNorm = LayerNorm(&plan, "\(name).mlp_norm", width: shape.width, epsilon: shape.epsilon)
        mlp = FeedForward(&plan, "\(name).mlp", shape: shape, deviation: residualDeviation)
        heads = shape.heads
        norms = shape.norms
        dropout = shape.dropout
        dropoutStreams = (plan.declareDropout(), plan.declareDropout())
    }

    /// x_RD to x_RD; or to x_BD, one row of each sequence, at a fraction of the work: what no other row looks at is not computed.
    /// - Parameters:
    ///   - rows: the rows that are wanted, one of each sequence, none of them empty; nil: all.
    ///   - bias: what is added to the scores of each head by distance, as `Tape.attention` takes it; not with `rows`.
    public func callAsFunction(
        _ x: Tensor, packing: SequencePacking, rows: [Int]? = nil, bias: Tensor? = nil, _ parameters: Parameters,
        on tape: Tape
    ) -> Tensor {
        precondition(rows == nil || bias == nil, "biases by distance with single rows of a block")
        func wanted(_ x: Tensor) -> Tensor { rows.map { tape.gather(x, rows: $0) } ?? x }
        /// x + dropout(part), where `part` adds what it is given.
        func joined(to x: Tensor, stream: UInt32, _ part: (Tensor?) -> Tensor) -> Tensor {
            guard dropout > 0 else { return part(x) }
            return tape.add(x, tape.dropout(part(nil), probability: dropout, stream: stream))
        }
        func mixed(_ read: Tensor) -> Tensor {
            guard let rows else {
                return tape.attention(
                    qkv: queryKeyValue(read, parameters, on: tape), offsets: packing.offsets, heads: heads,
                    causal: packing.causal, bias: bias)
            }
            let width = read.columns
            return tape.queryAttention(
                queryKeyValue(wanted(read), outputs: 0..<width, parameters, on: tape),
                keyValue: queryKeyValue(read, outputs: width..<3 * width, parameters, on: tape),
                packing: packing.queries(at: rows), heads: heads)
        }
        func attention(_ read: Tensor, addedTo x: Tensor) -> Tensor {
            let mixed = mixed(read)
            return joined(to: wanted(x), stream: dropoutStreams.attention) {
                attentionOutput(mixed, residual: $0, parameters, on: tape)
            }
        }
        func fed(_ read: Tensor, addedTo x: Tensor) -> Tensor {
            joined(to: x, stream: dropoutStreams.mlp) { mlp(read, residual: $0, parameters, on: tape) }
        }
        switch norms {
        case .before:
            let y = attention(attentionNorm(x, parameters, on: tape), addedTo: x)
            return fed(mlpNorm(y, parameters, on: tape), addedTo: y)
        case .after:
            let y = attentionNorm(attention(x, addedTo: x), parameters, on: tape)
            return mlpNorm(fed(y, addedTo: y), parameters, on: tape)
        }
    }
}
