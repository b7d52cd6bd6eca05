// CLIP as open_clip publishes it: `open_clip_config.json` beside `open_clip_model.safetensors`. Source: the package's configuration
// classes and its parameters' names (version 3). Not here: CLIP as `transformers` has it (PairFamilies.swift).

import Failures
import Kernels
import Layers

extension PublishedModel {
    static func openCLIP(_ files: ModelFiles, _ file: PublishedConfig) throws -> PublishedModel {
        let config = try file.object("model_cfg")
        let embedding = try config.size("embed_dim", in: PublishedConfig.widths)
        let quick = try config.flag("quick_gelu", default: false)
        // Models with a text tower of their own class keep its parameters under a name.
        let prefix = try config.flag("custom_text", default: false) ? "text." : ""
        var model = PublishedModel(
            family: .openCLIP, files: files, unused: ["attn_mask", "text.attn_mask"],
            text: try openCLIPText(config.object("text_cfg"), prefix: prefix, embedding: embedding, quick: quick),
            vision: try openCLIPVision(config.object("vision_cfg"), embedding: embedding, quick: quick))
        model.logitScale = ("logit_scale", [])
        if config.has("init_logit_bias") { model.logitBias = ("logit_bias", []) }
        return model
    }

    private static func openCLIPText(
        _ config: PublishedConfig, prefix: String, embedding: Int, quick: Bool
    ) throws -> PublishedTower {
        try refuse(config, ["hf_model_name", "ls_init_value"])
        for key in ["embed_cls", "no_causal_mask"] { try config.require(key, false, default: false) }
        try config.require("pool_type", oneOf: ["argmax", "eos"])
        try config.require("proj_type", oneOf: ["linear"])
        let shape = try openCLIPShape(
            config, width: 512, heads: config.size("heads", default: 8, in: PublishedConfig.widths), quick: quick)
        let rows = try config.size("context_length", default: 77, in: 2...1_048_576)
        let bias = try config.flag("proj_bias", default: false)
        var text = TextTransformer.Configuration(
            vocabulary: try config.size("vocab_size", default: 49408, in: PublishedConfig.vocabularies), context: rows,
            transformer: shape, pooling: .endOfText, causal: true,
            projections: [.linear(name: "projection", outputs: embedding, bias: bias)])
        switch try config.text("pool_type") {
        case "eos": text.end = .first(Int32(try config.size("eos_id", default: 2, in: 0...Int(Int32.max))))
        default: text.end = .highest
        }
        var map = TensorMap()
        map.add("\(prefix)token_embedding.weight", [text.vocabulary, shape.width], "tokens")
        map.add("\(prefix)positional_embedding", [rows, shape.width], "positions")
        addOpenCLIPBlocks(&map, "\(prefix)transformer", shape)
        map.addLinear("\(prefix)ln_final", [shape.width], "output_norm")
        if bias {
            map.addLinear("\(prefix)text_projection", [embedding, shape.width], "projection")
        } else {
            map.add("\(prefix)text_projection", [shape.width, embedding], "projection.weight", isTransposed: true)
        }
        return PublishedTower(plan: .text(text), tensors: map.tensors)
    }

    private static func openCLIPVision(_ config: PublishedConfig, embedding: Int, quick: Bool) throws -> PublishedTower
    {
        try refuse(config, ["timm_model_name", "ls_init_value"])
        try config.require("attentional_pool", false, default: false)
        try config.require("pool_type", oneOf: ["tok"])
        try config.require("pos_embed_type", oneOf: ["learnable"])
        let width = try config.size("width", default: 768, in: PublishedConfig.widths)
        let headWidth = try config.size("head_width", default: 64, in: 1...width)
        guard width % headWidth == 0 else {
            throw Failure(.data, "\(config.place): width \(width) is not a multiple of head_width \(headWidth)")
        }
        let shape = try openCLIPShape(config, width: 768, heads: width / headWidth, quick: quick)
        let size = try config.size("image_size", default: 224, in: PublishedConfig.pixels)
        let patch = try config.size("patch_size", default: 16, in: 1...size)
        let vision = VisionTransformer.Configuration(
            imageSize: size, patch: patch, transformer: shape, pooling: .classToken,
            inputNorm: try !config.flag("no_ln_pre", default: false),
            projections: [.linear(name: "projection", outputs: embedding, bias: false)])
        var map = TensorMap()
        map.add("visual.class_embedding", [width], "class_token")
        map.add("visual.conv1.weight", [width, 3, patch, patch], "patch_embedding.weight")
        map.add("visual.positional_embedding", [vision.tokens, width], "positions")
        if vision.inputNorm { map.addLinear("visual.ln_pre", [width], "input_norm") }
        addOpenCLIPBlocks(&map, "visual.transformer", shape)
        map.addLinear("visual.ln_post", [width], "output_norm")
        map.add("visual.proj", [width, embedding], "projection.weight", isTransposed: true)
        return PublishedTower(plan: .vision(vision), tensors: map.tensors)
    }

    private static func openCLIPShape(
        _ config: PublishedConfig, width: Int, heads: Int, quick: Bool
    ) throws -> TransformerShape {
        for key in ["qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc"] {
            try config.require(key, false, default: false)
        }
        try config.require("block_type", oneOf: ["default"])
        let width = try config.size("width", default: width, in: PublishedConfig.widths)
        guard width % heads == 0 else {
            throw Failure(.data, "\(config.place): width \(width) is not a multiple of \(heads) heads")
        }
        let ratio = try config.positive("mlp_ratio", default: 4)
        // Python's int(width * ratio).
        let hidden = (Double(width) * ratio).rounded(.towardZero)
        guard (1...Double(PublishedConfig.widths.upperBound)).contains(hidden) else {
            throw Failure(.data, "\(config.place): mlp_ratio \(ratio) makes a hidden layer of \(hidden) columns")
        }
        var activation: Activation = quick ? .quickGelu : .geluErf
        let details = try config.object("act_kwargs")
        if !quick, let kind = try details.text("approximate"), kind != "none" {
            try details.require("approximate", oneOf: ["tanh"])
            activation = .geluTanh
        }
        return TransformerShape(
            width: width, depth: try config.size("layers", default: 12, in: PublishedConfig.depths), heads: heads,
            hidden: Int(hidden), activation: activation, norms: .before,
            epsilon: Float(try config.object("norm_kwargs").positive("eps", default: 1e-5)))
    }

    private static func addOpenCLIPBlocks(_ map: inout TensorMap, _ tower: String, _ shape: TransformerShape) {
        let width = shape.width
        for block in 0..<shape.depth {
            let (theirs, ours) = ("\(tower).resblocks.\(block)", "blocks.\(block)")
            map.addLinear("\(theirs).ln_1", [width], "\(ours).attention_norm")
            map.add("\(theirs).attn.in_proj_weight", [3 * width, width], "\(ours).attention.qkv.weight")
            map.add("\(theirs).attn.in_proj_bias", [3 * width], "\(ours).attention.qkv.bias")
            map.addLinear("\(theirs).attn.out_proj", [width, width], "\(ours).attention.output")
            map.addLinear("\(theirs).ln_2", [width], "\(ours).mlp_norm")
            map.addLinear("\(theirs).mlp.c_fc", [shape.hidden, width], "\(ours).mlp.hidden")
            map.addLinear("\(theirs).mlp.c_proj", [width, shape.hidden], "\(ours).mlp.output")
        }
    }

    private static func refuse(_ config: PublishedConfig, _ keys: [String]) throws {
        for key in keys where config.has(key) {
            throw Failure(
                .data, "\(config.place): \(key): such towers are not supported; expected open_clip's own transformer")
        }
    }
}
