// From the configuration's words to the model. Not here: the words (Configuration), the layers (Encoders).

import Autograd
import Encoders
import Kernels
import Layers

extension DualEncoder {
    /// The model that a configuration describes, with initial weights.
    /// - Parameter vocabularies: the number of tokens of each side's tokenizer; nil for others than text.
    public convenience init(_ configuration: RunConfig, queryVocabulary: Int? = nil, targetVocabulary: Int? = nil)
        throws
    {
        let model = configuration.model
        try self.init(
            query: { model.query.build(&$0, $1, embedding: model.embedding, vocabulary: queryVocabulary) },
            target: { model.target.build(&$0, $1, embedding: model.embedding, vocabulary: targetVocabulary) },
            temperature: Float(configuration.loss.temperature.initial), bias: Float(configuration.loss.bias.initial),
            seed: configuration.seed, freeze: model.freeze.patterns)
    }
}

extension RunConfig.Encoder {
    fileprivate func build(_ plan: inout ParameterPlan, _ name: String, embedding: Int, vocabulary: Int?) -> any Encoder
    {
        switch self {
        case .vit(let vision):
            VisionTransformer(
                &plan, name,
                VisionTransformer.Configuration(
                    imageSize: vision.imageSize, patch: vision.patch, transformer: vision.blocks.shape,
                    pooling: vision.pooling == .classToken ? .classToken : .mean, inputNorm: vision.inputNorm,
                    embedding: embedding))
        case .text(let text):
            TextTransformer(
                &plan, name,
                TextTransformer.Configuration(
                    vocabulary: vocabulary ?? text.vocabulary, context: text.context, transformer: text.blocks.shape,
                    pooling: text.pooling.layer, causal: text.causal, embedding: embedding))
        case .features(let head):
            FeatureHead(
                &plan, name,
                FeatureHead.Configuration(
                    inputs: head.inputs, hidden: head.hidden, activation: head.activation.kernel,
                    inputNorm: head.inputNorm, dropout: Float(head.dropout), embedding: embedding))
        }
    }
}

extension RunConfig.Blocks {
    fileprivate var shape: TransformerShape {
        TransformerShape(
            width: width, depth: depth, heads: heads, hidden: mlpRatio * width, activation: activation.kernel,
            dropout: Float(dropout))
    }
}

extension RunConfig.Activation {
    fileprivate var kernel: Activation {
        switch self {
        case .gelu: .geluErf
        case .geluTanh: .geluTanh
        case .quickGelu: .quickGelu
        }
    }
}

extension RunConfig.TextPooling {
    fileprivate var layer: Pooling {
        switch self {
        case .endOfText: .endOfText
        case .classToken: .classToken
        case .mean: .mean
        }
    }
}
