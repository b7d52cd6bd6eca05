// The nearest thumbnail: by direction, not by brightness, and honest about identities.

import Failures
import Foundation
import Pictures
import Testing

@testable import Datasets

/// A white square with one half of some grey.
private func half(left: Bool, grey: UInt8, side: Int = 32) -> Picture {
    var picture = Picture(width: side, height: side)
    picture.draw(Picture(width: side / 2, height: side, grey: grey), x: left ? 0 : side / 2, y: 0)
    return picture
}

@Test func nearestByDirection() {
    let training = [
        ("left", half(left: true, grey: 0)), ("right", half(left: false, grey: 0)), ("left", half(left: true, grey: 9)),
    ]
    let queries = [
        ("left", half(left: true, grey: 200)), ("right", half(left: false, grey: 200, side: 64)),
        ("right", half(left: true, grey: 0)), ("left", Picture(width: 32, height: 32)),
    ]
    let report = pixelBaseline(
        training: training.map { (id: $0.0, picture: $0.1) }, queries: queries.map { (id: $0.0, picture: $0.1) })
    // Right, right, wrong; the white picture is like nothing, and the first training picture wins the tie.
    #expect(report == PixelBaselineReport(precisionAt1: 0.75, queries: 4, trainingPictures: 3))
}

@Test func nothingAskedOrNothingKnown() {
    let one = [(id: "a", picture: half(left: true, grey: 0))]
    #expect(pixelBaseline(training: one, queries: []).precisionAt1 == 0)
    #expect(pixelBaseline(training: [], queries: one).precisionAt1 == 0)
    #expect(pixelBaseline(training: one, queries: one).precisionAt1 == 1)
}

@Test func damagedRowsAreNamed() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    #expect(try #require(throws: Failure.self) { try pixelBaseline(dataset: folder.path) }.kind == .inputMissing)
    try half(left: true, grey: 0).write(path: folder.path + "/a.png")
    let good = #"{"id":"a","image":"a.png"}"# + "\n"
    for file in ["train.jsonl", "seen.jsonl"] { try Data(good.utf8).write(to: folder.appendingPathComponent(file)) }
    #expect(try pixelBaseline(dataset: folder.path).precisionAt1 == 1)
    try Data((good + "{}\n").utf8).write(to: folder.appendingPathComponent("seen.jsonl"))
    let failure = try #require(throws: Failure.self) { try pixelBaseline(dataset: folder.path) }
    #expect(failure.kind == .data && failure.message.contains("seen.jsonl, line 2"))
}
