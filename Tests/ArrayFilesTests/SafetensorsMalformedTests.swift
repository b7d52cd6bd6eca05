// Every rule of the safetensors format, broken. Not here: good files (SafetensorsTests.swift), JSON's own grammar (StrictJSONTests.swift).

import Failures
import Foundation
import Testing

@testable import ArrayFiles

@Suite struct SafetensorsMalformedTests {
    static func file(_ header: String, length: UInt64? = nil, data: [UInt8] = []) -> [UInt8] {
        let length = length ?? UInt64(header.utf8.count)
        return withUnsafeBytes(of: length.littleEndian) { Array($0) } + Array(header.utf8) + data
    }

    /// A header of one-byte tensors given as `name: begin–end`, or with a type and shape of their own.
    static func tensor(_ name: String, _ dtype: String, _ shape: String, _ offsets: String) -> String {
        #""\#(name)":{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":\#(offsets)}"#
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let rule: String
        let bytes: [UInt8]
        let parts: [String]
        var testDescription: String { rule }
    }

    static func header(_ rule: String, _ members: [String], data: Int = 0, _ parts: [String]) -> Case {
        Case(
            rule: rule, bytes: file("{\(members.joined(separator: ","))}", data: [UInt8](repeating: 0, count: data)),
            parts: parts)
    }

    static let cases: [Case] = [
        Case(rule: "empty file", bytes: [], parts: ["at least 8 bytes", "0 bytes"]),
        Case(rule: "seven bytes", bytes: [1, 0, 0, 0, 0, 0, 0], parts: ["at least 8 bytes", "7 bytes"]),
        Case(
            rule: "length beyond the limit", bytes: file("{}", length: 100_000_001),
            parts: ["at most 100000000", "100000001"]),
        Case(
            rule: "length of 2⁶⁴ − 1", bytes: file("{}", length: .max),
            parts: ["at most 100000000", "18446744073709551615"]),
        Case(
            rule: "length beyond the file", bytes: file("{}", length: 3),
            parts: ["header of 3 bytes", "after 10 bytes"]),
        Case(rule: "no header", bytes: file(""), parts: ["begins with '{'", "none"]),
        Case(rule: "space before", bytes: file(" {}"), parts: ["begins with '{'", "byte 32"]),
        Case(rule: "an array", bytes: file("[]"), parts: ["begins with '{'"]),
        Case(rule: "not JSON", bytes: file("{a}"), parts: ["header, byte 9", "a key in quotation marks"]),
        Case(rule: "text after", bytes: file("{} x"), parts: ["nothing after the value", "'x'"]),
        Case(rule: "zero after", bytes: file("{}\u{0}"), parts: ["nothing after the value"]),
        Case(
            rule: "not UTF-8",
            bytes: withUnsafeBytes(of: UInt64(6)) { Array($0) } + [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x7D], parts: ["UTF-8"]
        ),
        header(
            "tensor twice", [tensor("a", "U8", "[1]", "[0,1]"), tensor("a", "U8", "[1]", "[0,1]")], data: 1,
            ["'a' twice"]),
        header(
            "canonical duplicate",
            [tensor(#"\u00e9"#, "U8", "[1]", "[0,1]"), tensor(#"e\u0301"#, "U8", "[1]", "[1,2]")],
            data: 2, ["each key once"]),
        header(
            "canonical duplicate of metadata", [#""__metadata__":{"\u00e9":"a","e\u0301":"b"}"#],
            ["__metadata__", "each key once"]),
        header(
            "escaped duplicate", [tensor("a", "U8", "[1]", "[0,1]"), tensor(#"\u0061"#, "U8", "[1]", "[0,1]")], data: 1,
            ["'a' twice"]),
        header(
            "field twice", [#""a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}"#], data: 1,
            ["'dtype' twice"]),
        header("metadata twice", [#""__metadata__":{},"__metadata__":{}"#], ["'__metadata__' twice"]),
        header("metadata not an object", [#""__metadata__":[]"#], ["__metadata__", "object of strings"]),
        header("metadata not strings", [#""__metadata__":{"k":1}"#], ["__metadata__ 'k'", "string"]),
        header("tensor not an object", [#""a":1"#], ["'a'", "expected an object"]),
        header("no dtype", [#""a":{"shape":[1],"data_offsets":[0,1]}"#], data: 1, ["'a'", "'dtype' is missing"]),
        header("no shape", [#""a":{"dtype":"U8","data_offsets":[0,1]}"#], data: 1, ["'a'", "'shape' is missing"]),
        header("no offsets", [#""a":{"dtype":"U8","shape":[1]}"#], data: 1, ["'a'", "'data_offsets' is missing"]),
        header(
            "unknown field", [#""a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}"#], data: 1,
            ["'a'", "found 'x'"]),
        header("unknown dtype", [tensor("a", "F7", "[1]", "[0,1]")], data: 1, ["'a'", "'F7' is not supported"]),
        header(
            "dtype not a string", [#""a":{"dtype":8,"shape":[1],"data_offsets":[0,1]}"#], data: 1, ["'a'", "a string"]),
        header("negative dimension", [tensor("a", "U8", "[-1]", "[0,1]")], data: 1, ["'a'", "'shape'", "from 0"]),
        header("fractional dimension", [tensor("a", "U8", "[1.0]", "[0,1]")], data: 1, ["'a'", "'shape'", "integers"]),
        header(
            "dimension of 2⁶³", [tensor("a", "U8", "[9223372036854775808]", "[0,1]")], data: 1,
            ["'a'", "'shape'", "2⁶³"]),
        header("shape not an array", [tensor("a", "U8", "1", "[0,1]")], data: 1, ["'a'", "'shape' to be an array"]),
        header(
            "elements overflow", [tensor("a", "U8", "[4294967296,4294967296]", "[0,1]")], data: 1, ["'a'", "addressed"]),
        header("bytes overflow", [tensor("a", "F64", "[2305843009213693952]", "[0,0]")], ["'a'", "addressed"]),
        header("one offset", [tensor("a", "U8", "[1]", "[0]")], data: 1, ["'a'", "2 data_offsets, found 1"]),
        header("negative offset", [tensor("a", "U8", "[1]", "[-1,0]")], data: 1, ["'a'", "'data_offsets'", "from 0"]),
        header("reversed offsets", [tensor("a", "U8", "[1]", "[1,0]")], data: 1, ["'a'", "end before they begin"]),
        header(
            "size against shape", [tensor("a", "F32", "[2]", "[0,4]")], data: 4, ["'a'", "expected 8 bytes", "[0, 4]"]),
        header("first tensor late", [tensor("a", "U8", "[1]", "[1,2]")], data: 2, ["'a'", "hole"]),
        header(
            "hole", [tensor("a", "U8", "[1]", "[0,1]"), tensor("b", "U8", "[1]", "[2,3]")], data: 3,
            ["'b'", "expected 1", "hole"]),
        header(
            "overlap", [tensor("a", "U8", "[2]", "[0,2]"), tensor("b", "U8", "[2]", "[1,3]")], data: 3,
            ["'b'", "overlaps"]),
        header(
            "two at one place", [tensor("a", "U8", "[1]", "[0,1]"), tensor("b", "U8", "[1]", "[0,1]")], data: 1,
            ["'b'", "overlaps"]),
        header(
            "truncated", [tensor("a", "U8", "[1]", "[0,1]"), tensor("b", "U8", "[2]", "[1,3]")], data: 2,
            ["'b'", "byte 3 of 2", "truncated"]),
        header("trailing byte", [tensor("a", "U8", "[1]", "[0,1]")], data: 2, ["1 bytes behind"]),
        header("bytes and no tensor", [], data: 1, ["1 bytes behind"]),
    ]

    @Test(arguments: cases) func brokenRulesAreNamed(wrong: Case) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("x.safetensors", wrong.bytes)
        expectFailure(.data, [path] + wrong.parts) { _ = try SafetensorsFile(path: path) }
    }

    /// What the format allows and this project's writer does not make.
    @Test(arguments: [
        "{}        ", "{ }\n",
        "{\(tensor("b", "U8", "[1]", "[1,2]")),\(tensor("e", "F32", "[0]", "[1,1]")),\(tensor("a", "U8", "[1]", "[0,1]"))}",
        "{\(tensor("a", "F8_E4M3", "[1,2]", "[0,2]"))}", "{\(tensor("a", "I8", "[2]", "[0,2]"))}",
    ]) func otherSpellingsAreRead(header: String) throws {
        let folder = try TemporaryFolder()
        let data = header.contains("dtype") ? [UInt8(3), 4] : []
        let file = try SafetensorsFile(path: folder.write("x.safetensors", Self.file(header, data: data)))
        if !data.isEmpty { #expect(try file.bytes("a")[0] == 3) }
    }

    @Test func valuesThatDoNotFit() throws {
        let folder = try TemporaryFolder()
        let big = Self.file("{\(Self.tensor("a", "U64", "[1]", "[0,8]"))}", data: [UInt8](repeating: 0xFF, count: 8))
        let path = try folder.write("x.safetensors", big)
        expectFailure(.data, [path, "'a'", "element 0", "2⁶³"]) { _ = try SafetensorsFile(path: path).integers("a") }
        let wide = Self.file("{\(Self.tensor("a", "F64", "[1]", "[0,8]"))}", data: [0, 0, 0, 0, 0, 0, 0xEF, 0x7F])
        let second = try folder.write("y.safetensors", wide)
        expectFailure(.data, [second, "'a'", "element 0", "float32's range"]) {
            _ = try SafetensorsFile(path: second).floats("a")
        }
        let coded = Self.file("{\(Self.tensor("a", "F8_E5M2", "[1]", "[0,1]"))}", data: [0])
        let third = try folder.write("z.safetensors", coded)
        expectFailure(.data, [third, "'a'", "F8_E5M2"]) { _ = try SafetensorsFile(path: third).floats("a") }
    }

    @Test func absentFilesAreMissing() throws {
        let folder = try TemporaryFolder()
        expectFailure(.inputMissing, [folder.path]) { _ = try SafetensorsFile(path: folder.path) }
        expectFailure(.inputMissing, ["nothing"]) { _ = try SafetensorsFile(path: folder.file("nothing")) }
        let file = try folder.write("file", [])
        expectFailure(.cannotCreate, ["\(file)/x"]) { try SafetensorsWriter.write(path: "\(file)/x", tensors: []) }
    }
}
