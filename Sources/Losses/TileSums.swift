// What the softmax losses do with one tile: sums in the first pass, gradients in the second. Not here: the order of the passes.
//
// Where no logit is large (`isBounded`), exponentials are taken as they are: one serves the row's sum, the column's and the gradient.
// Elsewhere every sum and every gradient has a reference of its own.

import Buffers
import Foundation

extension SoftmaxLoss {
    /// First pass, bounded: leaves the exponentials in the tile.
    func addBounded(
        _ tile: LogitTiles<Element>.Tile, _ rows: inout StreamedSums, _ columns: inout StreamedSums?, takesColumns: Bool
    ) {
        let count = tile.columns.count
        let totals = Buffer<Element>(repeating: 0, count: takesColumns ? count : 0)
        for row in tile.rows {
            let (sum, maximum) = Element.exponentials(
                tile.logits.row(row - tile.rows.lowerBound), count: count, addingTo: takesColumns ? totals.base : nil)
            rows.add(sum: sum, maximum: maximum, at: row)
        }
        for index in 0..<totals.count where totals.base[index] != 0 {
            columns?.add(sum: Double(totals.base[index]), reference: 0, at: tile.columns.lowerBound + index)
        }
        withExtendedLifetime(totals) {}
    }

    /// First pass: maxima and sums of exponentials of every row.
    func add(_ tile: LogitTiles<Element>.Tile, _ rows: inout StreamedSums) {
        for row in tile.rows {
            let logits = tile.logits.row(row - tile.rows.lowerBound)
            rows.add(maximum: Element.maximum(logits, count: tile.columns.count), at: row) {
                Element.sumOfExponentials(logits, count: tile.columns.count, minus: $0)
            }
        }
    }

    /// First pass, columns of the positives: their maxima and sums over the tile's rows.
    func addColumns(_ tile: LogitTiles<Element>.Tile, _ columns: inout StreamedSums?) {
        let count = tile.columns.count
        let (maxima, totals) = (Buffer<Element>(count: count), Buffer<Element>(count: count))
        Element.columnMaxima(of: tile.logits, into: maxima.base)
        for index in 0..<count {
            // exp(−∞ − finite) is 0, as it must be; −∞ − −∞ is not a number.
            if maxima.base[index] == -.infinity { maxima.base[index] = 0 }
        }
        Element.columnSums(of: tile.logits, minus: maxima.base, into: totals.base)
        for index in 0..<count where totals.base[index] != 0 {
            columns?.add(
                sum: Double(totals.base[index]), reference: Double(maxima.base[index]),
                at: tile.columns.lowerBound + index)
        }
        withExtendedLifetime((maxima, totals)) {}
    }

    /// Second pass: turns a row of the tile into gradients, the own positive's apart.
    func differentiate(
        _ tile: LogitTiles<Element>.Tile, row: Int, _ rows: RowDirection, _ columns: ColumnDirection<Element>?
    ) {
        let values = tile.logits.row(row - tile.rows.lowerBound)
        let count = tile.columns.count
        let logSum = rows.logSum(row)
        if isBounded {
            let factor = weight * exp(-logSum)
            let factors = columns.map { UnsafePointer($0.factors_B.base + tile.columns.lowerBound) }
            if tiles.isKept {
                Element.scale(values, count: count, by: factor, plus: factors)
            } else {
                Element.scaledExponentials(values, count: count, by: factor, plus: factors)
            }
        } else if let columns {
            Element.exponentials(
                values, count: count, minus: logSum, andMinus: columns.logSums_B.base + tile.columns.lowerBound,
                scale: weight)
        } else {
            Element.exponentials(values, count: count, minus: logSum, scale: weight)
        }
    }
}
