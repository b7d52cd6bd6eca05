// What sentence-transformers does behind the last block: pooling, dense layers, normalisation, and how long a text may be. Source:
// Reimers and Gurevych, arXiv 1908.10084, and the files that the package writes. Not here: the transformer before it (BERTFamilies), poolings
// (SentencePooling).

import Failures
import Foundation

/// The modules of `modules.json`; without that file the mean of the tokens, as sentence-transformers has it.
struct SentenceModules {
    private(set) var pooling = [Pooling.mean]
    private(set) var projections: [Projection] = []
    private var dense: [(path: String, name: String, inputs: Int, outputs: Int, bias: Bool)] = []

    /// - Parameter width: D of the transformer before them.
    init(_ files: ModelFiles, width: Int) throws {
        guard let data = files["modules.json"] else { return }
        let modules = try PublishedConfig.list(data, place: "\(files.origin)/modules.json")
        var columns = width
        for (index, module) in modules.enumerated() {
            let path = try module.text("path") ?? ""
            let type = String(try module.text("type")?.split(separator: ".").last ?? "none")
            func config() throws -> PublishedConfig {
                guard let data = files["\(path)/config.json"] else {
                    throw Failure(.data, "\(module.place): path \"\(path)\" has no config.json")
                }
                return try PublishedConfig(data, place: "\(files.origin)/\(path)/config.json")
            }
            switch (type, index) {
            case ("Transformer", 0):
                guard path.isEmpty else {
                    throw Failure(
                        .data,
                        "\(module.place): the transformer is in the directory \"\(path)\"; expected it beside modules.json"
                    )
                }
            case ("Pooling", 1):
                pooling = try SentencePooling.read(config(), width: width)
                columns = width * pooling.count
            case ("Dense", 2...): columns = try addDense(config(), path: path, inputs: columns)
            case ("Normalize", 2...): projections.append(.normalize)
            default:
                throw Failure(
                    .data,
                    "\(module.place): expected Transformer, Pooling, and then any of Dense and Normalize, found \(type)"
                )
            }
        }
        guard modules.count >= 2 else {
            throw Failure(
                .data,
                "\(files.origin)/modules.json: expected a Transformer and a Pooling, found \(modules.count) modules")
        }
        if let data = files[SentencePrompts.file] {
            let config = try PublishedConfig(data, place: "\(files.origin)/\(SentencePrompts.file)")
            let kept = try config.size("truncate_dim", default: columns, in: 1...Int.max)
            guard kept >= columns else {
                throw Failure(
                    .data,
                    "\(config.place): truncate_dim is \(kept), and embeddings are not cut here; take the key out, and the first "
                        + "\(kept) columns of the embeddings")
            }
        }
    }

    private mutating func addDense(_ config: PublishedConfig, path: String, inputs: Int) throws -> Int {
        let found = try config.size("in_features", in: PublishedConfig.widths)
        guard found == inputs else {
            throw Failure(.data, "\(config.place): in_features is \(found), but \(inputs) columns come in")
        }
        try config.require("use_residual", false, default: false)
        let outputs = try config.size("out_features", in: PublishedConfig.widths)
        let bias = try config.flag("bias", default: true)
        let name = "dense_\(dense.count)"
        dense.append((path, name, inputs, outputs, bias))
        projections.append(
            .linear(
                name: name, outputs: outputs, bias: bias, activation: try config.torchActivation("activation_function"))
        )
        return outputs
    }

    func addTensors(to map: inout TensorMap) {
        for (path, name, inputs, outputs, bias) in dense {
            map.addLinear("\(path)/linear", [outputs, inputs], bias: bias, name)
        }
    }

    /// Tokens of the longest text: the least of what sentence-transformers, the tokenizer and the position table allow.
    func context(_ files: ModelFiles, positions: Int) throws -> Int {
        var context = try TokenizerLimits.context(files, atMost: positions)
        if let data = files["sentence_bert_config.json"] {
            let config = try PublishedConfig(data, place: "\(files.origin)/sentence_bert_config.json")
            context = min(context, try config.size("max_seq_length", default: context, in: 1...Int.max))
        }
        guard context >= 2 else {
            throw Failure(.data, "\(files.origin): texts of \(context) tokens have no room for a word")
        }
        return context
    }
}
