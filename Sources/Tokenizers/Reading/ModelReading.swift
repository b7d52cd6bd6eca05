// `model` of a tokenizer.json. Not here: what the models do.

import Failures

/// The tokens of a model while it is read.
private struct Vocabulary {
    var trie = ByteTrie()
    var count = 0
    var maximumID: Int32 = -1

    /// `{"token": id, …}`, each id once.
    init(_ place: JSONPlace) throws {
        var seen: Set<Int32> = []
        for (token, idPlace) in try place.members {
            let id = try idPlace.id
            guard seen.insert(id).inserted else {
                throw place.wrong("gives the id \(id) to two tokens, one of them '\(token.prefix(40))'")
            }
            trie.insert(token.utf8, id: id)
            count += 1
            maximumID = max(maximumID, id)
        }
    }

    /// The id of the token that a key names.
    func id(_ place: JSONPlace) throws -> Int32 {
        let token = try place.text
        guard let id = trie.id(of: token.utf8) else {
            throw place.wrong("is '\(token.prefix(40))', which is not in vocab")
        }
        return id
    }

    /// Tokens `<0x00>` to `<0xFF>`, -1 for those that are missing.
    static func byteTokens(_ trie: ByteTrie) -> [Int32] {
        (0..<256).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return trie.id(of: "<0x\(byte < 16 ? "0" : "")\(digits)>".utf8) ?? -1
        }
    }
}

extension JSONPlace {
    /// A model, the number of its tokens, and its largest id.
    var model: (model: WordModel, count: Int, maximumID: Int32) {
        get throws {
            let type = try optional("type")?.text ?? untypedModel
            switch type {
            case "WordPiece": return try wordPiece
            case "BPE": return try bpe
            case "Unigram": return try unigram
            case "WordLevel":
                let vocabulary = try Vocabulary(self["vocab"])
                let model = WordLevelModel(tokens: vocabulary.trie, unknown: try vocabulary.id(self["unk_token"]))
                return (.wordLevel(model), vocabulary.count, vocabulary.maximumID)
            default: throw unknownType(type, "WordPiece, BPE, Unigram, WordLevel")
            }
        }
    }

    /// Old files say the kind of model by its keys.
    private var untypedModel: String {
        get throws {
            if try optional("merges") != nil { return "BPE" }
            if case .array? = try optional("vocab")?.value { return "Unigram" }
            return try optional("continuing_subword_prefix") != nil ? "WordPiece" : "WordLevel"
        }
    }

    private var wordPiece: (WordModel, Int, Int32) {
        get throws {
            let place = try self["vocab"]
            let vocabulary = try Vocabulary(place)
            let prefix = try self["continuing_subword_prefix"].text
            var continuations = ByteTrie()
            for (token, id) in try place.members where token.utf8.starts(with: prefix.utf8) {
                continuations.insert(token.utf8.dropFirst(prefix.utf8.count), id: try id.id)
            }
            let model = WordPieceModel(
                tokens: vocabulary.trie, continuations: continuations, unknown: try vocabulary.id(self["unk_token"]),
                maximumScalars: try self["max_input_chars_per_word"].integer(in: 0...Int.max))
            return (.wordPiece(model), vocabulary.count, vocabulary.maximumID)
        }
    }

    private var unigram: (WordModel, Int, Int32) {
        get throws {
            let entries = try self["vocab"].elements
            guard entries.count <= Self.maximumID else { throw wrong("has \(entries.count) tokens") }
            var trie = ByteTrie()
            var scores: [Double] = []
            scores.reserveCapacity(entries.count)
            for (index, entry) in entries.enumerated() {
                let parts = try entry.elements
                guard parts.count == 2 else {
                    throw entry.wrong("has \(parts.count) elements instead of a token and its score")
                }
                trie.insert(try parts[0].text.utf8, id: Int32(index))
                scores.append(try parts[1].double)
            }
            guard !entries.isEmpty else { throw wrong("has no tokens") }
            let model = UnigramModel(
                tokens: trie, scores: scores, unknown: Int32(try self["unk_id"].integer(in: 0...entries.count - 1)),
                byteTokens: try flag("byte_fallback", default: false) ? Vocabulary.byteTokens(trie) : [])
            return (.unigram(model), entries.count, Int32(entries.count - 1))
        }
    }

    private var bpe: (WordModel, Int, Int32) {
        get throws {
            if let dropout = try optional("dropout"), try dropout.double != 0 {
                throw dropout.wrong(
                    "is \(try dropout.double); tokens would be random, and only null or 0 is known here")
            }
            let vocabulary = try Vocabulary(self["vocab"])
            let prefix = Array(try optional("continuing_subword_prefix")?.text.utf8 ?? "".utf8)
            let model = BPEModel(
                tokens: vocabulary.trie, rules: try self["merges"].rules(vocabulary, prefixLength: prefix.count),
                unknown: try optional("unk_token").map { try vocabulary.id($0) },
                fusesUnknown: try flag("fuse_unk", default: false),
                ignoresMerges: try flag("ignore_merges", default: false), prefix: prefix,
                suffix: Array(try optional("end_of_word_suffix")?.text.utf8 ?? "".utf8),
                byteTokens: try flag("byte_fallback", default: false) ? Vocabulary.byteTokens(vocabulary.trie) : [])
            return (.bpe(model), vocabulary.count, vocabulary.maximumID)
        }
    }

    /// `"a b"` or `["a", "b"]` each; the second part loses its prefix when it is joined.
    private func rules(_ vocabulary: Vocabulary, prefixLength: Int) throws -> PairTable {
        let merges = try elements
        var rules = PairTable(capacity: merges.count)
        for (rank, merge) in merges.enumerated() {
            let parts: [String]
            if case .string(let text) = merge.value {
                parts = text.split(separator: " ", omittingEmptySubsequences: false).map { String($0) }
            } else {
                parts = try merge.elements.map { try $0.text }
            }
            guard parts.count == 2 else { throw merge.wrong("has \(parts.count) parts instead of 2") }
            guard parts[1].utf8.count >= prefixLength else { throw merge.wrong("has a second part without the prefix") }
            let joined = Array(parts[0].utf8) + parts[1].utf8.dropFirst(prefixLength)
            let ids = try [Array(parts[0].utf8), Array(parts[1].utf8), joined].map { token in
                guard let id = vocabulary.trie.id(of: token) else {
                    throw merge.wrong(
                        "has '\(String(decoding: token.prefix(40), as: UTF8.self))', which is not in vocab")
                }
                return id
            }
            rules.set(ids[0], ids[1], BPEModel.Rule(rank: Int32(rank), result: ids[2]))
        }
        return rules
    }
}
