// The picture tower. Sources: Dosovitskiy et al., "An Image is Worth 16x16 Words", arXiv 2010.11929; pre-norm, as in CLIP; SigLIP,
// Zhai et al., arXiv 2303.15343, with the attention pooling of Zhai et al., arXiv 2106.04560, section 3.4.
//
// Shapes: B pictures, C = 3 channels, S picture size, p patch size, G = (S/p)² patches, T = G (+ 1 with a class token) tokens,
// R = B · T rows, D width, E embedding width.

public import Autograd
import Buffers
import Kernels
public import Layers

/// ViT: patches → linear → (class token) + positions → (norm) → blocks → norm → pooling → projections.
public struct VisionTransformer: Encoder {
    /// How a picture's tokens become one vector.
    public enum Pooling: String, Sendable, CaseIterable {
        case classToken = "class_token"
        case mean
        /// By a learned query and a block of its own (SigLIP); no class token.
        case attention
    }

    /// Sizes and choices of a ViT.
    public struct Configuration: Sendable, Equatable {
        public var imageSize: Int
        public var patch: Int
        public var transformer: TransformerShape
        public var pooling: Pooling
        /// Whether tokens are normalised before the first block, as CLIP does and the original ViT does not.
        public var inputNorm: Bool
        /// Whether patches are embedded with a bias, as the original ViT does and CLIP does not.
        public var patchBias = false
        public var projections: [Projection]

        public init(
            imageSize: Int, patch: Int, transformer: TransformerShape, pooling: Pooling, inputNorm: Bool,
            projections: [Projection]
        ) {
            precondition(imageSize >= patch, "pictures of \(imageSize) pixels have no patch of \(patch)")
            self.imageSize = imageSize
            self.patch = patch
            self.transformer = transformer
            self.pooling = pooling
            self.inputNorm = inputNorm
            self.projections = projections
        }

        /// One linear projection to `embedding` columns without bias: a tower from scratch.
        public init(
            imageSize: Int, patch: Int, transformer: TransformerShape, pooling: Pooling, inputNorm: Bool, embedding: Int
        ) {
            self.init(
                imageSize: imageSize, patch: patch, transformer: transformer, pooling: pooling, inputNorm: inputNorm,
                projections: [.linear(name: "projection", outputs: embedding, bias: false)])
        }

        /// Patches of one side; pixels right of and below the last whole patch are not seen.
        public var grid: Int { imageSize / patch }
        /// T.
        public var tokens: Int { grid * grid + (pooling == .classToken ? 1 : 0) }
    }

    public let configuration: Configuration
    private let patchEmbedding: Linear
    private let classToken: ParameterReference?
    private let positions: ParameterReference
    private let inputNorm: LayerNorm?
    private let blocks: [TransformerBlock]
    private let outputNorm: LayerNorm
    private let attentionPooling: AttentionPooling?
    private let projections: ProjectionStack

    public init(_ plan: inout ParameterPlan, _ name: String, _ configuration: Configuration) {
        let shape = configuration.transformer
        let deviation = 1 / Float(shape.width).squareRoot()
        let patchInputs = 3 * configuration.patch * configuration.patch
        self.configuration = configuration
        patchEmbedding = Linear(
            &plan, "\(name).patch_embedding", inputs: patchInputs, outputs: shape.width, bias: configuration.patchBias,
            deviation: 1 / Float(patchInputs).squareRoot())
        classToken =
            configuration.pooling == .classToken
            ? plan.declare("\(name).class_token", [shape.width], .normal(deviation: deviation)) : nil
        positions = plan.declare(
            "\(name).positions", [configuration.tokens, shape.width], .normal(deviation: deviation))
        inputNorm =
            configuration.inputNorm
            ? LayerNorm(&plan, "\(name).input_norm", width: shape.width, epsilon: shape.epsilon) : nil
        blocks = (0..<shape.depth).map { TransformerBlock(&plan, "\(name).blocks.\($0)", shape: shape) }
        outputNorm = LayerNorm(&plan, "\(name).output_norm", width: shape.width, epsilon: shape.epsilon)
        attentionPooling =
            configuration.pooling == .attention ? AttentionPooling(&plan, "\(name).pooling", shape: shape) : nil
        projections = ProjectionStack(&plan, name, inputs: shape.width, configuration.projections)
    }

    public var outputColumns: Int { projections.outputs }
    public var width: Int { configuration.transformer.width }

    public func tokenRows(of input: EncoderInput) -> Int { input.rows * configuration.tokens }

    public func embed(_ input: EncoderInput, _ parameters: Parameters, on tape: Tape) -> Tensor {
        guard case .pictures(let pictures, let count) = input else {
            preconditionFailure("a picture tower was given text")
        }
        let (size, patch) = (configuration.imageSize, configuration.patch)
        precondition(
            pictures.count == count * 3 * size * size,
            "\(pictures.count) values for \(count) pictures of 3×\(size)×\(size)")
        let patches = configuration.grid * configuration.grid
        let patchColumns = 3 * patch * patch
        let cut = Floats(count: count * patches * patchColumns)
        let seen = configuration.grid * patch
        patchesForward(
            images: seen == size ? pictures : cropped(pictures, from: size, to: seen), channels: 3, height: seen,
            width: seen, patch: patch, into: cut)
        let x = tape.patchTokens(
            patchEmbedding(Tensor(cut, shape: [count * patches, patchColumns]), parameters, on: tape),
            classToken: classToken.map { parameters[$0] }, positions: parameters[positions])
        return inputNorm.map { $0(x, parameters, on: tape) } ?? x
    }

    public func encode(_ tokens: Tensor, of input: EncoderInput, _ parameters: Parameters, on tape: Tape) -> Tensor {
        let packing = packing(of: input)
        var x = blocks(tokens, packing: packing, rows: pooledRows(packing), parameters, on: tape)
        x = outputNorm(x, parameters, on: tape)
        if configuration.pooling == .mean { x = tape.meanPool(x, offsets: packing.offsets) }
        if let attentionPooling { x = attentionPooling(x, offsets: packing.offsets, parameters, on: tape) }
        return projections(x, parameters, on: tape)
    }

    public func forwardFLOPs(of input: EncoderInput) -> Double {
        let patchInputs = Double(3 * configuration.patch * configuration.patch)
        let patches = Double(configuration.grid * configuration.grid)
        let packing = packing(of: input)
        return transformerFLOPs(configuration.transformer, packing: packing, rows: pooledRows(packing))
            + 2 * Double(input.rows)
            * (Double(width) * patches * patchInputs + Double(projections.products)
                + (attentionPooling?.products(tokens: configuration.tokens) ?? 0))
    }

    /// The rows that pooling reads, if they are single ones.
    private func pooledRows(_ packing: SequencePacking) -> [Int]? {
        configuration.pooling == .classToken ? packing.offsets.dropLast() : nil
    }

    private func packing(of input: EncoderInput) -> SequencePacking {
        SequencePacking(offsets: (0...input.rows).map { $0 * configuration.tokens }, causal: false)
    }

    /// The upper left squares of `seen` pixels of pictures of `size`.
    private func cropped(_ pictures: Floats, from size: Int, to seen: Int) -> Floats {
        let planes = pictures.count / (size * size)
        let result = Floats(count: planes * seen * seen)
        for plane in 0..<planes {
            for row in 0..<seen {
                let (source, target) = ((plane * size + row) * size, (plane * seen + row) * seen)
                result[target..<target + seen].copy(from: pictures[source..<source + seen])
            }
        }
        return result
    }
}
