// Resizing against a direct double sum, and what must hold exactly.

import Foundation
import Pictures
import Testing

/// The filters as their definitions say, independently of the library.
private func weight(_ filter: ResizeFilter, _ x: Double) -> Double {
    func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(.pi * x) / (.pi * x) }
    let d = abs(x)
    switch filter {
    case .box: return x > -0.5 && x <= 0.5 ? 1 : 0
    case .triangle: return d < 1 ? 1 - d : 0
    case .bicubic:
        let a = -0.5
        if d < 1 { return (a + 2) * d * d * d - (a + 3) * d * d + 1 }
        return d < 2 ? a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a : 0
    case .lanczos: return d < 3 ? sinc(x) * sinc(x / 3) : 0
    }
}

/// Weights of every input position for output position `i`, normalised.
private func weights(_ filter: ResizeFilter, _ input: Int, _ output: Int, _ i: Int) -> [Double] {
    let scale = Double(input) / Double(output)
    let row = (0..<input).map { weight(filter, (Double($0) + 0.5 - (Double(i) + 0.5) * scale) / max(scale, 1)) }
    let sum = row.reduce(0, +)
    return row.map { $0 / sum }
}

private func noise(_ width: Int, _ height: Int) -> Picture {
    var state: UInt32 = 7
    return Picture(
        width: width, height: height,
        pixels: (0..<width * height * 3).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(state >> 24)
        })
}

private let sizes = [
    (1, 1, 3, 2), (2, 2, 1, 1), (5, 7, 5, 3), (17, 9, 4, 30), (34, 32, 16, 16), (33, 1, 8, 5), (7, 40, 7, 13),
]

@Test(arguments: ResizeFilter.allCases, sizes)
func resizeIsTheDoubleSum(filter: ResizeFilter, size: (Int, Int, Int, Int)) {
    let (width, height, newWidth, newHeight) = size
    let picture = noise(width, height)
    let resized = picture.resized(width: newWidth, height: newHeight, filter: filter)
    // Rounding after the first pass moves a value by at most 1/2, which the second multiplies by the absolute sum of its weights,
    // below 1.7; rounding after the second by 1/2; weights rounded to 2⁻²³ by less than 2 · 31 · 2⁻²³ · 255 · 1.7.
    let tolerance = 0.5 * 1.7 + 0.5 + 0.004
    for y in 0..<newHeight {
        let rows = weights(filter, height, newHeight, y)
        for x in 0..<newWidth {
            let columns = weights(filter, width, newWidth, x)
            for channel in 0..<3 {
                var sum = 0.0
                for (j, row) in rows.enumerated() {
                    for (i, column) in columns.enumerated() {
                        sum += row * column * Double(picture.pixels[(j * width + i) * 3 + channel])
                    }
                }
                let value = Double(resized.pixels[(y * newWidth + x) * 3 + channel])
                #expect(
                    abs(value - min(255, max(0, sum))) <= tolerance, "\(filter) \(size) at \(x), \(y): \(value), \(sum)"
                )
            }
        }
    }
}

@Test(arguments: ResizeFilter.allCases, [(64, 64), (3, 5), (200, 1)])
func oneColourStays(filter: ResizeFilter, size: (Int, Int)) {
    let picture = Picture(width: 37, height: 23, grey: 201)
    #expect(
        picture.resized(width: size.0, height: size.1, filter: filter)
            == Picture(width: size.0, height: size.1, grey: 201))
}

/// Antialiasing: stripes finer than the new grid become their average instead of a pattern.
@Test(arguments: [ResizeFilter.triangle, .bicubic, .lanczos])
func fineStripesBecomeGrey(filter: ResizeFilter) {
    let stripes = (0..<128 * 8).flatMap { [UInt8](repeating: $0 % 2 == 0 ? 0 : 254, count: 3) }
    let small = Picture(width: 128, height: 8, pixels: stripes).resized(width: 16, height: 8, filter: filter)
    // The kernel spans at least 16 stripes; away from the ends its response at the stripes' frequency is below 2 %.
    for x in 3..<13 { #expect(abs(Int(small.pixels[3 * x]) - 127) <= 3, "\(filter) at \(x): \(small.pixels[3 * x])") }
}

/// A resizing by Pillow (`Golden/resizing.py`).
private struct ResizingCase: Decodable {
    let filter: String
    let size: [Int]
    let hard: Bool
    let hash: String
}

private func fnv(_ bytes: [UInt8]) -> String {
    let hash = bytes.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

@Test func resizingIsPillows() throws {
    let cases = try JSONDecoder().decode([ResizingCase].self, from: Data(contentsOf: golden("resizing.json")))
    #expect(cases.count == 160)
    for sample in cases {
        let filter = try #require(ResizeFilter.allCases.first { "\($0)" == sample.filter })
        var picture = noise(sample.size[0], sample.size[1])
        if sample.hard { picture.pixels = picture.pixels.map { $0 >= 128 ? 255 : 0 } }
        let resized = picture.resized(width: sample.size[2], height: sample.size[3], filter: filter)
        #expect(fnv(resized.pixels) == sample.hash, "\(sample)")
        // A window of it is computed alone, and equal.
        let window = PictureWindow(x: sample.size[2] / 3..<sample.size[2], y: 0..<(sample.size[3] + 1) / 2)
        #expect(
            picture.resized(width: sample.size[2], height: sample.size[3], filter: filter, window: window)
                == resized.cropped(
                    x: window.x.lowerBound, y: 0, width: window.x.count, height: window.y.count), "\(sample)")
    }
}
