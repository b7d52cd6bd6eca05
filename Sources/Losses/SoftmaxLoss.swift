// InfoNCE, one way or both ways, from one product a tile. Not here: logits and masks (LogitTiles.swift), sums over ranks (LossSums.swift),
// what is done with the numbers of a tile (TileSums.swift).
//
// B: local rows · S: rows of a strip · N: rows of the global batch · `others` of a row or column: the logits that take part, its own
// positive apart.

import Buffers
import Collectives
import Foundation

/// Two passes over the tiles: the first takes log-sum-exps, the second turns each tile into G = dL/dz and multiplies.
///
/// With `gap = log Σ_others exp z − z_own`, a row's (or column's) loss is `softplus(gap)`, its log-sum-exp `z_own + softplus(gap)`,
/// and the probability that is missing at its own positive `sigmoid(gap)`: exact where the loss is nearly 0, too.
///
/// A row's columns are spread over the ranks: its sums are added up strip by strip. A column's rows all pass its rank.
struct SoftmaxLoss<Element: LogitArithmetic> {
    let tiles: LogitTiles<Element>
    let bothWays: Bool
    /// 1/N, or 1/(2N) when each direction counts half.
    let weight: Double
    /// Exponentials need no reference: no logit is large.
    let isBounded: Bool

    init(_ batch: GlobalBatch<Element>, tile: Int?, bothWays: Bool, sampledRows: Int?) {
        tiles = LogitTiles(
            batch, tile: tile, lifetime: bothWays ? .twoPassesTogether : .twoPasses, sampledRows: sampledRows)
        self.bothWays = bothWays
        weight = (bothWays ? 0.5 : 1) / Double(max(tiles.rows, 1))
        isBounded = batch.census.largestLogit <= Element.boundedLogit
    }

    /// *Collective*: for each strip a gather of its rows, two all-reduces of 2S and S numbers, and a reduce-scatter of its gradients.
    func evaluate(into sums: LossSums<Element>, _ communicator: any Communicator) throws {
        sums.countedRows = tiles.rows
        var columns = bothWays ? StreamedSums(count: tiles.batch.localRows) : nil
        var seen: [(rows: VisitingRows<Element>?, directions: RowDirection)] = []
        for strip in tiles.strips {
            let rows = try VisitingRows(strip, for: sums, communicator)
            let directions = try firstPass(rows, &columns, into: sums, communicator)
            if bothWays {
                // Of many strips, keeping the rows would be keeping the whole batch.
                seen.append((tiles.strips.count == 1 ? rows : nil, directions))
            } else if sums.wantsGradients {
                try secondPass(rows, directions, nil, into: sums, communicator)
            }
        }
        guard let columns else { return }
        let direction = finish(columns, into: sums)
        guard sums.wantsGradients else { return }
        for (strip, (rows, directions)) in zip(tiles.strips, seen) {
            try secondPass(
                rows ?? VisitingRows(strip, for: sums, communicator), directions, direction, into: sums, communicator)
        }
    }

    /// Log-sum-exps of a strip's rows, complete over ranks, and the losses of those that are local. *Collective.*
    private func firstPass(
        _ rows: VisitingRows<Element>, _ columns: inout StreamedSums?, into sums: LossSums<Element>,
        _ communicator: any Communicator
    ) throws -> RowDirection {
        let strip = rows.strip
        var rowSums = StreamedSums(count: strip.rows)
        tiles.forEach(in: rows, makesLogits: true) { tile in
            let takesColumns = bothWays && tile.columns.upperBound <= tiles.batch.localRows
            if isBounded {
                addBounded(tile, &rowSums, &columns, takesColumns: takesColumns)
            } else {
                add(tile, &rowSums)
                if takesColumns { addColumns(tile, &columns) }
            }
        }
        let positives_S = try rowSums.combine(
            own: Array(tiles.positives_B[strip.local]), at: strip.first, communicator)
        let gaps_S = positives_S.indices.map { rowSums.logSum($0) - positives_S[$0] }
        for (row, place) in zip(strip.local, strip.first...) {
            sums.add(loss: weight * softplus(gaps_S[place]), row: row)
            sums.count(row: row, positive: positives_S[place], bestOther: rowSums.maxima[place])
        }
        return RowDirection(positives: positives_S, gaps: gaps_S)
    }

    /// The direction from positives to queries, and its losses.
    private func finish(_ columns: StreamedSums, into sums: LossSums<Element>) -> ColumnDirection<Element> {
        let gaps_B = tiles.positives_B.indices.map { columns.logSum($0) - tiles.positives_B[$0] }
        for (row, gap) in gaps_B.enumerated() { sums.add(loss: weight * softplus(gap), row: row) }
        let logSums_B = zip(gaps_B, tiles.positives_B).map { $1 + softplus($0) }
        return ColumnDirection(
            gaps_B: gaps_B, logSums_B: Buffer(logSums_B.map { Element($0) }),
            factors_B: Buffer(isBounded ? logSums_B.map { Element(weight * exp(-$0)) } : []))
    }

    /// G_ij = w·(exp(z_ij − lse_i) + exp(z_ij − lse_j)) and, at the own positive, −w·(sigmoid(gap_i) + sigmoid(gap_j)); the second terms
    /// when both ways, for columns of the positives. *Collective.*
    private func secondPass(
        _ rows: VisitingRows<Element>, _ directions: RowDirection, _ columns: ColumnDirection<Element>?,
        into sums: LossSums<Element>, _ communicator: any Communicator
    ) throws {
        tiles.forEach(in: rows, makesLogits: !tiles.isKept) { tile in
            let columns = tile.columns.upperBound <= tiles.batch.localRows ? columns : nil
            for row in tile.rows {
                differentiate(tile, row: row, directions, columns)
                guard let own = tiles.ownColumn(of: row, in: tile, rows.strip) else { continue }
                let missing =
                    sigmoid(directions.gaps[row])
                    + (columns.map { sigmoid($0.gaps_B[tile.columns.lowerBound + own]) } ?? 0)
                tile.logits.row(row - tile.rows.lowerBound)[own] = Element(-weight * missing)
            }
            tiles.propagate(tile, rows, dtargets_KBE: sums.dtargets_KBE)
        }
        try rows.leave(into: sums, communicator)
    }
}

/// What every rank knows of a strip's rows after the first pass.
struct RowDirection {
    /// z_own.
    let positives: [Double]
    let gaps: [Double]

    func logSum(_ row: Int) -> Double { positives[row] + softplus(gaps[row]) }
}

/// The direction from the local positives to the queries, once all rows are in it.
struct ColumnDirection<Element: LogitArithmetic> {
    let gaps_B: [Double]
    let logSums_B: Buffer<Element>
    /// w · exp(−lse_j); empty unless logits are bounded.
    let factors_B: Buffer<Element>
}
