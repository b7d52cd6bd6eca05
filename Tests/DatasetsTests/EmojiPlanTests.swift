// Which picture goes into which set: nothing straddles, nothing leaks, every training emoji keeps a drawing.

import Foundation
import Testing

@testable import Datasets

/// Reference values of FNV-1a with 64 bits (published test vectors), and that the finished hash spreads evenly.
@Test func hashIsTheDocumentedOne() {
    #expect(StableHash.fnv1a("".utf8) == 0xcbf2_9ce4_8422_2325)
    #expect(StableHash.fnv1a("a".utf8) == 0xaf63_dc4c_8601_ec8c)
    #expect(StableHash.fnv1a("foobar".utf8) == 0x8594_4171_f739_67e8)
    // 4,000 near-equal strings in ten bins: binomial with mean 400 and deviation 19; five deviations.
    var bins = [Int](repeating: 0, count: 10)
    for index in 0..<4000 { bins[Int(StableHash.fraction("base/1F\(index)") * 10)] += 1 }
    for bin in bins { #expect(abs(bin - 400) < 95, "\(bins)") }
}

private func concept(_ points: UInt32..., name: String = "x") -> EmojiConcept {
    EmojiConcept(codePoints: points, name: name, group: "g", subgroup: "s")
}

private let drawings = [
    (name: "noto", isColour: true), (name: "emojione", isColour: true), (name: "symbola", isColour: false),
]

/// 400 emojis with a changing choice of drawings; every tenth has two skin tones; some pictures are equal.
private func world() -> (concepts: [EmojiConcept], hashes: [[UInt64?]]) {
    var concepts: [EmojiConcept] = []
    var hashes: [[UInt64?]] = []
    for index in 0..<400 {
        let point = UInt32(0x1F900 + index)
        let number = UInt64(index) * 100
        // Numbers 50 and 51 share a picture in the first drawing, 60 and 61 in the second.
        let twin: [UInt64?] = [index == 51 ? 5000 : number, index == 61 ? 6001 : number + 1, number + 2]
        concepts.append(concept(point))
        hashes.append([twin[0], index % 3 == 0 ? nil : twin[1], index % 2 == 0 ? nil : twin[2]])
        guard index % 10 == 0 else { continue }
        for tone: UInt32 in 0..<2 {
            concepts.append(concept(point, 0x1F3FB + tone))
            hashes.append([number + 10 + UInt64(tone), index % 3 == 0 ? nil : number + 20 + UInt64(tone), nil])
        }
    }
    return (concepts, hashes)
}

@Test(arguments: [0.0, 0.15, 0.5], [0.0, 0.5, 1.0])
func setsNeitherStraddleNorLeak(heldOut: Double, seenShare: Double) {
    let (concepts, hashes) = world()
    let plan = EmojiPlan(
        concepts: concepts, hashes: hashes, drawings: drawings,
        split: EmojiSplit(heldOut: heldOut, seenShare: seenShare))
    let sets = Dictionary(grouping: plan.rows, by: \.set)
    let train = sets[.train] ?? []
    let seen = sets[.seen] ?? []
    let unseen = (sets[.unseen] ?? []) + (sets[.unseenOther] ?? [])
    #expect(Set(train.map { plan.bases[$0.concept] }).isDisjoint(with: unseen.map { plan.bases[$0.concept] }))
    #expect(Set(train.map { plan.ids[$0.concept] }).isDisjoint(with: unseen.map { plan.ids[$0.concept] }))
    #expect(
        Set(seen.map(\.concept)).isSubset(of: train.map(\.concept)), "set A asks for emojis that are not trained on")
    let trained = Set(train.map { hashes[$0.concept][$0.drawing] })
    #expect(
        trained.isDisjoint(with: (seen + unseen).map { hashes[$0.concept][$0.drawing] }), "a test picture is trained on"
    )
    #expect((seen + unseen).allSatisfy { !concepts[$0.concept].hasSkinTone })
    #expect(seen.allSatisfy { drawings[$0.drawing].isColour })
    #expect(Set(seen.map(\.concept)).count == seen.count, "an emoji gives two drawings to set A")
    #expect(unseen.isEmpty == (heldOut == 0) && seen.isEmpty == (seenShare == 0))
    // A base is held out with the probability asked for: binomial, 400 bases, five deviations.
    let share = Double(Set(unseen.map(\.concept)).count) / 400
    #expect(abs(share - heldOut) <= 5 * (heldOut * (1 - heldOut) / 400).squareRoot())
}

@Test func identicalPicturesShareIdentityAndBase() {
    let (concepts, hashes) = world()
    let plan = EmojiPlan(concepts: concepts, hashes: hashes, drawings: drawings, split: EmojiSplit(heldOut: 0.15))
    func index(_ point: UInt32) -> Int { concepts.firstIndex { $0.codePoints == [point] } ?? 0 }
    for (first, second) in [(0x1F900 + 50, 0x1F900 + 51), (0x1F900 + 60, 0x1F900 + 61)] as [(UInt32, UInt32)] {
        let (a, b) = (index(first), index(second))
        // 60 has no second drawing (60 is a multiple of 3), so only 50 and 51 really share a picture.
        let shares = first == 0x1F900 + 50
        #expect((plan.ids[a] == plan.ids[b]) == shares && (plan.bases[a] == plan.bases[b]) == shares)
        #expect(plan.ids[a] == concepts[a].id)
    }
}

@Test func skinTonesChangeNoSplit() {
    let (concepts, hashes) = world()
    let plain = concepts.indices.filter { !concepts[$0].hasSkinTone }
    let all = EmojiPlan(concepts: concepts, hashes: hashes, drawings: drawings, split: EmojiSplit(heldOut: 0.15))
    let few = EmojiPlan(
        concepts: plain.map { concepts[$0] }, hashes: plain.map { hashes[$0] }, drawings: drawings,
        split: EmojiSplit(heldOut: 0.15))
    func names(_ plan: EmojiPlan, _ concepts: [EmojiConcept]) -> [String] {
        plan.rows.filter { !concepts[$0.concept].hasSkinTone }.map {
            "\(concepts[$0.concept].id) \($0.drawing) \($0.set)"
        }
    }
    #expect(names(all, concepts) == names(few, plain.map { concepts[$0] }))
    #expect(all.rows.count > few.rows.count)
    // A base's drawing in set A is trained on in no skin tone.
    let held = Set(all.rows.filter { $0.set == .seen }.map { "\(all.bases[$0.concept]) \($0.drawing)" })
    for row in all.rows where concepts[row.concept].hasSkinTone {
        #expect(!held.contains("\(all.bases[row.concept]) \(row.drawing)") && row.set == .train)
    }
}
