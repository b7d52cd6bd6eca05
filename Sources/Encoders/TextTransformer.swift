// The text tower. Source: the text encoder of CLIP, Radford et al., arXiv 2103.00020, section 2.4; here on packed sequences.
//
// Shapes: B texts, R tokens of all texts, V vocabulary, T context length, D width, E embedding width.

public import Autograd
import Buffers
public import Layers

/// Token embedding + positions → blocks (causal or not) → norm → pooling → projection. Text is packed: nothing is ever padded.
public struct TextTransformer: Encoder {
    /// Sizes and choices of a text tower.
    public struct Configuration: Sendable, Equatable {
        public var vocabulary: Int
        public var context: Int
        public var transformer: TransformerShape
        /// `endOfText` (the last token), `classToken` (the first) or `mean`.
        public var pooling: Pooling
        public var causal: Bool
        public var embedding: Int

        public init(
            vocabulary: Int, context: Int, transformer: TransformerShape, pooling: Pooling, causal: Bool, embedding: Int
        ) {
            self.vocabulary = vocabulary
            self.context = context
            self.transformer = transformer
            self.pooling = pooling
            self.causal = causal
            self.embedding = embedding
        }
    }

    public let configuration: Configuration
    private let tokenTable: ParameterReference
    private let positions: ParameterReference
    private let blocks: [TransformerBlock]
    private let outputNorm: LayerNorm
    private let projection: Linear

    public init(_ plan: inout ParameterPlan, _ name: String, _ configuration: Configuration) {
        let shape = configuration.transformer
        self.configuration = configuration
        tokenTable = plan.declare("\(name).tokens", [configuration.vocabulary, shape.width], .normal(deviation: 0.02))
        positions = plan.declare("\(name).positions", [configuration.context, shape.width], .normal(deviation: 0.01))
        blocks = (0..<shape.depth).map { TransformerBlock(&plan, "\(name).blocks.\($0)", shape: shape) }
        outputNorm = LayerNorm(&plan, "\(name).output_norm", width: shape.width)
        projection = Linear(
            &plan, "\(name).projection", inputs: shape.width, outputs: configuration.embedding, bias: false,
            deviation: 1 / Float(shape.width).squareRoot())
    }

    public var outputColumns: Int { configuration.embedding }
    public var width: Int { configuration.transformer.width }

    public func tokenRows(of input: EncoderInput) -> Int {
        guard case .text(let ids, _) = input else { return 0 }
        return ids.count
    }

    public func embed(_ input: EncoderInput, _ parameters: Parameters, on tape: Tape) -> Tensor {
        let (ids, offsets) = text(input)
        var places = [Int32]()
        places.reserveCapacity(ids.count)
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            precondition(
                end - start <= configuration.context,
                "a text of \(end - start) tokens exceeds the context \(configuration.context)")
            for place in 0..<end - start { places.append(Int32(place)) }
        }
        return tape.add(
            tape.embedding(ids, table: parameters[tokenTable]), tape.embedding(places, table: parameters[positions]))
    }

    public func encode(_ tokens: Tensor, of input: EncoderInput, _ parameters: Parameters, on tape: Tape) -> Tensor {
        let packing = SequencePacking(offsets: text(input).offsets, causal: configuration.causal)
        var x = tokens
        for block in blocks { x = block(x, packing: packing, parameters, on: tape) }
        switch configuration.pooling {
        case .endOfText:
            x = outputNorm(tape.gather(x, rows: packing.offsets.dropFirst().map { $0 - 1 }), parameters, on: tape)
        case .classToken:
            x = outputNorm(tape.gather(x, rows: packing.offsets.dropLast()), parameters, on: tape)
        case .mean:
            x = tape.meanPool(outputNorm(x, parameters, on: tape), offsets: packing.offsets)
        }
        return projection(x, parameters, on: tape)
    }

    public func forwardFLOPs(of input: EncoderInput) -> Double {
        transformerFLOPs(
            configuration.transformer,
            packing: SequencePacking(offsets: text(input).offsets, causal: configuration.causal))
            + 2 * Double(input.rows) * Double(width) * Double(configuration.embedding)
    }

    private func text(_ input: EncoderInput) -> (ids: [Int32], offsets: [Int]) {
        guard case .text(let ids, let offsets) = input else { preconditionFailure("a text tower was given pictures") }
        return (ids, offsets)
    }
}
