// Reading a published model's JSON with checks of every value. Not here: which keys a family has (the files named after families).

import ArrayFiles
import Failures
import Foundation

/// An object of a JSON file whose values are asked for by type and range; what a file leaves out has the family's default.
struct PublishedConfig {
    /// How messages call it: the file and, for an object within, its key.
    let place: String
    private(set) var members: [String: StrictJSON]

    /// - Throws: `Failure(.data)` when the text is no JSON object.
    init(_ data: Data, place: String) throws {
        let value: StrictJSON
        do {
            value = try data.withUnsafeBytes { try StrictJSON(parsing: $0) }
        } catch let error as StrictJSON.Malformed {
            throw Failure(.data, "\(place): byte \(error.byte): expected \(error.expected), found \(error.found)")
        }
        guard case .object(let members) = value else { throw Failure(.data, "\(place): expected a JSON object") }
        try self.init(members, place: place)
    }

    private init(_ members: [(key: String, value: StrictJSON)], place: String) throws {
        self.place = place
        self.members = try Dictionary(members: members.map { ($0.key, $0.value) }, of: place)
    }

    private func value(_ key: String) -> StrictJSON? {
        guard let value = members[key], value != .null else { return nil }
        return value
    }

    private func failure(_ key: String, _ expected: String) -> Failure {
        Failure(.data, "\(place): \(key): expected \(expected), found \(value(key).map(Self.words) ?? "nothing")")
    }

    private static func words(_ value: StrictJSON) -> String {
        switch value {
        case .object: "an object"
        case .array(let elements): "an array of \(elements.count)"
        case .string(let text): "\"\(text.prefix(80))\""
        case .integer(let number): "\(number)"
        case .number(let text): text
        case .boolean(let flag): "\(flag)"
        case .null: "null"
        }
    }

    func has(_ key: String) -> Bool { value(key) != nil }

    /// A number of things.
    func size(_ key: String, default standard: Int? = nil, in range: ClosedRange<Int>) throws -> Int {
        guard let value = value(key) else {
            guard let standard else { throw failure(key, "an integer from \(range.lowerBound) to \(range.upperBound)") }
            return standard
        }
        guard case .integer(let number) = value, range.contains(number) else {
            throw failure(key, "an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A positive number.
    func positive(_ key: String, default standard: Double) throws -> Double {
        guard let value = value(key) else { return standard }
        let number: Double? =
            switch value {
            case .integer(let number): Double(number)
            case .number(let text): Double(text)
            default: nil
            }
        guard let number, number > 0, Float(number).isFinite, Float(number) > 0 else {
            throw failure(key, "a number above 0")
        }
        return number
    }

    func flag(_ key: String, default standard: Bool) throws -> Bool {
        guard let value = value(key) else { return standard }
        guard case .boolean(let flag) = value else { throw failure(key, "true or false") }
        return flag
    }

    func text(_ key: String) throws -> String? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value else { throw failure(key, "a text") }
        return text
    }

    func texts(_ key: String) throws -> [String]? {
        guard let value = value(key) else { return nil }
        if case .string(let text) = value { return [text] }
        guard case .array(let elements) = value else { throw failure(key, "texts") }
        return try elements.map {
            guard case .string(let text) = $0 else { throw failure(key, "texts") }
            return text
        }
    }

    /// An object within; an empty one where there is none.
    func object(_ key: String) throws -> PublishedConfig {
        guard let value = value(key) else { return try PublishedConfig([], place: "\(place): \(key)") }
        guard case .object(let members) = value else { throw failure(key, "an object") }
        return try PublishedConfig(members, place: "\(place): \(key)")
    }

    /// This object with the members of another over its own.
    func overlaid(by other: PublishedConfig) -> PublishedConfig {
        var result = self
        result.members.merge(other.members) { $1 }
        return result
    }

    /// Refuses values that this program does not compute with.
    /// - Parameter allowed: what is computed with.
    func require(_ key: String, _ allowed: Bool, default standard: Bool) throws {
        guard try flag(key, default: standard) == allowed else {
            throw failure(key, "\(allowed), the only kind supported")
        }
    }

    func require(_ key: String, oneOf allowed: [String]) throws {
        guard let found = try text(key) else { return }
        guard allowed.contains(found) else { throw failure(key, "one of \(allowed.joined(separator: ", "))") }
    }

    /// An object of the elements of a JSON array of objects.
    static func list(_ data: Data, place: String) throws -> [PublishedConfig] {
        let wrapped = try PublishedConfig(Data("{\"list\":".utf8) + data + Data("}".utf8), place: place)
        guard case .array(let elements)? = wrapped.value("list") else {
            throw Failure(.data, "\(place): expected a JSON array of objects")
        }
        return try elements.enumerated().map { index, element in
            guard case .object(let members) = element else {
                throw Failure(.data, "\(place): element \(index): expected an object")
            }
            return try PublishedConfig(members, place: "\(place): element \(index)")
        }
    }

    /// All members whose values are texts; for maps of names.
    func textMembers() throws -> [String: String] {
        try members.mapValues {
            guard case .string(let text) = $0 else { throw Failure(.data, "\(place): expected texts as values") }
            return text
        }
    }
}
