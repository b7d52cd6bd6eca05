// Every way a .npy file can be wrong. Not here: files that NumPy wrote (NPYReadTests.swift).

import Buffers
import Failures
import Foundation
import Testing

@testable import ArrayFiles

@Suite struct NPYMalformedTests {
    /// A file made of its parts, so that each can be wrong.
    static func npy(
        _ dictionary: String, version: [UInt8] = [1, 0], length: Int? = nil, elements: Int = 24, magic: [UInt8]? = nil
    ) -> [UInt8] {
        let header = Array(dictionary.utf8)
        let length = length ?? header.count
        let width = version[0] == 1 ? 2 : 4
        let bytes = (0..<width).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
        return (magic ?? [0x93] + Array("NUMPY".utf8)) + version + bytes + header
            + [UInt8](repeating: 0, count: elements)
    }

    static let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n"

    /// Header, and what the message says.
    static let headers: [(String, [String])] = [
        ("", ["expected '{'", "the end of the header"]),
        ("[1]", ["expected '{'", "found '[1]'"]),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", ["expected '}'", "the end of the header"]),
        ("{'descr': '<f4', 'fortran_order': False}", ["expected the key 'shape'", "none"]),
        ("{'descr': '<f4', 'shape': (2, 3)}", ["expected the key 'fortran_order'"]),
        ("{'fortran_order': False, 'shape': (2, 3)}", ["expected the key 'descr'"]),
        ("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", ["'descr' twice"]),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}", ["'more'"]),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} x", ["nothing after the dictionary", "'x'"]),
        ("{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}", ["True or False"]),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3]}", ["expected '('"]),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (6)}", ["one dimension"]),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}", ["a dimension", "'-2, 3)}'"]),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3.0)}", ["expected ')'", "found '.0)}'"]),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808, 3)}", ["a dimension below 2⁶³"]),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", ["addressed", "4294967296"]),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, )}", ["addressed"]),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846975, )}", ["truncated"]),
        ("{'descr': '<f4, 'fortran_order': False, 'shape': (2, 3)}", ["byte"]),
        ("{'descr': '<f4", ["closing quote"]),
        ("{descr: '<f4', 'fortran_order': False, 'shape': (2, 3)}", ["a quoted string"]),
        ("{'descr': '<f3', 'fortran_order': False, 'shape': (2, 3)}", ["'<f3'", "astype"]),
        ("{'descr': '|f4', 'fortran_order': False, 'shape': (2, 3)}", ["'|f4'"]),
        ("{'descr': '<b2', 'fortran_order': False, 'shape': (2, 3)}", ["'<b2'"]),
        ("{'descr': '', 'fortran_order': False, 'shape': (2, 3)}", ["''"]),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3)}", ["pickle"]),
        ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3)}", ["structured"]),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4)}", ["expected 32 bytes", "found 24", "truncated"]),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}", ["expected 16 bytes", "found 24", "trail"]),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3)}", ["expected 0 bytes", "trail"]),
        (
            "{'descr': '<f4', 'fortran_order': True, 'shape': (\(String(repeating: "1,", count: 64))6)}",
            ["at most 64 dimensions, found 65"]
        ),
    ]

    @Test(arguments: headers) func wrongHeadersAreNamed(header: String, parts: [String]) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("x.npy", Self.npy(header))
        expectFailure(.data, [path] + parts) { _ = try NPYArray.read(path: path) }
        expectFailure(.data, [path]) { _ = try NPYArray.shape(path: path) }
    }

    static let files: [([UInt8], [String])] = [
        ([], ["at least 10 bytes", "0 bytes"]),
        (Array(npy(good).prefix(9)), ["at least 10 bytes", "9 bytes"]),
        (Array(npy(good).prefix(11)), ["the end of the file after 11 bytes"]),
        (npy(good, magic: Array("PKzip!".utf8)), ["magic", "50 4b"]),
        (npy(good, version: [4, 0]), ["4.0"]), (npy(good, version: [1, 1]), ["1.1"]),
        (npy(good, version: [0, 0]), ["0.0"]),
        (npy(good, length: 65535), ["65535 bytes", "the end of the file"]),
        (npy(good, version: [2, 0], length: 0xFFFF_FFFF), ["4294967295 bytes"]),
        (Array(npy(good, version: [2, 0]).prefix(10)), ["the end of the file after 10 bytes"]),
        (npy(good, version: [2, 0], length: 2_000_000, elements: 2_000_000), ["at most 1048576 bytes"]),
        (Array(npy(good).dropLast()), ["expected 24 bytes", "found 23", "truncated"]),
        (npy(good) + [0], ["expected 24 bytes", "found 25", "trail"]),
    ]

    @Test(arguments: files.indices) func wrongFilesAreNamed(index: Int) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("x.npy", Self.files[index].0)
        expectFailure(.data, [path] + Self.files[index].1) { _ = try NPYArray.read(path: path) }
    }

    /// Legal, though NumPy does not write it so.
    @Test(arguments: [
        "{\"shape\":(2L,3),\"fortran_order\":False,\"descr\":\"=f4\"}",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}   \n",
        good,
    ])
    func otherSpellingsAreRead(header: String) throws {
        let folder = try TemporaryFolder()
        let array = try NPYArray.read(path: folder.write("x.npy", Self.npy(header)))
        #expect(array.shape == [2, 3] && array.values.array == [0, 0, 0, 0, 0, 0])
    }

    /// Dtype, little-endian bytes of one element, the value or a part of the message.
    static let values: [(String, [UInt8], Float?, String)] = [
        ("<i4", [0xFF, 0xFF, 0xFF, 0], 16_777_215, ""), ("<i4", [1, 0, 0, 0xFF], -16_777_215, ""),
        ("<i4", [0, 0, 0, 1], nil, "2²⁴"), ("<i8", [0, 0, 0, 0, 0, 0, 0, 0x80], nil, "2²⁴"),
        ("<u8", [UInt8](repeating: 0xFF, count: 8), nil, "2²⁴"), ("<f2", [0xFF, 0x7B], 65504, ""),
        ("<f2", [1, 0], 0x1p-24, ""), ("<f2", [0, 0xFC], -.infinity, ""),
        // The largest double below 2¹²⁸ rounds to infinity; infinity itself is a value.
        ("<f8", [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xEF, 0x47], nil, "beyond float32"),
        ("<f8", [0, 0, 0, 0, 0, 0, 0xF0, 0x7F], .infinity, ""),
        // 1 + 2⁻²⁴ lies halfway between two floats: to even.
        ("<f8", [0, 0, 0, 0x10, 0, 0, 0xF0, 0x3F], 1, ""), ("|b1", [7], 1, ""),
    ]

    @Test(arguments: values.indices) func valuesThatFloat32CannotHoldAreRefused(index: Int) throws {
        let (descriptor, bytes, value, part) = Self.values[index]
        let folder = try TemporaryFolder()
        let header = "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': (2,)}"
        let zero = [UInt8](repeating: 0, count: bytes.count)
        let path = try folder.write("x.npy", Self.npy(header, elements: 0) + zero + bytes)
        if let value {
            #expect(try NPYArray.read(path: path).values.array == [0, value])
        } else {
            expectFailure(.data, [path, "element 1", part]) { _ = try NPYArray.read(path: path) }
        }
    }

    @Test func unsignedBeyondInt64IsRefused() throws {
        let folder = try TemporaryFolder()
        let header = "{'descr': '<u8', 'fortran_order': False, 'shape': (1,)}"
        let path = try folder.write("x.npy", Self.npy(header, elements: 0) + [UInt8](repeating: 0xFF, count: 8))
        expectFailure(.data, [path, "2⁶³", "element 0"]) { _ = try NPYArray.readIntegers(path: path) }
    }

    @Test func absentInputsAreMissing() throws {
        let folder = try TemporaryFolder()
        expectFailure(.inputMissing, [folder.path, "directory"]) { _ = try NPYArray.read(path: folder.path) }
        let nothing = folder.file("nothing.npy")
        expectFailure(.inputMissing, [nothing, "No such file"]) { _ = try NPYArray.read(path: nothing) }
        let pipe = folder.file("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        expectFailure(.inputMissing, [pipe, "regular file"]) { _ = try NPYArray.read(path: pipe) }
    }
}
