// Arrays written here, and what is left when writing fails. Not here: arrays that NumPy wrote (NPYReadTests.swift).

import Buffers
import Failures
import Foundation
import Testing

@testable import ArrayFiles

@Suite struct NPYWriteTests {
    /// The bytes that NumPy 2.4.6 saves for the same array (Fixtures/npy/vector.npy), header padding included.
    @Test func bytesAreNumPys() throws {
        let folder = try TemporaryFolder()
        try NPYArray.write(path: folder.file("x.npy"), shape: [3], values: Floats([1, 2, 3]))
        #expect(
            try Data(contentsOf: URL(filePath: folder.file("x.npy")))
                == Data(contentsOf: URL(filePath: fixture("npy/vector.npy"))))
        #expect(folder.contents == ["x.npy"])
    }

    @Test(arguments: [
        [], [0], [1], [0, 5], [5, 0, 2], [2, 3], [300, 1000], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2],
    ])
    func whatIsWrittenIsRead(shape: [Int]) throws {
        let folder = try TemporaryFolder()
        let values = Floats((0..<shape.reduce(1, *)).map { Float(bitPattern: UInt32($0) &* 2_654_435_761) })
        try NPYArray.write(path: folder.file("x.npy"), shape: shape, values: values)
        let array = try NPYArray.read(path: folder.file("x.npy"))
        #expect(array.shape == shape)
        #expect(array.values.array.map(\.bitPattern) == values.array.map(\.bitPattern))
        let header = try NPYHeader(file: InputFile(path: folder.file("x.npy")))
        #expect(header.dataOffset % 64 == 0)
    }

    @Test func integersSurvive() throws {
        let folder = try TemporaryFolder()
        let values: [Int64] = [.min, -1, 0, 1, .max, 7]
        try NPYArray.write(path: folder.file("ids.npy"), shape: [3, 2], integers: values)
        let (shape, integers) = try NPYArray.readIntegers(path: folder.file("ids.npy"))
        #expect(shape == [3, 2] && integers == values)
    }

    @Test func rowsArriveOneByOne() throws {
        let folder = try TemporaryFolder()
        let writer = try NPYWriter(path: folder.file("x.npy"), shape: [1000, 333])
        for row in 0..<1000 {
            try writer.append(Floats((0..<333).map { Float(row * 333 + $0) }))
            #expect(!folder.contents.contains("x.npy"))
        }
        try writer.finish()
        #expect(folder.contents == ["x.npy"])
        #expect(try NPYArray.read(path: folder.file("x.npy")).values.array == (0..<333_000).map { Float($0) })
    }

    @Test func anAbandonedFileLeavesNothing() throws {
        let folder = try TemporaryFolder()
        _ = try folder.write("x.npy", [1, 2, 3])
        do {
            let writer = try NPYWriter(path: folder.file("x.npy"), shape: [1000, 1000])
            try writer.append(Floats(repeating: 1, count: 500_000))
            #expect(folder.contents.count == 2)
        }
        #expect(folder.contents == ["x.npy"])
        #expect(try Data(contentsOf: URL(filePath: folder.file("x.npy"))) == Data([1, 2, 3]))
    }

    @Test func destinationsThatCannotBe() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("file", [])
        for path in ["\(file)/x.npy", folder.file("nowhere/x.npy"), folder.path, "/dev/null"] {
            expectFailure(.cannotCreate, [path]) {
                try NPYArray.write(path: path, shape: [1], values: Floats([1]))
            }
        }
        #expect(folder.contents == ["file"])
    }

    @Test func aLinkIsFollowed() throws {
        let folder = try TemporaryFolder()
        _ = try folder.write("real.npy", [])
        try FileManager.default.createSymbolicLink(atPath: folder.file("link.npy"), withDestinationPath: "real.npy")
        try NPYArray.write(path: folder.file("link.npy"), shape: [1], values: Floats([5]))
        #expect(try NPYArray.read(path: folder.file("real.npy")).values.array == [5])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder.file("link.npy")) == "real.npy")
    }
}
