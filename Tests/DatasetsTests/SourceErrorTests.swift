// Files that are wrong, format by format: what is said, and that rows can be left out. Not here: JSON's syntax (JSONLDatasetTests).

import Failures
import Foundation
import Testing

@testable import Datasets

@Suite struct SourceErrorTests {
    private static func open(
        _ path: String, query: String? = nil, kind: ColumnKind = .text, onError: RowErrorPolicy = .fail
    ) throws -> any PairSource {
        _ = try SourceFixture.rows.get()
        let columns = SourceColumns(query: Column(query, kind), target: Column(nil, .text))
        return try SourceDescription(paths: [path], columns: columns).open(onError: onError)
    }

    /// File, content, and what is said behind the file's name.
    private static let wrongTexts: [(name: String, text: String, message: String)] = [
        ("a.csv", "query,answer\n\"one,two\n3,4\n", ":2: the quotation mark that opens a field is never closed"),
        ("a.csv", "query,answer\n\"a\nb\",\"c\nd,e\n", ":3: the quotation mark that opens a field is never closed"),
        ("a.csv", "query,answer\n1,2\n\n\"a\nb\",c\n5\n", ":6: 1 fields, but the header names 2"),
        ("a.csv", "query,answer\n1,2,3\n", ":2: 3 fields, but the header names 2"),
        ("a.csv", "query,query\n1,2\n", ":1: the header names the field 'query' twice"),
        ("a.csv", "query,answer\n\"a\"b,c\n", ":2: something follows the quotation mark that closes field 1"),
        ("a.csv", "query,answer\na,\n", ":2: answer is empty"),
        ("a.csv", "query,answer\n", " has no rows"),
        ("a.csv", "", " has no rows"),
        ("a.csv", String(repeating: ",", count: 5000) + "\n1\n", ":1: more than 4096 fields"),
        ("a.tsv", "query\tanswer\na\n", ":2: 1 fields, but the header names 2"),
        ("a.tsv", "query\tanswer\na\tb\n\t\n", ":3: query is empty"),
        ("a.csv", "query,answer\na,b\n,\n", ":3: query is empty"),
        ("a.csv", "here,there\n1,2\n", ":2: no field is known to hold the query's text; there are: here, there"),
        ("a.csv", "sentence1,sentence2,label\n1,2,0\n", ":2: the field label says that a row may be no pair"),
        ("a.jsonl", #"{"query": "a", "pos": []}"#, ":1: pos is a list, but not of one text or more"),
        ("a.jsonl", #"{"query": "a", "pos": ["b", ""]}"#, ":1: a text of pos is empty"),
        ("a.jsonl", #"{"query": "a", "pos": ["b"], "neg": [7]}"#, ":1: neg is neither a text nor a list of texts"),
        ("a.jsonl", #"{"query": "a", "positive_passages": [{"title": "x"}]}"#, "not of one text or more"),
    ]

    @Test(arguments: wrongTexts.indices) func wrongTextsAreNamed(index: Int) throws {
        let (name, text, expected) = Self.wrongTexts[index]
        let folder = try TemporaryFolder()
        let path = try folder.write(name, text.utf8)
        let message = failureMessage(.data) { _ = try Self.open(path) }
        #expect(message.hasPrefix(path) && message.contains(expected), "\(message)")
    }

    /// A file with known names says that they would be recognised.
    @Test func namesThatAutoKnowsAreNamed() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.jsonl", #"{"anchor": "a", "positive": "b"}"#.utf8)
        let message = failureMessage(.data) { _ = try Self.open(path, query: "query") }
        #expect(message.hasPrefix("\(path):1: the field query is missing; there are: anchor, positive; "), "\(message)")
        #expect(message.hasSuffix("data.query.column: auto would take anchor"), "\(message)")
        let other = try folder.write("b.jsonl", #"{"here": "a", "positive": "b"}"#.utf8)
        let plain = failureMessage(.data) { _ = try Self.open(other, query: "query") }
        #expect(plain.hasSuffix("there are: here, positive"), "\(plain)")
    }

    @Test func bytesThatAreNoTextAreNamed() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.csv", Array("query,answer\nx,y\nx,".utf8) + [0xFF] + Array("\n".utf8))
        #expect(failureMessage(.data) { _ = try Self.open(path) } == "\(path):3: field 2 is not UTF-8")
        let source = try Self.open(path, onError: .skip(maximumShare: 0.5))
        #expect(source.count == 1 && source.skipped == 1 && source.skippedReasons.count == 1)
    }

    /// A quotation mark too many takes in the rows up to the next one: they count. Up to the end of the file, it is an error always.
    @Test func rowsInsideQuotationMarksAreCounted() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.csv", "query,answer\n1,a\n\"2,b\n3,c\n4,d\"\n5,e\n".utf8)
        let source = try Self.open(path, onError: .skip(maximumShare: 0.6))
        #expect(source.count == 2 && source.skipped == 3 && source.skippedReasons.count == 1)
        #expect(try source.row(1).place == "\(path):6")
        #expect(failureMessage(.data) { _ = try Self.open(path, onError: .skip(maximumShare: 0.5)) }.contains("3 of 5"))
        let open = try folder.write("b.csv", "query,answer\n1,a\n2,\"b\n3,c\n4,d\n".utf8)
        let message = failureMessage(.data) { _ = try Self.open(open, onError: .skip(maximumShare: 1)) }
        #expect(message.hasPrefix("\(open):3: the quotation mark"), "\(message)")
    }

    /// Each field of negatives is looked up among all fields: as many as a row may have are refused before that takes minutes.
    @Test func manyFieldsOfNegativesAreRefused() throws {
        let folder = try TemporaryFolder()
        let fields = (0..<60_000).map { "\"negative_\($0)\": null" }.joined(separator: ", ")
        let path = try folder.write("a.jsonl", "{\"query\": \"a\", \"pos\": \"b\", \(fields)}\n".utf8)
        let message = failureMessage(.data) { _ = try Self.open(path) }
        #expect(message == "\(path):1: 60000 fields of negatives; a row may have 1000 negatives")
    }

    /// A line of 40 MiB costs the bound, and can be left out; the lines behind it keep their numbers.
    @Test(arguments: ["a.jsonl", "a.csv"]) func longRecordsAreRefused(name: String) throws {
        let folder = try TemporaryFolder()
        let isCSV = name.hasSuffix("csv")
        func row(_ text: String) -> String {
            isCSV ? "q,\"\(text)\"\n" : "{\"query\": \"q\", \"answer\": \"\(text)\"}\n"
        }
        let text =
            (isCSV ? "query,answer\n" : "\n") + row("x") + row(String(repeating: "x", count: 40 << 20)) + row("y")
        let path = try folder.write(name, text.utf8)
        #expect(failureMessage(.data) { _ = try Self.open(path) } == "\(path):3: the record is longer than 16 MiB")
        let source = try Self.open(path, onError: .skip(maximumShare: 0.5))
        #expect(source.count == 2 && source.skipped == 1)
        #expect(try source.row(1).place == "\(path):4" && source.row(1).target == .text("y", alternatives: []))
    }

    private static func shard() throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: SourceFixture.folder + "/shard-000000.tar")))
    }

    /// The shard with the size of its first member rewritten, its header's checksum made to fit.
    private static func shard(claiming size: [UInt8]) throws -> [UInt8] {
        var bytes = try shard()
        bytes.replaceSubrange(124..<136, with: size)
        bytes.replaceSubrange(148..<156, with: Array("        ".utf8))
        let sum = bytes[..<512].reduce(0) { $0 + Int($1) }
        let digits = String(sum, radix: 8)
        bytes.replaceSubrange(
            148..<156, with: Array((String(repeating: "0", count: 6 - digits.count) + digits + "\0 ").utf8))
        return bytes
    }

    /// Cut off at every kind of place: in a header, in data, before the end mark.
    @Test(arguments: [0, 100, 700, 1024, 5000, 5120, 9999]) func cutShardsAreNamed(length: Int) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.tar", try Self.shard().prefix(length))
        let message = failureMessage(.data) { _ = try Self.open(path, kind: .picture) }
        #expect(message.hasPrefix("\(path): ") && message.contains("byte"), "\(message)")
    }

    @Test func hostileShardsAreNamed() throws {
        let folder = try TemporaryFolder()
        func message(_ bytes: [UInt8]) throws -> String {
            let path = try folder.write("a.tar", bytes)
            let message = failureMessage(.data) { _ = try Self.open(path, kind: .picture) }
            #expect(message.hasPrefix(path))
            return message
        }
        // Eight gigabytes, and 2⁶² bytes in base 256.
        #expect(try message(Self.shard(claiming: Array("77777777777\0".utf8))).contains("claims 8589934591 bytes"))
        let huge: [UInt8] = [0x80, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]
        #expect(try message(Self.shard(claiming: huge)).contains("byte"))
        #expect(try message(Self.shard() + Array("more".utf8)).contains("something that is no member"))
        #expect(try message(Array(repeating: 0x41, count: 4096)).contains("byte 0"))
        var flipped = try Self.shard()
        flipped[1024 + 20] ^= 0xFF
        #expect(try message(flipped).contains("after the member part/0000.cls"))
    }

    @Test func incompleteSamplesAreNamedAndLeftOut() throws {
        let folder = try TemporaryFolder()
        var bytes = try Self.shard()
        // "part/0001.txt" → "part/0001.tyt", and its checksum with it.
        let name = Array("part/0001.txt".utf8)
        let place = try #require(
            bytes.indices.first { $0 % 512 == 0 && bytes[$0..<$0 + name.count].elementsEqual(name) })
        bytes[place + 11] += 1
        let sum = bytes[place + 148..<place + 154]
        let raised = String((Int(String(decoding: sum, as: UTF8.self), radix: 8) ?? 0) + 1, radix: 8)
        bytes.replaceSubrange(
            place + 148..<place + 154, with: Array((String(repeating: "0", count: 6 - raised.count) + raised).utf8))
        let path = try folder.write("a.tar", bytes)
        let message = failureMessage(.data) { _ = try Self.open(path, kind: .picture) }
        #expect(message.hasPrefix("\(path):part/0001: no field is known to hold the target's text"), "\(message)")
        let source = try Self.open(path, kind: .picture, onError: .skip(maximumShare: 0.3))
        #expect(source.count == 4 && source.skipped == 1)
        #expect(try source.row(1).place == "\(path):part/0002")
    }

    @Test func compressedFilesThatAreWrongAreNamed() throws {
        let folder = try TemporaryFolder()
        let whole = try Data(contentsOf: URL(fileURLWithPath: SourceFixture.packedJSONL.path))
        let cut = try folder.write("cut.jsonl.gz", whole.prefix(whole.count / 2))
        let message = failureMessage(.data) { _ = try Self.open(cut) }
        #expect(message.hasPrefix("\(cut) cannot be unpacked") && !message.contains("byte -"), "\(message)")
        #expect(!message.contains("unknown"), "\(message)")
        let plain = try folder.write("plain.jsonl.gz", "{}".utf8)
        #expect(failureMessage(.data) { _ = try Self.open(plain) }.contains("is not compressed"))
        // Its checksum, at the end of the stream.
        var flipped = whole
        flipped[flipped.count - 6] ^= 1
        let damaged = try folder.write("damaged.jsonl.gz", flipped)
        #expect(failureMessage(.data) { _ = try Self.open(damaged) }.hasSuffix(": incorrect data check"))
        let followed = try folder.write("followed.jsonl.gz", whole + Data("more".utf8))
        #expect(failureMessage(.data) { _ = try Self.open(followed) }.hasSuffix("compressed data is not gzip"))
        let packed = try #require(
            Data(base64Encoded: "QlpoOTFBWSZTWVtjIv4AAAhZgAAQEAQAEDAAJAogACIANqEAMDOXMIHcjxdyRThQkFtjIv4="))
        let trailed = try folder.write("trailed.txt.bz2", packed + packed.dropFirst())
        #expect(
            failureMessage(.data) { _ = try TextLines(path: trailed) }.hasSuffix(
                "at byte \(packed.count): what follows the compressed data is no further stream"))
        #expect(try TextLines(path: try folder.write("two.txt.bz2", packed + packed + Data(count: 99))).count == 2)
        let empty = try folder.write("empty.jsonl.gz", "".utf8)
        #expect(failureMessage(.data) { _ = try Self.open(empty) }.contains("empty.jsonl.gz is empty"))
        let half = try folder.write("half.jsonl.gz", whole + whole.prefix(whole.count / 2))
        #expect(failureMessage(.data) { _ = try Self.open(half) }.hasSuffix(": it is cut off"))
        #expect(
            failureMessage(.inputMissing) { _ = try Self.open("\(folder.path)/none.jsonl.gz") }.contains(
                "none.jsonl.gz"))
    }

    /// A file that shrank after it was opened is an error of the row, not of the process.
    @Test(arguments: ["a.jsonl", "a.tar"]) func filesThatShrinkAreNamed(name: String) throws {
        let folder = try TemporaryFolder()
        let isTar = name.hasSuffix("tar")
        let bytes = isTar ? try Self.shard() : Array(#"{"query": "a", "answer": "b"}"#.utf8)
        let path = try folder.write(name, bytes)
        let source = try Self.open(path, kind: isTar ? .picture : .text)
        #expect(truncate(path, 3) == 0)
        #expect(failureMessage(.data) { _ = try source.row(0) }.hasPrefix("\(path) ends before byte"))
    }

    @Test func formatsThatAreNotReadAreNamed() throws {
        let folder = try TemporaryFolder()
        let parquet = try folder.write("a.parquet", "PAR1".utf8)
        #expect(failureMessage(.data) { _ = try Self.open(parquet) }.contains("to_json"))
        let unknown = try folder.write("a.bin", "".utf8)
        #expect(failureMessage(.data) { _ = try Self.open(unknown) }.contains("its name tells no format"))
        #expect(failureMessage(.data) { _ = try Self.open(folder.path, kind: .picture) }.contains("has no rows"))
    }
}
