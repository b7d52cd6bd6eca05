// Antialiased resampling of pictures. Not here: cropping and padding (Picture.swift).

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

/// For every output position the first input position and the weights of the following ones; weights sum to 1.
///
///     centre(i) = (i + 1/2) · s,   s = input / output,   r = max(s, 1)
///     w(i, j)   ∝ filter((j + 1/2 − centre(i)) / r)      for |j + 1/2 − centre(i)| < support · r
///
/// The stretch by r when shrinking is the antialiasing; positions outside the picture take no part.
struct ResizeWeights {
    private(set) var starts: [Int] = []
    /// `output · taps` weights; a row shorter than `taps` ends in zeros.
    private(set) var weights: [Float]
    private(set) var counts: [Int] = []
    let taps: Int

    init(input: Int, output: Int, filter: ResizeFilter) {
        let scale = Double(input) / Double(output)
        let stretch = max(scale, 1)
        let reach = filter.support * stretch
        taps = min(input, Int(reach.rounded(.up)) * 2 + 1)
        weights = [Float](repeating: 0, count: output * taps)
        for position in 0..<output {
            let centre = (Double(position) + 0.5) * scale
            let first = max(0, Int((centre - reach + 0.5).rounded(.down)))
            let end = min(input, Int((centre + reach + 0.5).rounded(.down)))
            let row = (first..<end).map { filter.weight((Double($0) + 0.5 - centre) / stretch) }
            let sum = row.reduce(0, +)
            for (tap, weight) in row.enumerated() { weights[position * taps + tap] = Float(weight / sum) }
            starts.append(first)
            counts.append(row.count)
        }
    }
}

extension Picture {
    /// This picture at another size: separable, antialiased when shrinking, each side scaled on its own.
    ///
    /// Sums are float32 between the two passes and rounded once, to nearest, at the end; overshoot of the filter is clamped.
    /// Cost about `3 · width' · (height · taps_y + height' · taps_x)` products with taps ≈ 2 · support · max(scale, 1).
    public func resized(width newWidth: Int, height newHeight: Int, filter: ResizeFilter = .lanczos) -> Picture {
        precondition(newWidth > 0 && newHeight > 0, "resizing to \(newWidth) × \(newHeight) pixels")
        guard newWidth != width || newHeight != height else { return self }
        let rows = ResizeWeights(input: height, output: newHeight, filter: filter)
        let columns = ResizeWeights(input: width, output: newWidth, filter: filter)
        let stride = width * 3
        let output = [UInt8](unsafeUninitializedCapacity: newWidth * newHeight * 3) { output, count in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: stride) { line in
                pixels.withUnsafeBufferPointer { input in
                    guard let line = line.baseAddress, let input = input.baseAddress, let output = output.baseAddress
                    else {
                        return
                    }
                    for row in 0..<newHeight {
                        Self.mixRows(input, rows, row, stride: stride, into: line)
                        Self.mixColumns(line, columns, into: output + row * newWidth * 3, count: newWidth)
                    }
                }
            }
            count = newWidth * newHeight * 3
        }
        return Picture(width: newWidth, height: newHeight, pixels: output)
    }

    /// `line[x] = Σ_j w_j · input[start + j][x]` over one whole row of `stride` values.
    private static func mixRows(
        _ input: UnsafePointer<UInt8>, _ rows: ResizeWeights, _ row: Int, stride: Int,
        into line: UnsafeMutablePointer<Float>
    ) {
        line.update(repeating: 0, count: stride)
        for tap in 0..<rows.counts[row] {
            let weight = rows.weights[row * rows.taps + tap]
            let source = input + (rows.starts[row] + tap) * stride
            for x in 0..<stride { line[x] += weight * Float(source[x]) }
        }
    }

    /// `output[i] = round(Σ_j w_ij · line[start_i + j])` for `count` pixels of three channels.
    private static func mixColumns(
        _ line: UnsafePointer<Float>, _ columns: ResizeWeights, into output: UnsafeMutablePointer<UInt8>, count: Int
    ) {
        columns.weights.withUnsafeBufferPointer { weights in
            for column in 0..<count {
                var sum = SIMD4<Float>.zero
                let source = line + columns.starts[column] * 3
                for tap in 0..<columns.counts[column] {
                    let pixel = SIMD4(source[3 * tap], source[3 * tap + 1], source[3 * tap + 2], 0)
                    sum += pixel * weights[column * columns.taps + tap]
                }
                let rounded = (sum + 0.5).clamped(lowerBound: .zero, upperBound: SIMD4(repeating: 255))
                for channel in 0..<3 { output[3 * column + channel] = UInt8(rounded[channel]) }
            }
        }
    }
}
