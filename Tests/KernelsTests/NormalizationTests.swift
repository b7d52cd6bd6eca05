// Layer norm and L2 normalisation against float64 and central differences.

import Buffers
import Foundation
import Kernels
import Testing

private func oracleLayerNorm(
    _ x: [Double], _ gain: [Double], _ shift: [Double], _ epsilon: Double, _ columns: Int
) -> [Double] {
    stride(from: 0, to: x.count, by: columns).flatMap { start in
        let row = Array(x[start..<start + columns])
        let mean = row.reduce(0, +) / Double(columns)
        let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(columns)
        return row.indices.map { (row[$0] - mean) / (variance + epsilon).squareRoot() * gain[$0] + shift[$0] }
    }
}

private func oracleNormalize(_ x: [Double], _ columns: Int, _ epsilon: Double) -> [Double] {
    stride(from: 0, to: x.count, by: columns).flatMap { start in
        let row = x[start..<start + columns]
        let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return row.map { $0 / max(norm, epsilon) }
    }
}

/// A row's sums of n terms round by at most n u each in these short rows, the rest by a few u; the results are of order one.
private func rowTolerance(_ columns: Int) -> Double { Double(columns + 16) * unitRoundoff }

struct LayerNormTests {
    @Test(arguments: edgeSizes.filter { $0 > 0 }, [0, 1, 5])
    func matchesOracleAndCentralDifferences(columns: Int, rows: Int) {
        let epsilon: Float = 1e-2
        let (x, gain, shift) = (sample(rows * columns, 1, scale: 3), sample(columns, 2), sample(columns, 3))
        let dy = sample(rows * columns, 4)
        let count = rows * columns
        let (y, mean, inverse, dx) = (unwritten(count), unwritten(rows), unwritten(rows), unwritten(count))
        layerNormForward(
            x, gain: gain, shift: shift, epsilon: epsilon, rows: rows, columns: columns, into: y, mean: mean,
            inverseDeviation: inverse)
        let (xs, gains, shifts, dys) = (x.doubles, gain.doubles, shift.doubles, dy.doubles)
        let e = Double(epsilon)
        // Inputs reach 10: subtracting the mean leaves 10 u against a deviation of 3, or of √ε = 0.1 for a single column.
        let tolerance = rowTolerance(columns) * (columns < 4 ? 100 : 4)
        expectClose(y, oracleLayerNorm(xs, gains, shifts, e, columns), tolerance: tolerance, "y")

        let (dgain, dshift) = (Floats(repeating: 1, count: columns), Floats(repeating: 2, count: columns))
        layerNormBackward(
            dy, x: x, gain: gain, mean: mean, inverseDeviation: inverse, rows: rows, columns: columns, into: dx,
            dgain: dgain, dshift: dshift)
        let loss = { weighted(oracleLayerNorm($0, $1, $2, e, columns), dys) }
        expectClose(
            dx, centralDifferences(at: xs) { loss($0, gains, shifts) }, tolerance: tolerance,
            scale: max(1, magnitude(dx.doubles)),
            "dx")
        let dgains = centralDifferences(at: gains) { loss(xs, $0, shifts) }.map { $0 + 1 }
        let dshifts = centralDifferences(at: shifts) { loss(xs, gains, $0) }.map { $0 + 2 }
        expectClose(dgain, dgains, tolerance: tolerance, "dgain accumulates")
        expectClose(dshift, dshifts, tolerance: tolerance, "dshift accumulates")

        let alias = Floats(dy.array)
        layerNormBackward(
            alias, x: x, gain: gain, mean: mean, inverseDeviation: inverse, rows: rows, columns: columns, into: alias,
            dgain: nil, dshift: nil)
        #expect(alias.array == dx.array)

        let (added, sum) = (sample(count, 5), unwritten(count))
        layerNormBackward(
            dy, x: x, gain: gain, mean: mean, inverseDeviation: inverse, rows: rows, columns: columns, adding: added,
            into: sum, dgain: nil, dshift: nil)
        let sums = zip(dx.doubles, added.doubles).map { $0 + $1 }
        expectClose(sum, sums, tolerance: 4 * unitRoundoff, scale: max(1, magnitude(sums)), "dx beside the residual's")
    }

    /// A large common offset must not eat the variance: x = 1000 + normals, rounded to float32.
    @Test func twoPassVarianceSurvivesAnOffset() {
        let x = sample(256, 9)
        for i in 0..<256 { x[i] += 1000 }
        let (y, mean, inverse) = (unwritten(256), unwritten(1), unwritten(1))
        let (gain, shift) = (Floats(repeating: 1, count: 256), Floats(repeating: 0, count: 256))
        layerNormForward(
            x, gain: gain, shift: shift, epsilon: 1e-5, rows: 1, columns: 256, into: y, mean: mean,
            inverseDeviation: inverse)
        let expected = oracleLayerNorm(x.doubles, gain.doubles, shift.doubles, 1e-5, 256)
        // The mean, 1000, is good to a few of its own units, 1000 · 4 u = 2.4e-4; one-pass float32 variance would be off by 0.1.
        expectClose(y, expected, tolerance: 1000 * 4 * unitRoundoff, "y")
    }
}

struct RowNormalizationTests {
    @Test(arguments: edgeSizes.filter { $0 > 0 }, [0, 1, 5])
    func matchesOracleAndCentralDifferences(columns: Int, rows: Int) {
        let (x, dy) = (sample(rows * columns, 1), sample(rows * columns, 2))
        let (y, inverse, dx) = (unwritten(x.count), unwritten(rows), unwritten(x.count))
        normalizeRowsForward(x, rows: rows, columns: columns, epsilon: 1e-12, into: y, inverseNorms: inverse)
        expectClose(y, oracleNormalize(x.doubles, columns, 1e-12), tolerance: 4 * unitRoundoff, "y")
        normalizeRowsBackward(dy: dy, y: y, inverseNorms: inverse, rows: rows, columns: columns, into: dx)
        let dys = dy.doubles
        let numeric = centralDifferences(at: x.doubles) { weighted(oracleNormalize($0, columns, 1e-12), dys) }
        // The gradient is dy minus its radial part, over ‖x‖: rounding relative to dy/‖x‖, which can be larger than the result.
        let scale = magnitude(dys, floor: 1e-30) * magnitude(inverse.doubles, floor: 1e-30)
        expectClose(dx, numeric, tolerance: rowTolerance(columns) + 1e-8, scale: scale, "dx")
    }

    @Test func rowsShorterThanEpsilonAreScaled() {
        let (x, dy) = (Floats([0, 0, 3e-4, 4e-4]), Floats([1, 2, 3, 4]))
        let (y, inverse, dx) = (unwritten(4), unwritten(2), unwritten(4))
        normalizeRowsForward(x, rows: 2, columns: 2, epsilon: 1e-3, into: y, inverseNorms: inverse)
        expectClose(y, [0, 0, 0.3, 0.4], tolerance: 4 * unitRoundoff, "y")
        normalizeRowsBackward(dy: dy, y: y, inverseNorms: inverse, rows: 2, columns: 2, into: dx)
        expectClose(dx, [1000, 2000, 3000, 4000], tolerance: 4 * unitRoundoff, "dx")
    }
}
