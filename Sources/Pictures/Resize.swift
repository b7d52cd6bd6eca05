// Antialiased resampling of pictures. Not here: cropping and padding (Picture.swift), the inner loops (CVectorMath).

private import CVectorMath
import Foundation

/// The kernel of a resampling: what a pixel's neighbours weigh, as a function of their distance in pixels of the coarser grid.
public enum ResizeFilter: Sendable, CaseIterable {
    /// Area average; support 1/2.
    case box
    /// Linear interpolation; support 1.
    case triangle
    /// Keys' cubic with a = −1/2; support 2.
    case bicubic
    /// sinc windowed by sinc, three lobes; support 3. The sharpest, and the default.
    case lanczos

    /// Distance beyond which the weight is zero.
    var support: Double {
        switch self {
        case .box: 0.5
        case .triangle: 1
        case .bicubic: 2
        case .lanczos: 3
        }
    }

    func weight(_ distance: Double) -> Double {
        let x = abs(distance)
        switch self {
        case .box: return distance > -0.5 && distance <= 0.5 ? 1 : 0
        case .triangle: return max(0, 1 - x)
        case .bicubic:
            if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
            return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
        case .lanczos:
            if x < 1e-8 { return 1 }
            let angle = Double.pi * x
            return x < 3 ? sin(angle) * sin(angle / 3) * 3 / (angle * angle) : 0
        }
    }
}

/// For every output position the first input position and the weights of the following ones, in fixed point.
///
///     centre(i) = (i + 1/2) · s,   s = input / output,   r = max(s, 1)
///     w(i, j)   ∝ filter((j + 1/2 − centre(i)) / r)      for |j + 1/2 − centre(i)| < support · r,   Σ_j w = 1
///
/// The stretch by r when shrinking is the antialiasing; positions outside the picture take no part. Weights are rounded to multiples
/// of 2⁻²², and computed in the order of Pillow's, so that sums are equal to its.
struct ResizeWeights {
    private(set) var starts: [Int32] = []
    /// `range.count · taps` weights; a row shorter than `taps` ends in zeros.
    private(set) var weights: [Int32]
    private(set) var counts: [Int32] = []
    let taps: Int

    /// - Parameters:
    ///   - input: positions that there are.
    ///   - output: positions that there shall be, of which `range` is computed.
    init(_ input: Int, _ output: Int, _ range: Range<Int>, _ filter: ResizeFilter) {
        let scale = Double(input) / Double(output)
        let stretch = max(scale, 1)
        let reach = filter.support * stretch
        taps = min(input, Int(reach.rounded(.up)) * 2 + 1)
        weights = [Int32](repeating: 0, count: range.count * taps)
        for position in range {
            let centre = (Double(position) + 0.5) * scale
            let first = max(0, Int(centre - reach + 0.5))
            let end = min(input, Int(centre + reach + 0.5))
            let row = (0..<end - first).map { filter.weight((Double($0 + first) - centre + 0.5) * (1 / stretch)) }
            let sum = row.reduce(0, +)
            for (tap, weight) in row.enumerated() {
                let fixed = (sum == 0 ? weight : weight / sum) * Double(1 << FANOISE_RESAMPLE_BITS)
                weights[(position - range.lowerBound) * taps + tap] = Int32(fixed < 0 ? fixed - 0.5 : fixed + 0.5)
            }
            starts.append(Int32(first))
            counts.append(Int32(row.count))
        }
    }

    /// Input positions that some output position needs.
    var inputs: Range<Int> {
        let end = zip(starts, counts).map { Int($0 + $1) }.max() ?? 0
        return Int(starts.first ?? 0)..<end
    }

    /// The same weights for an input that begins at the first position needed.
    var shifted: ResizeWeights {
        var result = self
        result.starts = starts.map { $0 - (starts.first ?? 0) }
        return result
    }
}

/// A part of a picture, in its pixels.
public struct PictureWindow: Sendable, Equatable {
    public var x: Range<Int>
    public var y: Range<Int>

    public init(x: Range<Int>, y: Range<Int>) {
        self.x = x
        self.y = y
    }
}

extension Picture {
    /// This picture at another size: separable, antialiased when shrinking, each side scaled on its own.
    ///
    /// Equal to `Image.resize` of Pillow 13 for all four filters. Each of the two passes rounds to bytes, so that their order shows:
    /// the height comes first if it shrinks by more than twice as many pixels as the width does, else the width, as in all of its
    /// earlier versions. A pass that changes nothing is left out. Overshoot of the filter is clamped.
    /// Cost about `3 · (height · width' · taps_x + height' · width' · taps_y)` products with taps ≈ 2 · support · max(scale, 1).
    /// - Parameter window: the part of the new picture that is wanted, which is all that is computed; nil for the whole.
    public func resized(
        width newWidth: Int, height newHeight: Int, filter: ResizeFilter = .lanczos, window: PictureWindow? = nil
    ) -> Picture {
        precondition(newWidth > 0 && newHeight > 0, "resizing to \(newWidth) × \(newHeight) pixels")
        let window = window ?? PictureWindow(x: 0..<newWidth, y: 0..<newHeight)
        precondition(
            !window.x.isEmpty && !window.y.isEmpty && window.x.lowerBound >= 0 && window.x.upperBound <= newWidth
                && window.y.lowerBound >= 0 && window.y.upperBound <= newHeight,
            "the window \(window) of \(newWidth) × \(newHeight) pixels")
        let columns = newWidth == width ? nil : ResizeWeights(width, newWidth, window.x, filter)
        let rows = newHeight == height ? nil : ResizeWeights(height, newHeight, window.y, filter)
        switch (columns, rows) {
        case (nil, nil):
            return window.x.count == width && window.y.count == height ? self : cropped(to: window)
        case (let columns?, nil): return mixingColumns(columns, rows: window.y)
        case (nil, let rows?): return mixingRows(rows, columns: window.x)
        case (let columns?, let rows?):
            if newHeight < height, height - newHeight > 2 * (width - newWidth) {
                return mixingRows(rows, columns: columns.inputs).mixingColumns(
                    columns.shifted, rows: 0..<window.y.count)
            }
            return mixingColumns(columns, rows: rows.inputs).mixingRows(rows.shifted, columns: 0..<window.x.count)
        }
    }

    private func cropped(to window: PictureWindow) -> Picture {
        cropped(x: window.x.lowerBound, y: window.y.lowerBound, width: window.x.count, height: window.y.count)
    }

    /// The columns that `weights` make, of the rows `rows`.
    private func mixingColumns(_ weights: ResizeWeights, rows: Range<Int>) -> Picture {
        let (columns, stride) = (weights.starts.count, weights.starts.count * 3)
        let output = [UInt8](unsafeUninitializedCapacity: stride * rows.count) { output, count in
            pixels.withUnsafeBufferPointer { input in
                guard let input = input.baseAddress, let output = output.baseAddress else { return }
                for row in 0..<rows.count {
                    fanoise_mix_columns(
                        input + (rows.lowerBound + row) * width * 3, weights.starts, weights.counts, weights.weights,
                        weights.taps, columns, output + row * stride)
                }
            }
            count = stride * rows.count
        }
        return Picture(width: columns, height: rows.count, pixels: output)
    }

    /// The rows that `weights` make, of the columns `columns`.
    private func mixingRows(_ weights: ResizeWeights, columns: Range<Int>) -> Picture {
        let (rows, stride) = (weights.starts.count, columns.count * 3)
        let output = [UInt8](unsafeUninitializedCapacity: stride * rows) { output, count in
            pixels.withUnsafeBufferPointer { input in
                weights.weights.withUnsafeBufferPointer { factors in
                    guard let input = input.baseAddress, let output = output.baseAddress,
                        let factors = factors.baseAddress
                    else { return }
                    for row in 0..<rows {
                        fanoise_mix_rows(
                            input + (Int(weights.starts[row]) * width + columns.lowerBound) * 3, width * 3,
                            factors + row * weights.taps, Int(weights.counts[row]), stride, output + row * stride)
                    }
                }
            }
            count = stride * rows
        }
        return Picture(width: columns.count, height: rows, pixels: output)
    }
}
