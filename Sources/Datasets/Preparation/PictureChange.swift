// The random changes of a prepared picture that move or recolour its ink, and the numbers they end as. Not here: random crops
// (RandomCrop), brightness, contrast, saturation and hue (ColourJitter).
//
// Shapes: S side of a prepared picture; pixels are [S, S, 3] bytes, values [3, S, S] floats.

import Foundation
import Randomness

/// A random change of one picture.
struct PictureChange: Equatable {
    /// Pixels to the right and down.
    var x = 0
    var y = 0
    var isMirrored = false
    var zoom: Float = 1
    /// Radians, clockwise.
    var angle: Float = 0
    /// Factors of each channel's ink.
    var ink = SIMD3<Float>(repeating: 1)
    var isGrey = false

    /// No change.
    init() {}

    /// The change of global row `row` in `step`: a function of the field, the step and the row.
    init(_ preparation: PicturePreparation, field: RandomField, step: Int, row: Int) {
        if preparation.shift > 0 {
            x = field.integer(below: 2 * preparation.shift + 1, step: step, row: row, column: 0) - preparation.shift
            y = field.integer(below: 2 * preparation.shift + 1, step: step, row: row, column: 1) - preparation.shift
        }
        isMirrored = preparation.flips && field.uniform(step: step, row: row, column: 2) < 0.5
        let jitter = preparation.jitter
        guard jitter != PictureJitter() else { return }
        func symmetric(_ range: Float, _ column: Int) -> Float {
            range * (2 * field.uniform(step: step, row: row, column: column) - 1)
        }
        zoom = 1 + symmetric(jitter.zoom, 3)
        angle = symmetric(jitter.rotation, 4) * .pi / 180
        ink = SIMD3(1 + symmetric(jitter.colour, 5), 1 + symmetric(jitter.colour, 6), 1 + symmetric(jitter.colour, 7))
        isGrey = field.uniform(step: step, row: row, column: 8) < jitter.grey
    }

    /// Whether whole pixels move, and nothing else happens.
    private var isWholePixels: Bool { zoom == 1 && angle == 0 && ink == SIMD3(repeating: 1) && !isGrey }

    /// Writes the changed picture: mirrored first, then moved.
    ///
    ///     out[c, y, x] = table[c, in[y − dy, x' , c]],   x' = x − dx, mirrored S − 1 − (x − dx);   255 outside
    ///
    /// - Parameters:
    ///   - pixels: [S, S, 3].
    ///   - table: [3, 256].
    ///   - output: [3, S, S]; overwritten.
    func write(
        _ pixels: UnsafePointer<UInt8>, size: Int, table: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>
    ) {
        guard isWholePixels else { return resample(pixels, size: size, table: table, into: output) }
        let columns = max(0, x)..<max(max(0, x), min(size, size + x))
        let step = isMirrored ? -3 : 3
        for channel in 0..<3 {
            let values = table + channel * 256
            let white = values[255]
            for row in 0..<size {
                let line = output + (channel * size + row) * size
                let sourceRow = row - y
                guard sourceRow >= 0, sourceRow < size, !columns.isEmpty else {
                    line.update(repeating: white, count: size)
                    continue
                }
                line.update(repeating: white, count: columns.lowerBound)
                (line + columns.upperBound).update(repeating: white, count: size - columns.upperBound)
                let first = columns.lowerBound - x
                var source = pixels + (sourceRow * size + (isMirrored ? size - 1 - first : first)) * 3 + channel
                for column in columns {
                    line[column] = values[Int(source.pointee)]
                    source += step
                }
            }
        }
    }
}

extension PictureChange {
    /// The general case of `write`: each output pixel is looked up, bilinearly, where the inverse of the change leads; white outside.
    ///
    ///     (u, v) = centre + R(−angle) · ((column, row) − centre − (x, y)) / zoom,   then mirrored
    ///     ink = factor · (255 − value), at most 255;   grey: the mean ink of the three channels, before the factors
    private func resample(
        _ pixels: UnsafePointer<UInt8>, size: Int, table: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>
    ) {
        let centre = Float(size - 1) / 2
        let (cosine, sine) = (Foundation.cos(angle) / zoom, Foundation.sin(angle) / zoom)
        // The tables are affine: what lies between two bytes is normalised as they are.
        let white = SIMD3(table[255], table[511], table[767])
        let perInk = (SIMD3(table[0], table[256], table[512]) - white) / 255
        func ink(_ row: Int, _ column: Int) -> SIMD3<Float> {
            guard row >= 0, row < size, column >= 0, column < size else { return .zero }
            let pixel = pixels + (row * size + column) * 3
            return 255 - SIMD3(Float(pixel[0]), Float(pixel[1]), Float(pixel[2]))
        }
        for row in 0..<size {
            for column in 0..<size {
                let (dx, dy) = (Float(column - x) - centre, Float(row - y) - centre)
                let across = centre + cosine * dx + sine * dy
                let down = centre - sine * dx + cosine * dy
                let (u, v) = (isMirrored ? Float(size - 1) - across : across, down)
                let (left, top): (Float, Float) = (u.rounded(.down), v.rounded(.down))
                let (i, j, p, q) = (Int(top), Int(left), v - top, u - left)
                let above = ink(i, j) * (1 - q) + ink(i, j + 1) * q
                let below = ink(i + 1, j) * (1 - q) + ink(i + 1, j + 1) * q
                var value = above * (1 - p) + below * p
                if isGrey { value = SIMD3(repeating: value.sum() / 3) }
                let result =
                    white + perInk * (value * self.ink).clamped(lowerBound: .zero, upperBound: SIMD3(repeating: 255))
                for channel in 0..<3 { output[(channel * size + row) * size + column] = result[channel] }
            }
        }
    }
}
