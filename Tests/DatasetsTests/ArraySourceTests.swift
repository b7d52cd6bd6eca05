// Pairs of precomputed features from files of arrays. Not here: the files' formats (ArrayFilesTests).

import ArrayFiles
import Buffers
import Failures
import Foundation
import Testing

@testable import Datasets

@Suite struct ArraySourceTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(_ name: String, rows: Int, columns: Int, first: Float = 0) throws {
        let values = Floats((0..<rows * columns).map { first + Float($0) })
        try NPYArray.write(path: "\(folder.path)/\(name)", shape: [rows, columns], values: values)
    }

    private func source(_ query: String = "q", _ target: String = "t.npy") throws -> ArraySource {
        try ArraySource(path: folder.path, query: Column(query, .features), target: Column(target, .features))
    }

    @Test func pairsOfAFolder() throws {
        try write("q.npy", rows: 3, columns: 2)
        try write("t.npy", rows: 3, columns: 4, first: 100)
        let source = try source()
        #expect(source.count == 3)
        #expect(Set(source.ids).count == 3)
        let row = try source.row(1)
        #expect(row.query == .features([2, 3]))
        #expect(row.target == .features([104, 105, 106, 107]))
        let before = source.fingerprint
        try NPYArray.write(path: "\(folder.path)/ids.npy", shape: [3], integers: [7, 8, 7])
        let named = try self.source()
        #expect(named.ids[0] == named.ids[2] && named.ids[0] != named.ids[1])
        #expect(named.fingerprint != before)
    }

    /// Features have one format; another that is asked for is not passed over.
    @Test func anotherFormatIsRefused() throws {
        try write("q.npy", rows: 3, columns: 2)
        try write("t.npy", rows: 3, columns: 4)
        let columns = SourceColumns(query: Column("q", .features), target: Column("t", .features))
        func open(_ format: DataFormat?) throws -> Int {
            try SourceDescription(paths: [folder.path], format: format, columns: columns).open().count
        }
        #expect(try open(nil) == 3 && open(.arrays) == 3)
        #expect(failureMessage(.configuration) { _ = try open(.csv) }.contains("format csv"))
    }

    /// Arrays are no texts and no pictures: refused when they are opened, whatever is done about unreadable rows.
    @Test(arguments: [ColumnKind.text, .picture]) func otherKindsAreRefused(_ kind: ColumnKind) throws {
        try write("x.npy", rows: 3, columns: 2)
        let path = "\(folder.path)/x.npy"
        func open(_ format: DataFormat? = nil) throws {
            let columns = SourceColumns(query: Column(nil, kind), target: Column(nil, kind))
            _ = try SourceDescription(paths: [path], format: format, columns: columns).open(
                onError: .skip(maximumShare: 1))
        }
        let message = failureMessage(.data) { try open() }
        #expect(message.contains(path) && message.contains("\(kind.rawValue)s"), "\(message)")
        #expect(failureMessage(.configuration) { try open(.arrays) }.contains(path))
    }

    @Test func mistakesAreNamed() throws {
        try write("q.npy", rows: 3, columns: 2)
        try write("t.npy", rows: 4, columns: 2)
        func message(_ body: () throws -> Void) -> String {
            do { try body() } catch { return "\(error)" }
            return ""
        }
        #expect(message { _ = try source() }.contains("3 rows"))
        let missing = message { _ = try source("q", "missing") }
        #expect(missing.contains("missing.npy") && missing.contains("the folder has q.npy, t.npy"))
        #expect(missing.contains("queries.npy and targets.npy"))
        #expect(message { _ = try source("../q", "q") }.contains("inside the folder"))
        #expect(message { _ = try source("../\u{301}q", "q") }.contains("inside the folder"))
        #expect(message { _ = try source("/etc/passwd", "q") }.contains("inside the folder"))
        try NPYArray.write(path: "\(folder.path)/ids.npy", shape: [2], integers: [7, 8])
        #expect(message { _ = try source("q", "q") }.contains("2 entries for 3 rows"))
        try NPYArray.write(path: "\(folder.path)/bad.npy", shape: [3, 1], values: Floats([1, .nan, 3]))
        try FileManager.default.removeItem(atPath: "\(folder.path)/ids.npy")
        let bad = try source("bad", "bad")
        #expect(try bad.row(0).query == .features([1]))
        #expect(message { _ = try bad.row(1) }.contains("row 1"))
    }
}
