// Contact sheets: size, frames, captions that keep to their column. Needs fonts-symbola.

import Failures
import Foundation
import Pictures
import Testing

private func sheet(caption: String, marks: [ContactSheet.Mark]) -> ContactSheet {
    let cells = marks.map { ContactSheet.Cell(Picture(width: 10, height: 20, grey: 0), $0) }
    var sheet = ContactSheet(
        title: "Title", footer: "Footer", headings: ["first"],
        rows: [.init(caption: caption, detail: caption, cells: cells)])
    sheet.fonts = ["/usr/share/fonts/truetype/ancient-scripts/Symbola_hint.ttf"]
    return sheet
}

private func pixel(_ picture: Picture, _ x: Int, _ y: Int) -> [UInt8] {
    Array(picture.pixels[(y * picture.width + x) * 3..<(y * picture.width + x) * 3 + 3])
}

/// Left edges of the cells: margin 32, captions 300, gap 20, then cells of 80 pixels every 92.
private let columns = [352, 444, 536]

@Test func framesTellRightFromWrong() throws {
    let picture = try sheet(caption: "caption", marks: [.right, .wrong, .unmarked]).picture()
    #expect(picture.width == 32 + 300 + 20 + 3 * 92 - 12 + 32)
    // Middle of the left frame of each cell; the row begins at margin 32, title 44, headings 24.
    let frames = columns.map { pixel(picture, $0 + 1, 100 + 40) }
    #expect(frames[0][1] > frames[0][0] + 50, "right is green: \(frames[0])")
    #expect(frames[1][0] < 230 && abs(Int(frames[1][0]) - Int(frames[1][1])) < 10, "wrong is grey: \(frames[1])")
    #expect(frames[2] == [255, 255, 255])
    // The narrow black pictures stand in the middle of their cells, on white.
    #expect(
        pixel(picture, columns[0] + 40, 140) == [0, 0, 0] && pixel(picture, columns[0] + 12, 140) == [255, 255, 255])
}

@Test(arguments: [
    "", "short", "ünïcode ☃ 😀", String(repeating: "a very long caption ", count: 40), "\u{202E}\u{0}\n\t",
])
func captionsKeepToTheirColumn(caption: String) throws {
    let picture = try sheet(caption: caption, marks: [.unmarked]).picture()
    var ink = false
    for y in 104..<178 {
        // Glyphs may overhang their advance by a pixel or two; the gutter of 20 pixels keeps them from the pictures.
        for x in 338..<352 { #expect(pixel(picture, x, y) == [255, 255, 255], "ink at \(x), \(y)") }
        for x in 32..<332 where pixel(picture, x, y)[0] < 128 { ink = true }
    }
    #expect(ink == caption.contains { $0.isLetter })
}

@Test func sheetsAreReproducibleAndMayBeEmpty() throws {
    #expect(try sheet(caption: "a", marks: [.right]).picture() == sheet(caption: "a", marks: [.right]).picture())
    var empty = sheet(caption: "", marks: [])
    empty.rows = []
    #expect(try empty.picture().height > 0)
    empty.fonts = ["/no/font.ttf"]
    let failure = try #require(throws: Failure.self) { try empty.picture() }
    #expect(failure.kind == .inputMissing)
}
