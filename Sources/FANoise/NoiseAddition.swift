// The noise of a rank's rows, added, with the figures of what it did. Not here: the shape of the noise (NoiseShape.swift).

import Buffers
import Kernels
import Randomness

/// Sums over rows that become a report once they are summed over ranks; a view of `count` float64 numbers in a message.
struct RowFigures {
    static let count = 5
    /// Σ ‖noise‖².
    var noise = 0.0
    /// Σ ‖x‖².
    var signal = 0.0
    /// Σ cos(x, x̃) over the `cosineRows` rows where neither is zero.
    var cosines = 0.0
    var cosineRows = 0.0
    var rows = 0.0

    init() {}

    init(_ values: Doubles) {
        (noise, signal, cosines, cosineRows, rows) = (values[0], values[1], values[2], values[3], values[4])
    }

    func write(to values: Doubles) {
        for (index, value) in [noise, signal, cosines, cosineRows, rows].enumerated() { values[index] = value }
    }

    var noiseToSignal: Double { signal > 0 ? (noise / signal).squareRoot() : 0 }
    var cosine: Double { cosineRows > 0 ? cosines / cosineRows : 1 }
    var rowNorm: Double { rows > 0 ? (signal / rows).squareRoot() : 0 }

    /// Takes in one row, given ‖noise‖², ‖x‖², x · x̃ and ‖x̃‖².
    mutating func add(noise: Double, signal: Double, product: Double, result: Double) {
        self.noise += noise
        self.signal += signal
        rows += 1
        if signal > 0, result > 0 {
            cosines += product / (signal * result).squareRoot()
            cosineRows += 1
        }
    }
}

/// Rows that are drawn, multiplied and added at a time: large enough for an efficient product, small enough for the cache.
private let chunkRows = 256

/// `X̃ = X + (α/√n) ε M` for the local rows, in a new buffer. Local.
/// - Parameter figures: overwritten with the local sums.
func addNoise(
    to side: NoiseSide, _ shape: NoiseShape, strength: Float, _ field: RandomField, step: Int, figures: Doubles
) -> Floats {
    let n = shape.columns
    let result_BN = Floats(count: side.values_BN.count)
    let chunk = min(chunkRows, side.rows)
    let drawn = Floats(count: side.gaussian_BN == nil ? chunk * n : 0)
    let shaped = Floats(count: shape.isIsotropic ? 0 : chunk * n)
    let workspace = Floats(count: chunk * shape.gains.resolved_K.count)
    let scale = strength / Float(n).squareRoot()
    var sums = RowFigures()
    for first in stride(from: 0, to: side.rows, by: chunkRows) {
        let count = min(chunkRows, side.rows - first)
        let noise_BN: Floats
        if let given = side.gaussian_BN {
            noise_BN = given[first * n..<(first + count) * n]
        } else {
            noise_BN = drawn[0..<count * n]
            for row in 0..<count {
                field.normals(step: step, row: side.firstRow + first + row, into: noise_BN[row * n..<(row + 1) * n])
            }
        }
        if !shape.isIsotropic { shape.shape(noise_BN, rows: count, into: shaped[0..<count * n], workspace: workspace) }
        // Isotropic: noise = ρ ε. Otherwise: noise = shaped + ρ ε, ρ being zero but for an approximate spectrum.
        let (main, mainScale, other, otherScale) =
            shape.isIsotropic
            ? (noise_BN, scale * shape.remainder, noise_BN, Float(0))
            : (shaped, scale, noise_BN, scale * shape.remainder)
        for row in 0..<count {
            let position = (first + row) * n
            addRow(
                side.values_BN.base + position, main.base + row * n, mainScale, other.base + row * n, otherScale,
                into: result_BN.base + position, columns: n, &sums)
        }
    }
    sums.write(to: figures)
    return result_BN
}

/// The figures of rows that get no noise.
func measure(_ side: NoiseSide, columns n: Int, figures: Doubles) {
    var sums = RowFigures()
    for row in 0..<side.rows {
        let squares = sumOfSquares(side.values_BN[row * n..<(row + 1) * n])
        sums.add(noise: 0, signal: squares, product: squares, result: squares)
    }
    sums.write(to: figures)
}

/// `y = x + a·p + b·q` for one row, with its squares and products in float64, four lanes at a time.
private func addRow(
    _ x: UnsafePointer<Float>, _ p: UnsafePointer<Float>, _ a: Float, _ q: UnsafePointer<Float>, _ b: Float,
    into y: UnsafeMutablePointer<Float>, columns n: Int, _ sums: inout RowFigures
) {
    var (noises, signals, products, results) = (SIMD4<Double>(), SIMD4<Double>(), SIMD4<Double>(), SIMD4<Double>())
    var column = 0
    while column < n {
        let width = min(4, n - column)
        var value = SIMD4<Float>()
        var noise = SIMD4<Float>()
        if width == 4 {
            value = UnsafeRawPointer(x + column).loadUnaligned(as: SIMD4<Float>.self)
            noise = a * UnsafeRawPointer(p + column).loadUnaligned(as: SIMD4<Float>.self)
            if b != 0 { noise += b * UnsafeRawPointer(q + column).loadUnaligned(as: SIMD4<Float>.self) }
            UnsafeMutableRawPointer(y + column).storeBytes(of: value + noise, as: SIMD4<Float>.self)
        } else {
            for lane in 0..<width {
                value[lane] = x[column + lane]
                noise[lane] = a * p[column + lane] + b * q[column + lane]
                y[column + lane] = value[lane] + noise[lane]
            }
        }
        let wide = SIMD4<Double>(value)
        let wideNoise = SIMD4<Double>(noise)
        let wideResult = SIMD4<Double>(value + noise)
        noises += wideNoise * wideNoise
        signals += wide * wide
        products += wide * wideResult
        results += wideResult * wideResult
        column += width
    }
    sums.add(noise: noises.sum(), signal: signals.sum(), product: products.sum(), result: results.sum())
}
