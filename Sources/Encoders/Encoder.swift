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

extension [TransformerBlock] {
    /// All blocks one after the other; of the last one, the wanted rows alone.
    /// - Parameters:
    ///   - rows: one of each sequence, where nothing else is read of what the last block makes; nil: all.
    ///   - bias: as `TransformerBlock` takes it; every row is computed with it.
    /// - Returns: [R, D], or [B, D] of `rows`.
    func callAsFunction(
        _ tokens: Tensor, packing: SequencePacking, rows: [Int]?, bias: Tensor? = nil, _ parameters: Parameters,
        on tape: Tape
    ) -> Tensor {
        var x = tokens
        for (index, block) in enumerated() {
            let last = index == count - 1 && bias == nil ? rows : nil
            x = tape.checkpoint(x) { block($0, packing: packing, rows: last, bias: bias, parameters, on: $1) }
        }
        guard let rows, isEmpty || bias != nil else { return x }
        return tape.gather(x, rows: rows)
    }
}

/// FLOPs of a stack of blocks over packed sequences. A block's are 2 · R · (4D² + 2DF) for the products and 4 · D · pairs for attention; of
/// which the last one needs keys and values of all rows, 2 · R · 2D², and all else of the wanted `rows` alone.
func transformerFLOPs(_ shape: TransformerShape, packing: SequencePacking, rows: [Int]?) -> Double {
    let all = Double(packing.offsets.last ?? 0)
    let width = Double(shape.width)
    let keysAndValues = 4 * width * width
    let others = 2 * (2 * width * width + 2 * width * Double(shape.hidden))
    let whole = all * (keysAndValues + others) + 4 * width * Double(packing.pairs())
    guard let rows, shape.depth > 0 else { return Double(shape.depth) * whole }
    return Double(shape.depth - 1) * whole + all * keysAndValues + Double(rows.count) * others
        + 4 * width * Double(packing.pairs(of: rows))
}
