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
        if tree.isNull {
            self.init()
            return
        }
        let elements: [ConfigTree]
        switch tree.content {
        case .scalar: elements = [tree]
        case .sequence(let found): elements = found
        case .mapping: return nil
        }
        let texts = elements.compactMap { String($0) }
        guard texts.count == elements.count, texts.allSatisfy({ !$0.isEmpty && $0 != "!" }) else { return nil }
        self.init(texts)
    }

    var yaml: String { "[" + texts.map(\.yaml).joined(separator: ", ") + "]" }
}
