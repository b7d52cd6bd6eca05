// Arrays that NumPy wrote (Fixtures/make_npy.py). Not here: files that are wrong (NPYMalformedTests.swift), writing (NPYWriteTests.swift).

import Buffers
import Failures
import Foundation
import Testing

@testable import ArrayFiles

@Suite struct NPYReadTests {
    static let floats = [
        "little-f2", "big-f2", "little-f4", "big-f4", "little-f8", "big-f8", "fortran-f4", "fortran-f8", "version-2",
        "version-3",
    ]
    static let signed = ["little-i2", "big-i4", "little-i4", "little-i8", "big-i8", "little-i1", "fortran-i8"]
    static let unsigned = ["little-u1", "big-u2", "little-u4", "little-u8"]

    /// The formulas of make_npy.py; all values are exact in every dtype used.
    static let quarter = (0..<24).map { Float($0 - 5) * 0.25 }

    @Test(arguments: floats) func floatsBecomeFloat32(name: String) throws {
        let array = try NPYArray.read(path: fixture("npy/quarter-\(name).npy"))
        #expect(array.shape == [2, 3, 4])
        #expect(array.values.array == Self.quarter)
        #expect(try NPYArray.shape(path: fixture("npy/quarter-\(name).npy")) == [2, 3, 4])
    }

    @Test(arguments: signed.map { "signed-\($0)" } + unsigned.map { "unsigned-\($0)" } + ["boolean"])
    func integersAreReadBothWays(name: String) throws {
        let expected = (0..<24).map {
            name == "boolean" ? ($0 % 3 == 0 ? 1 : 0) : name.hasPrefix("signed") ? $0 - 5 : $0
        }
        let path = fixture("npy/\(name).npy")
        #expect(try NPYArray.read(path: path).values.array == expected.map { Float($0) })
        let (shape, integers) = try NPYArray.readIntegers(path: path)
        #expect(shape == [2, 3, 4])
        #expect(integers == expected.map { Int64($0) })
    }

    @Test(arguments: ["little-f4", "big-f8", "fortran-f4", "fortran-f8"], [0..<0, 0..<1, 1..<2, 0..<2])
    func rowsAreAPartOfTheWhole(name: String, rows: Range<Int>) throws {
        let array = try NPYArray.readRows(path: fixture("npy/quarter-\(name).npy"), rows)
        #expect(array.shape == [rows.count, 3, 4])
        #expect(array.values.array == Array(Self.quarter[rows.lowerBound * 12..<rows.upperBound * 12]))
    }

    @Test func smallestShapes() throws {
        let scalar = try NPYArray.read(path: fixture("npy/scalar.npy"))
        #expect(scalar.shape == [] && scalar.values.array == [2.5])
        let vector = try NPYArray.read(path: fixture("npy/vector.npy"))
        #expect(vector.shape == [3] && vector.values.array == [1, 2, 3])
        let empty = try NPYArray.read(path: fixture("npy/empty.npy"))
        #expect(empty.shape == [0, 7] && empty.values.count == 0)
        expectFailure(.data, ["scalar.npy", "shape []"]) {
            _ = try NPYArray.readRows(path: fixture("npy/scalar.npy"), 0..<1)
        }
        expectFailure(.data, ["vector.npy", "rows 2 to 4", "shape [3]"]) {
            _ = try NPYArray.readRows(path: fixture("npy/vector.npy"), 2..<4)
        }
    }

    @Test(arguments: [
        ("object", "pickle"), ("structured", "structured dtypes"), ("complex", "'<c8'"), ("text", "'<U2'"),
        ("date", "'<M8[D]'"),
    ])
    func unsupportedDtypesAreNamed(name: String, part: String) {
        let path = fixture("npy/refused-\(name).npy")
        expectFailure(.data, [path, part]) { _ = try NPYArray.read(path: path) }
    }

    @Test func floatsAreNotIntegers() {
        expectFailure(.data, ["vector.npy", "expected integers"]) {
            _ = try NPYArray.readIntegers(path: fixture("npy/vector.npy"))
        }
    }
}
