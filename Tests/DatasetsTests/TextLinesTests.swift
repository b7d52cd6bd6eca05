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

    /// What `cat a.gz b.gz` and parallel packers write: members one behind the other; and zeros behind the last.
    @Test func gzipMembersFollowEachOther() throws {
        _ = try SourceFixture.rows.get()
        let folder = try TemporaryFolder()
        let member = try Data(contentsOf: URL(fileURLWithPath: SourceFixture.packedJSONL.path))
        let lines = try TextLines(path: try folder.write("a.txt.gz", member + member + Data(count: 100_000)))
        #expect(lines.count == 24)
        for row in [0, 11] { #expect(try lines.row(row).query == lines.row(row + 12).query) }
    }

    /// Unpacked text is text, whatever an archiver's library would make of it: here uuencoded lines.
    @Test func unpackedTextStaysAsItIs() throws {
        _ = try SourceFixture.rows.get()
        let folder = try TemporaryFolder()
        let packed = try #require(
            Data(base64Encoded: "H4sIAAAAAAAC/0tKTc/MUzAzMVFI5FK2MNN05krgSs1L4QIASVnpORgAAAA="))
        let lines = try TextLines(path: try folder.write("a.txt.gz", packed))
        let texts = try (0..<lines.count).map { try lines.row($0).query.displayText }
        #expect(texts == ["begin 644 a", "#86)C", "`", "end"])
    }

    /// A byte order mark is no part of the first line.
    @Test func byteOrderMarksArePassedOver() throws {
        let folder = try TemporaryFolder()
        let lines = try TextLines(path: try folder.write("a.txt", "\u{FEFF}one\ntwo\n".utf8))
        // By bytes: strings are equal where only their canonical forms are.
        for (row, text) in ["one", "two"].enumerated() {
            #expect(try lines.row(row).query.displayText.utf8.elementsEqual(text.utf8))
        }
        #expect(try TextLines(path: try folder.write("b.txt", "\u{FEFF}".utf8)).count == 0)
    }

    @Test func longLinesAreRefused() throws {
        let folder = try TemporaryFolder()
        let text = "one\n" + String(repeating: "x", count: RecordScanner.maximumBytes + 1)
        let path = try folder.write("a.txt", text.utf8)
        #expect(failureMessage(.data) { _ = try TextLines(path: path) } == "\(path):2 is longer than 16 MiB")
    }

    /// The same of judgements: what stands before the first query is no part of its name.
    @Test func judgementsBehindAByteOrderMark() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("test.tsv", "\u{FEFF}q1\td1\t1\r\nq2\td1\t0\r\n".utf8)
        let judgements = try RelevanceJudgements(path: path)
        #expect(judgements.queries[0].utf8.elementsEqual("q1".utf8))
        #expect(judgements.grades == ["q1": ["d1": 1], "q2": ["d1": 0]])
    }

    /// A class whose folder is a link has pictures.
    @Test func classesThatAreLinks() throws {
        let folder = try TemporaryFolder()
        try folder.picture("elsewhere/1.png", index: 1)
        try folder.picture("classes/b/2.png", index: 2)
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/classes/a", withDestinationPath: "\(folder.path)/elsewhere")
        let pictures = try LabelledPictures(path: "\(folder.path)/classes", column: Column(nil, .picture))
        #expect(pictures.labels == ["a", "b"])
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
