// Reading tokenizer.json strictly: what it says is done exactly, or refused. Not here: writing it (TokenizerFile).

import Failures
public import Foundation

extension ByteBPETokenizer {
    /// Reads a `tokenizer.json` that uses what this type can do: BPE on ByteLevel words, Lowercase and Prepend " " or neither, start and
    /// end of text put around by TemplateProcessing.
    /// - Throws: `Failure(.inputMissing)` if it cannot be read; `Failure(.data)` that names the key and what is wrong with it.
    public convenience init(path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(.inputMissing, "cannot read the tokenizer \(path)")
        }
        try self.init(json: data, name: path)
    }

    /// - Parameter name: how messages call the file.
    public convenience init(json: Data, name: String) throws {
        let file: TokenizerDocument
        do { file = try JSONDecoder().decode(TokenizerDocument.self, from: json) } catch let error as DecodingError {
            throw Failure(.data, "the tokenizer \(name) cannot be understood: \(error.place)")
        }
        let check = TokenizerCheck(file: file, name: name)
        let options = try check.options()
        let (start, end) = try check.marks()
        let (tokens, ids) = try check.vocabulary(start: start, end: end)
        self.init(
            options: options, tokens: tokens, merges: try check.merges(ids: ids), startOfText: Int32(start.id),
            endOfText: Int32(end.id))
    }
}

/// The keys of tokenizer.json that matter here.
private struct TokenizerDocument: Decodable {
    struct Added: Decodable {
        let id: Int
        let content: String
    }
    /// A normaliser, pre-tokenizer or decoder: a type and whatever it needs.
    struct Stage: Decodable, Equatable {
        let type: String
        var normalizers: [Stage]?
        var prepend: String?
        var add_prefix_space: Bool?
        var use_regex: Bool?
    }
    struct Template: Decodable {
        struct Piece: Decodable {
            struct Name: Decodable { let id: String }
            var SpecialToken: Name?
            var Sequence: Name?
        }
        let type: String
        var single: [Piece]?
    }
    struct Model: Decodable {
        let type: String
        var dropout: Double?
        var continuing_subword_prefix: String?
        var end_of_word_suffix: String?
        var byte_fallback: Bool?
        var ignore_merges: Bool?
        let vocab: [String: Int]
        let merges: [Merge]
    }
    /// `"a b"` or `["a", "b"]`.
    struct Merge: Decodable {
        let parts: [String]

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                parts = text.split(separator: " ", omittingEmptySubsequences: false).map { String($0) }
            } else {
                parts = try container.decode([String].self)
            }
        }
    }
    let added_tokens: [Added]
    var normalizer: Stage?
    var pre_tokenizer: Stage?
    var post_processor: Template?
    let model: Model
}

/// From the document's words to a tokenizer's parts, or to a sentence about what is wrong.
private struct TokenizerCheck {
    let file: TokenizerDocument
    let name: String

    private func wrong(_ key: String, _ what: String) -> Failure {
        Failure(.data, "the tokenizer \(name): \(key) \(what)")
    }

    func options() throws -> ByteBPETokenizer.Options {
        guard let splitting = file.pre_tokenizer, splitting.type == "ByteLevel", splitting.add_prefix_space == false,
            splitting.use_regex ?? true
        else {
            throw wrong(
                "pre_tokenizer",
                "is not ByteLevel with add_prefix_space false and use_regex true, the only kind known here")
        }
        var options = ByteBPETokenizer.Options(lowercases: false, prependsSpace: false)
        let stages = file.normalizer.map { $0.type == "Sequence" ? $0.normalizers ?? [] : [$0] } ?? []
        for stage in stages {
            switch stage.type {
            case "Lowercase": options.lowercases = true
            case "Prepend" where stage.prepend == " " && !options.prependsSpace: options.prependsSpace = true
            default: throw wrong("normalizer", "has \(stage.type); known here are Lowercase and one Prepend of a space")
            }
        }
        return options
    }

    func marks() throws -> (start: TokenizerDocument.Added, end: TokenizerDocument.Added) {
        let pieces = file.post_processor?.single ?? []
        guard file.post_processor?.type == "TemplateProcessing", pieces.count == 3,
            let first = pieces[0].SpecialToken?.id,
            pieces[1].Sequence != nil, let last = pieces[2].SpecialToken?.id
        else { throw wrong("post_processor.single", "is not: start of text, A, end of text") }
        func mark(_ content: String, _ expected: String) throws -> TokenizerDocument.Added {
            guard content == expected else {
                throw wrong("post_processor.single", "names \(content) instead of \(expected)")
            }
            guard let token = file.added_tokens.first(where: { $0.content == content }) else {
                throw wrong("added_tokens", "lacks \(content)")
            }
            return token
        }
        guard file.added_tokens.count == 2 else {
            throw wrong("added_tokens", "has \(file.added_tokens.count) entries instead of 2")
        }
        return (try mark(first, ByteBPETokenizer.startOfTextName), try mark(last, ByteBPETokenizer.endOfTextName))
    }

    /// Bytes of each token, and the token of each way of writing one.
    func vocabulary(
        start: TokenizerDocument.Added, end: TokenizerDocument.Added
    ) throws -> (tokens: [[UInt8]], ids: [String: Int32]) {
        let model = file.model
        guard model.type == "BPE" else { throw wrong("model.type", "is \(model.type) instead of BPE") }
        guard model.dropout ?? 0 == 0, (model.continuing_subword_prefix ?? "").isEmpty,
            (model.end_of_word_suffix ?? "").isEmpty,
            model.byte_fallback != true, model.ignore_merges != true
        else { throw wrong("model", "uses dropout, a prefix, a suffix, byte_fallback or ignore_merges, unknown here") }
        var written = model.vocab
        for mark in [start, end] {
            if let id = written[mark.content], id != mark.id {
                throw wrong("model.vocab", "gives \(mark.content) the id \(id), added_tokens \(mark.id)")
            }
            written[mark.content] = mark.id
        }
        var tokens = [[UInt8]?](repeating: nil, count: written.count)
        for (text, id) in written {
            guard tokens.indices.contains(id) else {
                throw wrong(
                    "model.vocab", "gives \(text) the id \(id), outside 0 ..< \(written.count), the number of tokens")
            }
            guard tokens[id] == nil else { throw wrong("model.vocab", "gives the id \(id) to two tokens") }
            let isMark = text == start.content || text == end.content
            guard let bytes = isMark ? Array(text.utf8) : ByteSymbols.bytes(of: text), !bytes.isEmpty else {
                throw wrong("model.vocab", "has '\(text)', which stands for no bytes")
            }
            tokens[id] = bytes
        }
        let complete = tokens.compactMap { $0 }
        let single = Set(complete.filter { $0.count == 1 }.map { $0[0] })
        if let missing = (0..<256).first(where: { !single.contains(UInt8($0)) }) {
            throw wrong(
                "model.vocab", "has no token for the byte \(missing), written \(ByteSymbols.characters[missing])")
        }
        return (complete, written.mapValues { Int32($0) })
    }

    func merges(ids: [String: Int32]) throws -> [(left: Int32, right: Int32, result: Int32)] {
        try file.model.merges.enumerated().map { index, merge in
            guard merge.parts.count == 2 else {
                throw wrong("model.merges[\(index)]", "has \(merge.parts.count) parts instead of 2")
            }
            let known = (merge.parts + [merge.parts.joined()]).map { (text: $0, id: ids[$0]) }
            if let unknown = known.first(where: { $0.id == nil }) {
                throw wrong("model.merges[\(index)]", "has '\(unknown.text)', which is not in model.vocab")
            }
            let tokens = known.compactMap(\.id)
            return (tokens[0], tokens[1], tokens[2])
        }
    }
}

extension DecodingError {
    /// Where and what, in a few words.
    fileprivate var place: String {
        func path(_ context: Context) -> String {
            let keys = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? "." + $0.stringValue }.joined()
            return keys.isEmpty ? "the document" : String(keys.drop { $0 == "." })
        }
        switch self {
        case .keyNotFound(let key, let context): return "\(path(context)) lacks the key \(key.stringValue)"
        case .typeMismatch(let type, let context): return "\(path(context)) is not of type \(type)"
        case .valueNotFound(let type, let context): return "\(path(context)) is null instead of \(type)"
        case .dataCorrupted(let context): return "\(path(context)) is damaged: \(context.debugDescription)"
        @unknown default: return localizedDescription
        }
    }
}
