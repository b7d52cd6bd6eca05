// What sentence-transformers puts before texts. Source: `config_sentence_transformers.json` and the package's encode_query and
// encode_document. Not here: pooling and what follows (SentenceModules).

import Foundation

/// The prompts of a published model. One that is empty counts as none, for the package writes empty ones of its own accord.
public struct SentencePrompts: Sendable, Equatable {
    /// Before a query: `query`, else the default one.
    public let query: String
    /// Before what is searched: the first of `document`, `passage` and `corpus`, else the default one.
    public let document: String
    /// Whether a prompt's tokens take part in pooling.
    public let arePooled: Bool

    public static let file = "config_sentence_transformers.json"

    /// - Throws: `Failure(.data)` when a file is damaged.
    public init(_ files: ModelFiles) throws {
        let config = try files[Self.file].map { try PublishedConfig($0, place: "\(files.origin)/\(Self.file)") }
        let prompts = try config?.object("prompts")
        func prompt(_ names: [String]) throws -> String? {
            for name in names { if let text = try prompts?.text(name), !text.isEmpty { return text } }
            return nil
        }
        let standard = try config?.text("default_prompt_name").flatMap { try prompts?.text($0) } ?? ""
        query = try prompt(["query"]) ?? standard
        document = try prompt(["document", "passage", "corpus"]) ?? standard
        arePooled = try files.contents.keys.filter { $0.hasSuffix("_Pooling/config.json") }.sorted().allSatisfy {
            path in
            guard let data = files[path] else { return true }
            return try PublishedConfig(data, place: "\(files.origin)/\(path)").flag("include_prompt", default: true)
        }
    }
}
