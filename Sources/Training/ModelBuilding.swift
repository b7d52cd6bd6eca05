// From the configuration's words to the model. Not here: the words (Configuration), the layers (Encoders).

import Autograd
import Encoders
import Failures
import Kernels
import Layers

extension DualEncoder {
    /// The model that a configuration describes, with initial weights; those of published towers are not in it yet (`ModelOrigins.fill`).
    /// - Throws: as `DualEncoderDraft`.
    convenience init(_ configuration: RunConfig, _ assets: ModelAssets, use: ParameterUse = .training) throws {
        self.init(try DualEncoderDraft(configuration, assets, use: use), seed: configuration.seed)
    }
}

extension DualEncoderDraft {
    /// The model that a configuration describes.
    /// - Throws: `Failure(.configuration)` when the width of the embeddings is not decided, or nested ones are wider.
    init(_ configuration: RunConfig, _ assets: ModelAssets, use: ParameterUse = .training) throws {
        let embedding = try configuration.embeddingColumns(assets.origins)
        if let widest = configuration.loss.matryoshka.dimensions.values.max(), widest > embedding {
            throw Failure(
                .configuration,
                "loss.matryoshka.dimensions has \(widest), but the embeddings have \(embedding) columns; name smaller ones"
            )
        }
        func builder(_ side: Side) -> (inout ParameterPlan, String) -> any Encoder {
            let tower = assets.origins.tower(side, configuration)
            let vocabulary = assets.tokenizers[side]?.vocabularySize
            let encoder = configuration.encoder(side)
            return { plan, name in
                tower?.projected(to: embedding).build(&plan, name)
                    ?? encoder.build(&plan, name, embedding: embedding, vocabulary: vocabulary)
            }
        }
        let loss = configuration.loss
        try self.init(
            query: builder(.query), target: configuration.isShared ? nil : builder(.target),
            temperature: Float(loss.temperature.initial.resolved(RunConfig.Temperature.standard)),
            bias: Float(loss.bias.initial.resolved(RunConfig.Bias.standard)),
            lowRank: configuration.model.lora.options(names: assets.origins.layerNames(configuration)),
            freeze: configuration.model.freeze.patterns, use: use)
    }
}

extension RunConfig {
    /// E: as configured, else that of the published encoders, else 128.
    fileprivate func embeddingColumns(_ origins: ModelOrigins) throws -> Int {
        if case .value(let columns) = model.embedding { return columns }
        let published = Side.allCases.compactMap { origins.tower($0, self)?.outputColumns }
        guard let columns = published.first else { return 128 }
        guard published.allSatisfy({ $0 == columns }) else {
            throw Failure(
                .configuration,
                "model.embedding is auto, but the published encoders have \(published[0]) and \(published[1]) columns; set it, and each "
                    + "encoder of another width gets a projection")
        }
        return columns
    }
}

extension DualEncoder {
    /// Overwrites the adapters' first values with those of PEFT adapters where the configuration names some.
    /// - Throws: `Failure(.configuration)` when both sides' are those of one encoder, and what `PEFTAdapter.read` throws.
    func readAdapters(_ configuration: RunConfig, _ origins: ModelOrigins) throws {
        let lora = configuration.model.lora
        if isShared, let query = lora.query, let target = lora.target, query != target {
            throw Failure(
                .configuration,
                "model.lora.query is \(query) and model.lora.target \(target), but both sides are one encoder, which begins with one "
                    + "adapter; set one of them to null")
        }
        for (side, folder) in [
            (Side.query, lora.query), (.target, lora.target),
        ] {
            guard let folder else { continue }
            try origins.adapter(of: [side], configuration, self).read(from: folder)
        }
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
        case .published: preconditionFailure("\(name): a published tower is built from its directory")
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
    var layer: Pooling {
        switch self {
        case .endOfText: .endOfText
        case .classToken: .classToken
        case .mean: .mean
        case .maximum: .maximum
        case .weightedMean: .weightedMean
        case .rootMean: .rootMean
        }
    }
}
