// A text-text data set made offline from WordNet: find the word by its definition. Not here: WordNet's files (WordNet.swift).

import ArrayFiles
import Failures
import Foundation

/// Definitions and the words they define, split so that no word of a held-out synset occurs in training.
///
/// ```
/// DIR/train.jsonl  validation.jsonl  test.jsonl  manifest.json
/// {"id": "apatite", "definition": "a common complex mineral …", "word": "apatite", "words": ["apatite"], "synset": "n14679…"}
/// ```
///
/// Synsets that share a word, directly or through others, form one component; whole components are held out. WordNet's ambiguous words
/// tie a quarter of it into a single component, which is trained on, as is every component of more than 100 synsets; of the others, a
/// hash of the first word decides. Equal inputs give equal bytes.
public enum ReverseDictionary {
    public static let format = "fanoise-reverse-dictionary"
    private static let largestHeldOut = 100

    public struct Options: Sendable {
        /// The folder of WordNet's data files.
        public var wordnet = "/usr/share/wordnet"
        /// Expected shares of the small components in `validation.jsonl` and `test.jsonl`.
        public var validation = 0.02
        public var test = 0.03
        public init() {}
    }

    /// The content of `manifest.json`.
    public struct Manifest: Codable, Sendable, Equatable {
        public var format = ReverseDictionary.format
        public var version = 1
        /// Rows by file name.
        public let files: [String: Int]
        /// Synsets left out because their definition has one of their words in it, or is empty.
        public let leftOut: Int
        public let components: Int
        public let largestComponent: Int
        /// Of the package wordnet-base, where it is installed.
        public let package: String?

        /// The counts in words.
        public var summary: String {
            let counts = files.sorted { $0.key < $1.key }.map { "\($0.value) in \($0.key)" }.joined(separator: ", ")
            return
                "\(counts); \(leftOut) synsets left out; \(components) components, the largest of \(largestComponent)"
        }
    }

    /// - Throws: `Failure(.inputMissing)` without WordNet, `.data` for a damaged file of it, `.usage` for shares that do not fit,
    ///   `.cannotCreate` or `.inputOutput` where the output cannot be written.
    @discardableResult
    public static func build(_ options: Options = Options(), output: String, force: Bool = false) throws -> Manifest {
        guard options.validation >= 0, options.test >= 0, options.validation + options.test < 1 else {
            throw Failure(
                .usage,
                "shares of \(options.validation) for validation and \(options.test) for test: each at least 0, together below 1"
            )
        }
        let folder = try DatasetFolder(output: output, format: format, force: force)
        let synsets = try WordNet.synsets(directory: options.wordnet)
        var components = Components(synsets)
        var texts = ["train.jsonl": "", "validation.jsonl": "", "test.jsonl": ""]
        var rows = texts.mapValues { _ in 0 }
        var leftOut = 0
        for (index, synset) in synsets.enumerated() {
            guard !synset.definition.isEmpty, !defines(synset) else {
                leftOut += 1
                continue
            }
            let file = file(of: components.component(of: index), options)
            texts[file, default: ""] += line(synset)
            rows[file, default: 0] += 1
        }
        return try folder.write { partial in
            for (name, text) in texts { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(partial)/\(name)")) }
            return Manifest(
                files: rows, leftOut: leftOut, components: components.count, largestComponent: components.largest,
                package: DebianPackage.version("wordnet-base"))
        }
    }

    /// Whether one of a synset's words stands in its definition: such a row asks for nothing.
    static func defines(_ synset: Synset) -> Bool {
        let definition = words(synset.definition)
        return synset.words.contains { word in
            let word = words(word)
            return !word.isEmpty && definition.indices.contains { definition[$0...].starts(with: word) }
        }
    }

    private static func words(_ text: String) -> [Substring] {
        text.lowercased().split { !$0.isLetter && !$0.isNumber }
    }

    private static func file(of component: (key: String, size: Int), _ options: Options) -> String {
        guard component.size <= largestHeldOut else { return "train.jsonl" }
        switch StableHash.fraction("reverse-dictionary/" + component.key) {
        case ..<options.validation: return "validation.jsonl"
        case ..<(options.validation + options.test): return "test.jsonl"
        default: return "train.jsonl"
        }
    }

    private static func line(_ synset: Synset) -> String {
        "{\"id\":\(StrictJSON.quoted(synset.words[0].lowercased())),\"definition\":\(StrictJSON.quoted(synset.definition))"
            + ",\"word\":\(StrictJSON.quoted(synset.words[0])),\"words\":\(StrictJSON.quoted(synset.words))"
            + ",\"synset\":\(StrictJSON.quoted(synset.id))}\n"
    }
}

/// Synsets joined by common words, case aside: a forest of sets with path halving.
struct Components {
    private var parents: [Int]
    private var keys: [Int: String] = [:]
    private var sizes: [Int: Int] = [:]

    init(_ synsets: [Synset]) {
        parents = Array(synsets.indices)
        var first: [String: Int] = [:]
        for (index, synset) in synsets.enumerated() {
            for word in synset.words {
                let word = word.lowercased()
                if let other = first[word] { join(index, other) } else { first[word] = index }
            }
        }
        for (index, synset) in synsets.enumerated() {
            let root = root(of: index)
            sizes[root, default: 0] += 1
            let least = synset.words.map { $0.lowercased() }.min() ?? ""
            keys[root] = keys[root].map { Swift.min($0, least) } ?? least
        }
    }

    var count: Int { sizes.count }
    var largest: Int { sizes.values.max() ?? 0 }

    /// The least word of the synset's component, and the number of its synsets.
    mutating func component(of index: Int) -> (key: String, size: Int) {
        let root = root(of: index)
        return (keys[root] ?? "", sizes[root] ?? 0)
    }

    private mutating func root(of index: Int) -> Int {
        var index = index
        while parents[index] != index {
            parents[index] = parents[parents[index]]
            index = parents[index]
        }
        return index
    }

    private mutating func join(_ a: Int, _ b: Int) {
        let (a, b) = (root(of: a), root(of: b))
        parents[Swift.max(a, b)] = Swift.min(a, b)
    }
}
