// The few things that an encoder must know of its tokenizer's files. Not here: tokenizing (Tokenizers).

import Failures
import Foundation

enum TokenizerLimits {
    private static func config(_ files: ModelFiles) throws -> PublishedConfig? {
        try files["tokenizer_config.json"].map {
            try PublishedConfig($0, place: "\(files.origin)/tokenizer_config.json")
        }
    }

    /// Tokens of the longest text: `rows`, or fewer where the tokenizer has a limit of its own.
    static func context(_ files: ModelFiles, atMost rows: Int) throws -> Int {
        // "No limit" is written as 10³⁰, which is no integer here.
        let limit = try config(files).flatMap { try? $0.size("model_max_length", in: 2...Int.max) }
        return min(rows, limit ?? rows)
    }

    /// The number of the padding token by its text; nil where the files do not say.
    static func paddingToken(_ files: ModelFiles) throws -> Int? {
        guard let config = try config(files) else { return nil }
        guard let name = try (try? config.text("pad_token")) ?? config.object("pad_token").text("content") else {
            return nil
        }
        let added = try config.object("added_tokens_decoder")
        for id in added.members.keys.sorted() where try added.object(id).text("content") == name {
            return Int(id).flatMap { (0...Int(Int32.max)).contains($0) ? $0 : nil }
        }
        return nil
    }
}
