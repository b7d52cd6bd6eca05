// The sigmoid loss: one pass, nothing exchanged. Not here: logits and masks (LogitTiles.swift), sums over ranks (LossSums.swift).

import Buffers

/// `L = 1/N Σ_i [ softplus(−(z_ii + b)) + Σ_others softplus(z_ij + b) ]`, and with gradients G_ii = −sigmoid(−(z_ii + b))/N,
/// G_ij = sigmoid(z_ij + b)/N. *Local.*
func evaluateSigmoidLoss<Element: LogitArithmetic>(_ tiles: LogitTiles<Element>, into sums: LossSums<Element>) {
    let batch = tiles.batch
    let weight = 1 / Double(max(batch.rows, 1))
    var best = [Double](repeating: -.infinity, count: batch.localRows)
    tiles.forEach(in: 0..<batch.localRows, isFirst: true) { tile in
        for row in tile.rows {
            let logits = tile.logits.row(row - tile.rows.lowerBound)
            best[row] = max(best[row], Element.maximum(logits, count: tile.columns.count))
            let others = Element.sigmoids(logits, count: tile.columns.count, bias: batch.bias, scale: weight)
            sums.add(loss: weight * others.loss, row: row)
            sums.biasGradient += weight * others.sum
            if let own = tiles.ownColumn(of: row, in: tile) {
                let logit = tiles.positives_B[row] + batch.bias
                sums.add(loss: weight * softplus(-logit), row: row)
                sums.biasGradient -= weight * sigmoid(-logit)
                logits[own] = Element(-weight * sigmoid(-logit))
            }
        }
        guard sums.wantsGradients else { return }
        tiles.propagate(tile, dqueries_BE: sums.dqueries_BE, dtargets_ME: sums.dtargets_ME)
    }
    for row in 0..<batch.localRows { sums.count(row: row, positive: tiles.positives_B[row], bestOther: best[row]) }
}
