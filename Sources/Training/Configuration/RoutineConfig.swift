// Keys of the sections `evaluate`, `checkpoint` and `log`: what happens every so many steps beside training.

extension RunConfig {
    /// Named data files, in the order written.
    public struct EvaluationSets: Sendable, Equatable, ConfigValue {
        public struct Item: Sendable, Equatable {
            public var name: String
            public var path: String
        }
        public var items: [Item]

        public init(_ items: [Item] = []) { self.items = items }
    }

    public struct Evaluate: Sendable, Equatable {
        /// Steps; nil for the end of training only.
        public var every: Int? = 100
        public var sets = EvaluationSets()
        /// Rows.
        public var chunk = 256
        public init() {}
    }

    public struct Checkpoint: Sendable, Equatable {
        /// Steps; nil for the end of training only.
        public var every: Int? = 100
        public var keep = 3
        public init() {}
    }

    public struct Log: Sendable, Equatable {
        /// Steps.
        public var every = 10
        public init() {}
    }
}

extension RunConfig.EvaluationSets {
    static var typeName: String { "mapping of names to paths" }

    init?(_ tree: ConfigTree) {
        if tree.isNull {
            self.init()
            return
        }
        guard case .mapping(let entries) = tree.content else { return nil }
        var items: [Item] = []
        for entry in entries where !entry.value.isNull {
            guard !entry.key.isEmpty, let path = String(entry.value) else { return nil }
            items.append(Item(name: entry.key, path: path))
        }
        self.init(items)
    }

    var yaml: String { "{" + items.map { "\($0.name.yaml): \($0.path.yaml)" }.joined(separator: ", ") + "}" }
}

extension RunConfig.Evaluate: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "every", &every, allowed: .optional(.atLeast(1)), effect: .bookkeeping,
            "Steps between evaluations; null: at the end only.")
        keys.value("sets", &sets, effect: .bookkeeping, "Held-out data files by name.")
        keys.value(
            "chunk", &chunk, allowed: .within(1...1_073_741_824), effect: .bookkeeping, "Rows encoded at a time.")
    }
}

extension RunConfig.Checkpoint: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "every", &every, allowed: .optional(.atLeast(1)), effect: .bookkeeping,
            "Steps between checkpoints; null: at the end only.")
        keys.value(
            "keep", &keep, allowed: .atLeast(1), effect: .bookkeeping,
            "Latest checkpoints kept; older ones are removed.")
    }
}

extension RunConfig.Log: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "every", &every, allowed: .atLeast(1), effect: .bookkeeping,
            "Steps between rows of metrics.jsonl and lines of progress.")
    }
}
