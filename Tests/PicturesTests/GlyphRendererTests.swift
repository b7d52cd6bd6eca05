// Which sequences are one glyph, what is drawn, and fonts that are none. Needs fonts-noto-color-emoji and fonts-symbola.

import Failures
import Foundation
import Pictures
import Testing

private let noto = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
private let symbola = "/usr/share/fonts/truetype/ancient-scripts/Symbola_hint.ttf"

private let present: [(name: String, points: [UInt32])] = [
    ("grinning face", [0x1F600]), ("heart with selector", [0x2764, 0xFE0F]), ("heart without", [0x2764]),
    ("keycap", [0x31, 0xFE0F, 0x20E3]), ("keycap without selector", [0x31, 0x20E3]), ("flag", [0x1F1E9, 0x1F1EA]),
    ("flag of tags", [0x1F3F4, 0xE0067, 0xE0062, 0xE0065, 0xE006E, 0xE0067, 0xE007F]),
    ("skin tone", [0x1F44B, 0x1F3FD]),
    ("family", [0x1F468, 0x200D, 0x1F469, 0x200D, 0x1F467, 0x200D, 0x1F466]),
    ("profession with tone", [0x1F469, 0x1F3FF, 0x200D, 0x1F680]),
    ("eye in speech bubble", [0x1F441, 0xFE0F, 0x200D, 0x1F5E8, 0xFE0F]),
]

/// Sequences that a naive renderer draws as something else: several glyphs, or the first with the rest ignored.
private let absent: [(name: String, points: [UInt32])] = [
    ("two faces joined", [0x1F600, 0x200D, 0x1F602]), ("two faces", [0x1F600, 0x1F602]),
    ("no such flag", [0x1F1F6, 0x1F1F6]), ("half a flag and a face", [0x1F1E9, 0x1F600]),
    ("no such tags", [0x1F3F4, 0xE0078, 0xE0078, 0xE007F]), ("a car's skin tone", [0x1F697, 0x1F3FD]),
    ("not in the font", [0x10FFFD]), ("nothing visible", [0x200D]), ("no code point", []),
]

@Test(arguments: present.indices)
func drawsWholeSequences(index: Int) throws {
    let picture = try #require(
        try GlyphRenderer(path: noto).picture(of: present[index].points), "\(present[index].name)")
    #expect(picture.width == 136 && picture.height == 128)
    // Painted, not grey: some pixel has different channels (the keycap is blue, the bubble alone is black and white).
    let painted = stride(from: 0, to: picture.pixels.count, by: 3).contains {
        picture.pixels[$0] != picture.pixels[$0 + 2]
    }
    #expect(painted || present[index].name.contains("eye") || present[index].name.contains("family"))
}

@Test(arguments: absent.indices)
func drawsNothingElse(index: Int) throws {
    #expect(try GlyphRenderer(path: noto).picture(of: absent[index].points) == nil, "\(absent[index].name)")
}

@Test func outlinesAreBlackOnWhite() throws {
    let renderer = try GlyphRenderer(path: symbola)
    let small = try #require(renderer.picture(of: [0x1F600], pixelSize: 32))
    let large = try #require(renderer.picture(of: [0x1F600], pixelSize: 128))
    #expect(stride(from: 0, to: large.pixels.count, by: 3).allSatisfy { large.pixels[$0] == large.pixels[$0 + 2] })
    #expect(large.pixels.contains(0) && large.pixels.contains(255))
    // Bitmaps are cut to whole pixels on both sides: four times as wide up to four pixels and one of rounding.
    #expect(abs(large.width - 4 * small.width) <= 8)
    #expect(renderer.picture(of: [0x1F600], pixelSize: 32) == small, "drawing depends on what was drawn before")
    #expect(renderer.picture(of: [0x1F1E9, 0x1F1EA]) == nil)
    #expect(renderer.picture(of: [0x20]) == nil, "a space is nothing to see")
    #expect(!renderer.hasColour)
    #expect(try GlyphRenderer(path: noto).hasColour)
}

@Test func badFontsSayWhich() throws {
    let missing = try #require(throws: Failure.self) { try GlyphRenderer(path: "/no/font.ttf") }
    #expect(missing.kind == .inputMissing && missing.message.contains("/no/font.ttf"))
    let wrong = try #require(throws: Failure.self) { try GlyphRenderer(path: "/etc/passwd") }
    #expect(wrong.kind == .data && wrong.message.contains("/etc/passwd"))
}
