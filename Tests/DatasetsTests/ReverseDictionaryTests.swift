// The reverse dictionary: reading WordNet's lines, holding out whole components, leaving out what gives itself away.

import Failures
import Foundation
import Testing

@testable import Datasets

@Suite struct ReverseDictionaryTests {
    static let nouns = """
          1 This software and database is being provided to you  
        00000001 04 n 02 big_cat 0 cat 0 001 @ 00045250 n 0000 | a large feline; "the cat roared"  
        00000002 04 n 01 Cat 0 000 | a gossiping woman  
        00000003 04 n 01 apatite 0 000 | a mineral of calcium; a source of phosphorus  
        00000004 04 n 01 dog 0 000 | a dog of any breed  
        00000005 04 n 01 hexane 0 000 | "only an example"  

        """
    static let adjectives = "00000001 00 a 02 galore(ip) 0 lots_of(a) 1 000 | existing in abundance  \n"

    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func wordnet(nouns: String = nouns) throws -> String {
        for (name, text) in [("noun", nouns), ("adj", Self.adjectives), ("verb", ""), ("adv", "")] {
            try folder.write("wordnet/data.\(name)", text.utf8)
        }
        return folder.path + "/wordnet"
    }

    @Test func readsWordsAndDefinitions() throws {
        let synsets = try WordNet.synsets(directory: wordnet())
        #expect(
            synsets.map(\.words) == [
                ["big cat", "cat"], ["Cat"], ["apatite"], ["dog"], ["hexane"], ["galore", "lots of"],
            ])
        #expect(synsets[0].definition == "a large feline")
        #expect(synsets[2].definition == "a mineral of calcium; a source of phosphorus")
        #expect(synsets[4].definition.isEmpty)
        #expect(synsets[5].id == "a00000001")
    }

    @Test(arguments: [
        "", "x", "00000001 04 n 02 one 0 000", "00000001 04 n zz one 0 000 | gloss", "a 04 n 01 b 0 | c",
        "00000001 04 n 7fffffffffffffff one 0 000 | gloss",
    ])
    func refusesOtherLines(_ line: String) {
        #expect(WordNet.synset(Substring(line), part: "n") == nil)
    }

    @Test func joinsSynsetsThatShareAWord() throws {
        var components = Components(try WordNet.synsets(directory: wordnet()))
        #expect(components.count == 5)
        #expect(components.component(of: 0) == components.component(of: 1))
        #expect(components.component(of: 0).key == "big cat")
        #expect(components.component(of: 2) == ("apatite", 1))
    }

    @Test(arguments: [
        (["dog"], "a dog of any breed", true), (["dog"], "a Dog's life", true), (["dog"], "dogma", false),
        (["big cat"], "the big, cat-like", true), (["big cat"], "big or cat", false), (["…"], "any", false),
    ])
    func knowsWhatGivesItselfAway(_ words: [String], _ definition: String, _ expected: Bool) {
        #expect(ReverseDictionary.defines(Synset(id: "", words: words, definition: definition)) == expected)
    }

    @Test func noHeldOutWordIsTrainedOn() throws {
        // 400 components of two synsets each.
        let nouns = (0..<800).map { index in
            "\(10_000_000 + index) 04 n 02 own\(index) 0 pair\(index / 2) 0 000 | meaning number \(index)  \n"
        }.joined()
        let output = folder.path + "/reverse"
        var options = ReverseDictionary.Options()
        options.wordnet = try wordnet(nouns: nouns)
        (options.validation, options.test) = (0.2, 0.3)
        let manifest = try ReverseDictionary.build(options, output: output)
        #expect(manifest.files.values.reduce(0, +) == 801)
        var words: [String: Set<String>] = [:]
        for name in ["train", "validation", "test"] {
            let source = try JSONLDataset(
                path: "\(output)/\(name).jsonl", query: Column("definition", .text), target: Column("word", .text))
            for row in 0..<source.count {
                guard case .text(let main, let others) = try source.row(row).target else { continue }
                words[name, default: []].formUnion([main] + others)
            }
            #expect(source.count == manifest.files["\(name).jsonl"])
        }
        let (train, validation, test) = (words["train"] ?? [], words["validation"] ?? [], words["test"] ?? [])
        #expect(train.isDisjoint(with: validation) && train.isDisjoint(with: test) && validation.isDisjoint(with: test))
        #expect(validation.count > 100 && test.count > 150, "\(validation.count) and \(test.count) words")
        #expect(throws: Failure.self) { try ReverseDictionary.build(options, output: output) }
        #expect(try ReverseDictionary.build(options, output: output, force: true) == manifest)
    }

    @Test func namesTheDamagedLine() throws {
        let damaged = try wordnet(nouns: "00000001 04 n 01 one 0 000 | fine\nnonsense\n")
        let failure = #expect(throws: Failure.self) { try WordNet.synsets(directory: damaged) }
        #expect(failure?.message.contains("data.noun:2") == true && failure?.kind == .data)
        let missing = #expect(throws: Failure.self) { try WordNet.synsets(directory: "/nowhere") }
        #expect(missing?.message.contains("wordnet-base") == true && missing?.kind == .inputMissing)
    }
}
