// How a section of the configuration states its keys: name, type, range, effect and meaning, in one place each. Not here: the
// sections themselves (RunConfig.swift and the files named after its sections), nor what visits them (ConfigReader, ConfigWriter).

/// What changing a key between a run and its resumption does.
public enum KeyEffect: Sendable {
    /// The parameters that training ends with become others.
    case trajectory
    /// Speed, files and messages change; the parameters do not, but for rounding.
    case bookkeeping
}

/// A value that fits one YAML node.
protocol ConfigValue: Sendable {
    /// What the documentation and messages call the type: "integer", "one of: a, b".
    static var typeName: String { get }
    /// The type with the words of a range: "integer ≥ 1".
    static func typeName(_ range: String) -> String
    /// Nil when the node is something else.
    init?(_ tree: ConfigTree)
    /// The YAML that reads back as the same value.
    var yaml: String { get }
}

extension ConfigValue {
    static func typeName(_ range: String) -> String { range.isEmpty ? typeName : "\(typeName) \(range)" }
}

/// Which values of a type are valid, in words and as a test.
struct Allowed<Value>: Sendable {
    /// Follows the type's name: "integer ≥ 1". Empty when every value is valid.
    let words: String
    let contains: @Sendable (Value) -> Bool

    static var any: Allowed { Allowed(words: "") { _ in true } }
}

extension Allowed where Value: Comparable & Sendable {
    static func atLeast(_ bound: Value) -> Allowed { Allowed(words: "≥ \(bound)") { $0 >= bound } }
    static func above(_ bound: Value) -> Allowed { Allowed(words: "> \(bound)") { $0 > bound } }
    static func within(_ range: ClosedRange<Value>) -> Allowed {
        Allowed(words: "from \(range.lowerBound) to \(range.upperBound)") { range.contains($0) }
    }
    static func within(_ range: Range<Value>) -> Allowed {
        Allowed(words: "from \(range.lowerBound) to below \(range.upperBound)") { range.contains($0) }
    }
}

extension Allowed<String> {
    /// Names that files and folders get. Some have more behind it, and systems take 255 bytes.
    static var fileName: Allowed {
        let longest = 128
        return Allowed(
            words: "without '/' and control characters, not starting with '.', of 1 to \(longest) bytes"
        ) { name in
            (1...longest).contains(name.utf8.count) && name.first != "."
                && name.unicodeScalars.allSatisfy { $0 != "/" && $0.properties.generalCategory != .control }
        }
    }
}

/// When a key may be written at all.
struct Applicability: Sendable {
    let holds: Bool
    /// "loss.kind is sigmoid"; empty when it always holds.
    let words: String

    static let always = Applicability(holds: true, words: "")
    static func when(_ condition: Bool, _ words: String) -> Applicability {
        Applicability(holds: condition, words: words)
    }
}

/// Everything about a key but its value.
struct KeyNote: Sendable {
    let name: String
    let required: Bool
    let effect: KeyEffect
    let applicability: Applicability
    /// One line for a reader who has not seen the code.
    let meaning: String
}

/// A mapping with known keys. Its default values are those of `init()`; `visit` names each key once.
protocol ConfigSection: Sendable {
    init()
    /// A scalar or a list where this section's mapping is expected is the value of this key: `schedule: constant` is `{kind: constant}`.
    static var shorthandKey: String? { get }
    /// States the keys in the order in which they are written and documented.
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor)
}

extension ConfigSection {
    static var shorthandKey: String? { nil }
}

/// Something that walks over all keys: reads them, writes them, documents them.
protocol ConfigVisitor {
    mutating func visitValue<Value: ConfigValue>(_ note: KeyNote, _ value: inout Value, _ allowed: Allowed<Value>)
    mutating func visitSection<Section: ConfigSection>(_ note: KeyNote, _ section: inout Section)
    mutating func visitSections<Section: ConfigSection>(_ note: KeyNote, _ sections: inout [Section])
    /// States a rule between keys: `holds` is checked after the values of this section are known, and reported at `key`.
    mutating func require(_ holds: Bool, at key: String, _ expectation: @autoclosure () -> String)
}

extension ConfigVisitor {
    /// One key with a value.
    mutating func value<Value: ConfigValue>(
        _ name: String, _ value: inout Value, allowed: Allowed<Value> = .any, required: Bool = false,
        effect: KeyEffect = .trajectory,
        onlyWhen applicability: Applicability = .always, _ meaning: String
    ) {
        visitValue(
            KeyNote(name: name, required: required, effect: effect, applicability: applicability, meaning: meaning),
            &value, allowed)
    }

    /// One key with a mapping.
    mutating func section<Section: ConfigSection>(
        _ name: String, _ section: inout Section, onlyWhen applicability: Applicability = .always, _ meaning: String
    ) {
        visitSection(
            KeyNote(name: name, required: false, effect: .trajectory, applicability: applicability, meaning: meaning),
            &section)
    }

    /// One key with a sequence of mappings.
    mutating func sections<Section: ConfigSection>(_ name: String, _ sections: inout [Section], _ meaning: String) {
        visitSections(
            KeyNote(name: name, required: false, effect: .trajectory, applicability: .always, meaning: meaning),
            &sections)
    }
}
