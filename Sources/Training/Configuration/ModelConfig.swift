// Keys of the section `model`. Not here: building encoders from them.

public import Datasets

extension RunConfig {
    public struct Model: Sendable, Equatable {
        /// Directory of published weights of both sides; nil: each side is as its own section says.
        public var initialization: String?
        /// Whether both sides are one encoder with one set of parameters.
        public var shared = Automatic<Bool>.automatic
        public var query = Encoder.vit(VisionTransformer())
        public var target = Encoder.text(TextTransformer())
        /// Width E of the embeddings that the loss compares.
        public var embedding = Automatic<Int>.automatic
        /// Parameters that are not trained.
        public var freeze = NamePatterns()
        public var lora = LoRA()

        public init() {}
    }

    /// What one side reads.
    public enum EncoderKind: String, ConfigChoice, Sendable { case vit, text, features }

    /// The encoder of one side.
    public enum Encoder: Sendable, Equatable {
        case vit(VisionTransformer)
        case text(TextTransformer)
        case features(FeatureHead)
        case published(PublishedEncoder)

        public var kind: EncoderKind {
            switch self {
            case .vit: .vit
            case .text: .text
            case .features: .features
            case .published(let published): published.kind.resolved(.text)
            }
        }

        public var inputKind: ColumnKind {
            switch kind {
            case .vit: .picture
            case .text: .text
            case .features: .features
            }
        }

        /// Share of activations dropped in training.
        public var dropout: Double {
            switch self {
            case .vit(let vision): vision.blocks.dropout
            case .text(let text): text.blocks.dropout
            case .features(let head): head.dropout
            case .published(let published): published.dropout
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
        case maximum = "max"
        case weightedMean = "weighted_mean"
        case rootMean = "root_mean"
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

    /// A projection of features that another model computed.
    public struct FeatureHead: Sendable, Equatable {
        /// Columns of the features; 0 until it is given.
        public var inputs = 0
        /// Width of the hidden layer; nil for a linear map.
        public var hidden: Int?
        public var activation = Activation.gelu
        /// Whether each row of features is normalised first.
        public var inputNorm = true
        public var dropout = 0.0

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
        keys.value(
            "init", &initialization,
            "Directory of a published model that both sides begin with (Hugging Face, sentence-transformers, open_clip); null: none."
        )
        if initialization != nil {
            query.becomePublished()
            target.becomePublished()
        }
        keys.value(
            "shared", &shared,
            "Whether both sides are one text encoder with one set of parameters; auto: when init holds a text encoder only."
        )
        keys.section(
            "query", &query,
            "The encoder of queries: kind vit (keys as here), text (keys as under model.target) or features (keys below)."
        )
        keys.section(
            "target", &target,
            "The encoder of targets: kind text (keys as here), vit (keys as under model.query) or features (keys below)."
        )
        keys.value(
            "embedding", &embedding, allowed: .automatic(.within(1...65536)),
            "Width of the embeddings that the loss compares; auto: that of published encoders, 128 without. Published encoders of "
                + "another width get a new linear projection.")
        keys.section(
            "lora", &lora, "Low-rank adapters of linear layers, which are trained in place of the weights (LoRA).")
        requireConsistency(&keys)
        keys.value(
            "freeze", &freeze,
            "Parameters that are not trained, by name: `target`, `*.blocks.0`, `*.bias`; `!` takes out again.")
    }
}

extension RunConfig.Encoder: ConfigSection {
    init() { self = .vit(RunConfig.VisionTransformer()) }

    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        visitInitialization(&keys)
        var choice = Automatic.value(kind)
        if case .published(let published) = self { choice = published.kind }
        keys.value(
            "kind", &choice,
            "vit: a vision transformer over patches; text: a transformer over tokens; features: a projection of precomputed features; "
                + "auto: what init holds."
        )
        if case .published(var published) = self {
            published.kind = choice
            published.visit(&keys)
            self = .published(published)
            return
        }
        keys.require(choice != .automatic, at: "kind", "auto is what a published model is, and no init names one")
        switch choice.resolved(kind) {
        case .vit:
            var vision = if case .vit(let own) = self { own } else { RunConfig.VisionTransformer() }
            vision.visit(&keys)
            self = .vit(vision)
        case .text:
            var text = if case .text(let own) = self { own } else { RunConfig.TextTransformer() }
            text.visit(&keys)
            self = .text(text)
        case .features:
            var head = if case .features(let own) = self { own } else { RunConfig.FeatureHead() }
            head.visit(&keys)
            self = .features(head)
        }
    }
}

extension RunConfig.FeatureHead: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "inputs", &inputs, allowed: .within(1...1_048_576), required: true, "Columns of the array of features.")
        keys.value(
            "hidden", &hidden, allowed: .optional(.within(1...1_048_576)),
            "Width of a hidden layer between features and embedding; null for a linear projection.")
        keys.value("activation", &activation, "The hidden layer's non-linearity.")
        keys.value(
            "input_norm", &inputNorm,
            "Whether each row of features is normalised to mean 0 and deviation 1 first, with a learned gain and shift."
        )
        keys.value(
            "dropout", &dropout, allowed: .within(0...0.999),
            "Share of the hidden layer, or of the features where there is none, dropped in training.")
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
        keys.value("dropout", &dropout, allowed: .within(0...0.999), "Share of activations dropped in training.")
    }
}
