// Rows of arrays that stay in their files, of every stored type. Not here: what makes the files valid.

import ArrayFiles
import Buffers
import Failures
import Foundation
import Testing

@Suite struct StoredMatrixTests {
    /// 3 rows of 2, as NumPy writes them in a type and an order, with elements 1 … 6.
    private static func npy(_ descriptor: String, fortran: Bool) -> [UInt8] {
        let order = fortran ? [1, 3, 5, 2, 4, 6] : [1, 2, 3, 4, 5, 6]
        let bytes = order.flatMap { value -> [UInt8] in
            func raw(_ number: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: number, Array.init) }
            return switch descriptor {
            case "<f2": raw(Float16(value).bitPattern)
            case "<f4": raw(Float(value).bitPattern)
            case ">f4": raw(Float(value).bitPattern.bigEndian)
            case "<f8": raw(Double(value).bitPattern)
            default: raw(Int8(value))
            }
        }
        var header = "{'descr': '\(descriptor)', 'fortran_order': \(fortran ? "True" : "False"), 'shape': (3, 2), }"
        header += String(repeating: " ", count: 117 - header.count) + "\n"
        return [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(header.utf8) + bytes
    }

    @Test(arguments: ["<f2", "<f4", ">f4", "<f8", "|i1"], [false, true])
    func rowsOfNumPy(_ descriptor: String, _ fortran: Bool) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("a.npy")
        try Data(Self.npy(descriptor, fortran: fortran)).write(to: URL(fileURLWithPath: path))
        let matrix = try StoredMatrix(npy: path)
        #expect(matrix.rows == 3 && matrix.columns == 2)
        #expect(try matrix.floats(0..<3).array == [1, 2, 3, 4, 5, 6])
        #expect(try matrix.floats(1..<2).array == [3, 4])
        #expect(try matrix.floats(2..<2).count == 0)
    }

    @Test(arguments: [SafetensorsType.float32, .float16, .bfloat16]) func rowsOfATensor(_ type: SafetensorsType) throws
    {
        let folder = try TemporaryFolder()
        let path = folder.file("a.safetensors")
        let bytes = [Float(1), 2, 3, 4].flatMap { value -> [UInt8] in
            switch type {
            case .float16: withUnsafeBytes(of: Float16(value).bitPattern, Array.init)
            case .bfloat16: withUnsafeBytes(of: UInt16(value.bitPattern >> 16), Array.init)
            default: withUnsafeBytes(of: value.bitPattern, Array.init)
            }
        }
        let header = #"{"x":{"dtype":"\#(type.rawValue)","shape":[2,2],"data_offsets":[0,\#(bytes.count)]}}"#
        try (Data(withUnsafeBytes(of: UInt64(header.utf8.count), Array.init)) + Data(header.utf8) + Data(bytes))
            .write(to: URL(fileURLWithPath: path))
        let matrix = try StoredMatrix(try SafetensorsFile(path: path), tensor: "x")
        #expect(try matrix.floats(0..<2).array == [1, 2, 3, 4])
        #expect(try matrix.floats(1..<2).array == [3, 4])
        #expect { _ = try StoredMatrix(try SafetensorsFile(path: path), tensor: "y") } throws: {
            "\($0)".contains("'y'")
        }
    }

    @Test func refusesOtherShapesAndNumbersWithoutFloat32() throws {
        let folder = try TemporaryFolder()
        let vector = folder.file("vector.npy")
        try NPYArray.write(path: vector, shape: [4], values: Floats([1, 2, 3, 4]))
        #expect { _ = try StoredMatrix(npy: vector) } throws: { "\($0)".contains("[4]") }
        let large = folder.file("large.npy")
        try NPYArray.write(path: large, shape: [2, 2], integers: [1, 2, 3, 1 << 24])
        #expect { _ = try StoredMatrix(npy: large).floats(0..<2) } throws: { "\($0)".contains("row 1") }
    }

    @Test func fingerprintSeesEveryElementAndTheShape() throws {
        let folder = try TemporaryFolder()
        var seen: Set<UInt64> = []
        for (name, shape, changed) in [("a", [5, 7], -1), ("b", [7, 5], -1), ("c", [5, 7], 34), ("d", [5, 7], 0)] {
            let values = Floats(repeating: 1, count: 35)
            if changed >= 0 { values[changed] = 2 }
            try NPYArray.write(path: folder.file(name), shape: shape, values: values)
            seen.insert(try StoredMatrix(npy: folder.file(name)).fingerprint)
        }
        #expect(seen.count == 4)
        #expect(seen.contains(try StoredMatrix(npy: folder.file("a")).fingerprint))
    }
}
