// Learning, encoding, decoding. Not here: files and other programs (TokenizerFileTests).

import Foundation
import Randomness
import Testing

@testable import Tokenizers

/// Sentences to learn from; equal in all tests, and behind Tests/Golden/tokenizer.json.
let corpus: [String] = [
    "grinning face", "grinning face with big eyes", "grinning face with smiling eyes", "beaming face with smiling eyes",
    "face with tears of joy", "rolling on the floor laughing", "winking face", "smiling face with halo",
    "smiling face with hearts",
    "Face savouring food", "face with tongue", "winking face with tongue", "cat with tears of joy",
    "smiling cat with heart-eyes",
    "cat with wry smile", "Don't stop", "it's the cat's mouse", "flag: Germany", "flag: Deutschland",
    "clock face, 12:30",
    "keycap: 10", "größer", "Größe", "лицо с улыбкой", "улыбка", "笑顔", "笑顔の猫", "😀 grinning", "👨‍👩‍👧 family",
    "family: man, woman, girl",
]

@Suite struct ByteBPETokenizerTests {
    /// The definition, literally: count all pairs, merge the most frequent everywhere, begin again.
    static func reference(_ texts: [String], symbols: Int) -> [[UInt8]] {
        var words: [[[UInt8]]] = []
        for text in texts {
            WordSplitter(lowercases: true, prependsSpace: true).forEachWord(in: text) { word in
                words.append(word.map { [$0] })
                return true
            }
        }
        var known = (0..<256).map { [UInt8($0)] }
        while known.count < symbols {
            var counts: [[Int]: Int] = [:]
            for word in words {
                for (left, right) in zip(word, word.dropFirst()) {
                    counts[[left, right].compactMap { known.firstIndex(of: $0) }, default: 0] += 1
                }
            }
            guard let best = counts.min(by: { ($1.value, $0.key[0], $0.key[1]) < ($0.value, $1.key[0], $1.key[1]) }),
                best.value > 1
            else { break }
            let (left, right) = (known[best.key[0]], known[best.key[1]])
            if !known.contains(left + right) { known.append(left + right) }
            for index in words.indices {
                var merged: [[UInt8]] = []
                var place = 0
                while place < words[index].count {
                    let pairs =
                        place + 1 < words[index].count && words[index][place] == left
                        && words[index][place + 1] == right
                    merged.append(pairs ? left + right : words[index][place])
                    place += pairs ? 2 : 1
                }
                words[index] = merged
            }
        }
        return known
    }

    @Test(arguments: [258, 259, 300, 340, 100_000]) func learnsWhatTheDefinitionSays(vocabulary: Int) {
        let repeats = ["aaaa aaa aaaaaaa", "abcabc bcab abab", "ababab bcbc"]
        for texts in [corpus, repeats, corpus + repeats] {
            let learned = ByteBPETokenizer.train(texts: texts, vocabularySize: vocabulary)
            #expect(Array(learned.tokens.dropFirst(2)) == Self.reference(texts, symbols: vocabulary - 2))
        }
    }

    /// Words of any length have tokens; those that would fill the memory are not remembered.
    @Test func onlyShortWordsAreRemembered() {
        let tokenizer = ByteBPETokenizer.train(texts: corpus, vocabularySize: 350)
        let long = String(repeating: "ab", count: 5000)
        #expect(tokenizer.encode(long) == tokenizer.encode(long) && tokenizer.knownWords == 0)
        #expect(!tokenizer.encode("ab").isEmpty && tokenizer.knownWords == 1)
    }

    @Test func orderOfTextsDoesNotMatter() {
        let one = ByteBPETokenizer.train(texts: corpus, vocabularySize: 350)
        for step in 0..<5 {
            let order = RandomField(seed: 1, purpose: .test).permutation(count: corpus.count, step: step)
            #expect(ByteBPETokenizer.train(texts: order.map { corpus[$0] }, vocabularySize: 350).json() == one.json())
        }
    }

    /// A word seen in training takes the merges in the order in which training made them: the definition again, by single steps.
    @Test func encodingFollowsTheMerges() {
        let tokenizer = ByteBPETokenizer.train(texts: corpus, vocabularySize: 350)
        for text in corpus {
            var expected: [[UInt8]] = []
            WordSplitter(lowercases: true, prependsSpace: true).forEachWord(in: text) { word in
                var symbols = word.map { [$0] }
                for merge in tokenizer.merges {
                    let (left, right) = (tokenizer.tokens[Int(merge.left)], tokenizer.tokens[Int(merge.right)])
                    var place = 0
                    while place + 1 < symbols.count {
                        if symbols[place] == left, symbols[place + 1] == right {
                            symbols.replaceSubrange(place...place + 1, with: [left + right])
                        }
                        place += 1
                    }
                }
                expected += symbols
                return true
            }
            #expect(tokenizer.encode(text).map { tokenizer.tokens[Int($0)] } == expected, "\(text)")
        }
    }

    /// Random scalars of all of Unicode, and the text that they make, come back.
    @Test(arguments: [true, false]) func everyTextComesBack(prependsSpace: Bool) {
        let tokenizer = ByteBPETokenizer.train(
            texts: corpus, vocabularySize: 350, options: .init(lowercases: false, prependsSpace: prependsSpace))
        let field = RandomField(seed: 2, purpose: .test)
        for row in 0..<2000 {
            var text = String.UnicodeScalarView()
            for column in 0..<row % 20 {
                let bound = [0x80, 0x800, 0x3100, 0x110000][field.integer(below: 4, row: row, column: 2 * column)]
                if let scalar = Unicode.Scalar(UInt32(field.integer(below: bound, row: row, column: 2 * column + 1))) {
                    text.append(scalar)
                }
            }
            let decoded = tokenizer.decode(tokenizer.encode(String(text)))
            #expect(Array(decoded.utf8) == Array(String(text).utf8))
        }
    }

    @Test func everyByteComesBack() {
        let tokenizer = ByteBPETokenizer.train(texts: corpus, vocabularySize: 350)
        let field = RandomField(seed: 3, purpose: .test)
        for row in 0..<500 {
            let bytes = (0..<row).map { UInt8(field.integer(below: row % 2 == 0 ? 256 : 128, row: row, column: $0)) }
            #expect(tokenizer.decodeBytes(tokenizer.tokens(of: bytes[...])) == bytes)
        }
        // A text cut inside a character.
        let all = tokenizer.encode("☃")
        #expect(tokenizer.decode(all.dropLast()).unicodeScalars.last == "\u{FFFD}")
    }

    @Test func textsAreCutBeforeTheirEnd() {
        let tokenizer = ByteBPETokenizer.train(texts: corpus, vocabularySize: 350)
        let all = tokenizer.encode("grinning face with tears of joy and more")
        for length in 2...all.count + 4 {
            let cut = tokenizer.encode("grinning face with tears of joy and more", contextLength: length)
            #expect(cut == [0] + all.prefix(length - 2) + [1])
        }
        #expect(tokenizer.encode("", contextLength: 8) == [0, 1])
    }

    @Test func caseIsGivenUpOnlyIfAsked() {
        let lower = ByteBPETokenizer.train(texts: corpus, vocabularySize: 350)
        #expect(lower.encode("GRÖßER İ ΣΑΣ") == lower.encode("größer i\u{307} σασ"))
        #expect(lower.decode(lower.encode(" Face")) == " face")
        let upper = ByteBPETokenizer.train(texts: corpus, vocabularySize: 350, options: .init(lowercases: false))
        #expect(upper.encode("Face") != upper.encode("face"))
        // A word has the tokens at the start that it has elsewhere.
        #expect(lower.encode("grinning face").suffix(lower.encode("face").count) == lower.encode("face")[...])
    }

    @Test(arguments: [
        ("hello world", ["hello", " world"]), ("don't we'll I'VE", ["don", "'t", " we", "'ll", " I", "'", "VE"]),
        ("a  b", ["a", " ", " b"]), ("a \n b", ["a", " \n", " b"]), ("a\tb ", ["a", "\t", "b", " "]), ("  ", ["  "]),
        ("a\nb", ["a", "\n", "b"]),
        ("12:30, ok!", ["12", ":", "30", ",", " ok", "!"]), ("x²ⅷ１", ["x", "²ⅷ１"]),
        ("é e\u{301}", ["é", " e", "\u{301}"]),
        ("猫の 笑顔", ["猫の", " 笑顔"]), ("👨‍👩‍👧 !", ["👨‍👩‍👧", " !"]), ("a\u{3000}\u{3000}b", ["a", "\u{3000}", "\u{3000}", "b"]),
        ("", []),
    ]) func splitsIntoWords(text: String, expected: [String]) {
        var words: [String] = []
        WordSplitter(lowercases: false, prependsSpace: false).forEachWord(in: text) { word in
            words.append(String(decoding: word, as: UTF8.self))
            return true
        }
        #expect(words.map { Array($0.utf8) } == expected.map { Array($0.utf8) })
    }
}
