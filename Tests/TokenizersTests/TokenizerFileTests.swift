// tokenizer.json against Hugging Face's `tokenizers` and against damage. Not here: learning (ByteBPETokenizerTests).

import Failures
import Foundation
import Testing

@testable import Tokenizers

/// The golden values were made by Tests/Golden/tokenizer.py with `tokenizers` 0.23.3.
@Suite struct TokenizerFileTests {
    static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Golden")

    struct Row: Decodable {
        let text: String
        let tokens: [Int32]
        let cut: [Int32]
        let decoded: String
    }

    static func rows() throws -> [Row] {
        let lines = try Data(contentsOf: golden.appendingPathComponent("tokenizer.jsonl")).split(separator: 0x0A)
        return try lines.map { try JSONDecoder().decode(Row.self, from: $0) }
    }

    @Test func trainingWritesTheGoldenFile() throws {
        let tokenizer = ByteBPETokenizer.train(texts: corpus, vocabularySize: 400)
        let expected = try Data(contentsOf: Self.golden.appendingPathComponent("tokenizer.json"))
        #expect(tokenizer.json(contextLength: 12) == expected)
    }

    /// The file that fanoise writes, and the same as `tokenizers` writes it.
    @Test(arguments: ["tokenizer.json", "tokenizer-saved.json"]) func tokensAreThoseOfTokenizers(file: String) throws {
        let tokenizer = try ByteBPETokenizer(path: Self.golden.appendingPathComponent(file).path)
        let rows = try Self.rows()
        #expect(rows.count == 300)
        for row in rows {
            #expect(tokenizer.encode(row.text) == row.tokens, "\(row.text.debugDescription)")
            #expect(tokenizer.encode(row.text, contextLength: 12) == row.cut, "\(row.text.debugDescription)")
            #expect(Array(tokenizer.decode(row.tokens).utf8) == Array(row.decoded.utf8), "\(row.text.debugDescription)")
        }
    }

    @Test(arguments: [true, false], [true, false]) func writtenAndReadIsTheSame(lowercases: Bool, prependsSpace: Bool)
        throws
    {
        let folder = try TemporaryFolder()
        let tokenizer = ByteBPETokenizer.train(
            texts: corpus, vocabularySize: 350, options: .init(lowercases: lowercases, prependsSpace: prependsSpace))
        let path = folder.path + "/tokenizer.json"
        try tokenizer.write(path: path)
        let again = try ByteBPETokenizer(path: path)
        #expect(again.json() == tokenizer.json())
        #expect(again.options == tokenizer.options && again.vocabularySize == tokenizer.vocabularySize)
        for text in corpus { #expect(again.encode(text) == tokenizer.encode(text)) }
        #expect(
            failureMessage(.cannotCreate) { try tokenizer.write(path: folder.path + "/no/t.json") }.contains(
                "/no/t.json"))
        #expect(
            failureMessage(.inputMissing) { _ = try ByteBPETokenizer(path: folder.path + "/no") }.contains(
                "cannot read"))
    }

    static let damages: [(find: String, replacement: String, message: String)] = [
        ("{\n  \"version\"", "\n  \"version\"", "cannot be understood: the document is damaged"),
        ("\"vocab\": {", "\"vocab\": [], \"x\": {", "model.vocab is not of type"),
        ("\"merges\": [", "\"merge\": [", "model lacks the key merges"),
        ("\"type\": \"BPE\"", "\"type\": \"Unigram\"", "model.type is Unigram instead of BPE"),
        ("\"end_of_word_suffix\": null", "\"end_of_word_suffix\": \"</w>\"", "model uses dropout, a prefix, a suffix"),
        ("\"ignore_merges\": false", "\"ignore_merges\": true", "model uses"),
        ("{\"type\": \"Lowercase\"}", "{\"type\": \"NFKC\"}", "normalizer has NFKC"),
        ("\"prepend\": \" \"", "\"prepend\": \"_\"", "normalizer has Prepend"),
        (
            "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false",
            "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true", "pre_tokenizer is not ByteLevel"
        ),
        (
            "\"pre_tokenizer\": {\"type\": \"ByteLevel\"", "\"pre_tokenizer\": {\"type\": \"Metaspace\"",
            "pre_tokenizer is not ByteLevel"
        ),
        ("\"type\": \"TemplateProcessing\"", "\"type\": \"ByteLevel\"", "post_processor.single is not"),
        ("\"content\": \"<|endoftext|>\"", "\"content\": \"<|end|>\"", "added_tokens lacks <|endoftext|>"),
        (
            "\"id\": 1, \"content\"", "\"id\": 7, \"content\"",
            "model.vocab gives <|endoftext|> the id 1, added_tokens 7"
        ),
        ("      \"!\": 35", "      \"!\": 36", "gives the id 36 to two tokens"),
        ("      \"!\": 35", "      \"!\": 3500", "gives ! the id 3500, outside 0 ..< 300"),
        ("      \"!\": 35", "      \"!!\": 35", "has no token for the byte 33, written !"),
        ("      \"!\": 35", "      \"→\": 35", "has '→', which stands for no bytes"),
        ("[\"c\", \"e\"]", "[\"c\", \"e\", \"x\"]", "has 3 parts instead of 2"),
        ("[\"c\", \"e\"]", "[\"c\", \"qq\"]", "has 'qq', which is not in model.vocab"),
        ("[\"c\", \"e\"]", "\"c x\"", "has 'cx', which is not in model.vocab"),
    ]

    @Test(arguments: damages.indices) func damageIsNamed(index: Int) throws {
        let (find, replacement, message) = Self.damages[index]
        let text = String(decoding: ByteBPETokenizer.train(texts: corpus, vocabularySize: 300).json(), as: UTF8.self)
        #expect(text.contains(find), "nothing to damage")
        let damaged = text.replacing(find, with: replacement, maxReplacements: 1)
        let found = failureMessage(.data) { _ = try ByteBPETokenizer(json: Data(damaged.utf8), name: "t.json") }
        #expect(found.hasPrefix("the tokenizer t.json"))
        #expect(found.contains(message), "\(found)")
    }
}
