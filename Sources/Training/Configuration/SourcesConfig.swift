// Keys of one entry of `data.sources`, and of the columns it shares with `data`. Not here: opening sources (Datasets).

public import Datasets

extension DataFormat: ConfigChoice {}
extension BatchMixing: ConfigChoice {}

extension RunConfig {
    /// Paths, each of which may have braces or wildcards; one is written as a text, several as a sequence.
    public struct Paths: Sendable, Equatable, ConfigValue {
        public var patterns: [String]

        public init(_ patterns: [String]) { self.patterns = patterns }
    }

    /// Names of fields; one is written as a text, several as a sequence.
    public struct FieldNames: Sendable, Equatable, ConfigValue {
        public var names: [String]

        public init(_ names: [String]) { self.names = names }
    }

    /// What one side of a pair is read from.
    public struct SideSource: Sendable, Equatable {
        public var column = Automatic<String>.automatic
        public var kind = Automatic<ColumnKind>.automatic
        public var prefix = Automatic<String>.automatic

        public init() {}
    }

    /// What one side of a pair of one source is read from, where that differs from the other sources'.
    public struct OwnSideSource: Sendable, Equatable {
        public var column: Automatic<String>?
        public var kind: Automatic<ColumnKind>?
        public var prefix: String?

        public init() {}
    }

    /// Explicit negatives of queries.
    public struct Negatives: Sendable, Equatable {
        public var columns = Automatic<FieldNames>.automatic
        public var maximum = 7

        public init() {}
    }

    /// One entry of `data.sources`.
    public struct Source: Sendable, Equatable {
        public var path = Paths([])
        public var format = Automatic<DataFormat>.automatic
        public var weight: Double?
        public var batches: BatchMixing?
        public var query = OwnSideSource()
        public var target = OwnSideSource()
        public var negatives: Automatic<FieldNames>?
        public var id: String?

        public init() {}
    }
}

extension RunConfig.Paths {
    static var typeName: String { "path, or sequence of paths" }

    init?(_ tree: ConfigTree) {
        guard let texts = texts(tree), !texts.isEmpty, !texts.contains("") else { return nil }
        self.init(texts)
    }

    var yaml: String { RunConfig.yaml(patterns) }
}

extension RunConfig.FieldNames {
    static var typeName: String { "name, or sequence of names" }

    init?(_ tree: ConfigTree) {
        guard let texts = texts(tree), !texts.contains("") else { return nil }
        self.init(texts)
    }

    var yaml: String { RunConfig.yaml(names) }
}

/// One text or a sequence of them.
private func texts(_ tree: ConfigTree) -> [String]? {
    guard case .sequence(let elements) = tree.content else { return String(tree).map { [$0] } }
    let texts = elements.compactMap { String($0) }
    return texts.count == elements.count ? texts : nil
}

extension RunConfig {
    fileprivate static func yaml(_ texts: [String]) -> String {
        texts.count == 1 ? texts[0].yaml : "[" + texts.map(\.yaml).joined(separator: ", ") + "]"
    }
}

extension RunConfig.SideSource: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "column", &column,
            "Field of a row that holds this side; auto: one with a name that is recognised (docs/data.md).")
        keys.value(
            "kind", &kind,
            "picture: the field is an image or its path; text: the field is the text; features: the column is an array; auto: what the side's encoder reads."
        )
        keys.value(
            "prefix", &prefix,
            "Put before every text: an instruction, such as 'query: '; auto: the published model's own prompt for this side, if it has one."
        )
    }
}

extension RunConfig.OwnSideSource: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value("column", &column, "As in data, for this source alone.")
        keys.value("kind", &kind, "As in data, for this source alone.")
        keys.value("prefix", &prefix, "As in data, for this source alone.")
    }
}

extension RunConfig.Negatives: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "columns", &columns,
            "Fields of a row that hold targets which do not belong to its query; auto: those with a recognised name (docs/data.md)."
        )
        keys.value(
            "maximum", &maximum, allowed: .within(0...Negative.mostOfRow),
            "Negatives of a row that are used at most; 0 uses none. Batches have as many for each row as the richest row has."
        )
    }
}

extension RunConfig.Source: ConfigSection {
    static var shorthandKey: String? { "path" }

    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "path", &path, required: true,
            "Files: a path, a sequence of paths, braces such as shard-{000..099}.tar, wildcards.")
        keys.value("format", &format, "What the files are; auto: what their names tell.")
        keys.value(
            "weight", &weight, allowed: .optional(.above(0)),
            "Rows drawn from this source in proportion to the others' weights; null, in all sources alike: every row once an epoch."
        )
        keys.value("batches", &batches, "As data.batches, for this source alone.")
        keys.section("query", &query, "Where this source's queries come from.")
        keys.section("target", &target, "Where this source's targets come from.")
        keys.value("negatives", &negatives, "As data.negatives.columns, for this source alone.")
        keys.value("id", &id, "Field that holds a row's concept; null: id, where a row has one.")
    }
}
