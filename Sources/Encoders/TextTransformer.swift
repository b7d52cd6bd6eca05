// The text tower. Sources: the text encoder of CLIP, Radford et al., arXiv 2103.00020, section 2.4; BERT, Devlin et al.,
// arXiv 1810.04805; MPNet, Song et al., arXiv 2004.09297; here on packed sequences.
//
// Shapes: B texts, R tokens of all texts, V vocabulary, T context length, D width, E embedding width.

public import Autograd
import Buffers
public import Layers

/// Token embedding + positions (+ token type) (→ norm) → blocks (causal or not) (→ norm) → pooling → projections. Text is packed:
/// nothing is padded, unless the model was trained on padding and knows no other text.
public struct TextTransformer: Encoder {
    /// How tokens are numbered.
    public enum Positions: Sendable, Equatable {
        /// 0, 1, 2, …
        case fromStart
        /// p + 1, p + 2, …, where p is the number of the padding token; a padding token in a text has position p and is not counted
        /// (RoBERTa, Liu et al., arXiv 1907.11692, in fairseq's numbering).
        case afterPadding(Int32)

        /// Tokens of the longest text that a table of `rows` positions has room for.
        public func capacity(rows: Int) -> Int {
            switch self {
            case .fromStart: rows
            case .afterPadding(let padding): rows - Int(padding) - 1
            }
        }
    }

    /// Sizes and choices of a text tower.
    public struct Configuration: Sendable, Equatable {
        public var vocabulary: Int
        /// T: tokens of the longest text.
        public var context: Int
        public var transformer: TransformerShape
        /// One, or several side by side.
        public var pooling: [Pooling]
        public var causal: Bool
        public var projections: [Projection]
        /// Rows of the position table; as many as the context, unless positions begin later.
        public var positionRows: Int
        public var positions = Positions.fromStart
        /// Rows of the token-type table, of which the first is added to every token; 0 for none.
        public var tokenTypes = 0
        /// Whether the sum of the embeddings is normalised before the first block.
        public var inputNorm = false
        /// Whether the last block is followed by a norm.
        public var outputNorm = true
        /// Rows of the table of every head's biases by distance, at least `DistanceBuckets.count`; nil without such biases.
        public var distanceRows: Int?
        /// What ends a text, for `endOfText` pooling.
        public var end = EndOfText.last
        /// The token that fills every text up to the context, attended to like any other; nil: no text is filled up (all but SigLIP).
        public var filler: Int32?

        public init(
            vocabulary: Int, context: Int, transformer: TransformerShape, pooling: Pooling, causal: Bool,
            projections: [Projection]
        ) {
            self.vocabulary = vocabulary
            self.context = context
            self.transformer = transformer
            self.pooling = [pooling]
            self.causal = causal
            self.projections = projections
            positionRows = context
        }

        /// One linear projection to `embedding` columns without bias: a tower from scratch.
        public init(
            vocabulary: Int, context: Int, transformer: TransformerShape, pooling: Pooling, causal: Bool, embedding: Int
        ) {
            self.init(
                vocabulary: vocabulary, context: context, transformer: transformer, pooling: pooling, causal: causal,
                projections: [.linear(name: "projection", outputs: embedding, bias: false)])
        }
    }

    public let configuration: Configuration
    private let tokenTable: ParameterReference
    private let positions: ParameterReference
    private let tokenTypes: ParameterReference?
    private let inputNorm: LayerNorm?
    private let distances: ParameterReference?
    private let blocks: [TransformerBlock]
    private let outputNorm: LayerNorm?
    private let projections: ProjectionStack

    public init(_ plan: inout ParameterPlan, _ name: String, _ configuration: Configuration) {
        let shape = configuration.transformer
        func norm(_ wanted: Bool, _ own: String) -> LayerNorm? {
            wanted ? LayerNorm(&plan, "\(name).\(own)", width: shape.width, epsilon: shape.epsilon) : nil
        }
        func table(_ own: String, _ rows: Int, _ columns: Int, deviation: Float) -> ParameterReference {
            plan.declare("\(name).\(own)", [rows, columns], .normal(deviation: deviation))
        }
        self.configuration = configuration
        tokenTable = table("tokens", configuration.vocabulary, shape.width, deviation: 0.02)
        positions = table("positions", configuration.positionRows, shape.width, deviation: 0.01)
        tokenTypes =
            configuration.tokenTypes > 0
            ? table("token_types", configuration.tokenTypes, shape.width, deviation: 0.02) : nil
        inputNorm = norm(configuration.inputNorm, "input_norm")
        distances = configuration.distanceRows.map { table("distances", $0, shape.heads, deviation: 0.02) }
        blocks = (0..<shape.depth).map { TransformerBlock(&plan, "\(name).blocks.\($0)", shape: shape) }
        outputNorm = norm(configuration.outputNorm, "output_norm")
        projections = ProjectionStack(
            &plan, name, inputs: shape.width * configuration.pooling.count, configuration.projections)
    }

    public var outputColumns: Int { projections.outputs }
    public var width: Int { configuration.transformer.width }

    public func tokenRows(of input: EncoderInput) -> Int {
        guard case .text(let ids, let offsets) = input else { return 0 }
        return configuration.filler == nil ? ids.count : (offsets.count - 1) * configuration.context
    }

    public func embed(_ input: EncoderInput, _ parameters: Parameters, on tape: Tape) -> Tensor {
        let (ids, offsets) = text(input)
        var x = tape.add(
            tape.embedding(ids, table: parameters[tokenTable]),
            tape.embedding(places(ids, offsets), table: parameters[positions]))
        if let tokenTypes {
            x = tape.add(
                x, tape.embedding([Int32](repeating: 0, count: ids.count), table: parameters[tokenTypes]))
        }
        return inputNorm.map { $0(x, parameters, on: tape) } ?? x
    }

    public func encode(_ tokens: Tensor, of input: EncoderInput, _ parameters: Parameters, on tape: Tape) -> Tensor {
        let (ids, offsets) = text(input)
        let packing = SequencePacking(offsets: offsets, causal: configuration.causal)
        let bias = distances.map { table in
            tape.relativeBias(
                table: parameters[table],
                buckets: DistanceBuckets.buckets(upTo: packing.longest))
        }
        let rows = pooledRows(ids, offsets)
        var x = blocks(tokens, packing: packing, rows: rows, bias: bias, parameters, on: tape)
        if rows != nil { return projections(normed(x, parameters, on: tape), parameters, on: tape) }
        // A norm of rows that are left out is not needed.
        let normsLast = configuration.pooling.allSatisfy { row(of: $0, ids, offsets) != nil }
        if !normsLast { x = normed(x, parameters, on: tape) }
        let pooled = configuration.pooling.map { pooling in
            let y = pool(x, by: pooling, ids, offsets, on: tape)
            return normsLast ? normed(y, parameters, on: tape) : y
        }
        return projections(pooled.count == 1 ? pooled[0] : tape.joinColumns(pooled), parameters, on: tape)
    }

    /// The row of each text that `pooling` takes, if it takes one.
    private func row(of pooling: Pooling, _ ids: [Int32], _ offsets: [Int]) -> [Int]? {
        switch pooling {
        case .endOfText: configuration.end.rows(ids, offsets)
        case .classToken: offsets.dropLast()
        case .mean, .maximum, .rootMean, .weightedMean: nil
        }
    }

    /// The rows that pooling reads, if it reads one of each text.
    private func pooledRows(_ ids: [Int32], _ offsets: [Int]) -> [Int]? {
        configuration.pooling.count == 1 ? row(of: configuration.pooling[0], ids, offsets) : nil
    }

    private func pool(_ x: Tensor, by pooling: Pooling, _ ids: [Int32], _ offsets: [Int], on tape: Tape) -> Tensor {
        if let rows = row(of: pooling, ids, offsets) { return tape.gather(x, rows: rows) }
        if let weights = pooling.weights(offsets) { return tape.weightedPool(x, weights: weights, offsets: offsets) }
        return pooling == .maximum ? tape.maxPool(x, offsets: offsets) : tape.meanPool(x, offsets: offsets)
    }

    public func forwardFLOPs(of input: EncoderInput) -> Double {
        let (ids, offsets) = text(input)
        return transformerFLOPs(
            configuration.transformer, packing: SequencePacking(offsets: offsets, causal: configuration.causal),
            rows: distances == nil ? pooledRows(ids, offsets) : nil)
            + 2 * Double(input.rows) * Double(projections.products)
    }

    private func normed(_ x: Tensor, _ parameters: Parameters, on tape: Tape) -> Tensor {
        outputNorm.map { $0(x, parameters, on: tape) } ?? x
    }

    /// Row of the position table of every token.
    private func places(_ ids: [Int32], _ offsets: [Int]) -> [Int32] {
        var places = [Int32]()
        places.reserveCapacity(ids.count)
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            precondition(
                end - start <= configuration.context,
                "a text of \(end - start) tokens exceeds the context \(configuration.context)")
            switch configuration.positions {
            case .fromStart: for place in 0..<end - start { places.append(Int32(place)) }
            case .afterPadding(let padding):
                var place = padding
                for id in ids[start..<end] {
                    if id != padding { place += 1 }
                    places.append(id == padding ? padding : place)
                }
            }
        }
        return places
    }

    /// The tokens as the blocks see them: filled up, where the model wants it.
    private func text(_ input: EncoderInput) -> (ids: [Int32], offsets: [Int]) {
        guard case .text(let ids, let offsets) = input else { preconditionFailure("a text tower was given pictures") }
        guard let filler = configuration.filler else { return (ids, offsets) }
        var filled = [Int32]()
        filled.reserveCapacity((offsets.count - 1) * configuration.context)
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            precondition(
                end - start <= configuration.context,
                "a text of \(end - start) tokens exceeds the context \(configuration.context)")
            filled += ids[start..<end]
            filled += [Int32](repeating: filler, count: configuration.context - (end - start))
        }
        return (filled, (0..<offsets.count).map { $0 * configuration.context })
    }
}
