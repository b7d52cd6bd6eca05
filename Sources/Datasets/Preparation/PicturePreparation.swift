// From a picture to the numbers that an encoder sees. Not here: decoding and resizing (PictureStore), choosing rows (GlobalSampler).
//
// Shapes: S side of a prepared picture; pixels are [S, S, 3] bytes, values [3, S, S] floats.

public import Pictures
import Randomness

/// What a byte of a picture becomes.
public enum PictureNormalization: Sendable, Equatable {
    /// `x / 127.5 − 1`: −1 … 1.
    case symmetric
    /// `(x / 255 − mean) / deviation` of each channel, as published encoders want it.
    case channels(mean: SIMD3<Float>, deviation: SIMD3<Float>)

    /// Value of each byte of each channel, [3, 256].
    var table: [Float] {
        (0..<3).flatMap { channel in
            (0..<256).map { byte in
                switch self {
                case .symmetric: Float(byte) / 127.5 - 1
                case .channels(let mean, let deviation): (Float(byte) / 255 - mean[channel]) / deviation[channel]
                }
            }
        }
    }
}

/// How pictures are prepared. Pictures that are not square are first centred on a white square.
public struct PicturePreparation: Sendable, Equatable {
    /// S.
    public var size: Int
    /// Training pictures are moved by −shift … shift pixels each way, uniformly; uncovered pixels are white.
    public var shift: Int
    /// Whether half of the training pictures are mirrored left to right.
    public var flips: Bool
    public var normalization: PictureNormalization
    /// Larger pictures are refused before they are decoded.
    public var maximumPixels: Int

    public init(
        size: Int, shift: Int = 0, flips: Bool = false, normalization: PictureNormalization = .symmetric,
        maximumPixels: Int = Picture.defaultMaximumPixels
    ) {
        precondition(size > 0 && shift >= 0, "pictures of side \(size) shifted by \(shift)")
        self.size = size
        self.shift = shift
        self.flips = flips
        self.normalization = normalization
        self.maximumPixels = maximumPixels
    }
}

/// A random change of one picture.
struct PictureChange: Equatable {
    /// Pixels to the right and down.
    var x = 0
    var y = 0
    var isMirrored = false

    /// No change.
    init() {}

    /// The change of global row `row` in `step`: a function of the field, the step and the row.
    init(_ preparation: PicturePreparation, field: RandomField, step: Int, row: Int) {
        if preparation.shift > 0 {
            x = field.integer(below: 2 * preparation.shift + 1, step: step, row: row, column: 0) - preparation.shift
            y = field.integer(below: 2 * preparation.shift + 1, step: step, row: row, column: 1) - preparation.shift
        }
        isMirrored = preparation.flips && field.uniform(step: step, row: row, column: 2) < 0.5
    }

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
