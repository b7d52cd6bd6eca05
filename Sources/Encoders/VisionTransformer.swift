// The picture tower. Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", arXiv 2010.11929; pre-norm, as in CLIP.
//
// Shapes: B pictures, C = 3 channels, S picture size, p patch size, G = (S/p)² patches, T = G (+ 1 with a class token) tokens,
// R = B · T rows, D width, E embedding width.

public import Autograd
import Buffers
import Kernels
public import Layers

/// ViT: patches → linear → (class token) + positions → (norm) → blocks → norm → pooling → projection.
public struct VisionTransformer: Encoder {
    /// Sizes and choices of a ViT.
    public struct Configuration: Sendable, Equatable {
        public var imageSize: Int
        public var patch: Int
        public var transformer: TransformerShape
        /// `classToken` or `mean`.
        public var pooling: Pooling
        /// Whether tokens are normalised before the first block, as CLIP does and the original ViT does not.
        public var inputNorm: Bool
        public var embedding: Int

        public init(
            imageSize: Int, patch: Int, transformer: TransformerShape, pooling: Pooling, inputNorm: Bool, embedding: Int
        ) {
            precondition(imageSize % patch == 0, "image size \(imageSize) is not divisible by patch \(patch)")
            precondition(pooling != .endOfText, "pictures have no end of text")
            self.imageSize = imageSize
            self.patch = patch
            self.transformer = transformer
            self.pooling = pooling
            self.inputNorm = inputNorm
            self.embedding = embedding
        }
    }

    public let configuration: Configuration
    private let patchEmbedding: Linear
    private let classToken: ParameterReference?
    private let positions: ParameterReference
    private let inputNorm: LayerNorm?
    private let blocks: [TransformerBlock]
    private let outputNorm: LayerNorm
    private let projection: Linear

    public init(_ plan: inout ParameterPlan, _ name: String, _ configuration: Configuration) {
        let shape = configuration.transformer
        let deviation = 1 / Float(shape.width).squareRoot()
        let patchInputs = 3 * configuration.patch * configuration.patch
        let grid = configuration.imageSize / configuration.patch
        let tokens = grid * grid + (configuration.pooling == .classToken ? 1 : 0)
        self.configuration = configuration
        patchEmbedding = Linear(
            &plan, "\(name).patch_embedding", inputs: patchInputs, outputs: shape.width, bias: false,
            deviation: 1 / Float(patchInputs).squareRoot())
        classToken =
            configuration.pooling == .classToken
            ? plan.declare("\(name).class_token", [shape.width], .normal(deviation: deviation)) : nil
        positions = plan.declare("\(name).positions", [tokens, shape.width], .normal(deviation: deviation))
        inputNorm = configuration.inputNorm ? LayerNorm(&plan, "\(name).input_norm", width: shape.width) : nil
        blocks = (0..<shape.depth).map { TransformerBlock(&plan, "\(name).blocks.\($0)", shape: shape) }
        outputNorm = LayerNorm(&plan, "\(name).output_norm", width: shape.width)
        projection = Linear(
            &plan, "\(name).projection", inputs: shape.width, outputs: configuration.embedding, bias: false,
            deviation: deviation)
    }

    public var outputColumns: Int { configuration.embedding }
    public var width: Int { configuration.transformer.width }
    private var patches: Int {
        (configuration.imageSize / configuration.patch) * (configuration.imageSize / configuration.patch)
    }
    private var tokens: Int { patches + (classToken == nil ? 0 : 1) }

    public func tokenRows(of input: EncoderInput) -> Int { input.rows * tokens }

    public func embed(_ input: EncoderInput, _ parameters: Parameters, on tape: Tape) -> Tensor {
        guard case .pictures(let pictures, let count) = input else {
            preconditionFailure("a picture tower was given text")
        }
        let size = configuration.imageSize
        precondition(
            pictures.count == count * 3 * size * size,
            "\(pictures.count) values for \(count) pictures of 3×\(size)×\(size)")
        let patchColumns = 3 * configuration.patch * configuration.patch
        let cut = Floats(count: count * patches * patchColumns)
        patchesForward(images: pictures, channels: 3, height: size, width: size, patch: configuration.patch, into: cut)
        var x = patchEmbedding(Tensor(cut, shape: [count * patches, patchColumns]), parameters, on: tape)
        if let classToken { x = tape.prependToken(parameters[classToken], to: x, patches: patches) }
        let places = (0..<count).flatMap { _ in (0..<tokens).map { Int32($0) } }
        x = tape.add(x, tape.embedding(places, table: parameters[positions]))
        return inputNorm.map { $0(x, parameters, on: tape) } ?? x
    }

    public func encode(_ tokens: Tensor, of input: EncoderInput, _ parameters: Parameters, on tape: Tape) -> Tensor {
        let packing = packing(of: input)
        var x = tokens
        for block in blocks { x = block(x, packing: packing, parameters, on: tape) }
        switch configuration.pooling {
        case .classToken:
            x = outputNorm(tape.gather(x, rows: packing.offsets.dropLast()), parameters, on: tape)
        case .mean, .endOfText:
            x = tape.meanPool(outputNorm(x, parameters, on: tape), offsets: packing.offsets)
        }
        return projection(x, parameters, on: tape)
    }

    public func forwardFLOPs(of input: EncoderInput) -> Double {
        let patchInputs = Double(3 * configuration.patch * configuration.patch)
        return transformerFLOPs(configuration.transformer, packing: packing(of: input))
            + 2 * Double(input.rows) * Double(width) * (Double(patches) * patchInputs + Double(configuration.embedding))
    }

    private func packing(of input: EncoderInput) -> SequencePacking {
        SequencePacking(offsets: (0...input.rows).map { $0 * tokens }, causal: false)
    }
}
