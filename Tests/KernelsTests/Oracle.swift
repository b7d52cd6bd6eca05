// What kernels are compared with: naive float64, central differences, and a comparison that says where it failed.

import Buffers
import Foundation
import Randomness
import Testing

/// Sizes at the edges: none, one, odd, one vector less and more, several vectors and a rest.
let edgeSizes = [0, 1, 3, 8, 15, 16, 17, 31, 63, 64, 65, 130]

/// `count` standard normals, the same for the same `stream`, times `scale`.
func sample(_ count: Int, _ stream: UInt32, scale: Float = 1) -> Floats {
    let values = RandomField(seed: 7, purpose: .test, stream: stream).normals(
        step: 0, firstRow: 0, rows: 1, columns: count)
    for i in 0..<count { values[i] *= scale }
    return values
}

/// A buffer that no kernel may leave as it is.
func unwritten(_ count: Int) -> Floats { Floats(repeating: .nan, count: count) }

extension Buffer where Element == Float {
    var doubles: [Double] { array.map(Double.init) }
}

/// The largest magnitude, at least `floor`.
func magnitude(_ values: [Double], floor: Double = 0) -> Double { values.reduce(floor) { max($0, abs($1)) } }

/// The largest |actual − expected| in units of the largest expected magnitude (or `scale`), and where it is; infinite for a NaN.
func worstError(_ actual: [Double], _ expected: [Double], scale: Double? = nil) -> (error: Double, index: Int) {
    guard actual.count == expected.count else { return (.infinity, -1) }
    let unit = scale ?? magnitude(expected, floor: 1e-30)
    var worst = (error: 0.0, index: -1)
    for (index, pair) in zip(actual, expected).enumerated() {
        let error = abs(pair.0 - pair.1) / unit
        if !(error <= worst.error) { worst = (error.isNaN ? .infinity : error, index) }
    }
    return worst
}

/// Records an issue unless every element is within `tolerance` of the largest expected magnitude (or of `scale`).
func expectClose(
    _ actual: Floats, _ expected: [Double], tolerance: Double, scale: Double? = nil, _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let worst = worstError(actual.doubles, expected, scale: scale)
    #expect(
        worst.error <= tolerance, "\(what): element \(worst.index) of \(expected.count)", sourceLocation: sourceLocation
    )
}

/// Half a unit in the last place of float32, relative: the rounding of one operation.
let unitRoundoff = 0x1p-24

/// ∂f/∂x_i by central differences in float64; with h = 1e-5 the truncation is near 1e-10 and the rounding near 1e-11 of |f|.
func centralDifferences(at x: [Double], _ f: ([Double]) -> Double) -> [Double] {
    let step = 1e-5
    var moved = x
    return x.indices.map { i in
        moved[i] = x[i] + step
        let above = f(moved)
        moved[i] = x[i] - step
        let below = f(moved)
        moved[i] = x[i]
        return (above - below) / (2 * step)
    }
}

/// Σ w_i y_i: the scalar whose gradient by y is w.
func weighted(_ y: [Double], _ w: [Double]) -> Double { zip(y, w).reduce(0) { $0 + $1.0 * $1.1 } }
