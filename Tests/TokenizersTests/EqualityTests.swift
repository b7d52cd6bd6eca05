// Ids equal to those of the package `tokenizers`. Not here: damaged files (TokenizerDamageTests), directories (TokenizerDirectoryTests).

import Foundation
import Testing

@testable import Tokenizers

/// The golden values were made by Golden/golden.py with `tokenizers` 0.23.3.
@Suite struct EqualityTests {
    struct Family: Sendable {
        let name: String
        let file: Data
        let ids: [[Int32]]
        let cut: [[Int32]]
        let all: String?
    }

    /// Read by StrictJSON: Foundation's parsers drop a U+FEFF inside a text.
    static let golden: (texts: [String], families: [Family]) = {
        let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Golden/families.json")
        func rows(_ place: JSONPlace) throws -> [[Int32]] {
            try place.elements.map { try $0.elements.map { try $0.id } }
        }
        do {
            let root = try JSONPlace(document: try Data(contentsOf: url), file: "families.json")
            let families = try root["families"].elements.map { family in
                Family(
                    name: try family["name"].text, file: Data(try family["file"].text.utf8),
                    ids: try rows(family["ids"]),
                    cut: try rows(family["cut"]), all: try family.optional("all")?.text)
            }
            return (try root["texts"].elements.map { try $0.text }, families)
        } catch {
            return ([], [])
        }
    }()

    @Test func allFamiliesAreThere() {
        #expect(Self.golden.families.count == 23 && Self.golden.texts.count == 60)
    }

    @Test(arguments: golden.families.indices) func idsAreEqual(index: Int) throws {
        let family = Self.golden.families[index]
        let tokenizer = try Tokenizer(json: family.file, name: family.name)
        #expect(tokenizer.file(contextLength: 4) == family.file)
        #expect(Set(family.ids.joined()).count > 10, "the golden ids of \(family.name) tell nothing")
        for (text, (ids, cut)) in zip(Self.golden.texts, zip(family.ids, family.cut)) {
            #expect(tokenizer.encode(text) == ids, "\(family.name): \(text.debugDescription)")
            #expect(tokenizer.encode(text, contextLength: 5) == cut, "\(family.name): \(text.debugDescription)")
            #expect(ids.allSatisfy { Int($0) < tokenizer.vocabularySize })
        }
    }

    /// Every scalar between two letters.
    @Test(arguments: golden.families.indices.filter { golden.families[$0].all != nil })
    func allOfUnicodeIsEqual(index: Int) throws {
        let family = Self.golden.families[index]
        let tokenizer = try Tokenizer(json: family.file, name: family.name)
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ number: UInt64) { hash = (hash ^ number) &* 0x100_0000_01B3 }
        for value in UInt32(0)..<0x110000 {
            guard let scalar = Unicode.Scalar(value) else { continue }
            for id in tokenizer.encode("a\(scalar)b") { add(UInt64(id)) }
            add(0xFFFF_FFFF)
        }
        let digits = String(hash, radix: 16)
        #expect(String(repeating: "0", count: 16 - digits.count) + digits == family.all, "\(family.name)")
    }

    @Test func textsAreCutAtEitherEnd() throws {
        let file = String(decoding: Self.golden.families[0].file, as: UTF8.self)
        #expect(file.contains("\"truncation\":null"))
        let left = file.replacing(
            "\"truncation\":null",
            with: "\"truncation\":{\"direction\":\"Left\",\"max_length\":7,\"strategy\":\"LongestFirst\",\"stride\":0}")
        let right = try Tokenizer(json: Data(file.utf8), name: "right")
        let tokenizer = try Tokenizer(json: Data(left.utf8), name: "left")
        #expect(tokenizer.contextLength == 7 && right.contextLength == nil)
        let all = right.encode("the face of the word in the house")
        let text = all.dropFirst().dropLast()
        for length in 2...all.count + 1 {
            #expect(
                right.encode("the face of the word in the house", contextLength: length)
                    == [all[0]] + text.prefix(length - 2) + [all[all.count - 1]])
            #expect(
                tokenizer.encode("the face of the word in the house", contextLength: length)
                    == [all[0]] + text.suffix(length - 2) + [all[all.count - 1]])
        }
    }

    /// From several threads at once, and with words that fill the memory of words.
    @Test func threadsGetTheSame() async throws {
        let tokenizer = try Tokenizer(json: Self.golden.families[3].file, name: "gpt2")
        let texts = (0..<2000).map { "word\($0) face \($0 * 7919) of \($0)" } + Self.golden.texts
        let expected = texts.map { tokenizer.encode($0) }
        await withTaskGroup(of: [[Int32]].self) { group in
            for _ in 0..<4 { group.addTask { texts.map { tokenizer.encode($0) } } }
            for await ids in group { #expect(ids == expected) }
        }
    }

    /// A long text without a space takes no more than its length in proportion.
    @Test(arguments: golden.families.indices) func longWordsEnd(index: Int) throws {
        let tokenizer = try Tokenizer(json: Self.golden.families[index].file, name: Self.golden.families[index].name)
        for unit in ["a", "e\u{301}", "日", "th", "\u{301}"] {
            let text = String(repeating: unit, count: 50_000)
            let seconds = ContinuousClock().measure { _ = tokenizer.encode(text) }
            #expect(seconds < .seconds(10), "\(Self.golden.families[index].name), \(unit)")
        }
    }

    @Test func trainedFilesStayTrainedOnes() throws {
        let trained = ByteBPETokenizer.train(texts: corpus, vocabularySize: 300)
        for context in [2, 12] {
            let read = try readTokenizer(json: trained.file(contextLength: context), name: "t.json")
            #expect(read is ByteBPETokenizer && read.vocabularySize == trained.vocabularySize)
        }
        let other = String(decoding: trained.json(), as: UTF8.self).replacing(
            "\"special\": true", with: "\"special\": false")
        let read = try readTokenizer(json: Data(other.utf8), name: "t.json")
        #expect(read is Tokenizer && read.file(contextLength: 3) == Data(other.utf8))
        #expect(read.encode("grinning face", contextLength: 9) == trained.encode("grinning face", contextLength: 9))
    }
}
