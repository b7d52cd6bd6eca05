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

    init(_ batch: GlobalBatch<Element>, tile: Int?, bothWays: Bool) {
        tiles = LogitTiles(batch, tile: tile, lifetime: bothWays ? .twoPassesTogether : .twoPasses)
        self.bothWays = bothWays
        weight = (bothWays ? 0.5 : 1) / Double(max(batch.rows, 1))
    }

    /// *Collective* when both ways: two all-reduces, of 2N and of N numbers.
    func evaluate(into sums: LossSums<Element>, _ communicator: any Communicator) throws {
        var rows = StreamedSums(count: tiles.batch.localRows)
        guard bothWays else {
            for strip in tiles.strips {
                accumulate(strip, &rows)
                let gaps = finish(strip, rows, into: sums)
                if sums.wantsGradients { propagate(strip, gaps, ColumnDirection.none, into: sums) }
            }
            return
        }
        var columns = StreamedSums(count: tiles.batch.rows)
        for strip in tiles.strips { accumulate(strip, &rows) { accumulateColumns($0, &columns) } }
        let direction = try finish(&columns, into: sums, communicator)
        for strip in tiles.strips {
            let gaps = finish(strip, rows, into: sums)
            if sums.wantsGradients { propagate(strip, gaps, direction, into: sums) }
        }
    }

    /// First pass: maxima and sums of exponentials of every row, and what `body` does with a tile.
    private func accumulate(
        _ strip: Range<Int>, _ rows: inout StreamedSums, _ body: (LogitTiles<Element>.Tile) -> Void = { _ in }
    ) {
        tiles.forEach(in: strip, isFirst: true) { tile in
            for row in tile.rows {
                let logits = tile.logits.row(row - tile.rows.lowerBound)
                rows.add(maximum: Element.maximum(logits, count: tile.columns.count), at: row) {
                    Element.sumOfExponentials(logits, count: tile.columns.count, minus: $0)
                }
            }
            body(tile)
        }
    }

    /// Losses of a strip's rows; returns the gap of each row, in the strip's order.
    private func finish(_ strip: Range<Int>, _ rows: StreamedSums, into sums: LossSums<Element>) -> [Double] {
        strip.map { row in
            let gap = rows.logSum(row) - tiles.positives_B[row]
            sums.add(loss: weight * softplus(gap), row: row)
            sums.count(row: row, positive: tiles.positives_B[row], bestOther: rows.maxima[row])
            return gap
        }
    }

    /// The columns' direction, complete over ranks, and the losses of those that are local positives. *Collective.*
    private func finish(
        _ columns: inout StreamedSums, into sums: LossSums<Element>, _ communicator: any Communicator
    ) throws -> ColumnDirection<Element> {
        let first = tiles.batch.census.firstRow
        let positives = try columns.combine(own: tiles.positives_B, at: first, communicator)
        let gaps = positives.indices.map { columns.logSum($0) - positives[$0] }
        for row in 0..<tiles.batch.localRows { sums.add(loss: weight * softplus(gaps[first + row]), row: row) }
        return ColumnDirection(
            gaps_B: Array(gaps[first..<first + tiles.batch.localRows]),
            logSums_N: Buffer(zip(gaps, positives).map { Element($1 + softplus($0)) }))
    }

    /// First pass, columns of the positives: their maxima and sums over the tile's rows.
    private func accumulateColumns(_ tile: LogitTiles<Element>.Tile, _ columns: inout StreamedSums) {
        guard tile.columns.upperBound <= tiles.batch.rows else { return }
        let count = tile.columns.count
        let (maxima, totals) = (Buffer<Element>(count: count), Buffer<Element>(count: count))
        Element.columnMaxima(of: tile.logits, into: maxima.base)
        for index in 0..<count {
            // exp(−∞ − finite) is 0, as it must be; −∞ − −∞ is not a number.
            if maxima.base[index] == -.infinity { maxima.base[index] = 0 }
        }
        Element.columnSums(of: tile.logits, minus: maxima.base, into: totals.base)
        for index in 0..<count where totals.base[index] != 0 {
            columns.add(
                sum: Double(totals.base[index]), reference: Double(maxima.base[index]),
                at: tile.columns.lowerBound + index)
        }
    }

    /// Second pass: G_ij = w·(exp(z_ij − lse_i) + exp(z_ij − lse_j)) and, at the own positive, −w·(sigmoid(gap_i) + sigmoid(gap_j));
    /// the second terms when both ways, for columns of the positives.
    private func propagate(
        _ strip: Range<Int>, _ gaps: [Double], _ direction: ColumnDirection<Element>, into sums: LossSums<Element>
    ) {
        tiles.forEach(in: strip, isFirst: false) { tile in
            let isTwoWay = bothWays && tile.columns.upperBound <= tiles.batch.rows
            for row in tile.rows {
                let logits = tile.logits.row(row - tile.rows.lowerBound)
                let gap = gaps[row - strip.lowerBound]
                let logSum = tiles.positives_B[row] + softplus(gap)
                if isTwoWay {
                    Element.exponentials(
                        logits, count: tile.columns.count, minus: logSum,
                        andMinus: direction.logSums_N.base + tile.columns.lowerBound, scale: weight)
                } else {
                    Element.exponentials(logits, count: tile.columns.count, minus: logSum, scale: weight)
                }
                if let own = tiles.ownColumn(of: row, in: tile) {
                    let missing = sigmoid(gap) + (bothWays ? sigmoid(direction.gaps_B[row]) : 0)
                    logits[own] = Element(-weight * missing)
                }
            }
            tiles.propagate(tile, dqueries_BE: sums.dqueries_BE, dtargets_ME: sums.dtargets_ME)
        }
    }
}

/// The direction from positives to queries, once all ranks' rows are in it.
private struct ColumnDirection<Element: LogitArithmetic> {
    /// Of the local positives.
    let gaps_B: [Double]
    /// Of all positives.
    let logSums_N: Buffer<Element>

    static var none: ColumnDirection { ColumnDirection(gaps_B: [], logSums_N: Buffer(count: 0)) }
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
    func logSum(_ index: Int) -> Double { sums[index] == 0 ? -.infinity : maxima[index] + log(sums[index]) }

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
