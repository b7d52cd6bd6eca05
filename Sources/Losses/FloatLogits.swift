// Float32 logits: what training uses. Not here: float64 (DoubleLogits.swift).

import Buffers
import Foundation
import Kernels

extension Float: LogitArithmetic {
    static var unitRoundoff: Double { 0x1p-24 }

    static func multiply(
        _ a: Panel<Float>, _ transposeA: Transposition, _ b: Panel<Float>, _ transposeB: Transposition,
        into c: Panel<Float>, alpha: Double, beta: Double
    ) {
        gemm(matrix(a), transposeA, matrix(b), transposeB, into: matrix(c), alpha: Float(alpha), beta: Float(beta))
    }

    private static func matrix(_ panel: Panel<Float>) -> Matrix {
        Matrix(panel.values, offset: panel.offset, rows: panel.rows, columns: panel.columns, stride: panel.stride)
    }

    static func converting(_ values: Floats) -> Floats { values }
    static func floats(_ values: Floats) -> Floats { values }

    static func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Double {
        var sum = SIMD4<Double>.zero
        for index in stride(from: 0, to: count - 3, by: 4) {
            sum += SIMD4(Double(a[index]), Double(a[index + 1]), Double(a[index + 2]), Double(a[index + 3]))
                * SIMD4(Double(b[index]), Double(b[index + 1]), Double(b[index + 2]), Double(b[index + 3]))
        }
        return (count & ~3..<count).reduce(sum.sum()) { $0 + Double(a[$1]) * Double(b[$1]) }
    }

    static func maximum(_ row: UnsafeMutablePointer<Float>, count: Int) -> Double {
        var result = -Float.infinity
        for index in 0..<count where row[index] > result { result = row[index] }
        return Double(result)
    }

    static func sumOfExponentials(_ row: UnsafeMutablePointer<Float>, count: Int, minus reference: Double) -> Double {
        let reference = Float(reference)
        var sum = 0.0
        for index in 0..<count { sum += Double(Foundation.exp(row[index] - reference)) }
        return sum
    }

    static func exponentials(_ row: UnsafeMutablePointer<Float>, count: Int, minus reference: Double, scale: Double) {
        let scale = Float(scale)
        let reference = Float(reference)
        for index in 0..<count { row[index] = scale * Foundation.exp(row[index] - reference) }
    }

    static func exponentials(
        _ row: UnsafeMutablePointer<Float>, count: Int, minus reference: Double,
        andMinus references: UnsafePointer<Float>, scale: Double, scratch: UnsafeMutablePointer<Float>
    ) {
        for index in 0..<count { scratch[index] = row[index] - references[index] }
        exponentials(scratch, count: count, minus: 0, scale: scale)
        exponentials(row, count: count, minus: reference, scale: scale)
        for index in 0..<count { row[index] += scratch[index] }
    }

    static func columnMaxima(of tile: Panel<Float>, into maxima: UnsafeMutablePointer<Float>) {
        maxima.update(repeating: -.infinity, count: tile.columns)
        for row in 0..<tile.rows {
            let logits = tile.row(row)
            for column in 0..<tile.columns { maxima[column] = logits[column] > maxima[column] ? logits[column] : maxima[column] }
        }
    }

    static func columnSums(
        of tile: Panel<Float>, minus references: UnsafePointer<Float>, into sums: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        let count = tile.columns
        sums.update(repeating: 0, count: count)
        for row in 0..<tile.rows {
            let logits = tile.row(row)
            for column in 0..<count { scratch[column] = logits[column] - references[column] }
            exponentials(scratch, count: count, minus: 0, scale: 1)
            for column in 0..<count { sums[column] += scratch[column] }
        }
    }

    static func sigmoids(
        _ row: UnsafeMutablePointer<Float>, count: Int, bias: Double, scale: Double
    ) -> (loss: Double, sum: Double) {
        var loss = 0.0
        var sum = 0.0
        for index in 0..<count {
            let logit = Double(row[index]) + bias
            loss += softplus(logit)
            let value = sigmoid(logit)
            sum += value
            row[index] = Float(scale * value)
        }
        return (loss, sum)
    }
}
