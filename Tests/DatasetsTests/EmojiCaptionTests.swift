// CLDR annotations: what is read, what is left out, what is wrong. Needs unicode-cldr-core for the last test.

import Failures
import Foundation
import Testing

@testable import Datasets

private let grin: [UInt32] = [0x1F600]
private let heart: [UInt32] = [0x2764]
private let wanted: Set<[UInt32]> = [grin, heart]

private func parse(_ body: String) throws -> CLDRAnnotations {
    var annotations = CLDRAnnotations()
    try annotations.add(Data("<ldml><annotations>\(body)</annotations></ldml>".utf8), name: "xx.xml", wanted: wanted)
    return annotations
}

private let fixtures: [(name: String, body: String, key: [UInt32], caption: EmojiCaption?)] = [
    (
        "name and keywords",
        #"<annotation cp="😀">face | grin </annotation><annotation cp="😀" type="tts">grinning face</annotation>"#, grin,
        EmojiCaption(name: "grinning face", keywords: ["face", "grin"])
    ),
    ("name only", #"<annotation cp="😀" type="tts"> a  name </annotation>"#, grin, EmojiCaption(name: "a  name")),
    ("keywords only", #"<annotation cp="😀">a|b</annotation>"#, grin, EmojiCaption(name: nil, keywords: ["a", "b"])),
    ("inherited", #"<annotation cp="😀" type="tts">↑↑↑</annotation><annotation cp="😀">↑↑↑</annotation>"#, grin, nil),
    ("an arrow is a word", #"<annotation cp="😀" type="tts">↑ up</annotation>"#, grin, EmojiCaption(name: "↑ up")),
    (
        "selector in the key", "<annotation cp=\"\u{2764}\u{FE0F}\" type=\"tts\">heart</annotation>", heart,
        EmojiCaption(name: "heart")
    ),
    ("unwanted", #"<annotation cp="😁" type="tts">other</annotation>"#, grin, nil),
    (
        "empty", #"<annotation cp="😀" type="tts"></annotation><annotation cp="😀"> | | </annotation>"#, grin,
        EmojiCaption()
    ),
    ("entities", #"<annotation cp="😀" type="tts">a &amp; &#x62;</annotation>"#, grin, EmojiCaption(name: "a & b")),
    (
        "repetitions and the name",
        #"<annotation cp="😀" type="tts">a</annotation><annotation cp="😀">b | a | b | c</annotation>"#,
        grin, EmojiCaption(name: "a", keywords: ["b", "c"])
    ),
]

@Test(arguments: fixtures.indices)
func readsAnnotations(index: Int) throws {
    let fixture = fixtures[index]
    #expect(try parse(fixture.body).captions[fixture.key] == fixture.caption, "\(fixture.name)")
}

@Test func damagedXMLNamesFileAndLine() throws {
    let failure = try #require(throws: Failure.self) { try parse("\n<annotation cp=\"😀\">x</annotatio>") }
    #expect(failure.kind == .data && failure.message.contains("xx.xml, line 2"))
}

/// Element names of other bytes once ended the process inside the system's parser.
@Test(arguments: [[0x3C, 0xFF, 0xFF], [0x3C, 0x61, 0xC3, 0x28, 0x3E]] as [[UInt8]])
func annotationsThatAreNotUTF8AreRefused(bytes: [UInt8]) throws {
    var annotations = CLDRAnnotations()
    let failure = try #require(throws: Failure.self) {
        try annotations.add(Data(bytes), name: "xx.xml", wanted: wanted)
    }
    #expect(failure.kind == .data && failure.message.contains("xx.xml: expected UTF-8"))
}

@Test func missingLanguagesNameThePackage() throws {
    for attempt in [
        { _ = try CLDRAnnotations.languages(directory: "/no/cldr") },
        { _ = try CLDRAnnotations.read(directory: "/no/cldr", language: "en", wanted: wanted) },
    ] {
        let failure = try #require(throws: Failure.self, performing: attempt)
        #expect(failure.kind == .inputMissing && failure.message.contains("unicode-cldr-core"))
    }
}

@Test func derivedAnnotationsAreAdded() throws {
    let germany: [UInt32] = [0x1F1E9, 0x1F1EA]
    let english = try CLDRAnnotations.read(
        directory: "/usr/share/unicode/cldr/common", language: "en", wanted: [grin, germany])
    #expect(english.captions.count == 2 && english.captions[grin]?.name == "grinning face")
    #expect(english.captions[germany]?.name == "flag: Germany")
}
