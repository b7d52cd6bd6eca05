// The tokenizer of a model directory. Not here: reading tokenizer.json (TokenizerReading).

import ArrayFiles
import Failures
import Foundation

extension Tokenizer {
    /// Reads the tokenizer of a Hugging Face directory: `tokenizer.json`; where there is none, `vocab.txt` (BERT) or `vocab.json` with
    /// `merges.txt` (GPT-2, RoBERTa, CLIP, Qwen2), by the class that `tokenizer_config.json` names. What `tokenizer_config.json` and
    /// `sentence_bert_config.json` say of lower case counts, as it does in `transformers` and `sentence-transformers`; so does
    /// `truncation_side`.
    /// - Throws: `Failure(.inputMissing)` that says which files were looked for; `Failure(.data)` as for a file.
    public convenience init(directory: String) throws {
        try self.init(of: directory) { FileManager.default.contents(atPath: "\(directory)/\($0)") }
    }

    /// The same of files kept elsewhere.
    /// - Parameters:
    ///   - origin: how messages call the directory.
    ///   - contents: a file of it; nil where there is none.
    convenience init(of origin: String, _ contents: (String) -> Data?) throws {
        let changes = try NormalizerChanges(of: origin, contents)
        let side = try contents("tokenizer_config.json").flatMap {
            try JSONPlace(document: $0, file: "\(origin)/tokenizer_config.json").optional("truncation_side")
        }
        let truncatesLeft = try side.map { side in
            guard ["left", "right"].contains(try side.text) else {
                throw side.wrong("is '\(try side.text)' instead of left or right")
            }
            return try side.text == "left"
        }
        if let json = contents("tokenizer.json") {
            try self.init(
                json: json, name: "\(origin)/tokenizer.json", changes: changes, truncatesLeft: truncatesLeft)
            return
        }
        let json = try withoutActuallyEscaping(contents) { try TokenizerFolder(path: origin, contents: $0).document() }
        try self.init(
            json: json, name: "\(origin), read from its vocabulary", changes: changes, truncatesLeft: truncatesLeft)
    }
}

/// A directory without tokenizer.json.
private struct TokenizerFolder {
    let path: String
    let contents: (String) -> Data?

    /// The tokenizer.json that the other files amount to.
    func document() throws -> Data {
        let config = try contents("tokenizer_config.json").map {
            try JSONPlace(document: $0, file: "\(path)/tokenizer_config.json")
        }
        let name = try config?.optional("tokenizer_class")?.text ?? ""
        let kind = name.hasSuffix("Fast") ? String(name.dropLast(4)) : name
        if let vocabulary = contents("vocab.txt") { return try bert(vocabulary, config) }
        if let vocabulary = contents("vocab.json"), let merges = contents("merges.txt") {
            return try byteLevel(kind, vocabulary, merges, config)
        }
        throw Failure(
            .inputMissing,
            "\(path) has no tokenizer.json, no vocab.txt, and no vocab.json with merges.txt; save the model's tokenizer there "
                + "(tokenizer.save_pretrained in transformers writes tokenizer.json)")
    }

    private func wrong(_ file: String, _ what: String) -> Failure { Failure(.data, "\(path)/\(file): \(what)") }

    private func lines(_ data: Data, _ file: String) throws -> [Substring] {
        guard let text = String(validating: data, as: UTF8.self) else { throw wrong(file, "is not UTF-8") }
        // By bytes: of a text, a carriage return and a line feed are one character.
        var lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
            Substring(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
        }
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }

    /// A special token's content: a text, or an object that has it.
    private func special(_ key: String, _ config: JSONPlace?, default content: String) throws -> String {
        guard let place = try config?.optional(key) else { return content }
        return if case .object = place.value { try place["content"].text } else { try place.text }
    }

    /// `added_tokens`: those that tokenizer_config.json lists by id, then special ones that it does not list.
    private func addedTokens(
        _ config: JSONPlace?, _ special: [(key: String, content: String)], ids: (String) -> Int32?
    ) throws -> String {
        var entries: [String] = []
        var seen: Set<String> = []
        func add(_ content: String, _ id: Int32, _ place: JSONPlace?) throws {
            guard seen.insert(content).inserted else { return }
            let flags = try ["single_word", "lstrip", "rstrip", "normalized", "special"].map { key in
                "\"\(key)\": \(try place?.flag(key, default: key == "special") ?? (key == "special"))"
            }
            entries.append(
                "{\"id\": \(id), \"content\": \(StrictJSON.quoted(content)), \(flags.joined(separator: ", "))}")
        }
        for (key, place) in try config?.optional("added_tokens_decoder")?.members ?? [] {
            guard let id = Int32(key) else { throw place.wrong("has the key '\(key)' instead of an id") }
            try add(try place["content"].text, id, place)
        }
        for (key, content) in special {
            guard let id = ids(content) else { continue }
            let place = try config?.optional(key)
            if case .object? = place?.value { try add(content, id, place) } else { try add(content, id, nil) }
        }
        return entries.joined(separator: ", ")
    }

    private func bert(_ data: Data, _ config: JSONPlace?) throws -> Data {
        var ids: [(token: String, id: Int)] = []
        var byToken: [[UInt8]: Int] = [:]
        for line in try lines(data, "vocab.txt") {
            let token = String(line)
            guard byToken.updateValue(ids.count, forKey: Array(token.utf8)) == nil else {
                throw wrong("vocab.txt", "line \(ids.count + 1) has '\(token)' a second time")
            }
            ids.append((token, ids.count))
        }
        func id(_ key: String, _ content: String) throws -> (String, Int) {
            let token = try special(key, config, default: content)
            guard let id = byToken[Array(token.utf8)] else { throw wrong("vocab.txt", "lacks the \(key) '\(token)'") }
            return (token, id)
        }
        let (unknown, _) = try id("unk_token", "[UNK]")
        let (cls, sep) = (try id("cls_token", "[CLS]"), try id("sep_token", "[SEP]"))
        let named = try [
            ("pad_token", "[PAD]"), ("unk_token", "[UNK]"), ("cls_token", "[CLS]"), ("sep_token", "[SEP]"),
            ("mask_token", "[MASK]"),
        ].map { (key: $0.0, content: try special($0.0, config, default: $0.1)) }
        let added = try addedTokens(config, named) { token in byToken[Array(token.utf8)].map { Int32($0) } }
        let lowercases = try config?.flag("do_lower_case", default: true) ?? true
        let accents = try config?.optional("strip_accents")?.boolean
        let ideographs = try config?.flag("tokenize_chinese_chars", default: true) ?? true
        let vocabulary = ids.map { "\(StrictJSON.quoted($0.token)): \($0.id)" }.joined(separator: ", ")
        return Data(
            """
            {"added_tokens": [\(added)],
             "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": \(ideographs),
              "strip_accents": \(accents.map { "\($0)" } ?? "null"), "lowercase": \(lowercases)},
             "pre_tokenizer": {"type": "BertPreTokenizer"},
             "post_processor": {"type": "BertProcessing", "sep": [\(StrictJSON.quoted(sep.0)), \(sep.1)],
              "cls": [\(StrictJSON.quoted(cls.0)), \(cls.1)]},
             "model": {"type": "WordPiece", "unk_token": \(StrictJSON.quoted(unknown)), "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100, "vocab": {\(vocabulary)}}}

            """.utf8)
    }

    /// The rules around the vocabulary of each class that has vocab.json and merges.txt.
    private func byteLevel(_ kind: String, _ vocabulary: Data, _ merges: Data, _ config: JSONPlace?) throws -> Data {
        guard ["GPT2Tokenizer", "RobertaTokenizer", "CLIPTokenizer", "Qwen2Tokenizer"].contains(kind) else {
            throw wrong(
                "tokenizer_config.json",
                "names the class '\(kind)'; from vocab.json and merges.txt GPT2Tokenizer, RobertaTokenizer, CLIPTokenizer and "
                    + "Qwen2Tokenizer can be read; save the tokenizer as tokenizer.json")
        }
        let place = try JSONPlace(document: vocabulary, file: "\(path)/vocab.json")
        var ids: [String: Int32] = [:]
        for (token, id) in try place.members { ids[token] = try id.id }
        let rules = try lines(merges, "merges.txt").filter { !$0.hasPrefix("#version") && !$0.isEmpty }
            .map { StrictJSON.quoted(String($0)) }
        var specials: [(key: String, content: String)] =
            switch kind {
            case "CLIPTokenizer":
                [("bos_token", "<|startoftext|>"), ("eos_token", "<|endoftext|>"), ("unk_token", "<|endoftext|>")]
            case "RobertaTokenizer":
                [
                    ("bos_token", "<s>"), ("pad_token", "<pad>"), ("eos_token", "</s>"), ("unk_token", "<unk>"),
                    ("mask_token", "<mask>"),
                ]
            default: [("eos_token", "<|endoftext|>")]
            }
        specials = try specials.map { ($0.key, try special($0.key, config, default: $0.content)) }
        func id(_ key: String) throws -> (name: String, id: Int32) {
            let name = specials.first { $0.key == key }?.content ?? ""
            guard let id = ids[name] else { throw wrong("vocab.json", "lacks the \(key) '\(name)'") }
            return (name, id)
        }
        func around() throws -> String {
            let (start, end) = (try id("bos_token"), try id("eos_token"))
            return #"{"type": "BertProcessing", "cls": [\#(StrictJSON.quoted(start.name)), \#(start.id)], "#
                + #""sep": [\#(StrictJSON.quoted(end.name)), \#(end.id)]}"#
        }
        let split = { (pattern: String, behaviour: String, inverts: Bool) in
            #"{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": \#(StrictJSON.quoted(pattern))}, "#
                + #""behavior": "\#(behaviour)", "invert": \#(inverts)}, "#
                + #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}"#
        }
        let prefixSpace = try config?.flag("add_prefix_space", default: false) ?? false
        let plain = #"{"type": "ByteLevel", "add_prefix_space": \#(prefixSpace), "use_regex": true}"#
        let (normalizer, preTokenizer): (String, String) =
            switch kind {
            case "CLIPTokenizer":
                (
                    #"{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "#
                        + #""content": " "}, {"type": "Lowercase"}]}"#, split(Self.clipPattern, "Removed", true)
                )
            case "Qwen2Tokenizer": (#"{"type": "NFC"}"#, split(Self.qwenPattern, "Isolated", false))
            default: ("null", plain)
            }
        let processor = kind == "CLIPTokenizer" || kind == "RobertaTokenizer" ? try around() : "null"
        let added = try addedTokens(config, specials) { ids[$0] }
        return Data(
            """
            {"added_tokens": [\(added)],
             "normalizer": \(normalizer), "pre_tokenizer": \(preTokenizer), "post_processor": \(processor),
             "model": {"type": "BPE", "unk_token": \(kind == "CLIPTokenizer" ? StrictJSON.quoted(try id("unk_token").name) : "null"),
              "end_of_word_suffix": \(kind == "CLIPTokenizer" ? "\"</w>\"" : "null"), "merges": [\(rules.joined(separator: ", "))],
              "vocab": \(String(decoding: vocabulary, as: UTF8.self))}}

            """.utf8)
    }

    /// Published with CLIP's tokenizer; special tokens are cut out before it sees a text.
    private static let clipPattern = #"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"#
    /// Published with Qwen2's tokenizer.
    private static let qwenPattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
}
