// What sentence-transformers puts before texts. Source: `config_sentence_transformers.json` and the package's encode_query and
// encode_document. Not here: pooling and what follows (SentenceModules).

import Foundation

/// The prompts of a published model.
///
/// The package has a `query` and a `document` prompt of its own, both empty, which those of the file replace; so `passage` and `corpus`, which
/// encode_document looks for after `document`, are never reached.
public struct SentencePrompts: Sendable, Equatable {
    /// Before a query: `query`, empty too; where the file has none, the default one, as `encode` by itself puts it.
    public let query: String
    /// Before what is searched: `document` in the same way.
    public let document: String
    /// Whether a prompt's tokens take part in pooling.
    public let arePooled: Bool

    public static let file = "config_sentence_transformers.json"

    /// - Throws: `Failure(.data)` when a file is damaged.
    public init(_ files: ModelFiles) throws {
        let config = try files[Self.file].map { try PublishedConfig($0, place: "\(files.origin)/\(Self.file)") }
        let prompts = try config?.object("prompts")
        let standard = try config?.text("default_prompt_name").flatMap { try prompts?.text($0) } ?? ""
        query = try prompts?.text("query") ?? standard
        document = try prompts?.text("document") ?? standard
        arePooled = try files.contents.keys.filter { $0.hasSuffix("_Pooling/config.json") }.sorted().allSatisfy {
            path in
            guard let data = files[path] else { return true }
            return try PublishedConfig(data, place: "\(files.origin)/\(path)").flag("include_prompt", default: true)
        }
    }
}
