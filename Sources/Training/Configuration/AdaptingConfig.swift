// Value types of the keys that choose parameters by name. Not here: what is done with the chosen ones (ParameterSelection.swift).

import Autograd

extension RunConfig {
    /// A list of patterns over names; a single one may stand for a list of one.
    public struct NamePatterns: Sendable, Equatable, ConfigValue {
        public var texts: [String]

        public init(_ texts: [String] = []) { self.texts = texts }

        var patterns: [NamePattern] { texts.map { NamePattern($0) } }
    }
}

extension RunConfig.NamePatterns {
    static var typeName: String { "list of patterns" }

    init?(_ tree: ConfigTree) {
        guard let elements = tree.listed else { return nil }
        let texts = elements.compactMap { String($0) }
        guard texts.count == elements.count, texts.allSatisfy({ !$0.isEmpty && $0 != "!" }) else { return nil }
        self.init(texts)
    }

    var yaml: String { "[" + texts.map(\.yaml).joined(separator: ", ") + "]" }
}

extension RunConfig {
    /// Low-rank adaptation of linear layers.
    public struct LoRA: Sendable, Equatable {
        /// Nil for none.
        public var rank: Int?
        public var alpha = 16.0
        public var targets = NamePatterns(["query", "value"])
        public var dropout = 0.0
        /// Folders of PEFT adapters to start from, by tower.
        public var query: String?
        public var target: String?
        public init() {}

        /// The same in Autograd's own terms; nil without adapters.
        /// - Parameter names: what layers of published models are called there.
        func options(names: [WeightPart: String]) -> LowRankOptions? {
            rank.map {
                var options = LowRankOptions(
                    rank: $0, alpha: alpha, dropout: Float(dropout), targets: targets.texts.map { LayerPattern($0) })
                options.published = names
                return options
            }
        }
    }
}

extension RunConfig.LoRA: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "rank", &rank, allowed: .optional(.within(1...65536)),
            "Rank of the adapters; null for none. Towers with adapters are frozen but for those.")
        let adapts = Applicability.when(rank != nil, "model.lora.rank is a number")
        keys.value(
            "alpha", &alpha, allowed: .above(0), onlyWhen: adapts, "What adapters add is scaled by alpha / rank.")
        keys.value(
            "targets", &targets, onlyWhen: adapts,
            "Linear layers to adapt: names as for PEFT (`query`, `mlp`, `all-linear`) or globs over paths (`target.*.value`)."
        )
        keys.value(
            "dropout", &dropout, allowed: .within(0...0.999), onlyWhen: adapts,
            "Share of the adapters' inputs dropped in training.")
        keys.value(
            "query", &query, onlyWhen: adapts, "Folder of a PEFT adapter that the query tower's adapters start from.")
        keys.value(
            "target", &target, onlyWhen: adapts, "Folder of a PEFT adapter that the target tower's adapters start from."
        )
    }
}
