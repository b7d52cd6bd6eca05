// The value types of an experiment's keys and how each is read and written. Not here: the keys (ExperimentConfig).

extension ConfigTree {
    /// The node on one line, as `--set` takes a value.
    var flow: String {
        switch content {
        case .scalar(let text, plain: true): isNull ? "null" : text
        case .scalar(let text, plain: false): text.yaml.first == "\"" ? text.yaml : "\"\(text)\""
        case .sequence(let elements): "[" + elements.map(\.flow).joined(separator: ", ") + "]"
        case .mapping(let entries):
            "{" + entries.map { "\($0.key.yaml): \($0.value.flow)" }.joined(separator: ", ") + "}"
        }
    }
}

private func flowMapping(_ items: [(String, String)]) -> String {
    "{" + items.map { "\($0.0.yaml): \($0.1)" }.joined(separator: ", ") + "}"
}

extension ExperimentConfig.Settings {
    static var typeName: String { "mapping of keys to values" }

    init?(_ tree: ConfigTree) {
        guard let entries = tree.entries else { return nil }
        items = entries.map { ExperimentResults.Setting(key: $0.key, value: $0.value.flow) }
    }

    var yaml: String { flowMapping(items.map { ($0.key, $0.value) }) }

    /// The value of a key, if it is set.
    func callAsFunction(_ key: String) -> String? { items.last { $0.key == key }?.value }
}

extension ExperimentConfig.Arms {
    static var typeName: String { "mapping of names to mappings of keys to values" }

    init?(_ tree: ConfigTree) {
        guard let entries = tree.entries else { return nil }
        for entry in entries {
            guard let settings = ExperimentConfig.Settings(entry.value) else { return nil }
            items.append(Item(name: entry.key, settings: settings))
        }
    }

    var yaml: String { flowMapping(items.map { ($0.name, $0.settings.yaml) }) }
}

extension ExperimentConfig.Grid {
    static var typeName: String { "mapping of keys to sequences of values" }

    init?(_ tree: ConfigTree) {
        guard let entries = tree.entries else { return nil }
        for entry in entries {
            guard case .sequence(let values) = entry.value.content, !values.isEmpty else { return nil }
            items.append(Item(key: entry.key, values: values.map(\.flow)))
        }
    }

    var yaml: String { flowMapping(items.map { ($0.key, "[" + $0.values.joined(separator: ", ") + "]") }) }

    /// Every combination, the first key changing slowest.
    var combinations: [ExperimentConfig.Settings] {
        guard !items.isEmpty else { return [] }
        return items.reduce([ExperimentConfig.Settings()]) { combinations, item in
            combinations.flatMap { combination in
                item.values.map { value in
                    var longer = combination
                    longer.items.append(ExperimentResults.Setting(key: item.key, value: value))
                    return longer
                }
            }
        }
    }
}

extension ExperimentConfig.Seeds {
    static var typeName: String { "number of seeds from 1 to 1000, or sequence of different seeds" }

    init?(_ tree: ConfigTree) {
        if let count = Int(tree) {
            guard (1...1000).contains(count) else { return nil }
            values = (1...UInt64(count)).map { $0 }
            return
        }
        guard case .sequence(let elements) = tree.content else { return nil }
        let seeds = elements.compactMap { UInt64($0) }
        guard !seeds.isEmpty, seeds.count == elements.count, Set(seeds).count == seeds.count else { return nil }
        values = seeds
    }

    var yaml: String { "[" + values.map(\.yaml).joined(separator: ", ") + "]" }
}

extension ExperimentConfig.Measures {
    static var typeName: String { "mapping of measures to labels" }

    init?(_ tree: ConfigTree) {
        guard let entries = tree.entries else { return nil }
        for entry in entries {
            guard let label = String(entry.value) else { return nil }
            items.append(Item(key: entry.key, label: label))
        }
    }

    var yaml: String { flowMapping(items.map { ($0.key, $0.label.yaml) }) }
}

extension ExperimentResults.Measure {
    /// A measure with what its key says: precisions and recalls are shares, losses are better when less.
    init(key: String, label: String) {
        let last = key.split(separator: ".").last.map(String.init) ?? key
        let isShare = last.hasPrefix("precision") || last.hasPrefix("recall")
        let isRank = last == "mrr" || last.hasPrefix("ndcg")
        let isLess = ["loss", "alignment", "uniformity"].contains(last)
        self.init(
            key: key, label: label, isShare: isShare, greaterIsBetter: isShare || isRank ? true : isLess ? false : nil)
    }
}
