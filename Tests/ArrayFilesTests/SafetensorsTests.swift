// Files of the safetensors package (Fixtures/make_safetensors.py) and our own. Not here: files that are wrong
// (SafetensorsMalformedTests.swift).

import Buffers
import Failures
import Foundation
import Testing

@testable import ArrayFiles

@Suite struct SafetensorsTests {
    static let types = fixture("safetensors/types.safetensors")

    @Test(arguments: ["float16", "float32", "float64"]) func floatsBecomeFloat32AndFloat64(name: String) throws {
        let file = try SafetensorsFile(path: Self.types)
        #expect(file.entry(name)?.shape == [2, 3])
        #expect(try file.floats(name).array == [-2, -1, 0, 1, 2, 3])
        #expect(try file.doubles(name).array == [-2, -1, 0, 1, 2, 3])
    }

    @Test(arguments: ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"])
    func integersAreExact(name: String) throws {
        let file = try SafetensorsFile(path: Self.types)
        let expected: [Int64] =
            name == "bool" ? [1, 0, 1, 0, 1, 0] : name.hasPrefix("u") ? [0, 1, 2, 3, 4, 5] : [-2, -1, 0, 1, 2, 3]
        #expect(try file.integers(name).array == expected)
        expectFailure(.data, [Self.types, "'\(name)'", "expected F32"]) { _ = try file.floats(name) }
    }

    @Test func bfloat16IsExact() throws {
        let file = try SafetensorsFile(path: fixture("safetensors/bfloat16.safetensors"))
        #expect(file.entry("brain")?.type == .bfloat16)
        #expect(try file.floats("brain").array == [-1, -0.5, 0, 0.5, 1, 1.5])
        #expect(try file.doubles("brain").array == [-1, -0.5, 0, 0.5, 1, 1.5])
        #expect(try file.bytes("brain").count == 12)
    }

    @Test func theRestOfAFile() throws {
        let file = try SafetensorsFile(path: Self.types)
        #expect(file.names.count == 14)
        #expect(file.metadata == ["format": "np", "quote\"\\\n": "é ↑ 😀"])
        #expect(file.entry("scalar")?.shape == [])
        #expect(try file.floats("scalar").array == [2.5])
        #expect(try file.floats("empty").count == 0)
        #expect(file.entry("nothing") == nil)
        expectFailure(.data, [Self.types, "'nothing'", "float64"]) { _ = try file.floats("nothing") }
        expectFailure(.data, [Self.types, "'float32'", "expected integers"]) { _ = try file.integers("float32") }
        let none = try SafetensorsFile(path: fixture("safetensors/none.safetensors"))
        #expect(none.names.isEmpty)
        expectFailure(.data, ["'a'", "none at all"]) { _ = try none.floats("a") }
    }

    /// The package writes the same tensors to the same bytes: `{"a": float32, "b": int64}`, metadata `x: y`.
    @Test func bytesAreThePackages() throws {
        let folder = try TemporaryFolder()
        let a = SafetensorsPayload.floats(Floats([-2, -1, 0, 1, 2, 3]))
        let b = SafetensorsPayload.integers(Buffer<Int64>([0, 1, 2]))
        let expected = try Data(contentsOf: URL(filePath: fixture("safetensors/written.safetensors")))
        for tensors in [[("a", [2, 3], a), ("b", [3], b)], [("b", [3], b), ("a", [2, 3], a)]] as [[SafetensorsTensor]] {
            var observed = Data()
            let path = folder.file("x.safetensors")
            try SafetensorsWriter.write(path: path, tensors: tensors, metadata: ["x": "y"]) {
                observed.append(contentsOf: $0)
            }
            #expect(try Data(contentsOf: URL(filePath: path)) == expected)
            #expect(observed == expected)
            #expect(SafetensorsWriter.byteCount(tensors: tensors, metadata: ["x": "y"]) == expected.count)
        }
        #expect(folder.contents == ["x.safetensors"])
    }

    @Test func whatIsWrittenIsRead() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("x.safetensors")
        let bits = (0..<100_000).map { Float(bitPattern: UInt32($0) &* 2_654_435_761) }
        let strange = "a\"b\\c\u{1}é😀/"
        try SafetensorsWriter.write(
            path: path,
            tensors: [
                (strange, [100, 1000], .floats(Floats(bits))), ("double", [2], .doubles(Doubles([.pi, -0.0]))),
                ("integer", [], .integers(Buffer<Int64>([.min]))), ("empty", [3, 0], .floats(Floats([]))),
                ("half", [3], .bytes(Buffer<UInt8>([0, 0x3C, 0, 0x40, 1, 0]), .float16)),
            ], metadata: ["k\n": "v\t", strange: ""])
        let file = try SafetensorsFile(path: path)
        #expect(try file.floats(strange).array.map(\.bitPattern) == bits.map(\.bitPattern))
        #expect(try file.doubles("double").array.map(\.bitPattern) == [Double.pi.bitPattern, (-0.0).bitPattern])
        #expect(try file.floats("double").array == [Float(Double.pi), 0])
        #expect(try file.integers("integer").array == [.min])
        #expect(try file.floats("half").array == [1, 2, 0x1p-24])
        #expect(file.names == ["double", "integer", strange, "empty", "half"])
        #expect(file.metadata == ["k\n": "v\t", strange: ""])
    }

    /// A float32 tensor is a view of the mapping; writing to it does not reach the file.
    @Test func viewsDoNotReachTheFile() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("x.safetensors")
        try SafetensorsWriter.write(path: path, tensors: [("a", [2], .floats(Floats([1, 2])))])
        let view = try {
            let file = try SafetensorsFile(path: path)
            let view = try file.floats("a")
            #expect(try file.floats("a").base == view.base)
            return view
        }()
        view[0] = 7
        #expect(view.array == [7, 2])
        #expect(try SafetensorsFile(path: path).floats("a").array == [1, 2])
    }

    @Test func misalignedTensorsAreCopied() throws {
        let folder = try TemporaryFolder()
        let bytes = SafetensorsMalformedTests.file(
            #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]},"#
                + #""c":{"dtype":"F64","shape":[1],"data_offsets":[5,13]},"d":{"dtype":"I64","shape":[1],"data_offsets":[13,21]}}"#,
            data: [9, 0, 0, 0x80, 0x3F, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 3, 0, 0, 0, 0, 0, 0, 0])
        let file = try SafetensorsFile(path: folder.write("x.safetensors", bytes))
        #expect(try file.integers("a").array == [9])
        #expect(try file.floats("b").array == [1])
        #expect(try file.doubles("c").array == [1])
        #expect(try file.integers("d").array == [3])
    }
}
