// Padding, cropping, shifting and compositing.

import Foundation
import Pictures
import Testing

/// Three columns, two rows, grey values 1…6.
private let six = Picture(width: 3, height: 2, pixels: (1...6).flatMap { [UInt8](repeating: UInt8($0), count: 3) })

private func greys(_ picture: Picture) -> [UInt8] {
    stride(from: 0, to: picture.pixels.count, by: 3).map { picture.pixels[$0] }
}

@Test(arguments: [
    (0, 0, 3, 2, [1, 2, 3, 4, 5, 6]), (1, 0, 2, 1, [2, 3]), (-1, -1, 2, 2, [255, 255, 255, 1]),
    (2, 1, 2, 2, [6, 255, 255, 255]), (9, 9, 1, 1, [255]),
])
func cropsAndPads(x: Int, y: Int, width: Int, height: Int, expected: [UInt8]) {
    let window = six.cropped(x: x, y: y, width: width, height: height)
    #expect(window.width == width && window.height == height && greys(window) == expected)
}

@Test(arguments: [
    (0, 0, [1, 2, 3, 4, 5, 6]), (1, 0, [255, 1, 2, 255, 4, 5]), (-1, 1, [255, 255, 255, 2, 3, 255]),
    (3, 0, [255, 255, 255, 255, 255, 255]),
])
func shifts(x: Int, y: Int, expected: [UInt8]) { #expect(greys(six.shifted(x: x, y: y)) == expected) }

@Test func padsToSquare() {
    #expect(greys(six.paddedToSquare()) == [1, 2, 3, 4, 5, 6, 255, 255, 255])
    let wide = six.paddedToSquare(margin: 1)
    #expect(wide.width == 5 && wide.height == 5 && greys(wide)[6...8] == [1, 2, 3])
    #expect(six.paddedToSquare().paddedToSquare() == six.paddedToSquare())
}

/// The square of a strip's longer side would take 3 TB: the strip is resized first, and keeps its place in the middle.
@Test(arguments: [true, false]) func stripsAreSquaredInBoundedMemory(isWide: Bool) {
    let length = 1_000_000
    let strip = Picture(width: isWide ? length : 1, height: isWide ? 1 : length, grey: 7)
    let square = strip.squared(4, filter: .box)
    let expected: [[UInt8]] = (0..<4).map { row in (0..<4).map { (isWide ? row : $0) == 1 ? 7 : 255 } }
    #expect(square.width == 4 && square.height == 4 && greys(square) == expected.flatMap { $0 })
}

@Test func picturesOfOrdinarySizesAreSquaredByPadding() {
    #expect(six.squared(2) == six.paddedToSquare().resized(width: 2, height: 2))
    #expect(greys(six.letterboxed(3, grey: 9)) == [1, 2, 3, 4, 5, 6, 9, 9, 9])
}

@Test func everyAlphaOverWhiteIsRounded() {
    for value: UInt8 in [0, 1, 100, 254, 255] {
        let rgba: [UInt8] = (0...255).flatMap { (alpha: Int) -> [UInt8] in [value, 0, 255, UInt8(alpha)] }
        let picture = Picture(width: 256, height: 1, overWhite: rgba)
        for alpha in 0...255 {
            let share = Double(alpha) / 255
            let mixed: Double = Double(value) * share + 255 * (1 - share)
            let pixel = Array(picture.pixels[3 * alpha..<3 * alpha + 3])
            #expect(pixel == [UInt8(mixed.rounded()), UInt8(255 - alpha), 255])
        }
    }
}

@Test func blankMeansWhite() {
    var picture = Picture(width: 2, height: 2)
    #expect(picture.isBlank)
    picture.pixels[11] = 254
    #expect(!picture.isBlank)
}
