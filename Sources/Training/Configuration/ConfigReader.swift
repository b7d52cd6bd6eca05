// Fills sections from a tree, strictly: an unknown key, a wrong type or a value out of range is an error with its place. All of
// them are reported at once. Not here: the keys (RunConfig.swift), YAML itself (ConfigTree.swift).

import Failures

/// The visitor that reads one mapping.
struct ConfigReader: ConfigVisitor {
    struct Problem {
        let key: String
        let text: String
    }

    private let entries: [ConfigTree.Entry]
    private let place: ConfigPlace
    /// Dotted path of this mapping with a final dot; empty at the top.
    private let prefix: String
    /// Every key of the configuration, for a key that was written in the wrong section.
    private let knownPaths: [String]
    private var names: [String] = []
    private(set) var problems: [Problem] = []

    /// - Parameter tree: a mapping; anything else was reported by the caller.
    init(_ tree: ConfigTree, prefix: String = "", knownPaths: [String]) {
        if case .mapping(let entries) = tree.content { self.entries = entries } else { entries = [] }
        place = tree.place
        self.prefix = prefix
        self.knownPaths = knownPaths
    }

    /// Problems that are told of, and unknown keys of one mapping that are looked into.
    private static let mostProblems = 40

    /// The whole configuration, or `Failure(.configuration)` with one line for each problem.
    static func read<Section: ConfigSection>(_ tree: ConfigTree, knownPaths: [String]) throws -> Section {
        var section = Section()
        var reader = ConfigReader(tree, knownPaths: knownPaths)
        section.visit(&reader)
        reader.reportUnknownKeys()
        guard reader.problems.isEmpty else {
            let more = reader.problems.count - mostProblems
            throw Failure(
                .configuration,
                (reader.problems.prefix(mostProblems).map(\.text) + (more > 0 ? ["and \(more) more"] : [])).joined(
                    separator: "\n"))
        }
        return section
    }

    private func entry(_ name: String) -> ConfigTree.Entry? { entries.first { $0.key == name } }

    private mutating func report(_ key: String, at place: ConfigPlace, _ text: String) {
        problems.append(Problem(key: prefix + key, text: "\(place): \(text)"))
    }

    /// The node of a key, or nil when there is nothing to read: absent, or written where it has no meaning.
    private mutating func find(_ note: KeyNote) -> ConfigTree? {
        names.append(note.name)
        guard let entry = entry(note.name) else {
            if note.required { report(note.name, at: place, "key '\(prefix)\(note.name)' is missing: \(note.meaning)") }
            return nil
        }
        guard note.applicability.holds else {
            if !entry.value.isNull {
                report(
                    note.name, at: entry.place, "\(prefix)\(note.name) applies only when \(note.applicability.words)")
            }
            return nil
        }
        return entry.value
    }

    mutating func visitValue<Value: ConfigValue>(_ note: KeyNote, _ value: inout Value, _ allowed: Allowed<Value>) {
        guard let tree = find(note) else { return }
        if let found = Value(tree), allowed.contains(found) {
            value = found
        } else {
            let expected = Value.typeName(allowed.words)
            report(note.name, at: tree.place, "\(prefix)\(note.name): found \(tree.summary), expected \(expected)")
        }
    }

    mutating func visitSection<Section: ConfigSection>(_ note: KeyNote, _ section: inout Section) {
        // An absent section is an empty one: it may have required keys.
        let tree = find(note) ?? ConfigTree(content: .mapping([]), place: place)
        guard note.applicability.holds else { return }
        visit(&section, tree, note.name, name: note.name)
    }

    /// Reads a section, called `name`, of the key `key`.
    private mutating func visit<Section: ConfigSection>(
        _ section: inout Section, _ tree: ConfigTree, _ key: String, name: String
    ) {
        let entries: [ConfigTree.Entry]
        switch tree.content {
        case .mapping(let written): entries = written
        case .scalar, .sequence: entries = [ConfigTree.Entry(shorthand: tree)]
        }
        let stated = entries.filter { !$0.isShorthand }
        var mapping = ConfigTree(content: .mapping(stated), place: tree.place)
        if let shorthand = entries.first(where: \.isShorthand) {
            guard let own = Section.shorthandKey, !shorthand.value.isNull else {
                let meant = Self.key(of: section, taking: shorthand.value).map {
                    "; did you mean '\(prefix)\(name).\($0)'?"
                }
                report(
                    key, at: shorthand.place,
                    "\(prefix)\(name): found \(shorthand.value.summary), expected a mapping\(meant ?? "")")
                return
            }
            // What was set after it, below it, wins.
            if !stated.contains(where: { $0.key == own }) {
                let entry = ConfigTree.Entry(key: own, place: shorthand.place, value: shorthand.value)
                mapping.content = .mapping([entry] + stated)
            }
        }
        var reader = ConfigReader(mapping, prefix: "\(prefix)\(name).", knownPaths: knownPaths)
        section.visit(&reader)
        reader.reportUnknownKeys()
        problems += reader.problems
    }

    /// The first key of a section that takes a value which was written in the section's own place.
    private static func key<Section: ConfigSection>(of section: Section, taking value: ConfigTree) -> String? {
        guard case .scalar = value.content, !value.isNull else { return nil }
        func read(_ entries: [ConfigTree.Entry]) -> ConfigReader {
            var (section, reader) = (
                section, ConfigReader(ConfigTree(content: .mapping(entries), place: value.place), knownPaths: [])
            )
            section.visit(&reader)
            return reader
        }
        return read([]).names.first { name in
            let reader = read([ConfigTree.Entry(key: name, place: value.place, value: value)])
            return !reader.problems.contains { $0.key == name || $0.key.hasPrefix(name + ".") }
        }
    }

    mutating func visitSections<Section: ConfigSection>(_ note: KeyNote, _ sections: inout [Section]) {
        guard let tree = find(note), !tree.isNull else { return }
        guard case .sequence(let elements) = tree.content else {
            report(
                note.name, at: tree.place,
                "\(prefix)\(note.name): found \(tree.summary), expected a sequence of mappings")
            return
        }
        sections = elements.enumerated().map { index, element in
            var section = Section()
            visit(&section, element, note.name, name: "\(note.name)[\(index)]")
            return section
        }
    }

    /// Checked only where the values themselves are valid, so that one mistake is reported once.
    mutating func require(_ holds: Bool, at key: String, _ expectation: @autoclosure () -> String) {
        guard !holds, problems.isEmpty else { return }
        report(key, at: entry(key)?.value.place ?? place, "\(prefix)\(key): \(expectation())")
    }

    /// To be called once all keys are named. A wrong `kind` makes the keys that depend on it unknowable: they are not reported.
    private mutating func reportUnknownKeys() {
        guard !problems.contains(where: { $0.key == prefix + "kind" }) else { return }
        for entry in entries.filter({ !names.contains($0.key) }).prefix(Self.mostProblems + 1) {
            var text = "unknown key '\(prefix)\(ConfigTree.shortened(entry.key))'"
            let own = prefix + entry.key
            let elsewhere = knownPaths.filter { ($0.hasSuffix("." + entry.key) || $0 == entry.key) && $0 != own }
            func likeness(_ path: String) -> Int { zip(path.reversed(), own.reversed()).prefix { $0 == $1 }.count }
            if let path = synonym(of: entry.key) {
                text += "; did you mean '\(path)'?"
            } else if let near = ConfigReader.nearest(to: entry.key, among: names) {
                text += "; did you mean '\(prefix)\(near)'?"
            } else if let path = elsewhere.reversed().max(by: { likeness($0) < likeness($1) }) {
                text += "; did you mean '\(path)'?"
            } else {
                text += "."
            }
            report(entry.key, at: entry.place, text + " Valid keys here: \(names.joined(separator: ", "))")
        }
    }

    /// What other programs call a key of ours.
    private static let synonyms = [
        "lr": "optimizer.learning_rate", "wd": "optimizer.weight_decay", "batch_size": "batch.global",
        "r": "model.lora.rank", "lora_alpha": "model.lora.alpha",
        "lora_dropout": "model.lora.dropout", "max_grad_norm": "optimizer.clip",
        "warmup_steps": "optimizer.schedule.warmup", "warmup_ratio": "optimizer.schedule.warmup",
        "num_train_epochs": "epochs", "max_steps": "steps",
    ]

    /// The path of the key that is meant, in configurations that have it.
    private func synonym(of key: String) -> String? {
        Self.synonyms[key].flatMap { knownPaths.contains($0) ? $0 : nil }
    }

    /// The closest name, if it is close enough to be what was meant: at most a third of the letters wrong, or two.
    static func nearest(to name: String, among names: [String]) -> String? {
        guard name.utf8.count <= 100 else { return nil }
        let candidates = names.map { ($0, editDistance(name, $0)) }.filter {
            $0.1 <= max(2, name.count / 3) && $0.1 < name.count
        }
        return candidates.min { $0.1 < $1.1 }?.0
    }

    /// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other (optimal string alignment).
    static func editDistance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.unicodeScalars), Array(b.unicodeScalars))
        var distance = (0...a.count).map { i in (0...b.count).map { j in i == 0 ? j : j == 0 ? i : 0 } }
        for i in a.indices {
            for j in b.indices {
                var least = min(distance[i][j + 1] + 1, distance[i + 1][j] + 1, distance[i][j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, distance[i - 1][j - 1] + 1) }
                distance[i + 1][j + 1] = least
            }
        }
        return distance[a.count][b.count]
    }
}
