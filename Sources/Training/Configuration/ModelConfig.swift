// Keys of the section `model`. Not here: building encoders from them.

public import Datasets

extension RunConfig {
    public struct Model: Sendable, Equatable {
        public var query = Encoder.vit(VisionTransformer())
        public var target = Encoder.text(TextTransformer())
        /// Width E of the embeddings that the loss compares.
        public var embedding = 128

        public init() {}
    }

    /// What one side reads.
    public enum EncoderKind: String, ConfigChoice, Sendable { case vit, text }

    /// The encoder of one side.
    public enum Encoder: Sendable, Equatable {
        case vit(VisionTransformer)
        case text(TextTransformer)

        public var kind: EncoderKind {
            switch self {
            case .vit: .vit
            case .text: .text
            }
        }

        public var inputKind: ColumnKind { kind == .vit ? .picture : .text }

        public var blocks: Blocks {
            switch self {
            case .vit(let vision): vision.blocks
            case .text(let text): text.blocks
            }
        }
    }

    public enum Activation: String, ConfigChoice, Sendable {
        case gelu
        case geluTanh = "gelu_tanh"
        case quickGelu = "quick_gelu"
    }

    public enum PicturePooling: String, ConfigChoice, Sendable {
        case classToken = "class_token"
        case mean
    }

    public enum TextPooling: String, ConfigChoice, Sendable {
        case endOfText = "end_of_text"
        case classToken = "class_token"
        case mean
    }

    /// A vision transformer over square patches.
    public struct VisionTransformer: Sendable, Equatable {
        /// Pixels of one side of the square picture.
        public var imageSize = 32
        /// Pixels of one side of a patch.
        public var patch = 8
        public var blocks = Blocks(width: 128, depth: 4, heads: 4)
        public var pooling = PicturePooling.classToken
        /// Whether tokens are normalised before the first block.
        public var inputNorm = false

        public init() {}
    }

    /// A transformer over tokens.
    public struct TextTransformer: Sendable, Equatable {
        public var vocabulary = 2048
        /// Tokens of the longest text.
        public var context = 24
        public var blocks = Blocks(width: 128, depth: 2, heads: 4)
        public var pooling = TextPooling.endOfText
        /// Whether a token attends only to those before it.
        public var causal = true

        public init() {}
    }

    /// What all transformers have.
    public struct Blocks: Sendable, Equatable {
        public var width: Int
        public var depth: Int
        public var heads: Int
        public var mlpRatio = 4
        public var activation = Activation.gelu
        public var dropout = 0.0

        public init(width: Int, depth: Int, heads: Int) {
            self.width = width
            self.depth = depth
            self.heads = heads
        }
    }
}

extension RunConfig.Model: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.section(
            "query", &query, "The encoder of queries: kind vit (keys as here) or text (keys as under model.target).")
        keys.section(
            "target", &target, "The encoder of targets: kind text (keys as here) or vit (keys as under model.query).")
        keys.value(
            "embedding", &embedding, allowed: .within(1...65536), "Width of the embeddings that the loss compares.")
    }
}

extension RunConfig.Encoder: ConfigSection {
    init() { self = .vit(RunConfig.VisionTransformer()) }

    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        var kind = kind
        keys.value("kind", &kind, "vit: a vision transformer over patches; text: a transformer over tokens.")
        switch (kind, self) {
        case (.vit, .vit(var vision)):
            vision.visit(&keys)
            self = .vit(vision)
        case (.vit, .text):
            var vision = RunConfig.VisionTransformer()
            vision.visit(&keys)
            self = .vit(vision)
        case (.text, .text(var text)):
            text.visit(&keys)
            self = .text(text)
        case (.text, .vit):
            var text = RunConfig.TextTransformer()
            text.visit(&keys)
            self = .text(text)
        }
    }
}

extension RunConfig.VisionTransformer: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value("image_size", &imageSize, allowed: .within(1...4096), "Pixels of one side of the square picture.")
        keys.value("patch", &patch, allowed: .within(1...4096), "Pixels of one side of a square patch.")
        keys.require(
            imageSize % patch == 0, at: "image_size", "image_size \(imageSize) is not divisible by patch \(patch)")
        blocks.visitSize(&keys)
        keys.value("pooling", &pooling, "How tokens become one representation.")
        keys.value("input_norm", &inputNorm, "Whether tokens are normalised before the first block, as CLIP does.")
        blocks.visitDetails(&keys)
    }
}

extension RunConfig.TextTransformer: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "vocabulary", &vocabulary, allowed: .within(258...16_777_216),
            "Tokens of the trained tokenizer at most: 256 bytes, two marks, and merges.")
        keys.value(
            "context", &context, allowed: .within(3...1_048_576), "Tokens of the longest text; the rest is cut off.")
        blocks.visitSize(&keys)
        keys.value("pooling", &pooling, "How tokens become one representation.")
        keys.value("causal", &causal, "Whether a token attends only to itself and those before it.")
        blocks.visitDetails(&keys)
    }
}

extension RunConfig.Blocks {
    fileprivate mutating func visitSize<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value("width", &width, allowed: .within(1...65536), "Width of the token representations.")
        keys.value("depth", &depth, allowed: .within(1...1024), "Number of blocks.")
        keys.value("heads", &heads, allowed: .within(1...65536), "Attention heads; they divide the width.")
        keys.require(width % heads == 0, at: "width", "width \(width) is not divisible by heads \(heads)")
        keys.value(
            "mlp_ratio", &mlpRatio, allowed: .within(1...64),
            "Hidden width of a block's MLP as a multiple of the width.")
    }

    fileprivate mutating func visitDetails<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value("activation", &activation, "The MLP's non-linearity.")
        keys.value("dropout", &dropout, allowed: .within(0..<1), "Share of activations dropped in training.")
    }
}
