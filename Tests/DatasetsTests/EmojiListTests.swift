// Unicode's list, bases and the counts of drawings. Needs unicode-data 15.0, fonts-noto-color-emoji and fonts-symbola.

import Failures
import Foundation
import Testing

@testable import Datasets

private let path = "/usr/share/unicode/emoji/emoji-test.txt"

@Test func readsGroupsAndFullyQualifiedEmojisOnly() throws {
    let text = """
        # group: Smileys & Emotion

        # subgroup: heart
        2764 FE0F  ; fully-qualified     # ❤️ E0.6 red heart
        2764       ; unqualified         # ❤ E0.6 red heart
        1F3FB      ; component           # 🏻 E1.0 light skin tone
        # group: Symbols
        # subgroup: keycap
        0023 FE0F 20E3 ; fully-qualified # #️⃣ E0.6 keycap: #
        """
    let list = try EmojiList.parse(text, name: "list")
    #expect(list.map(\.id) == ["2764-FE0F", "0023-FE0F-20E3"])
    #expect(list.map(\.name) == ["red heart", "keycap: #"])
    #expect(list[0].group == "Smileys & Emotion" && list[0].subgroup == "heart" && list[1].subgroup == "keycap")
    #expect(list[0].plainCodePoints == [0x2764] && list[0].text == "\u{2764}\u{FE0F}")
}

@Test(arguments: [
    "1F600", "1F600 ; fully-qualified", "zz ; fully-qualified # x E1.0 name", " ; fully-qualified # x E1.0 name",
    "1F600 ; fully-qualified # x name", "D800 ; fully-qualified # x E1.0 name",
])
func damagedLinesAreNamed(line: String) throws {
    let failure = try #require(throws: Failure.self) { try EmojiList.parse("# group: G\n" + line, name: "list.txt") }
    #expect(failure.kind == .data && failure.message.contains("list.txt, line 2"))
}

/// A variation of nothing is its own base.
@Test(arguments: ["FE0F", "1F3FB", "1F3FB FE0F"]) func variationsOfNothingHaveABase(points: String) throws {
    let list = try EmojiList.parse("\(points) ; fully-qualified # x E1.0 name", name: "list.txt")
    #expect(list.map(\.base) == [""])
}

@Test func missingListNamesThePackage() throws {
    let failure = try #require(throws: Failure.self) { try EmojiList.read(path: "/no/emoji-test.txt") }
    #expect(failure.kind == .inputMissing && failure.message.contains("unicode-data"))
}

/// Emojis that must lie in one base, each line its own.
private let families: [[String]] = [
    ["1F44B", "1F44B-1F3FB", "1F44B-1F3FF"],
    ["1F9D1-200D-1F680", "1F468-200D-1F680", "1F469-1F3FD-200D-1F680"],
    ["1F46E", "1F46E-200D-2642-FE0F", "1F46E-1F3FF-200D-2640-FE0F"],
    ["1F468", "1F469", "1F9D1", "1F468-200D-1F9B0", "1F9D1-1F3FB-200D-1F9B3"],
    ["1F466", "1F467", "1F9D2-1F3FE"], ["1F474", "1F475", "1F9D3"],
    ["1F46A", "1F468-200D-1F469-200D-1F466", "1F469-200D-1F467"],
    ["1F48F", "1F469-200D-2764-FE0F-200D-1F48B-200D-1F468", "1F48F-1F3FB"],
    ["1F491", "1F468-200D-2764-FE0F-200D-1F468"],
    ["1F46B", "1F46C", "1F46D", "1F9D1-200D-1F91D-200D-1F9D1", "1F46D-1F3FF"],
    ["1F385", "1F936", "1F9D1-200D-1F384", "1F9D1-1F3FB-200D-1F384"],
    ["1F478", "1F934", "1FAC5"], ["1F483", "1F57A-1F3FB"], ["1F930", "1FAC3", "1FAC4"],
    ["1F91D", "1F91D-1F3FB", "1FAF1-1F3FB-200D-1FAF2-1F3FC"],
    ["1F46F", "1F46F-200D-2640-FE0F"], ["2764-FE0F"], ["2764-FE0F-200D-1F525"], ["1F1E9-1F1EA"], ["1F1EB-1F1F7"],
    ["1F3F4"], ["1F3F4-200D-2620-FE0F"], ["1F3F4-E0067-E0062-E0065-E006E-E0067-E007F"], ["0031-FE0F-20E3"],
    ["0032-FE0F-20E3"],
    ["1F415"], ["1F415-200D-1F9BA"], ["2B06-FE0F"], ["2640-FE0F"],
]

@Test func basesJoinVariationsAndNothingElse() throws {
    let list = Dictionary(try EmojiList.read(path: path).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    var owner: [String: Int] = [:]
    for (index, family) in families.enumerated() {
        let bases = Set(try family.map { try #require(list[$0], "\($0)").base })
        #expect(bases.count == 1, "\(family): \(bases)")
        for base in bases {
            #expect(owner.updateValue(index, forKey: base) == nil, "\(base) is shared with another line")
        }
    }
}

@Test(.enabled(if: (try? String(contentsOfFile: path, encoding: .utf8))?.contains("# Version: 15.0") == true))
func countsOfUnicode15() throws {
    let list = try EmojiList.read(path: path)
    #expect(list.count == 3655 && list.count { $0.hasSkinTone } == 1785)
    #expect(Set(list.map(\.id)).count == 3655)
    // A skin tone always has the base of some emoji without one.
    let plain = Set(list.filter { !$0.hasSkinTone }.map(\.base))
    #expect(list.filter { $0.hasSkinTone && !plain.contains($0.base) }.map(\.id) == [])
    #expect((1600...1700).contains(plain.count), "\(plain.count) bases")
}

@Test func countsOfDrawings() throws {
    let list = try EmojiList.read(path: path)
    let noto = try EmojiDrawingSource.noto().open()
    let symbola = try EmojiDrawingSource.symbola().open()
    // Every second of Noto's bitmaps is enough here; all of Symbola's, because absence is what matters there.
    let some = stride(from: 0, to: list.count, by: 2).map { list[$0] }
    #expect(try some.count { try noto.picture(of: $0, size: 16) != nil } == some.count)
    #expect(try list.count { try symbola.picture(of: $0, size: 16) != nil } == 1140)
}

@Test(.enabled(if: (try? EmojiDrawingSource.emojione()) != nil))
func countsOfEmojiOne() throws {
    let drawing = try EmojiDrawingSource.emojione().open()
    #expect(try EmojiList.read(path: path).count { try drawing.picture(of: $0, size: 16) != nil } == 1784)
}
