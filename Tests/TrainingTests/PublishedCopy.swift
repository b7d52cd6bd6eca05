// A published model's directory that tests may change, and runs that begin with it. Not here: the tests (PublishedTrainingTests, …).

import Collectives
import Encoders
import Foundation

@testable import Training

/// A copy of one of the encoders' golden directories, with a tokenizer where it has none.
final class PublishedCopy {
    let path: String

    init(_ name: String) throws {
        path = FileManager.default.temporaryDirectory.appending(path: "fanoise-model-\(UUID())").path
        let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "EncodersTests/Golden/published/\(name)").path
        try FileManager.default.copyItem(atPath: golden, toPath: path)
        try FileManager.default.removeItem(atPath: "\(path)/expected.safetensors")
        guard !FileManager.default.fileExists(atPath: "\(path)/tokenizer.json") else { return }
        let size =
            try PublishedModel(directory: path).vision.flatMap {
                if case .vision(let plan) = $0.plan { plan.imageSize } else { nil }
            } ?? 0
        let processor = """
            {"image_processor_type": "SiglipImageProcessor", "size": {"height": \(size), "width": \(size)},
             "image_mean": [0.5, 0.4, 0.3], "image_std": [0.25, 0.5, 0.75]}
            """
        try Data(processor.utf8).write(to: URL(fileURLWithPath: "\(path)/preprocessor_config.json"))
        let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "disc", "square", "in", "red", "green", "blue", "paint"]
        let vocabulary = words.enumerated().map { "\"\($1)\": \($0)" }.joined(separator: ", ")
        let tokenizer = """
            {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
             "pre_tokenizer": {"type": "BertPreTokenizer"},
             "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}, "decoder": null,
             "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                       "max_input_chars_per_word": 100, "vocab": {\(vocabulary)}}}
            """
        try Data(tokenizer.utf8).write(to: URL(fileURLWithPath: "\(path)/tokenizer.json"))
    }

    /// Text for both sides.
    static let texts = ["data.query={column: text}", "data.target={column: text}"]

    /// A tiny run whose sides are the one encoder that the directory has.
    func siamese(_ options: [String] = []) throws -> RunConfig {
        try TinyRun.shared.get().configuration(["model={init: \(path)}"] + Self.texts + options)
    }

    func remove() throws { try FileManager.default.removeItem(atPath: path) }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// What a run has learnt.
func openCheckpoint(_ configuration: RunConfig) throws -> TrainedModel {
    try TrainedModel(.run(configuration.folder), communicator: SoloWorld())
}
