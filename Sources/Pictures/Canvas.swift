// Drawing with soft edges on a picture: rectangles, rounded frames, coverage masks. Not here: layout (ContactSheet.swift).

import Foundation

/// An opaque colour in stored sRGB values.
struct Colour: Sendable, Equatable {
    let red: UInt8
    let green: UInt8
    let blue: UInt8

    init(_ hex: UInt32) {
        red = UInt8(hex >> 16 & 255)
        green = UInt8(hex >> 8 & 255)
        blue = UInt8(hex & 255)
    }
}

/// A rectangle in pixels; `right` and `bottom` lie outside.
struct Box: Sendable {
    let x: Int
    let y: Int
    let width: Int
    let height: Int

    func inset(by amount: Int) -> Box {
        Box(x: x + amount, y: y + amount, width: width - 2 * amount, height: height - 2 * amount)
    }
}

extension Picture {
    /// Mixes `colour` into one pixel: `out = old + (colour − old) · coverage / 255`; pixels outside are ignored.
    mutating func blend(_ colour: Colour, x: Int, y: Int, coverage: Int) {
        guard x >= 0, y >= 0, x < width, y < height, coverage > 0 else { return }
        let offset = (y * width + x) * 3
        for (channel, value) in [colour.red, colour.green, colour.blue].enumerated() {
            let old = Int(pixels[offset + channel])
            pixels[offset + channel] = UInt8((old * (255 - coverage) + Int(value) * coverage + 127) / 255)
        }
    }

    /// Fills a rectangle whose corners are rounded with `radius` pixels; edges of corners are antialiased.
    mutating func fill(_ box: Box, _ colour: Colour, radius: Double = 0) {
        for y in (box.y..<box.y + box.height).clamped(to: 0..<height) {
            for x in (box.x..<box.x + box.width).clamped(to: 0..<width) {
                blend(colour, x: x, y: y, coverage: Self.coverage(x: x, y: y, of: box, radius: radius))
            }
        }
    }

    /// How much of a pixel lies inside a rounded box, 0 to 255, by its centre's signed distance to the edge.
    private static func coverage(x: Int, y: Int, of box: Box, radius: Double) -> Int {
        guard radius > 0 else { return 255 }
        let dx = abs(Double(x - box.x) + 0.5 - Double(box.width) / 2) - Double(box.width) / 2 + radius
        let dy = abs(Double(y - box.y) + 0.5 - Double(box.height) / 2) - Double(box.height) / 2 + radius
        guard dx > 0, dy > 0 else { return 255 }
        return Int((min(1, max(0, radius - hypot(dx, dy) + 0.5)) * 255).rounded())
    }
}
