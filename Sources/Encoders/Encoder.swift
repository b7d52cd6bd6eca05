// What every encoder offers to training and evaluation. Not here: the encoders (VisionTransformer, TextTransformer, FeatureHead).

public import Autograd
public import Buffers
import Layers

/// One side of a batch, prepared for its encoder.
public enum EncoderInput: @unchecked Sendable {
    /// B pictures, [B, 3, S, S], normalised.
    case pictures(Floats, count: Int)
    /// B texts packed one behind the other: text b is `ids[offsets[b] ..< offsets[b + 1]]`, never empty, ending in end-of-text.
    case text(ids: [Int32], offsets: [Int])
    /// B rows of precomputed features, [B, D].
    case features(Floats, count: Int)

    /// B.
    public var rows: Int {
        switch self {
        case .pictures(_, let count), .features(_, let count): count
        case .text(_, let offsets): offsets.count - 1
        }
    }
}

/// A model that turns B inputs into representations, [B, E].
///
/// In two parts, so that noise can act on what enters the first block: `embed` gives the tokens of all sequences (x_RD, R rows
/// packed), `encode` the rest. Both are local.
public protocol Encoder: Sendable {
    /// E.
    var outputColumns: Int { get }
    /// D.
    var width: Int { get }
    /// R for an input: how many token rows `embed` returns.
    func tokenRows(of input: EncoderInput) -> Int
    /// Token embeddings with positions: x_RD.
    func embed(_ input: EncoderInput, _ parameters: Parameters, on tape: Tape) -> Tensor
    /// Blocks, final norm, pooling, projection: representations_BE.
    func encode(_ tokens: Tensor, of input: EncoderInput, _ parameters: Parameters, on tape: Tape) -> Tensor
    /// The rows `range` of an input.
    func slice(_ input: EncoderInput, _ range: Range<Int>) -> EncoderInput
    /// Floating-point operations of one forward pass over an input: two per multiply-add of every matrix product.
    func forwardFLOPs(of input: EncoderInput) -> Double
}

extension Encoder {
    public func callAsFunction(_ input: EncoderInput, _ parameters: Parameters, on tape: Tape) -> Tensor {
        encode(embed(input, parameters, on: tape), of: input, parameters, on: tape)
    }

    public func slice(_ input: EncoderInput, _ range: Range<Int>) -> EncoderInput {
        switch input {
        case .pictures(let values, let count):
            let stride = count == 0 ? 0 : values.count / count
            return .pictures(values[range.lowerBound * stride..<range.upperBound * stride], count: range.count)
        case .features(let values, let count):
            let stride = count == 0 ? 0 : values.count / count
            return .features(values[range.lowerBound * stride..<range.upperBound * stride], count: range.count)
        case .text(let ids, let offsets):
            let tokens = offsets[range.lowerBound]..<offsets[range.upperBound]
            return .text(
                ids: Array(ids[tokens]),
                offsets: offsets[range.lowerBound...range.upperBound].map { $0 - tokens.lowerBound })
        }
    }
}

/// FLOPs of a stack of blocks over packed sequences: 2 · R · (4D² + 2DF) a block for the products, 4 · Σ T² · D for attention.
func transformerFLOPs(_ shape: TransformerShape, packing: SequencePacking) -> Double {
    let rows = Double(packing.offsets.last ?? 0)
    let width = Double(shape.width)
    let products = 2 * rows * (4 * width * width + 2 * width * Double(shape.hidden))
    var pairs = 0.0
    for (start, end) in zip(packing.offsets, packing.offsets.dropFirst()) {
        let length = Double(end - start)
        pairs += packing.causal ? length * (length + 1) / 2 : length * length
    }
    return Double(shape.depth) * (products + 4 * pairs * width)
}
