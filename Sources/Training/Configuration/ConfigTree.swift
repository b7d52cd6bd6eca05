// YAML as a tree whose every node knows where it was written. Not here: which keys exist and what they mean (RunConfig.swift).

import Failures
import Foundation
import Yams

/// Where a value was written: what an error message points at.
enum ConfigPlace: Sendable, Equatable, CustomStringConvertible {
    case file(String, line: Int)
    /// The text of one `--set`.
    case option(String)

    var description: String {
        switch self {
        case .file(let path, let line): "\(path):\(line)"
        case .option(let text): "--set \(text)"
        }
    }
}

/// A YAML document after aliases are resolved, with places instead of marks.
struct ConfigTree: Sendable {
    struct Entry: Sendable {
        let key: String
        let place: ConfigPlace
        var value: ConfigTree
        /// Whether the value was written in the mapping's own place, and stands for its section's `shorthandKey`; `key` is empty then.
        var isShorthand = false

        init(key: String, place: ConfigPlace, value: ConfigTree) {
            (self.key, self.place, self.value) = (key, place, value)
        }

        init(shorthand: ConfigTree) {
            (key, place, value, isShorthand) = ("", shorthand.place, shorthand, true)
        }
    }

    enum Content: Sendable {
        /// `plain` is false for quoted and block text, which is never a number, a boolean or null.
        case scalar(String, plain: Bool)
        case sequence([ConfigTree])
        case mapping([Entry])
    }

    var content: Content
    var place: ConfigPlace

    /// `null`, `~` or nothing.
    var isNull: Bool {
        if case .scalar(let text, plain: true) = content { return ["", "~", "null", "Null", "NULL"].contains(text) }
        return false
    }

    /// The elements of a list, for which a single one may stand, and null for none; nil for a mapping.
    var listed: [ConfigTree]? {
        if isNull { return [] }
        switch content {
        case .scalar: return [self]
        case .sequence(let elements): return elements
        case .mapping: return nil
        }
    }

    /// What `make` makes of the keys and values of a mapping, values that are null left out; none for null. Nil for anything else, for a
    /// mapping with an empty key, and when `make` gives nil.
    func items<Item>(_ make: (String, ConfigTree) -> Item?) -> [Item]? {
        guard let entries = entries?.filter({ !$0.value.isNull }) else { return nil }
        let items = entries.compactMap { make($0.key, $0.value) }
        return items.count == entries.count ? items : nil
    }

    /// The entries of a mapping, none of whose keys is empty; none for null; nil for anything else.
    var entries: [Entry]? {
        if isNull { return [] }
        guard case .mapping(let entries) = content, entries.allSatisfy({ !$0.key.isEmpty }) else { return nil }
        return entries
    }

    /// What a message shows as found: the scalar itself, or what kind of node it is.
    var summary: String {
        switch content {
        case .scalar(let text, let plain):
            isNull ? "null" : plain ? Self.shortened(text) : "\"\(Self.shortened(text))\""
        case .sequence(let elements): "a sequence of \(elements.count)"
        case .mapping(let entries): "a mapping of \(entries.count) keys"
        }
    }

    /// A text as a message shows it: its beginning, when it is long, and on one line.
    static func shortened(_ text: String) -> String {
        Failure.printable(text.count > 80 ? text.prefix(80) + "…" : text)
    }

    /// Bytes that a document may have: far more than any real one.
    static let maximumBytes = 1 << 18

    /// The nodes of a document, or of the value of a `--set`, whose keys are all plain text.
    ///
    /// The YAML library compares the keys of a mapping in full, aliases expanded, which for a few lines of nested aliases takes longer
    /// than the universe has. So the keys are looked at first in a text that has no aliases: every asterisk is another character there.
    private static func compose(_ text: String, place: (Int) -> ConfigPlace) throws -> Node? {
        guard text.utf8.count <= maximumBytes else {
            throw Failure(
                .configuration,
                "\(place(1)): found \(text.utf8.count) bytes, expected a configuration of at most \(maximumBytes)")
        }
        let marker: Character = "\u{E000}"
        let withoutAliases = String(text.map { $0 == "*" ? marker : $0 })
        guard let root = try Yams.compose(yaml: withoutAliases) else { return nil }
        var nodes = [root]
        while let node = nodes.popLast() {
            switch node {
            case .sequence(let elements): nodes += elements
            case .mapping(let mapping):
                for (key, value) in mapping {
                    guard let scalar = key.scalar, scalar.style != .plain || scalar.string.first != marker else {
                        throw Failure(.configuration, "\(place(key.mark?.line ?? 1)): a key must be plain text")
                    }
                    nodes.append(value)
                }
            case .scalar, .alias: break
            }
        }
        return text.contains("*") ? try Yams.compose(yaml: text) : root
    }

    /// Parses the text of a configuration file. An empty document is an empty mapping.
    /// - Throws: `Failure(.configuration)` with the line of a syntax error, a duplicate key or a key that is not text.
    static func parse(_ text: String, file: String) throws -> ConfigTree {
        let root: Node?
        do {
            root = try compose(text) { .file(file, line: $0) }
        } catch let error as YamlError {
            throw Failure(.configuration, sentence(for: error, at: file))
        }
        guard let root else { return ConfigTree(content: .mapping([]), place: .file(file, line: 1)) }
        let tree = try ConfigTree(root) { .file(file, line: $0) }
        if tree.isNull { return ConfigTree(content: .mapping([]), place: tree.place) }
        guard case .mapping = tree.content else {
            throw Failure(.configuration, "\(tree.place): found \(tree.summary), expected a mapping of keys to values")
        }
        return tree
    }

    /// Parses the value of a `--set`: a scalar, or a sequence or mapping in flow form. What YAML would read as one in block form, such as
    /// `query: `, is a text.
    static func parseOption(_ text: String, of option: String) throws -> ConfigTree {
        do {
            guard let node = try compose(text, place: { _ in .option(option) }) else {
                return ConfigTree(content: .scalar("", plain: true), place: .option(option))
            }
            let isFlow = text.drop { $0.isWhitespace }.first.map { "{[&*!".contains($0) } ?? false
            if node.scalar == nil, !isFlow {
                return ConfigTree(content: .scalar(text, plain: false), place: .option(option))
            }
            return try ConfigTree(node) { _ in .option(option) }
        } catch let error as YamlError {
            throw Failure(.configuration, "--set \(option): the value is not YAML: \(problem(of: error).text)")
        }
    }

    init(content: Content, place: ConfigPlace) {
        self.content = content
        self.place = place
    }

    /// Values that a document may have when its aliases are resolved: far more than any real one.
    private static let maximumValues = 100_000

    private init(_ node: Node, place: (Int) -> ConfigPlace) throws {
        var left = Self.maximumValues
        try self.init(node, left: &left, place: place)
    }

    private init(_ node: Node, left: inout Int, place: (Int) -> ConfigPlace) throws {
        self.place = place(node.mark?.line ?? 1)
        left -= 1
        guard left > 0 else {
            throw Failure(
                .configuration,
                "\(self.place): the document has more than \(Self.maximumValues) values; write fewer aliases")
        }
        switch node {
        case .scalar(let scalar):
            try Self.requireNoNUL(scalar.string, at: self.place)
            content = .scalar(scalar.string, plain: scalar.style == .plain || scalar.style == .any)
        case .sequence(let sequence):
            content = .sequence(try sequence.map { try ConfigTree($0, left: &left, place: place) })
        case .mapping(let mapping):
            let entries = try mapping.map { key, value in
                let keyPlace = place(key.mark?.line ?? 1)
                guard let name = key.scalar?.string else {
                    throw Failure(.configuration, "\(keyPlace): a key must be plain text")
                }
                try Self.requireNoNUL(name, at: keyPlace)
                return Entry(key: name, place: keyPlace, value: try ConfigTree(value, left: &left, place: place))
            }
            // A key may be repeated in another form (a and "a"), which the parser takes for two.
            var seen: Set<String> = []
            for entry in entries where !seen.insert(entry.key).inserted {
                throw Failure(
                    .configuration, "\(entry.place): key '\(Self.shortened(entry.key))' appears twice in one mapping")
            }
            content = .mapping(entries)
        case .alias:
            throw Failure(.configuration, "\(self.place): an alias to nothing")
        }
    }

    /// The system would take a path with a NUL for another one, which ends before it.
    private static func requireNoNUL(_ text: String, at place: ConfigPlace) throws {
        guard text.utf8.contains(0) else { return }
        throw Failure(
            .configuration, "\(place): found \"\(shortened(text))\", which has a NUL character; write it without")
    }

    /// Lays `value` over the tree at a dotted path, creating mappings on the way.
    ///
    /// A number on the way is the place of a sequence's element. A scalar or another sequence on the way may stand for a mapping
    /// (`schedule: constant`, `ema: 0.999`): it is kept in it, for the section to say of which key it is the value.
    mutating func set(_ path: ArraySlice<String>, to value: ConfigTree) {
        guard let key = path.first else {
            self = value
            return
        }
        if case .sequence(var elements) = content, let index = Int(key), elements.indices.contains(index) {
            elements[index].set(path.dropFirst(), to: value)
            content = .sequence(elements)
            return
        }
        var entries: [Entry] = []
        switch content {
        case .mapping(let present): entries = present
        case .scalar where isNull: break
        case .scalar, .sequence: entries = [Entry(shorthand: self)]
        }
        if let index = entries.firstIndex(where: { $0.key == key }) {
            entries[index].value.set(path.dropFirst(), to: value)
        } else {
            var child = ConfigTree(content: .scalar("", plain: true), place: value.place)
            child.set(path.dropFirst(), to: value)
            entries.append(Entry(key: key, place: value.place, value: child))
        }
        content = .mapping(entries)
    }

    /// Applies one `--set` argument, `a.b=value`.
    mutating func apply(option: String) throws {
        guard let equals = option.firstIndex(of: "="), equals != option.startIndex else {
            throw Failure(
                .configuration, "--set \(option): expected key=value, for example --set optimizer.learning_rate=3e-4")
        }
        let path = option[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard !path.contains("") else {
            throw Failure(.configuration, "--set \(option): the key has an empty part between dots")
        }
        guard path.count <= 16 else {
            throw Failure(
                .configuration,
                "--set \(Self.shortened(option)): the key has \(path.count) parts; no key has more than four")
        }
        set(path[...], to: try ConfigTree.parseOption(String(option[option.index(after: equals)...]), of: option))
    }

    private static func sentence(for error: YamlError, at file: String) -> String {
        let (line, text) = problem(of: error)
        return "\(file):\(line): \(text)"
    }

    /// The line, from 1, and the words of a parser's error.
    private static func problem(of error: YamlError) -> (line: Int, text: String) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            (mark.line, "YAML syntax: \(context.map { $0.text + ", " } ?? "")\(problem) (column \(mark.column))")
        case .duplicatedKeysInMapping(let duplicates, let context):
            (context.mark.line, "key '\(shortened(duplicates.joined(separator: "', '")))' appears twice in one mapping")
        case .reader(let problem, let offset, _, let yaml):
            (yaml.utf8.prefix(offset ?? 0).count { $0 == UInt8(ascii: "\n") } + 1, "YAML syntax: \(problem)")
        default: (1, "YAML: \(error)")
        }
    }
}
