// The synsets of WordNet's data files. Source: wndb(5WN), "Data File Format". Not here: what is made of them (ReverseDictionary).

import Failures
import Foundation

/// A set of words with one meaning.
struct Synset: Sendable, Equatable {
    /// Part of speech and byte offset in its file, WordNet's own key: `n00045250`.
    let id: String
    /// In WordNet's order, spaces for underscores, without the markers of an adjective's place.
    let words: [String]
    /// The gloss without its examples.
    let definition: String
}

enum WordNet {
    private static let files = [("data.noun", "n"), ("data.verb", "v"), ("data.adj", "a"), ("data.adv", "r")]

    /// All synsets: nouns, verbs, adjectives, adverbs, each in the order of its file.
    /// - Throws: `Failure(.inputMissing)` naming the package; `Failure(.data)` naming file and line.
    static func synsets(directory: String) throws -> [Synset] {
        try files.flatMap { name, part -> [Synset] in
            let path = "\(directory)/\(name)"
            guard let data = FileManager.default.contents(atPath: path) else {
                throw Failure(
                    .inputMissing,
                    "\(path) cannot be read; install Debian's wordnet-base, or name WordNet's folder with --wordnet")
            }
            // Debian's files are ASCII, others' Latin-1.
            let text = String(data.map { Character(Unicode.Scalar($0)) })
            return try text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap {
                // The licence stands in lines that begin with two spaces.
                guard !$1.isEmpty, !$1.hasPrefix("  ") else { return nil }
                guard let synset = synset($1, part: part) else {
                    throw Failure(.data, "\(path):\($0 + 1) is not a synset as wndb(5WN) describes it")
                }
                return synset
            }
        }
    }

    /// `offset file type count (word id)… pointers… | gloss`, the count in hexadecimal; nil for anything else.
    static func synset(_ line: Substring, part: String) -> Synset? {
        guard let bar = line.firstRange(of: " | ") else { return nil }
        let fields = line[..<bar.lowerBound].split(separator: " ", omittingEmptySubsequences: true)
        guard fields.count > 4, Int(fields[0]) != nil, let count = Int(fields[3], radix: 16), count > 0,
            count <= (fields.count - 4) / 2
        else { return nil }
        let words = (0..<count).map { word(fields[4 + 2 * $0]) }
        return Synset(id: part + fields[0], words: words, definition: definition(line[bar.upperBound...]))
    }

    private static func word(_ field: Substring) -> String {
        var field = field
        for marker in ["(a)", "(p)", "(ip)"] where field.hasSuffix(marker) { field = field.dropLast(marker.count) }
        return String(field.replacing("_", with: " "))
    }

    /// What comes before the first example, which is quoted.
    private static func definition(_ gloss: Substring) -> String {
        let end = gloss.firstRange(of: "; \"")?.lowerBound ?? gloss.endIndex
        let definition = gloss[..<end].trimmingCharacters(in: .whitespaces)
        return definition.hasPrefix("\"") ? "" : definition
    }
}
