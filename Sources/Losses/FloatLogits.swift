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
        Kernels.dot(a, b, count: count)
    }

    static func maximum(_ row: UnsafeMutablePointer<Float>, count: Int) -> Double {
        Double(Kernels.maximum(of: row, count: count))
    }

    static func sumOfExponentials(_ row: UnsafeMutablePointer<Float>, count: Int, minus reference: Double) -> Double {
        Kernels.sumOfExponentials(row, count: count, minus: Float(reference))
    }

    static func exponentials(_ row: UnsafeMutablePointer<Float>, count: Int, minus reference: Double, scale: Double) {
        // What rounding takes from the reference goes into the scale.
        let rounded = Float(reference)
        let scale = Float(scale * exp(Double(rounded) - reference))
        Kernels.exponentials(row, count: count, minus: rounded, scale: scale)
    }

    static func exponentials(
        _ row: UnsafeMutablePointer<Float>, count: Int, minus reference: Double,
        andMinus references: UnsafePointer<Float>, scale: Double
    ) {
        Kernels.exponentials(
            row, count: count, minus: Float(reference), andMinus: references, scale: Float(scale))
    }

    static func columnMaxima(of tile: Panel<Float>, into maxima: UnsafeMutablePointer<Float>) {
        Kernels.columnMaxima(
            of: tile.row(0), stride: tile.stride, rows: tile.rows, columns: tile.columns, into: maxima)
    }

    static func columnSums(
        of tile: Panel<Float>, minus references: UnsafePointer<Float>, into sums: UnsafeMutablePointer<Float>
    ) {
        Kernels.columnSumsOfExponentials(
            tile.row(0), stride: tile.stride, rows: tile.rows, columns: tile.columns, minus: references, into: sums)
    }

    /// A sum of 2²³ exponentials of 50 is 4e28; the inverse of it, by a weight of 2⁻²³, is 3e-36.
    static var boundedLogit: Double { 50.1 }

    static func exponentials(
        _ row: UnsafeMutablePointer<Float>, count: Int, addingTo columnSums: UnsafeMutablePointer<Float>?
    ) -> (sum: Double, maximum: Double) {
        let (sum, maximum) = Kernels.exponentials(row, count: count, addingTo: columnSums)
        return (sum, Double(maximum))
    }

    static func scale(
        _ row: UnsafeMutablePointer<Float>, count: Int, by factor: Double, plus factors: UnsafePointer<Float>?
    ) {
        Kernels.scale(row, count: count, by: Float(factor), plus: factors)
    }

    static func scaledExponentials(
        _ row: UnsafeMutablePointer<Float>, count: Int, by factor: Double, plus factors: UnsafePointer<Float>?
    ) {
        Kernels.scaledExponentials(row, count: count, by: Float(factor), plus: factors)
    }

    static func sigmoids(
        _ row: UnsafeMutablePointer<Float>, count: Int, bias: Double, scale: Double
    ) -> (loss: Double, sum: Double) {
        Kernels.sigmoids(row, count: count, bias: Float(bias), scale: Float(scale))
    }
}
