// Damaged and hostile tokenizer.json files. Not here: what good ones do (EqualityTests).

import Failures
import Foundation
import Testing

@testable import Tokenizers

@Suite struct TokenizerDamageTests {
    static let wordPiece = """
        {"added_tokens": [{"id": 4, "content": "[X]"}], "normalizer": {"type": "Lowercase"},
         "pre_tokenizer": {"type": "Whitespace"}, "post_processor": {"type": "TemplateProcessing",
          "single": [{"SpecialToken": {"id": "b", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
          "special_tokens": {"b": {"id": "b", "ids": [3], "tokens": ["b"]}}},
         "model": {"type": "WordPiece", "unk_token": "u", "continuing_subword_prefix": "##",
          "max_input_chars_per_word": 100, "vocab": {"u": 0, "a": 1, "##a": 2, "b": 3}}}
        """
    static let bpe = """
        {"model": {"type": "BPE", "unk_token": "u", "vocab": {"u": 0, "a": 1, "b": 2, "ab": 3}, "merges": ["a b"]}}
        """
    static let unigram = """
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAAA="},
         "model": {"type": "Unigram", "unk_id": 0, "vocab": [["u", 0], ["a", -1.5]]}}
        """

    static let damages: [(document: String, find: String, replacement: String, message: String)] = [
        (wordPiece, "}}}", "}}", "is no JSON: at byte"),
        (wordPiece, "\"normalizer\"", "\"model\": {}, \"normalizer\"", "'model' twice"),
        (wordPiece, "{\"added", "[{\"added", "is no JSON"),
        (wordPiece, "\"a\": 1", "\"a\": 0", "model.vocab gives the id 0 to two tokens"),
        (wordPiece, "\"a\": 1", "\"a\": \"1\"", "model.vocab.a is the text '1' instead of an integer"),
        (wordPiece, "\"a\": 1", "\"a\": 1e9", "model.vocab.a is 1e9 instead of an integer"),
        (wordPiece, "\"a\": 1", "\"a\": 99999999999999999999", "model.vocab.a is 99999999999999999999 instead of"),
        (wordPiece, "\"a\": 1", "\"a\": 2147483647", "model.vocab.a is 2147483647 instead of"),
        (wordPiece, "\"a\": 1", "\"a\": -1", "model.vocab.a is -1 instead of"),
        (wordPiece, "\"unk_token\": \"u\"", "\"unk_token\": \"z\"", "model.unk_token is 'z', which is not in vocab"),
        (wordPiece, "\"unk_token\": \"u\", ", "", "model lacks unk_token"),
        (wordPiece, "WordPiece", "WordPieces", "model has the type 'WordPieces'; known here: WordPiece, BPE"),
        (wordPiece, "Lowercase", "Shout", "normalizer has the type 'Shout'; known here: Sequence, BertNormalizer"),
        (wordPiece, "Whitespace", "Blank", "pre_tokenizer has the type 'Blank'; known here: Sequence"),
        (wordPiece, "TemplateProcessing", "Pair", "post_processor has the type 'Pair'; known here: Sequence"),
        (
            wordPiece, "{\"type\": \"Lowercase\"}",
            "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"(\"}, \"content\": \"\"}",
            "normalizer.pattern cannot be compiled: "
        ),
        (
            wordPiece, "{\"type\": \"Lowercase\"}", "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Foo\"}]}",
            "normalizer.normalizers[0] has the type 'Foo'"
        ),
        (wordPiece, "{\"type\": \"Lowercase\"}", String(repeating: "[", count: 100_000), "at most 64 levels"),
        (wordPiece, "\"A\"", "\"B\"", "post_processor.single[1].Sequence.id is 'B' instead of A"),
        (
            wordPiece, "\"SpecialToken\": {\"id\": \"b\"", "\"SpecialToken\": {\"id\": \"c\"",
            "is 'c', which special_tokens does not have"
        ),
        (
            wordPiece, "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}",
            "{\"Sequence\": {\"id\": \"A\"}}, {\"Sequence\": {\"id\": \"A\"}}",
            "post_processor.single has the text 2 times instead of once"
        ),
        (wordPiece, "\"id\": 4", "\"id\": 7", "added_tokens[0] gives '[X]' the id 7, where other programs give it 4"),
        (wordPiece, "\"content\": \"[X]\"", "\"content\": \"a\"", "gives 'a' the id 4, where other programs give it 1"),
        (bpe, "\"a b\"", "\"a c\"", "model.merges[0] has 'c', which is not in vocab"),
        (bpe, "\"a b\"", "\"b a\"", "model.merges[0] has 'ba', which is not in vocab"),
        (bpe, "\"a b\"", "\"a\"", "model.merges[0] has 1 parts instead of 2"),
        (bpe, "\"a b\"", "[\"a\", 3]", "model.merges[0][1] is 3 instead of a text"),
        (bpe, "\"a b\"", "7", "model.merges[0] is 7 instead of an array"),
        (bpe, "\"unk_token\"", "\"dropout\": 0.1, \"unk_token\"", "model.dropout is 0.1; tokens would be random"),
        (bpe, "[\"a b\"]", "{}", "model.merges is an object instead of an array"),
        (unigram, "\"unk_id\": 0", "\"unk_id\": 2", "model.unk_id is 2 instead of an integer from 0 to 1"),
        (unigram, "\"unk_id\": 0", "\"unk_id\": null", "model lacks unk_id"),
        (unigram, "[\"a\", -1.5]", "[\"a\"]", "model.vocab[1] has 1 elements"),
        (unigram, "-1.5", "1e999", "model.vocab[1][1] is 1e999 instead of a number"),
        (unigram, "[[\"u\", 0], [\"a\", -1.5]]", "[]", "model has no tokens"),
        (unigram, "BAAAAAAAAAA=", "BAAAAA==", "precompiled_charsmap says that its array takes 4 of the 0 bytes"),
        (unigram, "BAAAAAAAAAA=", "////fwAAAAA=", "precompiled_charsmap says that its array takes"),
        (unigram, "BAAAAAAAAAA=", "AA==", "precompiled_charsmap has 1 bytes"),
        (unigram, "BAAAAAAAAAA=", "?", "precompiled_charsmap is not base 64"),
    ]

    @Test(arguments: damages.indices) func damageIsNamed(index: Int) throws {
        let (document, find, replacement, message) = Self.damages[index]
        #expect(document.contains(find), "nothing to damage")
        let damaged = document.replacing(find, with: replacement, maxReplacements: 1)
        let found = failureMessage(.data) { _ = try Tokenizer(json: Data(damaged.utf8), name: "t.json") }
        #expect(found.hasPrefix("the tokenizer t.json"))
        #expect(found.contains(message), "\(found)")
    }

    @Test(arguments: [wordPiece, bpe, unigram]) func undamagedFilesAreRead(document: String) throws {
        let tokenizer = try Tokenizer(json: Data(document.utf8), name: "t.json")
        #expect(tokenizer.vocabularySize > 1 && !tokenizer.encode("aab a", contextLength: 9).isEmpty)
        #expect(tokenizer.id(of: "u") == 0 && tokenizer.id(of: "nothing") == nil)
    }

    /// A look-behind with `\K` begins matches inside the ones before them.
    /// A special token is a row of an embedding table, whether the vocabulary has it or not.
    @Test func specialTokensCount() throws {
        let document = Self.wordPiece.replacing("\"ids\": [3]", with: "\"ids\": [9]")
        #expect(try Tokenizer(json: Data(document.utf8), name: "t").vocabularySize == 10)
    }

    @Test(arguments: [#"(?<=\\Kb)b"#, #"(?=ab\\K)"#]) func matchesThatOverlapAreCut(pattern: String) throws {
        let split = #"{"type": "Split", "pattern": {"Regex": "\#(pattern)"}, "behavior": "Isolated"}"#
        let document = Self.wordPiece.replacing("{\"type\": \"Whitespace\"}", with: split)
            .replacing(
                "{\"type\": \"Lowercase\"}",
                with: #"{"type": "Replace", "pattern": {"Regex": "\#(pattern)"}, "content": "b"}"#)
        let tokenizer = try Tokenizer(json: Data(document.utf8), name: "t.json")
        #expect(!tokenizer.encode("abbbb", contextLength: 9).isEmpty)
    }

    /// A replacement that begins inside a scalar is none: what comes out of a map is UTF-8.
    @Test func replacementsAreWhole() throws {
        // The root's children begin at unit 0; unit 97 is the label "a", with a value, whose unit says which replacement.
        func text(replacedFrom place: UInt32) throws -> [UInt8] {
            var units = [UInt32](repeating: 0, count: 128)
            units[97] = 97 | 1 << 8 | 1 << 10
            units[97 ^ 1] = 0x8000_0000 | place
            let bytes = units.flatMap { unit in (0..<4).map { UInt8(truncatingIfNeeded: unit >> (8 * $0)) } }
            let map = try Charsmap([0, 2, 0, 0] + bytes + Array("é\0".utf8))
            var text = Array("a".utf8)
            var begins = true
            map.apply(&text, beginsText: &begins)
            return text
        }
        #expect(try text(replacedFrom: 0) == Array("é".utf8))
        #expect(try text(replacedFrom: 1) == Array("a".utf8))
    }

    /// Cut anywhere, a file is refused and nothing worse.
    @Test func cutFilesAreRefused() {
        for document in [Self.wordPiece, Self.bpe, Self.unigram] {
            let data = Data(document.utf8)
            for length in 0..<data.count {
                #expect(!failureMessage(.data) { _ = try Tokenizer(json: data.prefix(length), name: "t.json") }.isEmpty)
            }
        }
    }

    /// An array of Charsmap that points anywhere is walked without harm; every byte is replaced at most once, by at most the five bytes that
    /// there are.
    @Test func anyCharsmapIsWalked() throws {
        var state: UInt64 = 1
        func byte() -> UInt8 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
        let original = Array("\u{1}\u{5}a\u{301}bc\r\n가나다\u{1} e".utf8)
        var changed = 0
        for _ in 0..<2000 {
            // Values that are places among the replacements, and units for the labels that sixteen units have room for: chance makes neither.
            let units = (0..<16).flatMap { _ -> [UInt8] in
                guard byte() < 150 else { return [byte() % 6, 0, 0, 0] }
                return [byte() < 200 ? byte() & 0x0F : byte(), byte() & 0x0F, 0, byte() < 200 ? 0 : byte()]
            }
            let map = try Charsmap([64, 0, 0, 0] + units + Array("abc\0d".utf8))
            var text = original
            var begins = true
            map.apply(&text, beginsText: &begins)
            #expect(text.count <= 5 * original.count)
            if text != original { changed += 1 }
        }
        #expect(changed > 0)
    }
}
