// A JSON document whose values know where they stand. Not here: what they mean (the other readers).

import ArrayFiles
import Failures
import Foundation

/// A value of a document; what is wrong with it is a failure that names file, place, expectation and finding.
struct JSONPlace {
    let value: StrictJSON
    /// `model.merges[3]`; empty for the document.
    let path: String
    /// How messages call the file.
    let file: String

    init(document: Data, file: String) throws {
        do {
            value = try document.withUnsafeBytes { try StrictJSON(parsing: $0) }
        } catch let wrong as StrictJSON.Malformed {
            throw Failure(
                .data,
                "the tokenizer \(file) is no JSON: at byte \(wrong.byte) expected \(wrong.expected), found \(wrong.found)"
            )
        }
        path = ""
        self.file = file
    }

    private init(_ value: StrictJSON, path: String, file: String) {
        self.value = value
        self.path = path
        self.file = file
    }

    /// A failure about this place.
    func wrong(_ what: String) -> Failure {
        Failure(.data, "the tokenizer \(file): \(path.isEmpty ? "the document" : path) \(what)")
    }

    private func mismatch(_ expected: String) -> Failure {
        let found =
            switch value {
            case .object: "an object"
            case .array(let elements): "an array of \(elements.count)"
            case .string(let text): "the text '\(text.prefix(40))'"
            case .integer(let number): "\(number)"
            case .number(let text): text
            case .boolean(let value): "\(value)"
            case .null: "null"
            }
        return wrong("is \(found) instead of \(expected)")
    }

    var isNull: Bool { value == .null }

    /// The value of a key; nil where it is missing or null.
    func optional(_ key: String) throws -> JSONPlace? {
        guard case .object(let members) = value else { throw mismatch("an object") }
        guard let member = members.first(where: { $0.key == key }), member.value != .null else { return nil }
        return JSONPlace(member.value, path: path.isEmpty ? key : "\(path).\(key)", file: file)
    }

    subscript(_ key: String) -> JSONPlace {
        get throws {
            guard let place = try optional(key) else { throw wrong("lacks \(key)") }
            return place
        }
    }

    var members: [(key: String, place: JSONPlace)] {
        get throws {
            guard case .object(let members) = value else { throw mismatch("an object") }
            return members.map { ($0.key, JSONPlace($0.value, path: "\(path).\($0.key)", file: file)) }
        }
    }

    var elements: [JSONPlace] {
        get throws {
            guard case .array(let elements) = value else { throw mismatch("an array") }
            return elements.enumerated().map { JSONPlace($1, path: "\(path)[\($0)]", file: file) }
        }
    }

    var text: String {
        get throws {
            guard case .string(let text) = value else { throw mismatch("a text") }
            return text
        }
    }

    var boolean: Bool {
        get throws {
            guard case .boolean(let value) = value else { throw mismatch("true or false") }
            return value
        }
    }

    /// A finite number.
    var double: Double {
        get throws {
            switch value {
            case .integer(let number): return Double(number)
            case .number(let text): if let number = Double(text), number.isFinite { return number }
            default: break
            }
            throw mismatch("a number")
        }
    }

    /// An integer in `range`.
    func integer(in range: ClosedRange<Int>) throws -> Int {
        guard case .integer(let number) = value, range.contains(number) else {
            throw mismatch("an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// An id; tables are as long as the largest, so that there is a bound.
    var id: Int32 {
        get throws { Int32(try integer(in: 0...Self.maximumID)) }
    }
    static let maximumID = 1 << 24

    func flag(_ key: String, default value: Bool) throws -> Bool { try optional(key)?.boolean ?? value }

    /// One of a kind's names.
    func choice<Kind: RawRepresentable & CaseIterable>(_ kind: Kind.Type) throws -> Kind where Kind.RawValue == String {
        let name = try text
        guard let value = Kind(rawValue: name) else {
            throw wrong("is '\(name)'; known here: \(Kind.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return value
    }

    /// The failure about a `type` that is none of those known.
    func unknownType(_ type: String, _ known: String) -> Failure {
        wrong("has the type '\(type.prefix(40))'; known here: \(known)")
    }

    /// A regular expression or a literal text: `{"Regex": …}` or `{"String": …}`.
    var pattern: Pattern {
        get throws {
            do {
                if let literal = try optional("String") { return try Pattern(literal: try literal.text) }
                return try Pattern(try self["Regex"].text)
            } catch let malformed as Pattern.Malformed {
                throw wrong("cannot be compiled: \(malformed.message)")
            }
        }
    }
}
