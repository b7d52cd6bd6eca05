// Files of every kind against what Pillow makes of them, and files that are wrong in any way. Not here: PNG's own structure (PNGTests).

import Failures
import Foundation
import Pictures
import Testing

/// A file of `Golden/decoding`, and its pixels by Pillow (`Golden/decoding.py`).
struct DecodingCase: Decodable, CustomTestStringConvertible {
    let file: String
    let width: Int
    let height: Int
    /// Greatest difference of a value: JPEG decoders of different versions may round differently.
    let tolerance: Int
    let rgb: String

    var testDescription: String { file }
    var pixels: [UInt8] {
        let digits = Array(rgb.utf8)
        return stride(from: 0, to: digits.count, by: 2).map {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16) ?? 0
        }
    }
    var bytes: [UInt8] { (try? Data(contentsOf: golden("decoding/\(file)"))).map([UInt8].init) ?? [] }

    static let all: [DecodingCase] = {
        do {
            return try JSONDecoder().decode([DecodingCase].self, from: Data(contentsOf: golden("decoding.json")))
        } catch {
            Issue.record("\(error)")
            return []
        }
    }()
}

func golden(_ name: String) -> URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden/\(name)")
}

private func greatestDifference(_ a: [UInt8], _ b: [UInt8]) -> Int {
    a.count == b.count ? zip(a, b).map { abs(Int($0) - Int($1)) }.max() ?? 0 : 256
}

@Test(arguments: DecodingCase.all) func decodesLikePillow(sample: DecodingCase) throws {
    let picture = try Picture.decode(sample.bytes, name: sample.file)
    #expect(picture.width == sample.width && picture.height == sample.height)
    let difference = greatestDifference(picture.pixels, sample.pixels)
    #expect(difference <= sample.tolerance, "\(difference) grey levels")
}

/// The tags of the first case of each format, so that tests over all bytes of a file stay short.
private let oneOfEach = DecodingCase.all.filter {
    [
        "baseline-420.jpg", "progressive-420.jpg", "restarts.jpg", "cmyk.jpg", "palette-alpha.png", "lossy-alpha.webp",
        "lossless.webp", "animated.webp", "interlaced.gif", "transparent.gif",
    ].contains($0.file)
}

/// A file that ends anywhere is refused by name, unless nothing but marks of its end is missing.
@Test(arguments: oneOfEach) func truncationIsDamage(sample: DecodingCase) throws {
    let bytes = sample.bytes
    for count in 0..<bytes.count {
        do {
            let picture = try Picture.decode(Array(bytes.prefix(count)), name: "row 7")
            #expect(bytes.count - count <= 4, "\(count) of \(bytes.count) bytes were enough")
            #expect(greatestDifference(picture.pixels, sample.pixels) <= sample.tolerance)
        } catch let failure as Failure {
            #expect(failure.kind == .data && failure.message.contains("row 7"), "\(failure)")
        }
    }
}

/// One wrong byte anywhere: a picture or a failure with a name, nothing else.
@Test(arguments: oneOfEach) func wrongBytesAreRefusedOrHarmless(sample: DecodingCase) throws {
    for place in sample.bytes.indices {
        var bytes = sample.bytes
        bytes[place] ^= UInt8(1 << (place % 8))
        do { _ = try Picture.decode(bytes, name: "row 7", maximumPixels: 1 << 20) } catch let failure as Failure {
            #expect(failure.kind == .data && failure.message.contains("row 7"), "\(failure)")
        }
    }
}

private func change(_ file: String, _ body: (inout [UInt8]) -> Void) -> [UInt8] {
    var bytes = (try? Data(contentsOf: golden("decoding/\(file)"))).map([UInt8].init) ?? []
    body(&bytes)
    return bytes
}

/// The frame header of a JPEG: marker, length, precision, height, width.
private func frame(_ bytes: [UInt8]) -> Int {
    bytes.indices.dropLast().first { bytes[$0] == 0xFF && (0xC0...0xC2).contains(bytes[$0 + 1]) } ?? 0
}

/// Ways in which a file can be wrong, and what the message must say.
private let wrongFiles: [(name: String, bytes: [UInt8], says: String)] = [
    ("nothing", [], "is empty"), ("text", Array("hello, world".utf8), "begins like no picture (68 65 6c 6c)"),
    ("a web page", Array("<!DOCTYPE html>".utf8), "is a web page, SVG or other markup"),
    ("a BMP", Array("BM000000".utf8), "is a BMP picture"), ("a TIFF", Array("MM\0*0000".utf8), "is a TIFF picture"),
    ("an AVIF", Array("\0\0\0\u{18}ftypavif".utf8), "is an AVIF picture"),
    ("an MNG", [0x8A] + Array("MNG\r\n\u{1A}\n".utf8), "is an MNG animation"),
    ("a wave", Array("RIFF0000WAVE".utf8), "begins like no picture"),
    ("two bytes of a JPEG", [0xFF, 0xD8], "ends after 2 bytes"),
    ("a JPEG without a picture", [0xFF, 0xD8, 0xFF, 0xD9], "cannot be decoded: JPEG datastream contains no image"),
    (
        "a vast JPEG",
        change("baseline-420.jpg") {
            $0.replaceSubrange(frame($0) + 5..<frame($0) + 9, with: [0xFF, 0xDC, 0xFF, 0xDC])
        },
        "65500 × 65500 pixels, more than"
    ),
    (
        "a JPEG of no height",
        change("baseline-420.jpg") { $0.replaceSubrange(frame($0) + 5..<frame($0) + 7, with: [0, 0]) },
        "cannot be decoded"
    ),
    ("a JPEG of 12 bits", change("baseline-420.jpg") { $0[frame($0) + 4] = 12 }, "Unsupported JPEG data precision 12"),
    (
        "a progressive JPEG without its last scans",
        change("progressive-444.jpg") { bytes in
            let scans = bytes.indices.dropLast().filter { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xDA }
            bytes.removeSubrange(scans[2]...)
        }, "end before its last scan"
    ),
    (
        "a JPEG of very many scans",
        change("progressive-444.jpg") { bytes in
            let scans = bytes.indices.dropLast().filter { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xDA }
            let scan = bytes[scans[0]..<scans[1]]
            for _ in 0..<150 { bytes.insert(contentsOf: scan, at: scans[0]) }
        }, "more than 100 scans"
    ),
    (
        "a vast GIF", change("plain.gif") { $0.replaceSubrange(6..<10, with: [0xFF, 0xFF, 0xFF, 0xFF]) },
        "65535 × 65535 pixels, more than"
    ),
    ("a GIF without a frame", Array("GIF89a".utf8) + [1, 0, 1, 0, 0, 0, 0, 0x3B], "ends without a frame"),
    ("a GIF of a header", change("plain.gif") { $0.removeSubrange(13...) }, "cannot be decoded"),
    (
        "a vast WebP",
        change("animated.webp") { $0.replaceSubrange(24..<30, with: [0xFF, 0x3F, 0, 0xFF, 0x3F, 0]) },
        "16384 × 16384 pixels, more than"
    ),
    ("a WebP of a header", change("lossy.webp") { $0.removeSubrange(20...) }, "cut short"),
    ("a WebP cut in half", change("lossy.webp") { $0.removeSubrange(($0.count / 2)...) }, "cut short"),
]

@Test(arguments: wrongFiles.indices) func refusesWrongFiles(index: Int) throws {
    let wrong = wrongFiles[index]
    let failure = try #require(throws: Failure.self) { try Picture.decode(wrong.bytes, name: "shard.tar: 7.jpg") }
    #expect(failure.kind == .data)
    #expect(
        failure.message.contains("shard.tar: 7.jpg") && failure.message.contains(wrong.says),
        "\(wrong.name): \(failure)")
}

/// Names say nothing: the same bytes under any of them.
@Test func contentDecidesNotTheName() throws {
    for sample in oneOfEach { #expect(throws: Never.self) { try Picture.decode(sample.bytes, name: "x.bmp") } }
}

@Test(arguments: [1, 2, 3, 6, 7, 14, 15, 1000], ["baseline-420.jpg", "orientation-6.jpg", "cmyk.jpg"])
func scaledDecodingHasTheSideAskedFor(side: Int, file: String) throws {
    let bytes = [UInt8](try Data(contentsOf: golden("decoding/\(file)")))
    let whole = try Picture.decode(bytes, name: file)
    let scaled = try Picture.decode(bytes, name: file, atLeast: side)
    let shorter = min(scaled.width, scaled.height)
    // 14 pixels: 2, 4, 7 or 14 of them are the eighth, the quarter, the half and the whole.
    #expect(shorter == [2, 4, 7].first { $0 >= side } ?? 14)
    #expect((scaled.width < scaled.height) == (whole.width < whole.height))
    if shorter == 14 { #expect(scaled == whole) }
}

@Test func pipesAndFoldersAreNoPictures() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    mkfifo(folder + "/pipe.jpg", 0o600)
    for path in [folder, folder + "/pipe.jpg", folder + "/none.jpg"] {
        let failure = try #require(throws: Failure.self) { try Picture.read(path: path) }
        #expect(failure.kind == .inputMissing && failure.message.contains(path))
    }
}
