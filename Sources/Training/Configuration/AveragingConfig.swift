// Keys of `loss.matryoshka`, `ema` and `optimizer.rates`. Not here: what is done with them.

extension RunConfig {
    /// A list of numbers; a single one may stand for a list of one.
    public struct Numbers<Element: Sendable & Equatable>: Sendable, Equatable {
        public var values: [Element]

        public init(_ values: [Element] = []) { self.values = values }
    }

    /// Nested embeddings: prefixes that are embeddings by themselves.
    public struct Matryoshka: Sendable, Equatable {
        /// Widths of prefixes; none for the whole embedding alone.
        public var dimensions = Numbers<Int>()
        /// Of each prefix's loss; none for 1 each.
        public var weights = Numbers<Double>()
        public init() {}

        struct Level: Sendable, Equatable {
            let dimension: Int
            let weight: Double
        }

        var levels: [Level] {
            dimensions.values.enumerated().map { index, dimension in
                Level(dimension: dimension, weight: weights.values.isEmpty ? 1 : weights.values[index])
            }
        }
    }

    /// The exponential moving average of the parameters.
    public struct EMA: Sendable, Equatable {
        /// Nil for none.
        public var decay: Double?
        public var warmup = true
        public init() {}
    }

    /// Factors of the learning rate by patterns over parameters.
    public struct Rates: Sendable, Equatable, ConfigValue {
        public struct Item: Sendable, Equatable {
            public var pattern: String
            public var rate: Double
        }
        public var items: [Item]

        public init(_ items: [Item] = []) { self.items = items }
    }
}

extension RunConfig.Numbers: ConfigValue where Element: ConfigValue {
    static var typeName: String { "list of \(Element.typeName)s" }

    init?(_ tree: ConfigTree) {
        guard let elements = tree.listed else { return nil }
        let values = elements.compactMap { Element($0) }
        guard values.count == elements.count else { return nil }
        self.init(values)
    }

    var yaml: String { "[" + values.map(\.yaml).joined(separator: ", ") + "]" }
}

extension RunConfig.Rates {
    static var typeName: String { "mapping of patterns to numbers ≥ 0" }

    init?(_ tree: ConfigTree) {
        let items = tree.items { pattern, value in
            Double(value).flatMap { $0 >= 0 && pattern.first != "!" ? Item(pattern: pattern, rate: $0) : nil }
        }
        guard let items else { return nil }
        self.init(items)
    }

    var yaml: String { "{" + items.map { "\($0.pattern.yaml): \($0.rate.yaml)" }.joined(separator: ", ") + "}" }
}

extension RunConfig.Matryoshka: ConfigSection {
    static var shorthandKey: String? { "dimensions" }

    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        let distinct = Allowed<RunConfig.Numbers<Int>>(words: "≥ 1, all different") { list in
            list.values.allSatisfy { $0 >= 1 } && Set(list.values).count == list.values.count
        }
        keys.value(
            "dimensions", &dimensions, allowed: distinct,
            "Widths of prefixes of the embeddings that are to be embeddings by themselves; none: the whole alone.")
        let positive = Allowed<RunConfig.Numbers<Double>>(words: "≥ 0, one of them > 0") { list in
            list.values.allSatisfy { $0 >= 0 } && (list.values.isEmpty || list.values.contains { $0 > 0 })
        }
        keys.value(
            "weights", &weights, allowed: positive, "Factors of the losses, one for each of dimensions; none: 1 each.")
        keys.require(
            weights.values.isEmpty || weights.values.count == dimensions.values.count, at: "weights",
            "\(weights.values.count) weights for \(dimensions.values.count) dimensions")
    }
}

extension RunConfig.EMA: ConfigSection {
    static var shorthandKey: String? { "decay" }

    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "decay", &decay, allowed: .optional(.within(0..<1)),
            "Share of the average that an update keeps; null for no average. Evaluation and use read the average.")
        keys.value(
            "warmup", &warmup, onlyWhen: .when(decay != nil, "ema.decay is a number"),
            "Whether early updates keep less: (1 + step) / (10 + step).")
    }
}
