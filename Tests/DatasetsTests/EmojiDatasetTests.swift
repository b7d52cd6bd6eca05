// Small emoji data sets on disk: same bytes twice, what others can read, what is never overwritten. Needs the Debian packages.

import ArrayFiles
import Failures
import Foundation
import Pictures
import Testing

@testable import Datasets

/// A folder of its own for one test, removed at the end.
private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("emoji-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
}

/// Noto and Symbola over the first 60 emojis, with 20 drawings of a made-up collection as the second painted one.
private func options(_ folder: String, threads: Int = 1) throws -> EmojiDatasetOptions {
    let pictures = folder + "/pictures"
    try FileManager.default.createDirectory(atPath: pictures, withIntermediateDirectories: true)
    for point in 0x1F600..<0x1F614 {
        let picture = Picture(width: 8, height: 8, grey: UInt8(point & 127))
        try picture.write(path: pictures + "/" + String(point, radix: 16, uppercase: true) + ".png")
    }
    try Data("no picture".utf8).write(to: URL(fileURLWithPath: pictures + "/readme.png"))
    var options = EmojiDatasetOptions(
        drawings: [try .noto(), try .emojione(path: pictures), try .symbola()])
    options.limit = 60
    options.size = 24
    options.threads = threads
    return options
}

private struct Row: Decodable {
    struct Caption: Decodable {
        let name: String?
        let keywords: [String]
    }
    let id, emoji, codepoints, base, image, drawing, text, group, subgroup: String
    let texts: [String]
    let captions: [String: Caption]
}

private func rows(_ path: String) throws -> [Row] {
    try Data(contentsOf: URL(fileURLWithPath: path)).split(separator: 10).map {
        try JSONDecoder().decode(Row.self, from: $0)
    }
}

private func files(_ folder: String) throws -> [String: Data] {
    var result: [String: Data] = [:]
    for case let name as String in FileManager.default.enumerator(atPath: folder) ?? .init() {
        result[name] = FileManager.default.contents(atPath: folder + "/" + name)
    }
    return result
}

@Test func equalInputsGiveEqualBytes() throws {
    try withFolder { folder in
        let first = try EmojiDataset.build(options(folder), output: folder + "/one")
        let second = try EmojiDataset.build(options(folder, threads: 3), output: folder + "/two")
        let one = try files(folder + "/one")
        #expect(one.count > 100 && first == second)
        #expect(try one == files(folder + "/two"))
        #expect(!FileManager.default.fileExists(atPath: folder + "/one.partial"))
    }
}

@Test func rowsAreWhatTheySay() throws {
    try withFolder { folder in
        var options = try options(folder)
        options.languages = ["de", "en"]
        let manifest = try EmojiDataset.build(options, output: folder + "/set")
        var total = 0
        var images: Set<String> = []
        for set in EmojiSet.allCases {
            let rows = try rows("\(folder)/set/\(set.rawValue).jsonl")
            total += rows.count
            #expect(manifest.files["\(set.rawValue).jsonl"]?.rows == rows.count && !rows.isEmpty)
            for row in rows {
                let picture = try Picture.read(path: "\(folder)/set/\(row.image)")
                #expect(picture.width == 24 && picture.height == 24 && !picture.isBlank)
                #expect(row.image == "images/\(row.drawing)/\(row.codepoints).png")
                #expect(row.text == row.captions["de"]?.name && row.texts.first == row.text)
                #expect(Set(row.texts).count == row.texts.count)
                #expect(row.texts.contains(row.captions["en"]?.name ?? ""))
                let points = row.emoji.unicodeScalars.map(\.value)
                #expect(EmojiConcept.key(points) == row.codepoints && row.group == "Smileys & Emotion")
                images.insert(row.image)
            }
        }
        #expect(images.count == total && manifest.drawings.reduce(0) { $0 + $1.pictures } == total)
        // CLDR 41 does not name the one emoji of Unicode 15 among these; 17 of the 20 made-up drawings are among these.
        #expect((59...60).contains(manifest.emojis) && manifest.captions.map(\.language) == ["de", "en"])
        #expect(manifest.captions.allSatisfy { $0.names == manifest.emojis && $0.keywords > 60 })
        #expect(manifest.drawings[1].pictures == 17 && manifest.drawings[1].seen > 0)
        let stored = try Data(contentsOf: URL(fileURLWithPath: folder + "/set/manifest.json"))
        #expect(try JSONDecoder().decode(EmojiManifest.self, from: stored) == manifest)
        #expect(manifest.table.contains("symbola") && manifest.table.contains("\(total)"))
    }
}

@Test func onlyEmojiDataSetsAreReplaced() throws {
    try withFolder { folder in
        var options = EmojiDatasetOptions(drawings: [try .symbola()])
        options.limit = 5
        options.size = 8
        let output = folder + "/set"
        try EmojiDataset.build(options, output: output)
        let exists = try #require(throws: Failure.self) { try EmojiDataset.build(options, output: output) }
        #expect(exists.kind == .cannotCreate && exists.message.contains("--force"))
        try Data().write(to: URL(fileURLWithPath: output + "/stray"))
        try EmojiDataset.build(options, output: output, force: true)
        #expect(!FileManager.default.fileExists(atPath: output + "/stray"))
        // A folder of something else survives even --force.
        let other = folder + "/other"
        try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
        try Data("precious".utf8).write(to: URL(fileURLWithPath: other + "/thesis.txt"))
        let refused = try #require(throws: Failure.self) { try EmojiDataset.build(options, output: other, force: true) }
        #expect(refused.kind == .cannotCreate && FileManager.default.fileExists(atPath: other + "/thesis.txt"))
    }
}

@Test func wrongOptionsAndMissingInputsSaySo() throws {
    let symbola = try EmojiDrawingSource.symbola()
    func failure(_ change: (inout EmojiDatasetOptions) -> Void) throws -> Failure {
        var options = EmojiDatasetOptions(drawings: [symbola])
        options.limit = 3
        change(&options)
        return try #require(throws: Failure.self) { try EmojiDataset.build(options, output: "/nowhere/at/all") }
    }
    #expect(try failure { $0.drawings = [] }.kind == .usage)
    #expect(try failure { $0.drawings = [symbola, symbola] }.kind == .usage)
    #expect(try failure { $0.size = 4 }.kind == .usage)
    #expect(try failure { $0.heldOut = 1 }.kind == .usage)
    #expect(try failure { $0.seenShare = 1.5 }.kind == .usage)
    #expect(try failure { $0.languages = ["tlh"] }.message.contains("'tlh'"))
    #expect(try failure { $0.cldrDirectory = "/no/cldr" }.message.contains("unicode-cldr-core"))
    #expect(try failure { $0.unicodeDirectory = "/no/unicode" }.message.contains("unicode-data"))
    let sources: [(() throws -> EmojiDrawingSource, String)] = [
        ({ try .noto(path: "/no/font") }, "fonts-noto-color-emoji"),
        ({ try .symbola(path: "/no/font") }, "fonts-symbola"),
        ({ try .emojione(path: "/no/folder") }, "ruby-gemojione"),
        ({ try .emojione(path: "/no/folder") }, "--drawings noto,symbola"),
        ({ try .font(name: "x", path: "/no/font") }, "/no/font"),
    ]
    for (open, says) in sources {
        let failure = try #require(throws: Failure.self) { try open() }
        #expect(failure.kind == .inputMissing && failure.message.contains(says))
    }
    #expect(try #require(throws: Failure.self) { try EmojiDrawingSource.font(name: "a/b", path: "/x") }.kind == .usage)
}

@Test func damagedPicturesAreNamed() throws {
    try withFolder { folder in
        let options = try options(folder)
        try Data("GIF".utf8).write(to: URL(fileURLWithPath: folder + "/pictures/1F601.png"))
        let failure = try #require(throws: Failure.self) { try EmojiDataset.build(options, output: folder + "/set") }
        #expect(failure.kind == .data && failure.message.contains("1F601.png"))
        #expect(!FileManager.default.fileExists(atPath: folder + "/set"))
    }
}

@Test(arguments: [
    ("plain", #""plain""#), ("a\"b\\c", #""a\"b\\c""#), ("\n\u{1}", #""\u000a\u0001""#), ("😀é", "\"😀é\""), ("", #""""#),
])
func jsonStringsAreEscaped(text: String, json: String) throws {
    #expect(StrictJSON.quoted(text) == json)
    #expect(try JSONDecoder().decode([String].self, from: Data(StrictJSON.quoted([text]).utf8)) == [text])
}
