// Configurations of CLIP in both of its forms, for models that were not published in them. Not here: what the forms mean (PairFamilies,
// OpenCLIPFamily), which read what is written here: a model is in a form if it reads back as itself.

import Failures
public import Foundation
import Kernels
import Layers

extension PublishedModel {
    /// A pair of towers as another family, or nothing where that family has no such towers.
    ///
    /// - Parameters:
    ///   - family: `clip` or `openCLIP`.
    ///   - files: what stands beside the configuration: tokenizer, picture preparation.
    ///   - preprocessing: mean and deviation of each channel, for open_clip's configuration.
    /// - Throws: `Failure(.configuration)`, saying in what the towers differ from those that the family can describe.
    public static func form(
        _ family: Family, text: TextTransformer.Configuration, vision: VisionTransformer.Configuration,
        files: [String: Data], preprocessing: (mean: [Double], deviation: [Double]), bias: Bool
    ) throws -> PublishedModel {
        let embedding = text.projections.reduce(text.transformer.width) { columns, projection in
            if case .linear(_, let outputs, _, _) = projection { outputs } else { columns }
        }
        let isCLIP = family == .clip
        let name = isCLIP ? "config.json" : "open_clip_config.json"
        let config =
            isCLIP
            ? clipConfig(text, vision, embedding: embedding)
            : openCLIPConfig(text, vision, embedding: embedding, preprocessing: preprocessing, bias: bias)
        let data = try JSONSerialization.data(
            withJSONObject: config, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        let model = try PublishedModel(
            ModelFiles(origin: "the exported model", contents: files.merging([name: data]) { $1 }))
        var differences: [String] = []
        if case .text(var found)? = model.text?.plan {
            (found.context, found.transformer.dropout) = (text.context, text.transformer.dropout)
            differences += Self.differences("the text tower's", text, found)
        }
        if case .vision(var found)? = model.vision?.plan {
            found.transformer.dropout = vision.transformer.dropout
            differences += Self.differences("the picture tower's", vision, found)
        }
        guard differences.isEmpty else {
            throw Failure(
                .configuration,
                "the model is not exactly a \(isCLIP ? "CLIPModel of transformers" : "CLIP of open_clip"): "
                    + differences.joined(separator: "; ")
                    + (isCLIP ? ". open-clip can describe more" : ""))
        }
        return model
    }

    /// The fields in which a tower differs from what its description says, in words.
    private static func differences<Plan>(_ owner: String, _ plan: Plan, _ found: Plan) -> [String] {
        zip(Mirror(reflecting: plan).children, Mirror(reflecting: found).children).flatMap { own, other -> [String] in
            let (label, a, b) = (own.label ?? "", "\(own.value)", "\(other.value)")
            guard a != b else { return [] }
            if let shape = own.value as? TransformerShape, let described = other.value as? TransformerShape {
                return differences(owner, shape, described)
            }
            // Of what has parts the description is the program's, not the user's.
            let isPlain = !(a + b).contains { "([".contains($0) }
            return ["\(owner) \(label) \(isPlain ? "is \(a), where the form has \(b)" : "is not that of the form")"]
        }
    }

    private static let names: [Activation: String] = [
        .geluErf: "gelu", .geluTanh: "gelu_pytorch_tanh", .quickGelu: "quick_gelu", .relu: "relu", .silu: "silu",
        .tanh: "tanh", .identity: "linear",
    ]

    /// The number that a JSON reader takes for the same float32.
    private static func number(_ value: Float) -> Double { Double("\(value)") ?? Double(value) }

    private static func clipConfig(
        _ text: TextTransformer.Configuration, _ vision: VisionTransformer.Configuration, embedding: Int
    ) -> [String: Any] {
        func blocks(_ shape: TransformerShape) -> [String: Any] {
            [
                "hidden_size": shape.width, "num_hidden_layers": shape.depth, "num_attention_heads": shape.heads,
                "intermediate_size": shape.hidden, "hidden_act": names[shape.activation] ?? "gelu",
                "layer_norm_eps": number(shape.epsilon), "projection_dim": embedding,
            ]
        }
        // With 2 for the end's number, transformers takes the highest number for the end.
        let (end, start) =
            switch text.end {
            case .first(let id): (Int(id), 0)
            case .highest, .last: (2, max(0, text.vocabulary - 2))
            }
        return [
            "architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": embedding, "dtype": "float32",
            "logit_scale_init_value": 2.6592,
            "text_config": blocks(text.transformer).merging([
                "model_type": "clip_text_model", "vocab_size": text.vocabulary,
                "max_position_embeddings": text.positionRows, "eos_token_id": end, "bos_token_id": start,
                "pad_token_id": 0,
            ]) { $1 },
            "vision_config": blocks(vision.transformer).merging([
                "model_type": "clip_vision_model", "image_size": vision.imageSize, "patch_size": vision.patch,
                "num_channels": 3,
            ]) { $1 },
        ]
    }

    /// The number whose product with the width, rounded towards zero, is the hidden layer's width.
    private static func ratio(_ hidden: Int, _ width: Int) -> Double {
        let ratio = Double(hidden) / Double(width)
        return Int(Double(width) * ratio) == hidden ? ratio : ratio.nextUp
    }

    private static func openCLIPConfig(
        _ text: TextTransformer.Configuration, _ vision: VisionTransformer.Configuration, embedding: Int,
        preprocessing: (mean: [Double], deviation: [Double]), bias: Bool
    ) -> [String: Any] {
        let quick = text.transformer.activation == .quickGelu
        func blocks(_ shape: TransformerShape) -> [String: Any] {
            var keys: [String: Any] = [
                "layers": shape.depth, "width": shape.width,
                "mlp_ratio": ratio(shape.hidden, shape.width),
            ]
            if shape.activation == .geluTanh { keys["act_kwargs"] = ["approximate": "tanh"] }
            if shape.epsilon != 1e-5 { keys["norm_kwargs"] = ["eps": number(shape.epsilon)] }
            return keys
        }
        var texts = blocks(text.transformer)
        texts.merge([
            "context_length": text.positionRows, "vocab_size": text.vocabulary, "heads": text.transformer.heads,
        ]) { $1 }
        if case .first(let id) = text.end { texts.merge(["pool_type": "eos", "eos_id": Int(id)]) { $1 } }
        texts["hf_tokenizer_name"] = "."
        if case .linear(_, _, bias: true, _)? = text.projections.first { texts["proj_bias"] = true }
        var pictures = blocks(vision.transformer)
        pictures.merge([
            "patch_size": vision.patch, "image_size": vision.imageSize,
            "head_width": vision.transformer.width / vision.transformer.heads,
        ]) { $1 }
        if !vision.inputNorm { pictures["no_ln_pre"] = true }
        var model: [String: Any] = ["embed_dim": embedding, "vision_cfg": pictures, "text_cfg": texts]
        if quick { model["quick_gelu"] = true }
        if bias { model["init_logit_bias"] = -10.0 }
        return [
            "model_cfg": model,
            "preprocess_cfg": ["mean": preprocessing.mean, "std": preprocessing.deviation],
        ]
    }
}
