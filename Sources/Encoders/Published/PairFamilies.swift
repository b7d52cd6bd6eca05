// CLIP and SigLIP as `transformers` publishes them, and ViT. Sources: Radford et al., arXiv 2103.00020; Zhai et al., arXiv 2303.15343;
// Dosovitskiy et al., arXiv 2010.11929. Not here: CLIP in open_clip's form (OpenCLIPFamily.swift).

import ArrayFiles
import Failures
import Foundation
import Layers

extension PublishedModel {
    static func clip(_ files: ModelFiles, _ config: PublishedConfig) throws -> PublishedModel {
        // Early files repeat the towers' keys under another name, which wins.
        let texts = try config.object("text_config").overlaid(by: config.object("text_config_dict"))
        let pictures = try config.object("vision_config").overlaid(by: config.object("vision_config_dict"))
        let embedding = try config.size("projection_dim", default: 512, in: PublishedConfig.widths)
        var (text, map) = try pairText(
            files, texts, defaults: (width: 512, heads: 8, hidden: 2048), vocabulary: 49408, context: 77, epsilon: 1e-5,
            activation: "quick_gelu")
        text.causal = true
        let end = try texts.size("eos_token_id", default: 49407, in: 0...Int(Int32.max))
        // Files from before that key was right have 2 in it.
        text.end = end == 2 ? .highest : .first(Int32(end))
        text.projections = [.linear(name: "projection", outputs: embedding, bias: false)]
        map.addLinear("text_projection", [embedding, text.transformer.width], bias: false, "projection")

        var (vision, pictureMap) = try pairVision(
            pictures, defaults: (size: 224, patch: 32), epsilon: 1e-5, activation: "quick_gelu", pooling: .classToken)
        vision.inputNorm = true
        vision.projections = text.projections
        let width = vision.transformer.width
        pictureMap.add("vision_model.embeddings.class_embedding", [width], "class_token")
        pictureMap.add(
            "vision_model.embeddings.position_embedding.weight", [vision.tokens, width], "positions")
        pictureMap.addLinear("vision_model.pre_layrnorm", [width], "input_norm")
        pictureMap.addLinear("visual_projection", [embedding, width], bias: false, "projection")
        var model = PublishedModel(
            family: .clip, files: files,
            unused: ["text_model.embeddings.position_ids", "vision_model.embeddings.position_ids"],
            text: PublishedTower(plan: .text(text), tensors: map.tensors),
            vision: PublishedTower(plan: .vision(vision), tensors: pictureMap.tensors))
        model.logitScale = ("logit_scale", [])
        return model
    }

    static func siglip(_ files: ModelFiles, _ config: PublishedConfig) throws -> PublishedModel {
        let (texts, pictures) = (try config.object("text_config"), try config.object("vision_config"))
        var (text, map) = try pairText(
            files, texts, defaults: (width: 768, heads: 12, hidden: 3072), vocabulary: 32000, context: 64,
            epsilon: 1e-6,
            activation: "gelu_pytorch_tanh")
        let width = text.transformer.width
        let embedding = try texts.size("projection_size", default: width, in: PublishedConfig.widths)
        text.filler = try paddingToken(files, texts)
        text.projections = [.linear(name: "projection", outputs: embedding, bias: true)]
        map.addLinear("text_model.head", [embedding, width], "projection")

        try pictures.require("vision_use_head", true, default: true)
        var (vision, pictureMap) = try pairVision(
            pictures, defaults: (size: 224, patch: 16), epsilon: 1e-6, activation: "gelu_pytorch_tanh",
            pooling: .attention)
        vision.patchBias = true
        let shape = vision.transformer
        pictureMap.add("vision_model.embeddings.patch_embedding.bias", [shape.width], "patch_embedding.bias")
        pictureMap.add(
            "vision_model.embeddings.position_embedding.weight", [vision.tokens, shape.width], "positions")
        let head = "vision_model.head"
        pictureMap.add("\(head).probe", [1, 1, shape.width], "pooling.probe")
        let square = shape.width * shape.width
        pictureMap.add(
            "\(head).attention.in_proj_weight", [3 * shape.width, shape.width],
            split: [("pooling.attention.query.weight", square), ("pooling.attention.key_value.weight", 2 * square)])
        pictureMap.add(
            "\(head).attention.in_proj_bias", [3 * shape.width],
            split: [
                ("pooling.attention.query.bias", shape.width), ("pooling.attention.key_value.bias", 2 * shape.width),
            ])
        pictureMap.addLinear("\(head).attention.out_proj", [shape.width, shape.width], "pooling.attention.output")
        pictureMap.addLinear("\(head).layernorm", [shape.width], "pooling.norm")
        pictureMap.addLinear("\(head).mlp.fc1", [shape.hidden, shape.width], "pooling.mlp.hidden")
        pictureMap.addLinear("\(head).mlp.fc2", [shape.width, shape.hidden], "pooling.mlp.output")
        guard embedding == shape.width else {
            throw Failure(
                .data,
                "\(config.place): text_config.projection_size \(embedding) differs from vision_config.hidden_size \(shape.width)"
            )
        }
        var model = PublishedModel(
            family: .siglip, files: files,
            unused: ["text_model.embeddings.position_ids", "vision_model.embeddings.position_ids"],
            text: PublishedTower(plan: .text(text), tensors: map.tensors),
            vision: PublishedTower(plan: .vision(vision), tensors: pictureMap.tensors))
        model.logitScale = ("logit_scale", [1])
        model.logitBias = ("logit_bias", [1])
        return model
    }

    static func vit(_ files: ModelFiles, _ config: PublishedConfig) throws -> PublishedModel {
        let bias = try config.flag("qkv_bias", default: true)
        let shape = try config.transformer(
            width: 768, depth: 12, heads: 12, hidden: 3072, activation: "gelu", norms: .before, epsilon: 1e-12,
            attentionBias: bias)
        var vision = try visionSizes(config, defaults: (size: 224, patch: 16), shape, pooling: .classToken)
        vision.patchBias = true
        var map = TensorMap()
        let width = shape.width
        map.add("embeddings.cls_token", [1, 1, width], "class_token")
        map.add("embeddings.position_embeddings", [1, vision.tokens, width], "positions")
        let patches = "embeddings.patch_embeddings.projection"
        map.add("\(patches).weight", [width, 3, vision.patch, vision.patch], "patch_embedding.weight")
        map.add("\(patches).bias", [width], "patch_embedding.bias")
        for block in 0..<shape.depth {
            let (theirs, ours) = ("encoder.layer.\(block)", "blocks.\(block)")
            map.addLinear("\(theirs).layernorm_before", [width], "\(ours).attention_norm")
            map.addQueryKeyValue(
                ["query", "key", "value"].map { "\(theirs).attention.attention.\($0)" }, width: width, bias: bias,
                "\(ours).attention.qkv")
            map.addLinear("\(theirs).attention.output.dense", [width, width], "\(ours).attention.output")
            map.addLinear("\(theirs).layernorm_after", [width], "\(ours).mlp_norm")
            map.addLinear("\(theirs).intermediate.dense", [shape.hidden, width], "\(ours).mlp.hidden")
            map.addLinear("\(theirs).output.dense", [width, shape.hidden], "\(ours).mlp.output")
        }
        map.addLinear("layernorm", [width], "output_norm")
        return PublishedModel(
            family: .vit, files: files, prefix: "vit.", unused: ["pooler.*"],
            vision: PublishedTower(plan: .vision(vision), tensors: map.tensors))
    }

    // MARK: - What CLIP and SigLIP share

    private static func pairText(
        _ files: ModelFiles, _ config: PublishedConfig, defaults: (width: Int, heads: Int, hidden: Int),
        vocabulary: Int,
        context: Int, epsilon: Double, activation: String
    ) throws -> (TextTransformer.Configuration, TensorMap) {
        let shape = try config.transformer(
            width: defaults.width, depth: 12, heads: defaults.heads, hidden: defaults.hidden, activation: activation,
            norms: .before, epsilon: epsilon)
        let rows = try config.size("max_position_embeddings", default: context, in: 2...1_048_576)
        var text = TextTransformer.Configuration(
            vocabulary: try config.size("vocab_size", default: vocabulary, in: PublishedConfig.vocabularies),
            context: try TokenizerLimits.context(files, atMost: rows), transformer: shape, pooling: .endOfText,
            causal: false,
            projections: [])
        text.positionRows = rows
        var map = TensorMap()
        map.add("text_model.embeddings.token_embedding.weight", [text.vocabulary, shape.width], "tokens")
        map.add("text_model.embeddings.position_embedding.weight", [rows, shape.width], "positions")
        addPairBlocks(&map, "text_model", shape)
        map.addLinear("text_model.final_layer_norm", [shape.width], "output_norm")
        return (text, map)
    }

    private static func pairVision(
        _ config: PublishedConfig, defaults: (size: Int, patch: Int), epsilon: Double, activation: String,
        pooling: VisionTransformer.Pooling
    ) throws -> (VisionTransformer.Configuration, TensorMap) {
        let shape = try config.transformer(
            width: 768, depth: 12, heads: 12, hidden: 3072, activation: activation, norms: .before, epsilon: epsilon)
        let vision = try visionSizes(config, defaults: defaults, shape, pooling: pooling)
        var map = TensorMap()
        map.add(
            "vision_model.embeddings.patch_embedding.weight", [shape.width, 3, vision.patch, vision.patch],
            "patch_embedding.weight")
        addPairBlocks(&map, "vision_model", shape)
        map.addLinear("vision_model.post_layernorm", [shape.width], "output_norm")
        return (vision, map)
    }

    private static func visionSizes(
        _ config: PublishedConfig, defaults: (size: Int, patch: Int), _ shape: TransformerShape,
        pooling: VisionTransformer.Pooling
    ) throws -> VisionTransformer.Configuration {
        let size = try config.size("image_size", default: defaults.size, in: PublishedConfig.pixels)
        let patch = try config.size("patch_size", default: defaults.patch, in: PublishedConfig.pixels)
        guard try config.size("num_channels", default: 3, in: 1...65536) == 3 else {
            throw Failure(.data, "\(config.place): num_channels: expected 3")
        }
        guard patch <= size else {
            throw Failure(.data, "\(config.place): patch_size \(patch) is more than image_size \(size)")
        }
        return VisionTransformer.Configuration(
            imageSize: size, patch: patch, transformer: shape, pooling: pooling, inputNorm: false, projections: [])
    }

    private static func addPairBlocks(_ map: inout TensorMap, _ tower: String, _ shape: TransformerShape) {
        let width = shape.width
        for block in 0..<shape.depth {
            let (theirs, ours) = ("\(tower).encoder.layers.\(block)", "blocks.\(block)")
            map.addLinear("\(theirs).layer_norm1", [width], "\(ours).attention_norm")
            map.addQueryKeyValue(
                ["q_proj", "k_proj", "v_proj"].map { "\(theirs).self_attn.\($0)" }, width: width,
                "\(ours).attention.qkv")
            map.addLinear("\(theirs).self_attn.out_proj", [width, width], "\(ours).attention.output")
            map.addLinear("\(theirs).layer_norm2", [width], "\(ours).mlp_norm")
            map.addLinear("\(theirs).mlp.fc1", [shape.hidden, width], "\(ours).mlp.hidden")
            map.addLinear("\(theirs).mlp.fc2", [width, shape.hidden], "\(ours).mlp.output")
        }
    }

    /// The token that fills texts up: the tokenizer's, else the configuration's.
    private static func paddingToken(_ files: ModelFiles, _ config: PublishedConfig) throws -> Int32 {
        if let id = try TokenizerLimits.paddingToken(files) { return Int32(id) }
        return Int32(try config.size("pad_token_id", default: 1, in: 0...Int(Int32.max)))
    }
}
