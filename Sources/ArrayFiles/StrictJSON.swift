// JSON that says everything once. Not here: what the values mean (SafetensorsHeader.swift).

import Failures
import Foundation

/// A JSON value whose objects keep their keys in the order of the text.
///
/// Foundation's parsers keep one of several equal keys silently, so that two readers of one file may see different things; this one
/// refuses them.
public enum StrictJSON: Equatable, Sendable {
    case object([(key: String, value: StrictJSON)])
    case array([StrictJSON])
    case string(String)
    /// A number without fraction and exponent that fits.
    case integer(Int)
    /// Any other number, as written.
    case number(String)
    case boolean(Bool)
    case null

    /// What is wrong with a text, and at which byte.
    public struct Malformed: Error, Equatable {
        public var byte: Int
        public var expected: String
        public var found: String
    }

    /// The value of a whole text (RFC 8259, UTF-8): nothing but white space may follow it.
    ///
    /// A value takes some forty bytes of memory, so their number is bounded too: five for every sixteen bytes of text, which neither
    /// names nor a tokenizer's merges, ["a","b"], reach, and a few.
    public init(parsing bytes: UnsafeRawBufferPointer) throws(Malformed) {
        var parser = Parser(bytes: bytes, valuesLeft: bytes.count * 5 / 16 + 4096)
        self = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == bytes.count else { throw parser.malformed("nothing after the value") }
    }

    public static func == (left: StrictJSON, right: StrictJSON) -> Bool {
        switch (left, right) {
        case (.object(let left), .object(let right)):
            left.elementsEqual(right) { $0.key.utf8.elementsEqual($1.key.utf8) && $0.value == $1.value }
        case (.array(let left), .array(let right)): left == right
        case (.string(let left), .string(let right)), (.number(let left), .number(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.boolean(let left), .boolean(let right)): left == right
        case (.null, .null): true
        default: false
        }
    }

    /// `text` between quotation marks, escaped.
    public static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{0}"..."\u{1F}": result += String(format: "\\u%04x", scalar.value)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// `texts`, each quoted, as an array.
    public static func quoted(_ texts: [String]) -> String {
        "[" + texts.map { quoted($0) }.joined(separator: ",") + "]"
    }

    private struct Parser {
        let bytes: UnsafeRawBufferPointer
        var valuesLeft: Int
        var position = 0
        /// Deeper nesting is refused before it exhausts the stack.
        static let maximumDepth = 64

        mutating func value(depth: Int) throws(Malformed) -> StrictJSON {
            guard depth < Self.maximumDepth else { throw malformed("at most \(Self.maximumDepth) levels", "more") }
            valuesLeft -= 1
            guard valuesLeft >= 0 else { throw malformed("fewer values in \(bytes.count) bytes", "more") }
            skipSpace()
            switch current {
            case UInt8(ascii: "{"): return try object(depth: depth)
            case UInt8(ascii: "["): return try array(depth: depth)
            case UInt8(ascii: "\""): return .string(try string())
            default:
                if let byte = current,
                    byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                {
                    return try number()
                }
                for (word, value) in [("true", StrictJSON.boolean(true)), ("false", .boolean(false)), ("null", .null)]
                where bytes[position...].starts(with: word.utf8) {
                    position += word.utf8.count
                    return value
                }
                throw malformed("a value")
            }
        }

        private mutating func object(depth: Int) throws(Malformed) -> StrictJSON {
            var members: [(key: String, value: StrictJSON)] = []
            // By bytes: strings are equal where only their canonical forms are, and such keys are two.
            var keys: Set<[UInt8]> = []
            position += 1
            if accept("}") { return .object([]) }
            repeat {
                skipSpace()
                guard current == UInt8(ascii: "\"") else { throw malformed("a key in quotation marks") }
                let start = position
                let key = try string()
                guard keys.insert(Array(key.utf8)).inserted else {
                    position = start
                    throw malformed("each key once", "'\(key)' twice")
                }
                guard accept(":") else { throw malformed("':'") }
                members.append((key, try value(depth: depth + 1)))
            } while accept(",")
            guard accept("}") else { throw malformed("',' or '}'") }
            return .object(members)
        }

        private mutating func array(depth: Int) throws(Malformed) -> StrictJSON {
            var elements: [StrictJSON] = []
            position += 1
            if accept("]") { return .array([]) }
            repeat { elements.append(try value(depth: depth + 1)) } while accept(",")
            guard accept("]") else { throw malformed("',' or ']'") }
            return .array(elements)
        }

        private mutating func string() throws(Malformed) -> String {
            let start = position
            position += 1
            let plain = bytes[position...].prefix { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
            var text = Array(plain)
            position = plain.endIndex
            while let byte = current, byte != UInt8(ascii: "\"") {
                guard byte >= 0x20 else { throw malformed("no control character in a string") }
                position += 1
                if byte == UInt8(ascii: "\\") { text += try escape() } else { text.append(byte) }
            }
            guard current != nil else { throw malformed("a closing quotation mark") }
            position += 1
            guard let result = String(validating: text, as: UTF8.self) else {
                position = start
                throw malformed("UTF-8", "bytes that are not")
            }
            return result
        }

        /// The UTF-8 of the escape sequence after a backslash.
        private mutating func escape() throws(Malformed) -> [UInt8] {
            let plain: [UInt8: UInt8] = [
                0x22: 0x22, 0x5C: 0x5C, 0x2F: 0x2F, 0x62: 8, 0x66: 12, 0x6E: 10, 0x72: 13, 0x74: 9,
            ]
            if let byte = current, let meaning = plain[byte] {
                position += 1
                return [meaning]
            }
            var units = [try unit()]
            if UTF16.isLeadSurrogate(units[0]), accept("\\", skippingSpace: false) { units.append(try unit()) }
            guard let text = String(validating: units, as: UTF16.self) else {
                throw malformed("a pair of surrogates", "one alone")
            }
            return Array(text.utf8)
        }

        private mutating func unit() throws(Malformed) -> UInt16 {
            let digits = bytes[min(position + 1, bytes.count)...].prefix(4)
            guard current == UInt8(ascii: "u"), digits.count == 4,
                digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
                let value = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
            else { throw malformed("an escape sequence") }
            position += 5
            return value
        }

        private mutating func number() throws(Malformed) -> StrictJSON {
            let start = position
            func digits() -> Bool {
                let first = position
                while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
                return position > first
            }
            _ = accept("-", skippingSpace: false)
            let leadingZero = current == UInt8(ascii: "0")
            let whole = position
            guard digits(), !leadingZero || position == whole + 1 else {
                throw malformed("a number without leading zeros")
            }
            var isInteger = true
            if accept(".", skippingSpace: false) {
                isInteger = false
                guard digits() else { throw malformed("digits after the point") }
            }
            if accept("e", skippingSpace: false) || accept("E", skippingSpace: false) {
                isInteger = false
                if !accept("+", skippingSpace: false) { _ = accept("-", skippingSpace: false) }
                guard digits() else { throw malformed("digits of the exponent") }
            }
            let text = String(decoding: bytes[start..<position], as: UTF8.self)
            return isInteger ? Int(text).map(StrictJSON.integer) ?? .number(text) : .number(text)
        }

        private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

        mutating func skipSpace() {
            while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
        }

        private mutating func accept(_ token: Unicode.Scalar, skippingSpace: Bool = true) -> Bool {
            if skippingSpace { skipSpace() }
            guard current == UInt8(ascii: token) else { return false }
            position += 1
            return true
        }

        func malformed(_ expected: String, _ found: String? = nil) -> Malformed {
            let rest = String(decoding: bytes[position...].prefix(20), as: UTF8.self)
            return Malformed(
                byte: position, expected: expected, found: found ?? (position == bytes.count ? "the end" : "'\(rest)'"))
        }
    }
}

extension Dictionary where Key == String {
    /// The members of an object of a file, each under its key.
    ///
    /// The parser refuses keys of equal bytes; texts are equal, too, where only their canonical forms are, as é in one scalar and in two.
    /// - Throws: `Failure(.data)` naming `place` and the key.
    package init(members: [(String, Value)], of place: String) throws {
        self.init(minimumCapacity: members.count)
        for (key, value) in members {
            guard updateValue(value, forKey: key) == nil else {
                throw Failure(
                    .data,
                    "\(place): expected each key once, found '\(key)' in two forms of Unicode; rename one of them")
            }
        }
    }
}
