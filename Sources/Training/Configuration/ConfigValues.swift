// The scalar types of the configuration and how each is read and written. Not here: keys (RunConfig.swift).

extension Int: ConfigValue {
    static var typeName: String { "integer" }

    init?(_ tree: ConfigTree) {
        guard case .scalar(let text, plain: true) = tree.content, let value = Int(text) else { return nil }
        self = value
    }

    var yaml: String { String(self) }
}

extension UInt64: ConfigValue {
    static var typeName: String { "unsigned integer" }

    init?(_ tree: ConfigTree) {
        guard case .scalar(let text, plain: true) = tree.content, let value = UInt64(text) else { return nil }
        self = value
    }

    var yaml: String { String(self) }
}

extension Double: ConfigValue {
    static var typeName: String { "number" }

    /// Decimal notation only: `inf`, `nan` and hexadecimal floats are not numbers here.
    init?(_ tree: ConfigTree) {
        guard case .scalar(let text, plain: true) = tree.content, text.allSatisfy({ "0123456789+-.eE".contains($0) }),
            let value = Double(text), value.isFinite
        else { return nil }
        self = value
    }

    /// The shortest decimal that reads back as the same number.
    var yaml: String {
        let text = "\(self)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}

extension Bool: ConfigValue {
    static var typeName: String { "true or false" }

    init?(_ tree: ConfigTree) {
        guard case .scalar(let text, plain: true) = tree.content, let value = Bool(text) else { return nil }
        self = value
    }

    var yaml: String { self ? "true" : "false" }
}

extension String: ConfigValue {
    static var typeName: String { "text" }

    /// Any scalar but null; `name: 42` is the text "42".
    init?(_ tree: ConfigTree) {
        guard case .scalar(let text, _) = tree.content, !tree.isNull else { return nil }
        self = text
    }

    /// Plain where YAML cannot take it for anything else, else in double quotes.
    var yaml: String {
        let plain =
            !isEmpty && allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._/-".contains($0)) } && first != "-"
        if plain, !["null", "Null", "NULL", "---", "..."].contains(self) { return self }
        var quoted = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                quoted += "\\x" + String(repeating: "0", count: 2 - digits.count) + digits
            // Line breaks to YAML, which would read them as spaces, and what it reads in no text.
            case "\u{2028}", "\u{2029}", "\u{FEFF}", "\u{FFFE}", "\u{FFFF}":
                quoted += "\\u" + String(scalar.value, radix: 16)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

extension Optional: ConfigValue where Wrapped: ConfigValue {
    static var typeName: String { typeName("") }
    static func typeName(_ range: String) -> String { "\(Wrapped.typeName(range)), or null" }

    init?(_ tree: ConfigTree) {
        if tree.isNull {
            self = .none
        } else if let value = Wrapped(tree) {
            self = value
        } else {
            return nil
        }
    }

    var yaml: String { self?.yaml ?? "null" }
}

extension Allowed {
    /// The same range, with null.
    static func optional<Wrapped>(_ allowed: Allowed<Wrapped>) -> Allowed where Value == Wrapped? {
        Allowed(words: allowed.words) { $0.map(allowed.contains) ?? true }
    }
}

/// A value, or the program's choice.
public enum Automatic<Value: Sendable & Equatable>: Sendable, Equatable {
    case automatic
    case value(Value)

    /// The value, or `choice` where the user left it open.
    public func resolved(_ choice: @autoclosure () -> Value) -> Value {
        switch self {
        case .automatic: choice()
        case .value(let value): value
        }
    }
}

extension Automatic: ConfigValue where Value: ConfigValue {
    static var typeName: String { typeName("") }
    static func typeName(_ range: String) -> String { "\(Value.typeName(range)), or auto" }

    init?(_ tree: ConfigTree) {
        if case .scalar("auto", plain: true) = tree.content {
            self = .automatic
        } else if let value = Value(tree) {
            self = .value(value)
        } else {
            return nil
        }
    }

    var yaml: String {
        switch self {
        case .automatic: "auto"
        case .value(let value): value.yaml
        }
    }
}

extension Allowed {
    /// The same range, with `auto`.
    static func automatic<Wrapped: ConfigValue>(_ allowed: Allowed<Wrapped>) -> Allowed
    where Value == Automatic<Wrapped> {
        Allowed(words: allowed.words) { value in
            switch value {
            case .automatic: true
            case .value(let value): allowed.contains(value)
            }
        }
    }
}

/// A mode: one of the words that are the cases' raw values.
protocol ConfigChoice: ConfigValue, CaseIterable, RawRepresentable where RawValue == String {}

extension ConfigChoice {
    static var typeName: String { "one of: " + allCases.map(\.rawValue).joined(separator: ", ") }

    init?(_ tree: ConfigTree) {
        guard case .scalar(let text, plain: true) = tree.content else { return nil }
        self.init(rawValue: text)
    }

    var yaml: String { rawValue }
}

/// A number of bytes, written `4096`, `512 MiB` or `2 GiB` (powers of 1024).
public struct ByteCount: Sendable, Equatable, Comparable, ConfigValue, CustomStringConvertible {
    public var bytes: Int

    public init(bytes: Int) { self.bytes = bytes }

    static var typeName: String { "bytes, with an optional unit KiB, MiB or GiB" }
    private static let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]

    init?(_ tree: ConfigTree) {
        guard case .scalar(let text, plain: true) = tree.content else { return nil }
        let unit = ByteCount.units.first { text.hasSuffix($0.0) }
        let digits = unit.map { text.dropLast($0.0.count) } ?? text[...]
        guard let number = Int(digits.split(separator: " ").joined()) else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit?.1 ?? 1)
        guard !overflow else { return nil }
        self.bytes = bytes
    }

    public var description: String { yaml }

    var yaml: String {
        let unit = ByteCount.units.first { bytes > 0 && bytes % $0.1 == 0 }
        return unit.map { "\(bytes / $0.1) \($0.0)" } ?? String(bytes)
    }

    public static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }
}
