// The grammar of a .npy header, a Python dictionary. Not here: what it means (NPYHeader.swift).

import Failures

/// Reads the one kind of Python literal that a header holds; everything else is refused with the byte it was found at.
struct NPYHeaderParser {
    let path: String
    let bytes: [UInt8]
    private var position = 0

    struct Fields {
        var descriptor: String
        var isFortranOrder: Bool
        var shape: [Int]
    }

    init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
    }

    mutating func dictionary() throws -> Fields {
        var descriptor: String?
        var isFortranOrder: Bool?
        var shape: [Int]?
        try expect("{")
        while !accept("}") {
            let key = try string()
            try expect(":")
            switch key {
            case "descr" where descriptor == nil: descriptor = try dtype()
            case "fortran_order" where isFortranOrder == nil: isFortranOrder = try boolean()
            case "shape" where shape == nil: shape = try tuple()
            case "descr", "fortran_order", "shape": throw failure("each key once", found: "'\(key)' twice")
            default: throw failure("the keys 'descr', 'fortran_order' and 'shape' alone", found: "'\(key)'")
            }
            if !accept(",") {
                try expect("}")
                break
            }
        }
        skipSpace()
        guard position == bytes.count else { throw failure("nothing after the dictionary") }
        guard let descriptor else { throw failure("the key 'descr'", found: "none") }
        guard let isFortranOrder else { throw failure("the key 'fortran_order'", found: "none") }
        guard let shape else { throw failure("the key 'shape'", found: "none") }
        return Fields(descriptor: descriptor, isFortranOrder: isFortranOrder, shape: shape)
    }

    private mutating func dtype() throws -> String {
        skipSpace()
        guard position == bytes.count || bytes[position] != UInt8(ascii: "[") else {
            throw Failure(.data, "\(path): structured dtypes are not supported: save each field as an array of its own")
        }
        return try string()
    }

    private mutating func string() throws -> String {
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: "'") || bytes[position] == UInt8(ascii: "\"")
        else {
            throw failure("a quoted string")
        }
        let quote = bytes[position]
        guard let end = bytes[(position + 1)...].firstIndex(of: quote) else {
            throw failure("the closing quote of a string", found: "none")
        }
        defer { position = end + 1 }
        // Escapes are legal Python, but no key or dtype needs one; a backslash falls through to "not supported".
        return String(decoding: bytes[position + 1..<end], as: UTF8.self)
    }

    private mutating func boolean() throws -> Bool {
        if accept("True") { return true }
        if accept("False") { return false }
        throw failure("True or False")
    }

    private mutating func tuple() throws -> [Int] {
        var dimensions: [Int] = []
        try expect("(")
        while !accept(")") {
            dimensions.append(try integer())
            if accept(",") { continue }
            guard dimensions.count > 1 else { throw failure("',': a tuple of one dimension is written (n,)") }
            try expect(")")
            break
        }
        return dimensions
    }

    private mutating func integer() throws -> Int {
        skipSpace()
        let digits = bytes[position...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard !digits.isEmpty else { throw failure("a dimension: an integer, zero or more") }
        guard let value = Int(String(decoding: digits, as: UTF8.self)) else {
            throw failure("a dimension below 2⁶³", found: String(decoding: digits.prefix(40), as: UTF8.self))
        }
        position += digits.count
        // Python 2 wrote long integers as 3L.
        if position < bytes.count, bytes[position] == UInt8(ascii: "L") { position += 1 }
        return value
    }

    private mutating func skipSpace() {
        while position < bytes.count, bytes[position] == 0x20 || (0x09...0x0d).contains(bytes[position]) {
            position += 1
        }
    }

    private mutating func accept(_ token: String) -> Bool {
        skipSpace()
        guard bytes[position...].starts(with: token.utf8) else { return false }
        position += token.utf8.count
        return true
    }

    private mutating func expect(_ token: String) throws {
        guard accept(token) else { throw failure("'\(token)'") }
    }

    private func failure(_ expected: String, found: String? = nil) -> Failure {
        let rest = String(decoding: bytes[position...].prefix(20), as: UTF8.self)
        let found = found ?? (position == bytes.count ? "the end of the header" : "'\(rest)'")
        return Failure(.data, "\(path): .npy header, byte \(position): expected \(expected), found \(found)")
    }
}
