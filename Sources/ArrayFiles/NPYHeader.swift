// The header of a .npy file: what it says. Not here: its grammar (NPYHeaderParser.swift), elements (StoredNumber.swift).

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
    var element: StoredNumber
    var isFortranOrder: Bool
    var shape: [Int]
    /// Product of the dimensions.
    var count: Int
    /// Offset of the first element.
    var dataOffset: Int

    /// The longest header accepted; NumPy itself refuses more than 10,000 bytes unless told otherwise.
    static let maximumLength = 1 << 20
    /// The most dimensions accepted: NumPy's own limit.
    static let maximumDimensions = 64

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
                .data,
                "\(file.path): expected the .npy magic 93 4e 55 4d 50 59, found \(found): not a NumPy array file; "
                    + "numpy.save and fanoise embed write such files")
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
        element = try StoredNumber(descriptor: fields.descriptor, path: file.path)
        isFortranOrder = fields.isFortranOrder
        shape = fields.shape
        guard shape.count <= Self.maximumDimensions else {
            throw Failure(
                .data, "\(file.path): expected at most \(Self.maximumDimensions) dimensions, found \(shape.count)")
        }
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

extension StoredNumber {
    /// - Parameter descriptor: byte order (`<` `>` `=` `|`), kind letter, bytes: `<f4`.
    /// - Throws: `Failure(.data)`: what is not supported, and what to do.
    init(descriptor: String, path: String) throws {
        let characters = Array(descriptor)
        let kinds: [Character: (kind: Kind, sizes: [Int])] = [
            "f": (.float, [2, 4, 8]), "i": (.integer, [1, 2, 4, 8]), "u": (.unsigned, [1, 2, 4, 8]),
            "b": (.boolean, [1]),
        ]
        guard characters.count == 3, characters[2].isASCII, let size = characters[2].wholeNumberValue,
            let (kind, sizes) = kinds[characters[1]], sizes.contains(size),
            "<>=".contains(characters[0]) || characters[0] == "|" && size == 1
        else {
            if descriptor.dropFirst().first == "O" || descriptor == "O" {
                throw Failure(
                    .data,
                    "\(path): object arrays hold Python pickles, which can run code and are never read; save a numeric dtype"
                )
            }
            throw Failure(
                .data,
                "\(path): expected a dtype f2, f4, f8, i1 to i8, u1 to u8 or b1, found '\(descriptor)'; convert it with .astype(numpy.float32)"
            )
        }
        let hostIsLittle = 1.littleEndian == 1
        let isSwapped =
            size > 1 && (characters[0] == "<" && !hostIsLittle || characters[0] == ">" && hostIsLittle)
        self.init(kind: kind, byteCount: size, isSwapped: isSwapped)
    }
}
