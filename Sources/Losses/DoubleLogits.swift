// Float64 logits: for large logits and small batches. Not here: float32 (FloatLogits.swift).

import Buffers
import Foundation
import Kernels

extension Double: LogitArithmetic {
    static var unitRoundoff: Double { 0x1p-53 }

    static func multiply(
        _ a: Panel<Double>, _ transposeA: Transposition, _ b: Panel<Double>, _ transposeB: Transposition,
        into c: Panel<Double>, alpha: Double, beta: Double
    ) {
        gemm(matrix(a), transposeA, matrix(b), transposeB, into: matrix(c), alpha: alpha, beta: beta)
    }

    private static func matrix(_ panel: Panel<Double>) -> DoubleMatrix {
        DoubleMatrix(
            panel.values, offset: panel.offset, rows: panel.rows, columns: panel.columns, stride: panel.stride)
    }

    static func converting(_ values: Floats) -> Doubles {
        let result = Doubles(count: values.count)
        for index in 0..<values.count { result.base[index] = Double(values.base[index]) }
        return withExtendedLifetime(values) { result }
    }

    static func floats(_ values: Doubles) -> Floats {
        let result = Floats(count: values.count)
        for index in 0..<values.count { result.base[index] = Float(values.base[index]) }
        return withExtendedLifetime(values) { result }
    }

    static func dot(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, count: Int) -> Double {
        var sum = SIMD4<Double>.zero
        for index in stride(from: 0, to: count - 3, by: 4) {
            sum +=
                SIMD4(a[index], a[index + 1], a[index + 2], a[index + 3])
                * SIMD4(b[index], b[index + 1], b[index + 2], b[index + 3])
        }
        return (count & ~3..<count).reduce(sum.sum()) { $0 + a[$1] * b[$1] }
    }

    static func maximum(_ row: UnsafeMutablePointer<Double>, count: Int) -> Double {
        var result = -Double.infinity
        for index in 0..<count where row[index] > result { result = row[index] }
        return result
    }

    static func sumOfExponentials(_ row: UnsafeMutablePointer<Double>, count: Int, minus reference: Double) -> Double {
        var sum = 0.0
        for index in 0..<count { sum += Foundation.exp(row[index] - reference) }
        return sum
    }

    static func exponentials(_ row: UnsafeMutablePointer<Double>, count: Int, minus reference: Double, scale: Double) {
        for index in 0..<count { row[index] = scale * Foundation.exp(row[index] - reference) }
    }

    static func exponentials(
        _ row: UnsafeMutablePointer<Double>, count: Int, minus reference: Double,
        andMinus references: UnsafePointer<Double>, scale: Double
    ) {
        for index in 0..<count {
            row[index] =
                scale * (Foundation.exp(row[index] - reference) + Foundation.exp(row[index] - references[index]))
        }
    }

    static func columnMaxima(of tile: Panel<Double>, into maxima: UnsafeMutablePointer<Double>) {
        maxima.update(repeating: -.infinity, count: tile.columns)
        for row in 0..<tile.rows {
            let logits = tile.row(row)
            for column in 0..<tile.columns where logits[column] > maxima[column] { maxima[column] = logits[column] }
        }
    }

    static func columnSums(
        of tile: Panel<Double>, minus references: UnsafePointer<Double>, into sums: UnsafeMutablePointer<Double>
    ) {
        sums.update(repeating: 0, count: tile.columns)
        for row in 0..<tile.rows {
            let logits = tile.row(row)
            for column in 0..<tile.columns { sums[column] += Foundation.exp(logits[column] - references[column]) }
        }
    }

    static var boundedLogit: Double { 300 }

    static func exponentials(
        _ row: UnsafeMutablePointer<Double>, count: Int, addingTo columnSums: UnsafeMutablePointer<Double>?
    ) -> (sum: Double, maximum: Double) {
        var (sum, maximum) = (0.0, -Double.infinity)
        for index in 0..<count {
            maximum = Double.maximum(maximum, row[index])
            row[index] = Foundation.exp(row[index])
            sum += row[index]
        }
        if let columnSums { for index in 0..<count { columnSums[index] += row[index] } }
        return (sum, maximum)
    }

    static func scale(
        _ row: UnsafeMutablePointer<Double>, count: Int, by factor: Double, plus factors: UnsafePointer<Double>?
    ) {
        for index in 0..<count { row[index] *= factor + (factors.map { $0[index] } ?? 0) }
    }

    static func scaledExponentials(
        _ row: UnsafeMutablePointer<Double>, count: Int, by factor: Double, plus factors: UnsafePointer<Double>?
    ) {
        for index in 0..<count { row[index] = Foundation.exp(row[index]) }
        scale(row, count: count, by: factor, plus: factors)
    }

    static func sigmoids(
        _ row: UnsafeMutablePointer<Double>, count: Int, bias: Double, scale: Double
    ) -> (loss: Double, sum: Double) {
        var loss = 0.0
        var sum = 0.0
        for index in 0..<count {
            let logit = row[index] + bias
            loss += softplus(logit)
            let value = sigmoid(logit)
            sum += value
            row[index] = scale * value
        }
        return (loss, sum)
    }
}

/// `log(1 + exp(x))` without overflow, and without losing small values: softplus(−∞) = 0.
func softplus(_ x: Double) -> Double { max(x, 0) + Foundation.log1p(Foundation.exp(-abs(x))) }

/// `1 / (1 + exp(−x))` without overflow, with full relative accuracy at both ends.
func sigmoid(_ x: Double) -> Double {
    let small = Foundation.exp(-abs(x))
    return (x >= 0 ? 1 : small) / (1 + small)
}
