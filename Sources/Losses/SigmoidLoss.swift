// The sigmoid loss: one pass. Not here: logits and masks (LogitTiles.swift), sums over ranks (LossSums.swift).

import Buffers
import Collectives

/// `L = 1/N Σ_i [ softplus(−(z_ii + b)) + Σ_others softplus(z_ij + b) ]`, and with gradients G_ii = −sigmoid(−(z_ii + b))/N,
/// G_ij = sigmoid(z_ij + b)/N.
struct SigmoidLoss<Element: LogitArithmetic> {
    private let tiles: LogitTiles<Element>
    /// 1/N.
    private let weight: Double

    init(_ batch: GlobalBatch<Element>, tile: Int?, sampledRows: Int?) {
        tiles = LogitTiles(batch, tile: tile, lifetime: .onePass, sampledRows: sampledRows)
        weight = 1 / Double(max(tiles.rows, 1))
    }

    /// *Collective*: for each strip a gather of its rows, two all-reduces of S numbers, and a reduce-scatter of its gradients.
    func evaluate(into sums: LossSums<Element>, _ communicator: any Communicator) throws {
        sums.countedRows = tiles.rows
        for strip in tiles.strips {
            let rows = try VisitingRows(strip, for: sums, communicator)
            let best = Doubles(repeating: -.infinity, count: strip.rows)
            let losses = Doubles(repeating: 0, count: strip.rows)
            tiles.forEach(in: rows, makesLogits: true) { tile in
                for row in tile.rows { add(tile, row: row, strip, best, losses, into: sums) }
                if sums.wantsGradients { tiles.propagate(tile, rows, dtargets_KBE: sums.dtargets_KBE) }
            }
            try communicator.allReduce(best, .maximum)
            try communicator.allReduce(losses)
            for (row, place) in zip(strip.local, strip.first...) {
                sums.add(loss: losses[place], row: row)
                sums.count(row: row, positive: tiles.positives_B[row], bestOther: best[place])
            }
            if sums.wantsGradients { try rows.leave(into: sums, communicator) }
        }
    }

    /// A row's loss, best other and bias gradient over the tile's columns; leaves its gradients in the tile.
    private func add(
        _ tile: LogitTiles<Element>.Tile, row: Int, _ strip: Strip, _ best: Doubles, _ losses: Doubles,
        into sums: LossSums<Element>
    ) {
        let bias = tiles.batch.bias
        let logits = tile.logits.row(row - tile.rows.lowerBound)
        best.base[row] = max(best.base[row], Element.maximum(logits, count: tile.columns.count))
        let others = Element.sigmoids(logits, count: tile.columns.count, bias: bias, scale: weight)
        losses.base[row] += weight * others.loss
        sums.biasGradient += weight * others.sum
        guard let own = tiles.ownColumn(of: row, in: tile, strip) else { return }
        let logit = tiles.positives_B[tile.columns.lowerBound + own] + bias
        losses.base[row] += weight * softplus(-logit)
        sums.biasGradient -= weight * sigmoid(-logit)
        logits[own] = Element(-weight * sigmoid(-logit))
    }
}
