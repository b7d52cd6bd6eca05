// Tokenizers of model directories. Not here: tokenizer.json itself (EqualityTests).

import Failures
import Foundation
import Testing

@testable import Tokenizers

/// Expected ids are those of `transformers` 5 for the same vocabularies, by reading them: no merges but those listed apply.
@Suite struct TokenizerDirectoryTests {
    static let bertVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nface\n##s\n,\n"

    @Test func vocabTextIsBERT() throws {
        let folder = try TemporaryFolder()
        try folder.write("vocab.txt", Self.bertVocabulary.utf8)
        let tokenizer = try Tokenizer(directory: folder.path)
        #expect(tokenizer.encode("The faces, [MASK] x") == [2, 5, 6, 7, 8, 4, 1, 3])
        #expect(tokenizer.vocabularySize == 9)
        try folder.write("tokenizer_config.json", #"{"do_lower_case": false, "tokenizer_class": "BertTokenizer"}"#.utf8)
        #expect(try Tokenizer(directory: folder.path).encode("The face") == [2, 1, 6, 3])
    }

    /// Files that went through Windows.
    @Test func linesMayEndWithCarriageReturns() throws {
        let folder = try TemporaryFolder()
        try folder.write("vocab.txt", Self.bertVocabulary.replacing("\n", with: "\r\n").utf8)
        #expect(try Tokenizer(directory: folder.path).encode("The faces, [MASK] x") == [2, 5, 6, 7, 8, 4, 1, 3])
        try FileManager.default.removeItem(atPath: "\(folder.path)/vocab.txt")
        try folder.write("vocab.json", Self.vocabulary.utf8)
        try folder.write("merges.txt", "#version: 0.2\r\na b\r\n".utf8)
        try folder.write("tokenizer_config.json", #"{"tokenizer_class": "Qwen2Tokenizer"}"#.utf8)
        #expect(try Tokenizer(directory: folder.path).encode("abab") == [7, 7])
    }

    @Test func tokenizerJSONComesFirst() throws {
        let folder = try TemporaryFolder()
        try folder.write("vocab.txt", Self.bertVocabulary.utf8)
        try folder.write("tokenizer.json", TokenizerDamageTests.bpe.utf8)
        let tokenizer = try Tokenizer(directory: folder.path)
        #expect(
            tokenizer.encode("ab") == [3] && tokenizer.file(contextLength: 2) == Data(TokenizerDamageTests.bpe.utf8))
    }

    /// `transformers` gives BERT's normaliser the keys of tokenizer_config.json; sentence-transformers lowers case before any normaliser.
    @Test(arguments: [
        ("tokenizer_config.json", #"{"tokenizer_class": "BertTokenizerFast", "do_lower_case": true}"#, true),
        ("tokenizer_config.json", #"{"tokenizer_class": "MPNetTokenizer"}"#, true),
        ("tokenizer_config.json", #"{"tokenizer_class": "BertTokenizer", "do_lower_case": false}"#, false),
        ("tokenizer_config.json", #"{"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": true}"#, false),
        ("sentence_bert_config.json", #"{"do_lower_case": true, "max_seq_length": 9}"#, true),
        ("sentence_bert_config.json", #"{"do_lower_case": false}"#, false),
    ])
    func filesBesideDecideOnCase(file: String, content: String, lowercases: Bool) throws {
        let folder = try TemporaryFolder()
        let tokenizer = #"""
            {"added_tokens": [], "post_processor": null, "pre_tokenizer": {"type": "BertPreTokenizer"},
             "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
              "lowercase": false},
             "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 9,
              "vocab": {"[UNK]": 0, "the": 1, "face": 2, "The": 3}}}
            """#
        try folder.write("tokenizer.json", tokenizer.utf8)
        #expect(try Tokenizer(directory: folder.path).encode("The face") == [3, 2])
        try folder.write(file, content.utf8)
        let read = try Tokenizer(directory: folder.path)
        #expect(read.encode("The face") == (lowercases ? [1, 2] : [3, 2]))
        #expect(read.file(contextLength: 9) == Data(tokenizer.utf8))
    }

    /// The end that long texts lose: what tokenizer_config.json says, as in `transformers`, else tokenizer.json's truncation.
    @Test(
        arguments: [
            ("null", nil, [2, 5, 3]), ("null", "left", [2, 6, 3]), (#"{"direction": "Left"}"#, nil, [2, 6, 3]),
            (#"{"direction": "Left"}"#, "right", [2, 5, 3]),
        ] as [(String, String?, [Int32])])
    func filesBesideDecideOnTruncation(truncation: String, side: String?, ids: [Int32]) throws {
        let folder = try TemporaryFolder()
        try folder.write("vocab.txt", Self.bertVocabulary.utf8)
        var json = String(decoding: try Tokenizer(directory: folder.path).file(contextLength: 9), as: UTF8.self)
        json.replace("{", with: #"{"truncation": \#(truncation), "#, maxReplacements: 1)
        try folder.write("tokenizer.json", json.utf8)
        if let side { try folder.write("tokenizer_config.json", #"{"truncation_side": "\#(side)"}"#.utf8) }
        #expect(try Tokenizer(directory: folder.path).encode("the face", contextLength: 3) == ids)
        try folder.write("tokenizer_config.json", #"{"truncation_side": "up"}"#.utf8)
        let message = failureMessage(.data) { _ = try Tokenizer(directory: folder.path) }
        #expect(
            message.hasSuffix("tokenizer_config.json: truncation_side is 'up' instead of left or right"), "\(message)")
    }

    static let vocabulary =
        #"{"<|startoftext|>": 0, "<|endoftext|>": 1, "a": 2, "b": 3, "b</w>": 4, "ab</w>": 5, "Ġ": 6, "ab": 7, "Ġab": 8, "<s>": 9, "</s>": 10}"#

    @Test(arguments: [
        ("GPT2Tokenizer", "a b\nĠ ab\n", "ab ab<|endoftext|>", [Int32](arrayLiteral: 7, 8, 1)),
        ("CLIPTokenizerFast", "#version: 0.2\na b</w>\n", "AB  b", [0, 5, 4, 1]),
        ("RobertaTokenizer", "a b\n", "ab", [9, 7, 10]), ("Qwen2Tokenizer", "a b\n", "abab", [7, 7]),
    ]) func vocabJSONAndMerges(kind: String, merges: String, text: String, ids: [Int32]) throws {
        let folder = try TemporaryFolder()
        try folder.write("vocab.json", Self.vocabulary.utf8)
        try folder.write("merges.txt", merges.utf8)
        try folder.write("tokenizer_config.json", #"{"tokenizer_class": "\#(kind)"}"#.utf8)
        #expect(try Tokenizer(directory: folder.path).encode(text) == ids)
    }

    @Test func whatIsMissingIsNamed() throws {
        let folder = try TemporaryFolder()
        func message(_ kind: Failure.Kind) -> String {
            failureMessage(kind) { _ = try Tokenizer(directory: folder.path) }
        }
        #expect(
            message(.inputMissing).contains("has no tokenizer.json, no vocab.txt, and no vocab.json with merges.txt"))
        try folder.write("vocab.json", Self.vocabulary.utf8)
        #expect(message(.inputMissing).contains("merges.txt"))
        try folder.write("merges.txt", "a b\n".utf8)
        #expect(message(.data).contains("names the class ''"))
        try folder.write("tokenizer_config.json", #"{"tokenizer_class": "XLMTokenizer"}"#.utf8)
        #expect(message(.data).contains("names the class 'XLMTokenizer'"))
        try folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n".utf8)
        #expect(message(.data).contains("lacks the sep_token '[SEP]'"))
        try folder.write("vocab.txt", "[PAD]\n[UNK]\n[UNK]\n".utf8)
        #expect(message(.data).contains("line 3 has '[UNK]' a second time"))
    }
}
