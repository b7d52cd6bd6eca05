// The header of NumPy's .npy files: its grammar and its limits. Not here: elements (NPYElements.swift), arrays (NPYArray.swift).

import Failures
import Foundation

/// What the header of a `.npy` file says, verified against the size of the file.
///
/// ```
/// "\x93NUMPY" major minor length(2 bytes in version 1, 4 in 2 and 3, little-endian)
/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   padded with spaces, ended by a newline
/// elements
/// ```
///
/// Source: NumPy Enhancement Proposal 1 and `numpy.lib.format`, versions 1.0, 2.0, 3.0. Stricter than NumPy in one respect:
/// the file ends with the last element.
struct NPYHeader {
    var element: NPYElement
    var isFortranOrder: Bool
    var shape: [Int]
    /// Product of the dimensions.
    var count: Int
    /// Offset of the first element.
    var dataOffset: Int

    /// The longest header accepted; NumPy itself refuses more than 10,000 bytes unless told otherwise.
    static let maximumLength = 1 << 20

    /// - Throws: `Failure(.data)`, naming the file, what is wrong, what was expected and what was found.
    init(file: InputFile) throws {
        let prefix = try file.bytes(at: 0, count: min(12, file.byteCount))
        guard prefix.count >= 10 else {
            throw Failure(
                .data,
                "\(file.path): expected a .npy header of at least 10 bytes, found a file of \(prefix.count) bytes")
        }
        guard Array(prefix[0..<6]) == [0x93] + Array("NUMPY".utf8) else {
            let found = prefix[0..<6].map { String(format: "%02x", $0) }.joined(separator: " ")
            throw Failure(
                .data, "\(file.path): expected the .npy magic 93 4e 55 4d 50 59, found \(found): not a NumPy array file"
            )
        }
        let version = (prefix[6], prefix[7])
        guard (1...3).contains(version.0), version.1 == 0 else {
            throw Failure(
                .data, "\(file.path): expected .npy format version 1.0, 2.0 or 3.0, found \(version.0).\(version.1)")
        }
        let start = version.0 == 1 ? 10 : 12
        let length = prefix[8..<min(start, prefix.count)].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard prefix.count >= start, length <= file.byteCount - start else {
            throw Failure(
                .data,
                "\(file.path): expected a .npy header of \(length) bytes, found the end of the file after \(file.byteCount) bytes"
            )
        }
        guard length <= Self.maximumLength else {
            throw Failure(
                .data, "\(file.path): expected a .npy header of at most \(Self.maximumLength) bytes, found \(length)")
        }
        var parser = NPYHeaderParser(path: file.path, bytes: try file.bytes(at: start, count: length))
        let fields = try parser.dictionary()
        dataOffset = start + length
        element = try NPYElement(descriptor: fields.descriptor, path: file.path)
        isFortranOrder = fields.isFortranOrder
        shape = fields.shape
        guard let count = Self.product(shape),
            case (let bytes, false) = count.multipliedReportingOverflow(by: element.byteCount)
        else {
            throw Failure(.data, "\(file.path): the shape \(shape) has more elements than can be addressed")
        }
        self.count = count
        guard file.byteCount - dataOffset == bytes else {
            let what = file.byteCount - dataOffset < bytes ? "the file is truncated" : "bytes trail the array"
            throw Failure(
                .data,
                "\(file.path): expected \(bytes) bytes of elements for shape \(shape) and dtype '\(fields.descriptor)', "
                    + "found \(file.byteCount - dataOffset): \(what)")
        }
    }

    /// The product of non-negative dimensions; nil when it overflows. Zero anywhere makes it zero.
    static func product(_ shape: [Int]) -> Int? {
        if shape.contains(0) { return 0 }
        var product = 1
        for dimension in shape {
            guard case (let next, false) = product.multipliedReportingOverflow(by: dimension) else { return nil }
            product = next
        }
        return product
    }

    /// The bytes before the elements of a C-ordered array: version 1.0, padded so that the elements begin at a multiple of 64.
    static func bytes(descriptor: String, shape: [Int]) -> [UInt8] {
        let dimensions = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
        var text = Array("{'descr': '\(descriptor)', 'fortran_order': False, 'shape': (\(dimensions)), }".utf8)
        let length = (10 + text.count + 1 + 63) / 64 * 64 - 10
        precondition(length <= 65535, "a shape of \(shape.count) dimensions exceeds a header of version 1.0")
        text += Array(repeating: UInt8(ascii: " "), count: length - 1 - text.count) + [UInt8(ascii: "\n")]
        return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 255), UInt8(length >> 8)] + text
    }
}

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
