// BERT, RoBERTa (XLM-R, CamemBERT) and MPNet as `transformers` publishes them. Sources: Devlin et al., arXiv 1810.04805; Liu et al.,
// arXiv 1907.11692; Conneau et al., arXiv 1911.02116; Song et al., arXiv 2004.09297. Not here: what follows the last block
// (SentenceModules.swift).

import Failures
import Layers

extension PublishedModel {
    /// BERT: MiniLM, BGE, E5 and others are of this kind.
    static func bert(_ files: ModelFiles, _ config: PublishedConfig) throws -> PublishedModel {
        try config.require("position_embedding_type", oneOf: ["absolute"])
        let rows = try config.size("max_position_embeddings", default: 512, in: PublishedConfig.contexts)
        return try postNorm(
            .bert, files, config, prefix: "bert.", vocabulary: 30522, usablePositions: rows, positionRows: rows,
            positions: .fromStart, tokenTypes: config.size("type_vocab_size", default: 2, in: 1...65536))
    }

    /// RoBERTa: positions are counted from behind the padding token's number.
    static func roberta(_ files: ModelFiles, _ config: PublishedConfig) throws -> PublishedModel {
        try config.require("position_embedding_type", oneOf: ["absolute"])
        let rows = try config.size("max_position_embeddings", default: 512, in: PublishedConfig.contexts)
        let padding = try paddingToken(config, positionRows: rows)
        return try postNorm(
            .roberta, files, config, prefix: "roberta.", vocabulary: 50265, usablePositions: rows - padding - 1,
            positionRows: rows, positions: .afterPadding(Int32(padding)),
            tokenTypes: config.size("type_vocab_size", default: 2, in: 1...65536))
    }

    /// MPNet: no token types; every head has a bias by distance. Its padding token is number 1, whatever the configuration says.
    static func mpnet(_ files: ModelFiles, _ config: PublishedConfig) throws -> PublishedModel {
        let rows = try config.size("max_position_embeddings", default: 512, in: 3...1_048_576)
        return try postNorm(
            .mpnet, files, config, prefix: "mpnet.", vocabulary: 30527, usablePositions: rows - 2, positionRows: rows,
            positions: .afterPadding(1), tokenTypes: 0,
            distanceRows: config.size("relative_attention_num_buckets", default: 32, in: DistanceBuckets.count...65536))
    }

    private static func paddingToken(_ config: PublishedConfig, positionRows: Int) throws -> Int {
        guard positionRows >= 3 else {
            throw Failure(.data, "\(config.place): max_position_embeddings: expected 3 or more, found \(positionRows)")
        }
        return try config.size("pad_token_id", default: 1, in: 0...positionRows - 2)
    }

    private static func postNorm(
        _ family: Family, _ files: ModelFiles, _ config: PublishedConfig, prefix: String, vocabulary: Int,
        usablePositions: Int, positionRows: Int, positions: TextTransformer.Positions, tokenTypes: Int,
        distanceRows: Int? = nil
    ) throws -> PublishedModel {
        try config.require("is_decoder", false, default: false)
        try config.require("add_cross_attention", false, default: false)
        let shape = try config.transformer(
            width: 768, depth: 12, heads: 12, hidden: 3072, activation: "gelu", norms: .after, epsilon: 1e-12)
        let modules = try SentenceModules(files, width: shape.width)
        var text = TextTransformer.Configuration(
            vocabulary: try config.size("vocab_size", default: vocabulary, in: PublishedConfig.vocabularies),
            context: try modules.context(files, positions: usablePositions), transformer: shape,
            pooling: .mean, causal: false, projections: modules.projections)
        text.pooling = modules.pooling
        text.positionRows = positionRows
        text.positions = positions
        text.tokenTypes = tokenTypes
        text.inputNorm = true
        text.outputNorm = false
        text.distanceRows = distanceRows
        var map = TensorMap()
        let width = shape.width
        map.add("embeddings.word_embeddings.weight", [text.vocabulary, width], "tokens")
        map.add("embeddings.position_embeddings.weight", [positionRows, width], "positions")
        if tokenTypes > 0 {
            map.add("embeddings.token_type_embeddings.weight", [tokenTypes, width], "token_types")
        }
        map.addLinear("embeddings.LayerNorm", [width], "input_norm")
        if let distanceRows {
            map.add("encoder.relative_attention_bias.weight", [distanceRows, shape.heads], "distances")
        }
        for block in 0..<shape.depth {
            let (theirs, ours) = ("encoder.layer.\(block)", "blocks.\(block)")
            let attention = family == .mpnet ? "\(theirs).attention.attn" : "\(theirs).attention.self"
            let names = family == .mpnet ? ["q", "k", "v"] : ["query", "key", "value"]
            map.addQueryKeyValue(names.map { "\(attention).\($0)" }, width: width, "\(ours).attention.qkv")
            let output = family == .mpnet ? "\(attention).o" : "\(theirs).attention.output.dense"
            map.addLinear(output, [width, width], "\(ours).attention.output")
            let norm = family == .mpnet ? "\(theirs).attention.LayerNorm" : "\(theirs).attention.output.LayerNorm"
            map.addLinear(norm, [width], "\(ours).attention_norm")
            map.addLinear("\(theirs).intermediate.dense", [shape.hidden, width], "\(ours).mlp.hidden")
            map.addLinear("\(theirs).output.dense", [width, shape.hidden], "\(ours).mlp.output")
            map.addLinear("\(theirs).output.LayerNorm", [width], "\(ours).mlp_norm")
        }
        modules.addTensors(to: &map)
        return PublishedModel(
            family: family, files: files, prefix: prefix, unused: ["embeddings.position_ids", "pooler.*"],
            text: PublishedTower(plan: .text(text), tensors: map.tensors))
    }
}
