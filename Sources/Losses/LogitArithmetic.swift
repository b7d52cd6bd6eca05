// What a loss needs of its number type, one call a row or a tile. Not here: which logits, which loss (ContrastiveLoss.swift).
//
// B: rows of a tile · C: columns of a tile · E: embedding width.

import Buffers
import Collectives
import Kernels

/// Part of a row-major matrix: element (i, j) at `offset + i * stride + j` of `values`.
struct Panel<Element: BitwiseCopyable> {
    let values: Buffer<Element>
    let offset: Int
    let rows: Int
    let columns: Int
    let stride: Int

    /// The first element of row `index`; valid while `values` is.
    func row(_ index: Int) -> UnsafeMutablePointer<Element> { values.base + (offset + index * stride) }

    /// Whole rows of a dense matrix.
    init(_ values: Buffer<Element>, rows: Range<Int>, columns: Int) {
        self.init(
            values: values, offset: rows.lowerBound * columns, rows: rows.count, columns: columns, stride: columns)
    }

    init(values: Buffer<Element>, offset: Int, rows: Int, columns: Int, stride: Int) {
        self.values = values
        self.offset = offset
        self.rows = rows
        self.columns = columns
        self.stride = stride
    }
}

/// The loss's inner loops in one number type: float32 for speed, float64 where float32's logits are too coarse.
///
/// Every requirement works on whole rows or tiles, so that the generic code above costs one indirect call a row. A logit of −∞ is
/// a pair that does not take part; its exponential is 0.
protocol LogitArithmetic: BinaryFloatingPoint, CollectiveElement {
    /// Half the distance from 1 to the next number.
    static var unitRoundoff: Double { get }

    /// `c = alpha · op(a) · op(b) + beta · c`.
    static func multiply(
        _ a: Panel<Self>, _ transposeA: Transposition, _ b: Panel<Self>, _ transposeB: Transposition,
        into c: Panel<Self>, alpha: Double, beta: Double)

    /// `values` in this type; may alias it.
    static func converting(_ values: Floats) -> Buffer<Self>
    /// `values` as float32; may alias it.
    static func floats(_ values: Buffer<Self>) -> Floats
    /// `Σ a[i] · b[i]`, accumulated in Double.
    static func dot(_ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>, count: Int) -> Double

    /// The largest of `count` > 0 logits.
    static func maximum(_ row: UnsafeMutablePointer<Self>, count: Int) -> Double
    /// `Σ exp(row[j] − reference)`, `reference` a value of this type.
    static func sumOfExponentials(_ row: UnsafeMutablePointer<Self>, count: Int, minus reference: Double) -> Double
    /// `row[j] = scale · exp(row[j] − reference)`.
    static func exponentials(_ row: UnsafeMutablePointer<Self>, count: Int, minus reference: Double, scale: Double)
    /// `row[j] = scale · (exp(row[j] − reference) + exp(row[j] − references[j]))`.
    static func exponentials(
        _ row: UnsafeMutablePointer<Self>, count: Int, minus reference: Double,
        andMinus references: UnsafePointer<Self>, scale: Double)

    /// `maxima[j] = max_i tile[i, j]`.
    static func columnMaxima(of tile: Panel<Self>, into maxima: UnsafeMutablePointer<Self>)
    /// `sums[j] = Σ_i exp(tile[i, j] − references[j])`, references finite.
    static func columnSums(
        of tile: Panel<Self>, minus references: UnsafePointer<Self>, into sums: UnsafeMutablePointer<Self>)

    /// The largest |z| whose exponentials, their sums over any batch, and weighted inverses of those are numbers of this type.
    static var boundedLogit: Double { get }
    /// `row[j] = exp(row[j])`, `columnSums[j] += exp(row[j])` where there are any; returns `Σ exp(row[j])` and the largest logit.
    static func exponentials(
        _ row: UnsafeMutablePointer<Self>, count: Int, addingTo columnSums: UnsafeMutablePointer<Self>?
    ) -> (sum: Double, maximum: Double)
    /// `row[j] *= factor + factors[j]`, the second term where there are any.
    static func scale(
        _ row: UnsafeMutablePointer<Self>, count: Int, by factor: Double, plus factors: UnsafePointer<Self>?)
    /// `row[j] = exp(row[j]) · (factor + factors[j])`, the second term where there are any.
    static func scaledExponentials(
        _ row: UnsafeMutablePointer<Self>, count: Int, by factor: Double, plus factors: UnsafePointer<Self>?)

    /// With z = row[j] + bias: `row[j] = scale · sigmoid(z)`; returns `Σ log(1 + exp(z))` and `Σ sigmoid(z)`.
    static func sigmoids(_ row: UnsafeMutablePointer<Self>, count: Int, bias: Double, scale: Double) -> (
        loss: Double, sum: Double
    )
}
