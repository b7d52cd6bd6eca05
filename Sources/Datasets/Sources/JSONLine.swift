// The fields of one JSON object, found without building it. Not here: what the fields mean (RowMapper).

/// A field's value as it is written.
enum JSONField: Equatable {
    /// The bytes between the quotation marks, escapes as they are.
    case string(Range<Int>)
    /// Arrays and objects: from the opening to behind the closing bracket.
    case array(Range<Int>)
    case object(Range<Int>)
    /// Numbers, true, false, null.
    case scalar(Range<Int>)
}

/// What is wrong with a line, and at which byte of it (1 for the first).
struct JSONLineError: Error, Equatable {
    let column: Int
    let reason: String
}

/// Reads JSON (RFC 8259) left to right over bytes. All of a line's syntax is checked, UTF-8 included; values are built on request.
struct JSONLine {
    private let bytes: UnsafeRawBufferPointer
    private var position: Int
    private let end: Int
    /// Whether strings are checked one by one: only to say where a line that is not UTF-8 goes wrong.
    private let checksStrings: Bool
    private static let maximumDepth = 64
    /// Of the object of a line, and of an array that is looked into.
    private static let maximumFields = 1 << 18
    private static let maximumElements = 1 << 16

    private init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, checksStrings: Bool) {
        self.bytes = bytes
        self.checksStrings = checksStrings
        position = range.lowerBound
        end = range.upperBound
    }

    /// The fields of the object that fills `range` of `bytes`, in the order written.
    static func fields(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(JSONLineError) -> [(
        name: String, value: JSONField
    )] {
        let isUTF8 = String(validating: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self) != nil
        var reader = JSONLine(bytes, range, checksStrings: !isUTF8)
        do throws(JSONLineError) {
            reader.skipSpace()
            guard reader.peek == UInt8(ascii: "{") else { throw reader.error("a line is one JSON object, in braces") }
            var fields: [(name: String, value: JSONField)] = []
            // By bytes: strings that only look alike are equal as strings.
            var names: Set<[UInt8]> = []
            try reader.object(depth: 1) { name, value in
                let name = Self.text(bytes, name)
                guard fields.count < Self.maximumFields else { return "more than \(Self.maximumFields) keys" }
                guard names.insert(Array(name.utf8)).inserted else {
                    return "the key \"\(name)\" twice"
                }
                fields.append((name, value))
                return nil
            }
            reader.skipSpace()
            guard reader.position == reader.end else { throw reader.error("something follows the object") }
            return fields
        } catch {
            throw JSONLineError(column: error.column - range.lowerBound, reason: error.reason)
        }
    }

    /// The values of an array that `fields` found.
    static func elements(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(JSONLineError) -> [JSONField] {
        var reader = JSONLine(bytes, range, checksStrings: false)
        var values: [JSONField] = []
        var count = 0
        try reader.array(depth: 1) {
            count += 1
            if count <= maximumElements { values.append($0) }
        }
        guard count <= maximumElements else { throw reader.error("a list of more than \(maximumElements) elements") }
        return values
    }

    /// The text of a string that was found, its escapes resolved; lone surrogates become U+FFFD.
    static func text(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> String {
        let content = UnsafeRawBufferPointer(rebasing: bytes[range])
        guard content.contains(UInt8(ascii: "\\")) else { return String(decoding: content, as: UTF8.self) }
        var units: [UInt16] = []
        var plain = 0
        var index = 0
        while index < content.count {
            guard content[index] == UInt8(ascii: "\\") else {
                index += 1
                continue
            }
            units.append(contentsOf: String(decoding: content[plain..<index], as: UTF8.self).utf16)
            let escape = content[index + 1]
            index += 2
            switch escape {
            case UInt8(ascii: "u"):
                units.append(content[index..<index + 4].reduce(0) { $0 << 4 | UInt16(hexDigit($1) ?? 0) })
                index += 4
            case UInt8(ascii: "b"): units.append(8)
            case UInt8(ascii: "f"): units.append(12)
            case UInt8(ascii: "n"): units.append(10)
            case UInt8(ascii: "r"): units.append(13)
            case UInt8(ascii: "t"): units.append(9)
            default: units.append(UInt16(escape))
            }
            plain = index
        }
        units.append(contentsOf: String(decoding: content[plain...], as: UTF8.self).utf16)
        return String(decoding: units, as: UTF16.self)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    private var peek: UInt8? { position < end ? bytes[position] : nil }

    private func error(_ reason: String) -> JSONLineError { JSONLineError(column: position + 1, reason: reason) }

    private mutating func skipSpace() {
        while position < end, Self.isSpace(bytes[position]) { position += 1 }
    }

    /// White space of JSON.
    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    private mutating func value(depth: Int) throws(JSONLineError) -> JSONField {
        let start = position
        switch peek {
        case nil: throw error("the line ends where a value should be")
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "{"):
            try object(depth: depth + 1) { _, _ in nil }
            return .object(start..<position)
        case UInt8(ascii: "["):
            try array(depth: depth + 1) { _ in }
            return .array(start..<position)
        default:
            while let byte = peek, !",]} \t\r\n".utf8.contains(byte) { position += 1 }
            let word = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
            guard Self.isScalar(word) else {
                position = start
                throw error("'\(String(decoding: word.prefix(20), as: UTF8.self))' is no JSON value")
            }
            return .scalar(start..<position)
        }
    }

    /// true, false, null, or -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?
    private static func isScalar(_ word: UnsafeRawBufferPointer) -> Bool {
        if ["true", "false", "null"].contains(where: { word.elementsEqual($0.utf8) }) { return true }
        var rest = Substring(String(decoding: word, as: UTF8.self)).utf8
        func digits() -> Int {
            let run = rest.prefix { (0x30...0x39).contains($0) }.count
            rest = rest.dropFirst(run)
            return run
        }
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let startsWithZero = rest.first == UInt8(ascii: "0")
        let whole = digits()
        guard whole > 0, !startsWithZero || whole == 1 else { return false }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            guard digits() > 0 else { return false }
        }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
            guard digits() > 0 else { return false }
        }
        return rest.isEmpty
    }

    /// From the opening quotation mark to behind the closing one; returns what is between.
    private mutating func string() throws(JSONLineError) -> Range<Int> {
        guard peek == UInt8(ascii: "\"") else { throw error("a quotation mark should be here") }
        let opening = position
        position += 1
        while true {
            var place = position
            while place < end, Self.isPlain(bytes[place]) { place += 1 }
            position = place
            guard place < end else { break }
            switch bytes[place] {
            case UInt8(ascii: "\""):
                let range = opening + 1..<place
                if checksStrings,
                    String(validating: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self) == nil
                {
                    position = opening
                    throw error("this string is not UTF-8")
                }
                position += 1
                return range
            case UInt8(ascii: "\\"): try escape()
            case let byte:
                let code = String(byte, radix: 16)
                throw error(
                    "a control character in a string; write it as \\u\(String(repeating: "0", count: 4 - code.count))\(code)"
                )
            }
        }
        position = opening
        throw error("this string has no end")
    }

    /// Whether a byte stands for itself inside a string.
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private mutating func escape() throws(JSONLineError) {
        guard position + 1 < end, "\"\\/bfnrtu".utf8.contains(bytes[position + 1]) else {
            throw error("an unknown escape")
        }
        let isUnicode = bytes[position + 1] == UInt8(ascii: "u")
        if isUnicode {
            guard position + 6 <= end, bytes[position + 2..<position + 6].allSatisfy({ Self.hexDigit($0) != nil })
            else {
                throw error("\\u needs four hexadecimal digits")
            }
        }
        position += isUnicode ? 6 : 2
    }

    /// From the opening brace to behind the closing one; `body` may object to a field by returning what is wrong.
    private mutating func object(
        depth: Int, _ body: (_ name: Range<Int>, _ value: JSONField) -> String?
    ) throws(JSONLineError) {
        try sequence(depth: depth, closing: UInt8(ascii: "}")) { (reader) throws(JSONLineError) in
            let start = reader.position
            let name = try reader.string()
            reader.skipSpace()
            guard reader.peek == UInt8(ascii: ":") else { throw reader.error("a colon should be here") }
            reader.position += 1
            reader.skipSpace()
            let value = try reader.value(depth: depth)
            if let objection = body(name, value) { throw JSONLineError(column: start + 1, reason: objection) }
        }
    }

    private mutating func array(depth: Int, _ body: (JSONField) -> Void) throws(JSONLineError) {
        try sequence(depth: depth, closing: UInt8(ascii: "]")) { (reader) throws(JSONLineError) in
            body(try reader.value(depth: depth))
        }
    }

    /// Elements with commas between them, in brackets of which the opening one is here.
    private mutating func sequence(
        depth: Int, closing: UInt8, _ element: (inout JSONLine) throws(JSONLineError) -> Void
    ) throws(JSONLineError) {
        guard depth <= Self.maximumDepth else {
            throw error("more than \(Self.maximumDepth) brackets inside each other")
        }
        position += 1
        skipSpace()
        if peek == closing {
            position += 1
            return
        }
        while true {
            try element(&self)
            skipSpace()
            let byte = peek
            guard byte == closing || byte == UInt8(ascii: ",") else {
                throw error(
                    byte == nil ? "the line ends inside brackets" : "a comma or a closing bracket should be here")
            }
            position += 1
            if byte == closing { return }
            skipSpace()
        }
    }
}
