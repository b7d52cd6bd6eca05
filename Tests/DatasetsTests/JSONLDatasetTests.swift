// Files of rows: what is understood, and what is said about the rest. Not here: pictures (BatchLoaderTests).

import Failures
import Foundation
import Testing

@testable import Datasets

@Suite struct JSONLDatasetTests {
    static let good = #"{"id": "a", "image": "a.png", "text": "one"}"#

    static func dataset(_ text: String, onError: RowErrorPolicy = .fail) throws -> (JSONLDataset, TemporaryFolder) {
        let folder = try TemporaryFolder()
        return (try JSONLDataset(path: try folder.write("rows.jsonl", text.utf8), onError: onError), folder)
    }

    @Test func understandsRows() throws {
        let (data, folder) = try Self.dataset(
            """
            \u{FEFF}{"id": "1F600", "image": "images/noto/1F600.png", "text": "grinning face", "texts": ["face", "grinning face", " ", "grin"]}

            {"id": 7, "image_path": "./b.png", "caption": ["one", "two"], "captions": {"en": {"name": "x"}}, "group": null}\r
              \t
            { "text" : "\\u0041\\ud83d\\ude00\\n\\"\\\\\\/\\ud800é", "file_name": "c d.png", "n": [-1.5e+3, {"x": [true, false, null]}, []] }
            """)
        #expect(data.count == 3 && data.skipped == 0)
        #expect(
            try data.row(0)
                == PairRow(
                    query: .picture(.file(folder.path + "/images/noto/1F600.png")),
                    target: .text("grinning face", alternatives: ["face", "grin"]), place: "\(data.name):1",
                    concept: .id("1F600")))
        #expect(
            try data.row(1)
                == PairRow(
                    query: .picture(.file(folder.path + "/./b.png")), target: .text("one", alternatives: ["two"]),
                    place: "\(data.name):3", concept: .number("7")))
        #expect(
            try data.row(2)
                == PairRow(
                    query: .picture(.file(folder.path + "/c d.png")),
                    target: .text("A😀\n\"\\/\u{FFFD}é", alternatives: []),
                    place: "\(data.name):5"))
        // FNV-1a of "1F600", "7" and of a name that no file gives; the first two from the reference description.
        #expect(data.ids[0] == ConceptIDs.hash("1F600".utf8) && data.ids[1] == ConceptIDs.hash("7".utf8))
        #expect(Set(data.ids).count == 3)
    }

    /// Published values of the hash (draft-eastlake-fnv, appendix C).
    @Test(
        arguments: [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
            as [(String, UInt64)])
    func idsAreFNV(text: String, expected: UInt64) {
        #expect(ConceptIDs.hash(text.utf8) == Int64(bitPattern: expected))
    }

    @Test func collisionsOfIDsAreNoticed() throws {
        var ids = ConceptIDs { $0.first.map { Int64($0) } ?? 0 }
        #expect(try ids.number(of: ArraySlice("a1".utf8), place: "") == 97)
        #expect(try ids.number(of: ArraySlice("a1".utf8), place: "") == 97)
        let message = failureMessage(.data) { _ = try ids.number(of: ArraySlice("a2".utf8), place: "f:3: id") }
        #expect(message == "f:3: id: the id a2 has the number of another id; change either")
    }

    @Test func equalIDsAreOneConcept() throws {
        let (data, _) = try Self.dataset(
            #"{"id": 7, "image": "a", "text": "x"}"# + "\n" + #"{"id": "7", "image": "b", "text": "y"}"#)
        #expect(data.ids[0] == data.ids[1])
    }

    /// What stands on line 2, and what is said after "FILE:2".
    static let wrong: [(line: String, message: String)] = [
        ("grinning face", ":1: a line is one JSON object, in braces"),
        ("[1]", ":1: a line is one JSON object"),
        (#"{"text": "x""#, ":13: the line ends inside brackets"),
        (#"{"text": "x"} {}"#, ":15: something follows the object"),
        (#"{"text": "x"#, ":10: this string has no end"),
        (#"{"text" "x"}"#, ":9: a colon should be here"),
        (#"{"text": "x" "id": 1}"#, ":14: a comma or a closing bracket should be here"),
        (#"{"text": "x",}"#, ":14: a quotation mark should be here"),
        (#"{text: "x"}"#, ":2: a quotation mark should be here"),
        (#"{"text": nul}"#, ":10: 'nul' is no JSON value"),
        (#"{"text": 01}"#, ":10: '01' is no JSON value"),
        (#"{"text": 1.}"#, ":10: '1.' is no JSON value"),
        (#"{"text": 1e}"#, ":10: '1e' is no JSON value"),
        (#"{"text": -}"#, ":10: '-' is no JSON value"),
        (#"{"text": "\x"}"#, ":11: an unknown escape"),
        (#"{"text": "\u12g4"}"#, ":11: \\u needs four hexadecimal digits"),
        ("{\"text\": \"a\u{1}\"}", ":12: a control character in a string; write it as \\u0001"),
        (#"{"text": "x", "text": "y"}"#, ":15: the key \"text\" twice"),
        ("{\"x\": " + String(repeating: "[", count: 100) + "}", ":70: more than 64 brackets inside each other"),
        (#"{"image": "a.png"}"#, ": the field text is missing; there are: image"),
        (#"{"text": "x", "images": "a.png"}"#, ": the field image is missing; there are: text, images"),
        (#"{"image": "a.png", "text": ""}"#, ": text is empty"),
        (#"{"image": "a.png", "text": " \n"}"#, ": text is empty"),
        (#"{"image": "a.png", "text": 7}"#, ": text is neither a text nor a list of texts"),
        (#"{"image": "a.png", "text": []}"#, ": text is a list, but not of one text or more"),
        (#"{"image": "a.png", "text": ["a", 1]}"#, ": text is a list, but not of one text or more"),
        (#"{"image": "a.png", "text": "a", "texts": [["b"]]}"#, ": texts is not a list of texts"),
        (#"{"image": 1, "text": "a"}"#, ": image is not the path of a picture"),
        (#"{"image": "", "text": "a"}"#, ": image '' is empty"),
        (#"{"image": "/etc/passwd", "text": "a"}"#, ": image '/etc/passwd' is absolute"),
        (#"{"image": "../a.png", "text": "a"}"#, ": image '../a.png' leaves the folder of the data file"),
        (#"{"image": "x/../../a.png", "text": "a"}"#, ": image 'x/../../a.png' leaves the folder"),
        (#"{"image": "x\/\u002e./a.png", "text": "a"}"#, ": image 'x/../a.png' leaves the folder"),
        (#"{"image": "a\u0000.png", "text": "a"}"#, "has a zero byte"),
        (#"{"id": 1.5, "image": "a.png", "text": "a"}"#, ": id is neither a text nor an integer"),
        (#"{"id": "", "image": "a.png", "text": "a"}"#, ": id is neither a text nor an integer"),
        (#"{"id": null, "image": "a.png", "text": "a"}"#, ": id is neither a text nor an integer"),
    ]

    @Test(arguments: wrong.indices) func wrongLinesAreNamed(index: Int) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("rows.jsonl", (Self.good + "\n" + Self.wrong[index].line + "\n" + Self.good).utf8)
        let message = failureMessage(.data) { _ = try JSONLDataset(path: path) }
        #expect(message.hasPrefix("\(path):2:") && message.contains(Self.wrong[index].message), "\(message)")
        // The same line is left out and counted where a third of the rows may be.
        let data = try JSONLDataset(path: path, onError: .skip(maximumShare: 0.34))
        #expect(data.count == 2 && data.skipped == 1 && data.skippedReasons == [message])
        #expect(try data.row(1).place == "\(path):3")
        let strict = failureMessage(.data) { _ = try JSONLDataset(path: path, onError: .skip(maximumShare: 0.33)) }
        #expect(strict.contains("1 of 3 rows cannot be read, more than the share of 0.33 allowed"))
    }

    /// A named field that is missing is looked for under the known names where that is asked for; one that is there wins.
    @Test func missingFieldsAreLookedForUnderKnownNames() throws {
        let folder = try TemporaryFolder()
        func open(_ line: String, only: PairRole? = nil, recognises: Bool = true) throws -> any PairSource {
            let path = try folder.write("rows.jsonl", line.utf8)
            var columns = SourceColumns(query: Column("sentence1", .text), target: Column("body", .text), only: only)
            columns.recognisesOthers = recognises
            return try SourceDescription(paths: [path], columns: columns).open()
        }
        let pair = try open(#"{"query": "q", "body": "b", "text": "t"}"#).row(0)
        #expect(pair.query.displayText == "q" && pair.target.displayText == "b")
        let others = try open(#"{"query": "q", "positive": "p"}"#).row(0)
        #expect(others.query.displayText == "q" && others.target.displayText == "p")
        #expect(try open(#"{"text": "t"}"#, only: .target).row(0).query.displayText == "t")
        let strict = failureMessage(.data) { _ = try open(#"{"query": "q", "body": "b"}"#, recognises: false) }
        #expect(strict.contains("the field sentence1 is missing"))
        #expect(failureMessage(.data) { _ = try open(#"{"x": "q"}"#) }.contains("the field sentence1 is missing"))
        let labelled = failureMessage(.data) { _ = try open(#"{"query": "q", "positive": "p", "label": 0}"#) }
        #expect(labelled.contains("may be no pair"))
    }

    @Test func wrongUTF8IsNamed() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "rows.jsonl", Array(#"{"image": "a", "text": "x"#.utf8) + [0xC3, 0x28] + Array(#""}"#.utf8))
        #expect(failureMessage(.data) { _ = try JSONLDataset(path: path) } == "\(path):1:24: this string is not UTF-8")
    }

    @Test(arguments: ["", "\n\n", "  \r\n"]) func filesWithoutRowsSaySo(text: String) throws {
        #expect(failureMessage(.data) { _ = try Self.dataset(text) }.hasSuffix("rows.jsonl has no rows"))
    }

    /// A line of many keys takes time in proportion; the repeated one is found.
    @Test(.timeLimit(.minutes(1))) func manyKeysAreReadInTime() throws {
        let keys = (0..<200_000).map { #""k\#($0)":0"# }.joined(separator: ",")
        #expect(try Self.dataset(#"{"image":"a.png","text":"a",\#(keys)}"#).0.count == 1)
        let message = failureMessage(.data) { _ = try Self.dataset(#"{"image":"a.png","text":"a",\#(keys),"k7":1}"#) }
        #expect(message.hasSuffix("the key \"k7\" twice"))
    }

    @Test func missingFilesSaySo() {
        #expect(
            failureMessage(.inputMissing) { _ = try JSONLDataset(path: "/no/rows.jsonl") }
                == "the data file /no/rows.jsonl cannot be read; it must be an existing file, one JSON object a line")
    }
}
