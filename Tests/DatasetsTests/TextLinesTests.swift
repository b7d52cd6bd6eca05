// Plain text, one row a line. Not here: lines that are JSON (JSONLDatasetTests).

import Failures
import Foundation
import Testing

@testable import Datasets

@Suite struct TextLinesTests {
    @Test(arguments: ["one\n two\r\nthree", "one\n two\r\nthree\n"]) func linesAreRows(text: String) throws {
        let folder = try TemporaryFolder()
        let lines = try TextLines(path: try folder.write("a.txt", text.utf8), prefix: "query: ")
        #expect(lines.ids == [0, 1, 2])
        #expect(try (0..<3).map { try lines.row($0).query.displayText } == ["one", " two", "three"])
        let side = PairSide.text(" two", alternatives: [])
        #expect(
            try lines.row(1)
                == PairRow(
                    query: side, target: side, queryPrefix: "query: ", targetPrefix: "query: ", place: "\(lines.name):2"
                ))
    }

    /// What stands for features is for people: it is no text.
    @Test func onlyTextsAreTexts() {
        #expect(PairSide.features([1, 2]).texts.isEmpty && PairSide.picture(.file("a.png")).texts.isEmpty)
        #expect(PairSide.text("a", alternatives: ["b"]).texts == ["a"])
        #expect(PairSide.choice(["a", "b"]).texts == ["a", "b"])
    }

    @Test func anEmptyFileHasNoRows() throws {
        let folder = try TemporaryFolder()
        #expect(try TextLines(path: try folder.write("a.txt", "".utf8)).count == 0)
    }

    @Test func compressedTextIsText() throws {
        _ = try SourceFixture.rows.get()
        let plain = try TextLines(path: SourceFixture.jsonl.path)
        let packed = try TextLines(path: SourceFixture.packedJSONL.path)
        // The two files differ in their sixth line.
        #expect(packed.count == 12 && plain.count == 12)
        for row in [0, 11] { #expect(try packed.row(row).query == plain.row(row).query) }
    }

    @Test func fingerprintsTellFilesApart() throws {
        let folder = try TemporaryFolder()
        let prints = try ["a\nb\n", "a\nc\n", "ab\n"].enumerated().map { index, text in
            try TextLines(path: try folder.write("\(index).txt", text.utf8)).fingerprint
        }
        #expect(Set(prints).count == 3)
    }

    @Test func wrongLinesAreNamed() throws {
        let folder = try TemporaryFolder()
        let empty = try folder.write("a.txt", "one\n \r\nthree\n".utf8)
        #expect(failureMessage(.data) { _ = try TextLines(path: empty) }.hasPrefix("\(empty):2 is empty"))
        let bytes = try folder.write("b.txt", Array("one\n".utf8) + [0xFF, 0x0A])
        #expect(failureMessage(.data) { _ = try TextLines(path: bytes) } == "\(bytes):2 is not UTF-8 text")
        #expect(failureMessage(.inputMissing) { _ = try TextLines(path: "/nowhere") }.contains("/nowhere"))
    }

    /// Lines are read when they are asked for, not kept.
    @Test func linesStayInTheirFile() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.txt", (String(repeating: "one line\n", count: 1000) + "two\n").utf8)
        let lines = try TextLines(path: path)
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        try handle.seek(toOffset: 9000)
        try handle.write(contentsOf: Data("TWO".utf8))
        try handle.close()
        #expect(try lines.row(1000).query.displayText == "TWO")
    }
}
