// What is made from the stated keys besides reading them: the resolved YAML, the list of differences, the documentation.
// Not here: reading (ConfigReader.swift).

/// One stated key with its present value, or the head of a section.
struct ConfigRow {
    let path: [String]
    /// Nil for the head of a section.
    let yaml: String?
    let type: String
    let note: KeyNote
}

/// The visitor that lists all keys in their stated order.
struct ConfigLister: ConfigVisitor {
    /// Whether keys that have no meaning under the present values are listed too.
    let includesInapplicable: Bool
    private(set) var rows: [ConfigRow] = []
    private var path: [String] = []

    static func rows<Section: ConfigSection>(of section: Section, includesInapplicable: Bool = false) -> [ConfigRow] {
        var copy = section
        var lister = ConfigLister(includesInapplicable: includesInapplicable)
        copy.visit(&lister)
        return lister.rows
    }

    private init(includesInapplicable: Bool) { self.includesInapplicable = includesInapplicable }

    mutating func visitValue<Value: ConfigValue>(_ note: KeyNote, _ value: inout Value, _ allowed: Allowed<Value>) {
        guard note.applicability.holds || includesInapplicable else { return }
        rows.append(
            ConfigRow(path: path + [note.name], yaml: value.yaml, type: Value.typeName(allowed.words), note: note))
    }

    mutating func visitSection<Section: ConfigSection>(_ note: KeyNote, _ section: inout Section) {
        guard note.applicability.holds || includesInapplicable else { return }
        path.append(note.name)
        rows.append(ConfigRow(path: path, yaml: nil, type: "mapping", note: note))
        section.visit(&self)
        path.removeLast()
    }

    /// One row with the whole sequence in flow form; for the documentation, the keys of an element too.
    mutating func visitSections<Section: ConfigSection>(_ note: KeyNote, _ sections: inout [Section]) {
        let elements = sections.map { FlowTree(ConfigLister.rows(of: $0)).yaml }
        rows.append(
            ConfigRow(
                path: path + [note.name], yaml: "[" + elements.joined(separator: ", ") + "]",
                type: "sequence of mappings", note: note))
        guard includesInapplicable else { return }
        var element = Section()
        let head = KeyNote(
            name: note.name + "[]", required: false, effect: note.effect, applicability: .always,
            meaning: "One of \((path + [note.name]).joined(separator: ".")).")
        visitSection(head, &element)
    }

    mutating func require(_ holds: Bool, at key: String, _ expectation: @autoclosure () -> String) {}
}

/// Listed keys put together again as one YAML flow mapping.
private struct FlowTree {
    private var entries: [(name: String, value: String?)] = []
    private var children: [String: [ConfigRow]] = [:]

    init(_ rows: [ConfigRow], depth: Int = 0) {
        for row in rows {
            let name = row.path[depth]
            if row.path.count == depth + 1 {
                entries.append((name, row.yaml))
            } else {
                children[name, default: []].append(row)
            }
        }
        self.depth = depth
    }

    private let depth: Int

    var yaml: String {
        let parts = entries.map { name, value in
            "\(name): \(value ?? FlowTree(children[name] ?? [], depth: depth + 1).yaml)"
        }
        return "{" + parts.joined(separator: ", ") + "}"
    }
}

extension RunConfig {
    /// The complete configuration as YAML that reads back as the same value: what a run keeps as `config.yaml`.
    public var yaml: String {
        ConfigLister.rows(of: self).map { row in
            let indent = String(repeating: "  ", count: row.path.count - 1)
            return "\(indent)\(row.note.name):\(row.yaml.map { " " + $0 } ?? "")\n"
        }.joined()
    }

    /// Every key, dotted, in order; also those that only other values of a `kind` give a meaning.
    static var allPaths: [String] {
        ConfigLister.rows(of: RunConfig(), includesInapplicable: true).map { $0.path.joined(separator: ".") }
    }

    /// One key with two values.
    public struct Difference: Sendable, Equatable {
        public let key: String
        /// The values as YAML; nil where the configuration has no such key.
        public let old: String?
        public let new: String?
        public let effect: KeyEffect
    }

    /// The keys whose values differ from those of `old`, in stated order, then the keys that only `old` has.
    public func differences(from old: RunConfig) -> [Difference] {
        func values(_ config: RunConfig) -> [(key: String, yaml: String, effect: KeyEffect)] {
            ConfigLister.rows(of: config).compactMap { row in
                row.yaml.map { (row.path.joined(separator: "."), $0, row.note.effect) }
            }
        }
        let (before, after) = (values(old.withWholeWarmUp), values(withWholeWarmUp))
        let oldByKey = Dictionary(uniqueKeysWithValues: before.map { ($0.key, $0) })
        let newKeys = Set(after.map(\.key))
        let changed = after.compactMap { row -> Difference? in
            let previous = oldByKey[row.key]
            guard previous?.yaml != row.yaml else { return nil }
            // A key is harmless only if both configurations take it to be: `steps` depends on the schedule.
            let effect: KeyEffect =
                row.effect == .bookkeeping && previous?.effect != .trajectory ? .bookkeeping : .trajectory
            return Difference(key: row.key, old: previous?.yaml, new: row.yaml, effect: effect)
        }
        let removed = before.filter { !newKeys.contains($0.key) }
        return changed + removed.map { Difference(key: $0.key, old: $0.yaml, new: nil, effect: $0.effect) }
    }

    /// The heads of sections with the keys directly under each; the top level first, with an empty head; then the keys that only another
    /// kind of encoder has.
    private static var documentedSections: [(head: ConfigRow?, keys: [ConfigRow])] {
        let rows = ConfigLister.rows(of: RunConfig(), includesInapplicable: true)
        let heads: [ConfigRow?] = [nil] + rows.filter { $0.yaml == nil }
        let alternatives = [
            ("model.query (kind: features)", Encoder.features(FeatureHead()), "A projection of precomputed features."),
            (
                "model.query (init: PATH)", Encoder.published(PublishedEncoder(initialization: "PATH")),
                "An encoder that begins with published weights; without init, the keys that stay beside model.init."
            ),
        ].map { title, encoder, meaning -> (head: ConfigRow?, keys: [ConfigRow]) in
            let note = KeyNote(
                name: title, required: false, effect: .trajectory, applicability: .always,
                meaning: "\(meaning) model.target has the same keys.")
            let head = ConfigRow(path: [title], yaml: nil, type: "mapping", note: note)
            return (
                head,
                ConfigLister.rows(of: encoder).map {
                    ConfigRow(path: ["model", "query"] + $0.path, yaml: $0.yaml, type: $0.type, note: $0.note)
                }
            )
        }
        return heads.map { head in
            (head, rows.filter { $0.yaml != nil && $0.path.dropLast() == (head?.path ?? [])[...] })
        } + alternatives
    }

    /// The text of `fanoise train --help-config`: every key with type, default and meaning.
    public static var helpText: String {
        documentedSections.map { head, keys in
            let title = head.map { "\n\($0.path.joined(separator: ".")): \($0.note.meaning)\n" } ?? ""
            let lines = keys.map { row in
                "  \(row.path.joined(separator: "."))  (\(row.type); \(defaultWords(row)))\n      \(meaning(row))\n"
            }
            return title + lines.joined()
        }.joined()
    }

    /// The text of `docs/configuration.md`.
    public static var documentation: String {
        let introduction = """
            # Configuration

            <!-- Generated from the keys that the program reads; a test compares. To write it anew:
                 FANOISE_WRITE_DOCUMENTATION=1 swift test --filter documentationIsThatOfTheKeys -->

            A run is described by one YAML file. Every key can also be given on the command line:
            `--set optimizer.learning_rate=3e-4`, `--set 'noise={scaling: uniform, strength: 0.2}'`. Keys that do not exist are
            errors. Paths are relative to the working directory. The folder of a run keeps the complete configuration, defaults
            included, as `config.yaml`.

            *On resuming*, keys marked ○ may change freely: they alter speed, files and messages only. Changing any other key gives
            another run. `steps` and `epochs` may change where the learning rate's schedule is constant and its warm-up is a
            number of steps.

            """
        let sections = documentedSections.map { head, keys in
            let title = head.map { "\n## \($0.path.joined(separator: "."))\n\n\($0.note.meaning)\n" } ?? ""
            guard !keys.isEmpty else { return title }
            let lines = keys.map { row in
                let mark = row.note.effect == .bookkeeping ? "○" : ""
                let key = row.path.joined(separator: ".")
                return "| `\(key)` | \(row.type) | \(defaultWords(row, quote: "`")) | \(mark) | \(meaning(row)) |\n"
            }
            return title + "\n| key | type | default | | meaning |\n|---|---|---|---|---|\n" + lines.joined()
        }
        return introduction + sections.joined()
    }

    private static func meaning(_ row: ConfigRow) -> String {
        row.note.applicability.words.isEmpty
            ? row.note.meaning : "\(row.note.meaning) Only when \(row.note.applicability.words)."
    }

    private static func defaultWords(_ row: ConfigRow, quote: String = "") -> String {
        row.note.required ? "required" : (quote.isEmpty ? "default " : "") + quote + (row.yaml ?? "") + quote
    }
}
