// InfoNCE, one way or both ways, from one product a tile. Not here: logits and masks (LogitTiles.swift), sums over ranks (LossSums.swift).
//
// B: local rows · N: rows of the global batch · `others` of a row or column: the logits that take part, its own positive apart.

import Buffers
import Collectives
import Foundation

/// Two passes over the tiles: the first takes log-sum-exps, the second turns each tile into G = dL/dz and multiplies.
///
/// With `gap = log Σ_others exp z − z_own`, a row's (or column's) loss is `softplus(gap)`, its log-sum-exp `z_own + softplus(gap)`,
/// and the probability that is missing at its own positive `sigmoid(gap)`: exact where the loss is nearly 0, too.
struct SoftmaxLoss<Element: LogitArithmetic> {
    private let tiles: LogitTiles<Element>
    private let bothWays: Bool
    /// 1/N, or 1/(2N) when each direction counts half.
    private let weight: Double

    init(_ tiles: LogitTiles<Element>, bothWays: Bool) {
        self.tiles = tiles
        self.bothWays = bothWays
        weight = (bothWays ? 0.5 : 1) / Double(max(tiles.batch.rows, 1))
    }

    /// *Collective* when both ways: two all-reduces, of 2N and of N numbers.
    func evaluate(into sums: LossSums<Element>, _ communicator: any Communicator) throws {
        let batch = tiles.batch
        var rows = StreamedSums(count: batch.localRows)
        var columns = StreamedSums(count: bothWays ? batch.rows : 0)
        accumulate(&rows, &columns)
        let rowGaps = zip(rows.logSums, tiles.positives_B).map { $0 - $1 }
        for row in 0..<batch.localRows {
            sums.add(loss: weight * softplus(rowGaps[row]), row: row)
            sums.count(row: row, positive: tiles.positives_B[row], bestOther: rows.maxima[row])
        }
        var columnGaps: [Double] = []
        var columnPositives: [Double] = []
        if bothWays {
            columnPositives = try columns.combine(own: tiles.positives_B, at: batch.census.firstRow, communicator)
            columnGaps = zip(columns.logSums, columnPositives).map { $0 - $1 }
            for row in 0..<batch.localRows {
                sums.add(loss: weight * softplus(columnGaps[batch.census.firstRow + row]), row: row)
            }
        }
        guard sums.wantsGradients else { return }
        propagate(rowGaps, columnGaps, columnPositives, into: sums)
    }

    /// First pass: maxima and sums of exponentials of every row, and of every column of the positives.
    private func accumulate(_ rows: inout StreamedSums, _ columns: inout StreamedSums) {
        tiles.forEach(isFirst: true) { tile in
            for row in tile.rows {
                let logits = tile.logits.row(row - tile.rows.lowerBound)
                rows.add(maximum: Element.maximum(logits, count: tile.columns.count), at: row) {
                    Element.sumOfExponentials(logits, count: tile.columns.count, minus: $0)
                }
            }
            if bothWays, tile.columns.upperBound <= tiles.batch.rows { accumulateColumns(tile, &columns) }
        }
    }

    private func accumulateColumns(_ tile: LogitTiles<Element>.Tile, _ columns: inout StreamedSums) {
        let count = tile.columns.count
        let (maxima, totals) = (Buffer<Element>(count: count), Buffer<Element>(count: count))
        Element.columnMaxima(of: tile.logits, into: maxima.base)
        for index in 0..<count {
            // exp(−∞ − finite) is 0, as it must be; −∞ − −∞ is not a number.
            if maxima.base[index] == -.infinity { maxima.base[index] = 0 }
        }
        Element.columnSums(of: tile.logits, minus: maxima.base, into: totals.base)
        for index in 0..<count where totals.base[index] != 0 {
            columns.add(sum: Double(totals.base[index]), reference: Double(maxima.base[index]), at: tile.columns.lowerBound + index)
        }
    }

    /// Second pass: G_ij = w·(exp(z_ij − lse_i) + exp(z_ij − lse_j)) and, at the own positive, −w·(sigmoid(gap_i) + sigmoid(gap_j)).
    private func propagate(
        _ rowGaps: [Double], _ columnGaps: [Double], _ columnPositives: [Double], into sums: LossSums<Element>
    ) {
        let columnReferences = Buffer<Element>(zip(columnGaps, columnPositives).map { Element($1 + softplus($0)) })
        let firstRow = tiles.batch.census.firstRow
        tiles.forEach(isFirst: false) { tile in
            let isTwoWay = bothWays && tile.columns.upperBound <= tiles.batch.rows
            for row in tile.rows {
                let logits = tile.logits.row(row - tile.rows.lowerBound)
                // lse_i rounds to the number type; what is lost goes into the scale.
                let logSum = tiles.positives_B[row] + softplus(rowGaps[row])
                if isTwoWay {
                    Element.exponentials(
                        logits, count: tile.columns.count, minus: logSum,
                        andMinus: columnReferences.base + tile.columns.lowerBound, scale: weight)
                } else {
                    let reference = Double(Element(logSum))
                    Element.exponentials(
                        logits, count: tile.columns.count, minus: reference, scale: weight * exp(reference - logSum))
                }
                if let own = tiles.ownColumn(of: row, in: tile) {
                    let missing = sigmoid(rowGaps[row]) + (bothWays ? sigmoid(columnGaps[firstRow + row]) : 0)
                    logits[own] = Element(-weight * missing)
                }
            }
            tiles.propagate(tile, dqueries_BE: sums.dqueries_BE, dtargets_ME: sums.dtargets_ME)
        }
    }
}

/// Sums of exponentials, each relative to the largest exponent met so far.
struct StreamedSums {
    /// −∞ where nothing was added.
    private(set) var maxima: [Double]
    private var sums: [Double]

    init(count: Int) {
        maxima = Array(repeating: -.infinity, count: count)
        sums = Array(repeating: 0, count: count)
    }

    /// log Σ exp; −∞ of nothing.
    var logSums: [Double] { zip(maxima, sums).map { $1 == 0 ? -.infinity : $0 + log($1) } }

    /// Adds logits whose largest is `maximum`; `sum` gives their exponentials' sum relative to a reference.
    mutating func add(maximum: Double, at index: Int, sum: (_ reference: Double) -> Double) {
        guard maximum > -.infinity || maximum.isNaN else { return }
        raise(to: maximum, at: index)
        sums[index] += sum(maxima[index])
    }

    /// Adds `sum` · exp(reference).
    mutating func add(sum: Double, reference: Double, at index: Int) {
        raise(to: reference, at: index)
        sums[index] += sum * exp(reference - maxima[index])
    }

    private mutating func raise(to maximum: Double, at index: Int) {
        guard maximum > maxima[index] else { return }
        sums[index] *= exp(maxima[index] - maximum)
        maxima[index] = maximum
    }

    /// Makes the sums those of all ranks, and returns all ranks' `own` values, of which this rank's begin at `first`. *Collective.*
    mutating func combine(own: [Double], at first: Int, _ communicator: any Communicator) throws -> [Double] {
        if communicator.size == 1 { return own }
        var values = maxima + Array(repeating: -.infinity, count: maxima.count)
        values.replaceSubrange(maxima.count + first..<maxima.count + first + own.count, with: own)
        let exchanged = Doubles(values)
        try communicator.allReduce(exchanged, .maximum)
        for index in maxima.indices { raise(to: exchanged[index], at: index) }
        let totals = Doubles(sums)
        try communicator.allReduce(totals)
        sums = totals.array
        return exchanged[maxima.count..<values.count].array
    }
}
