// PNG: kinds of files that others write, round trips, and files that are wrong.

import Failures
import Foundation
import Pictures
import Testing

/// Two by two pixels of every kind, and what they look like over white.
private let kinds: [(name: String, png: PNGBuilder, pixels: [UInt8])] = [
    (
        "rgb", PNGBuilder(width: 2, height: 1, colourType: 2, rows: [[0, 10, 20, 30, 200, 100, 0]]),
        [10, 20, 30, 200, 100, 0]
    ),
    ("grey", PNGBuilder(width: 2, height: 1, colourType: 0, rows: [[0, 7, 250]]), [7, 7, 7, 250, 250, 250]),
    // 0x80 = 128 of 255 opaque: 255 − 128 = 127 of white shines through.
    (
        "grey and alpha", PNGBuilder(width: 2, height: 1, colourType: 4, rows: [[0, 0, 128, 90, 0]]),
        [127, 127, 127, 255, 255, 255]
    ),
    (
        "rgba", PNGBuilder(width: 2, height: 1, colourType: 6, rows: [[0, 255, 0, 100, 51, 9, 9, 9, 255]]),
        // 0.2 · (255, 0, 100) + 0.8 · 255
        [255, 204, 224, 9, 9, 9]
    ),
    (
        "palette with transparency",
        PNGBuilder(
            width: 2, height: 1, colourType: 3, before: [("PLTE", [1, 2, 3, 40, 50, 60]), ("tRNS", [255, 0])],
            rows: [[0, 0, 1]]),
        [1, 2, 3, 255, 255, 255]
    ),
    (
        "one bit", PNGBuilder(width: 2, height: 1, depth: 1, colourType: 0, rows: [[0, 0b0100_0000]]),
        [0, 0, 0, 255, 255, 255]
    ),
    // 16 bits hold 257 times the 8-bit value; without a colour space they are not linear light.
    (
        "sixteen bits", PNGBuilder(width: 1, height: 1, depth: 16, colourType: 2, rows: [[0, 9, 9, 77, 77, 200, 200]]),
        [9, 77, 200]
    ),
    // Adam7 of 2 × 2: pass 1 has (0, 0), pass 6 has (1, 0), pass 7 the second row.
    (
        "interlaced",
        PNGBuilder(width: 2, height: 2, colourType: 0, interlaced: true, rows: [[0, 1], [0, 2], [0, 3, 4]]),
        [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    ),
]

@Test(arguments: kinds.indices)
func decodesEveryKind(index: Int) throws {
    let kind = kinds[index]
    let picture = try Picture.decode(kind.png.bytes, name: kind.name)
    #expect(picture.pixels == kind.pixels, "\(kind.name)")
}

@Test(arguments: [(1, 1), (3, 5), (64, 64), (257, 31)])
func roundTripIsExact(width: Int, height: Int) throws {
    var state: UInt32 = 1
    let pixels = (0..<width * height * 3).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return UInt8(state >> 24)
    }
    let picture = Picture(width: width, height: height, pixels: pixels)
    #expect(try Picture.decode(picture.pngData(), name: "round trip") == picture)
    #expect(try picture.pngData() == picture.pngData())
}

@Test func filesRoundTripAndMissingOnesSaySo() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("a.png").path
    let picture = Picture(width: 3, height: 2, grey: 17)
    try picture.write(path: path)
    #expect(try Picture.read(path: path) == picture)
    let missing = try #require(throws: Failure.self) { try Picture.read(path: path + "x") }
    #expect(missing.kind == .inputMissing && missing.message.contains(path + "x"))
    let nowhere = try #require(throws: Failure.self) { try picture.write(path: folder.path + "/no/a.png") }
    #expect(nowhere.kind == .cannotCreate)
}

private let sound = PNGBuilder(
    width: 4, height: 4, colourType: 2, rows: (0..<4).map { _ in [UInt8](repeating: 0, count: 13) })

private func changed(_ change: (inout PNGBuilder) -> Void) -> [UInt8] {
    var builder = sound
    change(&builder)
    return builder.bytes
}

/// Ways in which a file can be wrong, and what the message must say.
private let damages: [(name: String, bytes: [UInt8], says: String)] = [
    ("empty", [], "is empty"),
    ("half a signature", Array(sound.bytes.prefix(4)), "does not begin with the whole PNG signature"),
    ("only a signature", Array(sound.bytes.prefix(8)), "ends after 8 bytes, before its IEND"),
    ("cut in the header", Array(sound.bytes.prefix(20)), "inside its IHDR chunk"),
    ("cut in the data", Array(sound.bytes.prefix(60)), "inside its IDAT chunk"),
    ("without its end", Array(sound.bytes.dropLast(12)), "before its IEND"),
    ("cut in its last byte", Array(sound.bytes.dropLast(1)), "before its IEND"),
    ("no header first", changed { $0.chunks.removeFirst() }, "begins with IDAT instead of an IHDR"),
    ("a short header", changed { $0.chunks[0].data.removeLast() }, "instead of an IHDR"),
    ("no width", changed { $0.chunks[0].data.replaceSubrange(0..<4, with: [0, 0, 0, 0]) }, "impossible size"),
    ("a vast width", changed { $0.chunks[0].data[0] = 0xFF }, "impossible size"),
    (
        "ten million pixels a side",
        changed {
            $0.chunks[0].data.replaceSubrange(0..<8, with: PNGBuilder.word(10_000_000) + PNGBuilder.word(10_000_000))
        },
        "10000000 × 10000000 pixels, more than"
    ),
    ("no data", changed { $0.chunks.remove(at: 1) }, "cannot be decoded"),
    ("an unknown colour type", changed { $0.chunks[0].data[9] = 5 }, "cannot be decoded"),
    ("an unknown depth", changed { $0.chunks[0].data[8] = 3 }, "cannot be decoded"),
    (
        "too few rows", changed { $0.chunks[1].data = PNGBuilder.stored([UInt8](repeating: 0, count: 26)) },
        "cannot be decoded"
    ),
    ("no zlib", changed { $0.chunks[1].data = [1, 2, 3, 4] }, "cannot be decoded"),
    (
        "a flipped bit",
        { () -> [UInt8] in
            var bytes = sound.bytes
            bytes[50] ^= 4
            return bytes
        }(), "cannot be decoded"
    ),
]

@Test(arguments: damages.indices)
func refusesDamage(index: Int) throws {
    let damage = damages[index]
    #expect(throws: Never.self) { try Picture.decode(sound.bytes, name: "sound") }
    let failure = try #require(throws: Failure.self) { try Picture.decode(damage.bytes, name: "row 7") }
    #expect(failure.kind == .data)
    #expect(failure.message.contains("row 7") && failure.message.contains(damage.says), "\(damage.name): \(failure)")
}

@Test func sizeLimitIsTheCallers() throws {
    #expect(throws: Never.self) { try Picture.decode(sound.bytes, name: "x", maximumPixels: 16) }
    let failure = try #require(throws: Failure.self) {
        try Picture.decode(sound.bytes, name: "x", maximumPixels: 15)
    }
    #expect(failure.kind == .data && failure.message.contains("4 × 4 pixels, more than the 15"))
}
