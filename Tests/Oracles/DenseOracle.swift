// The losses as their definitions say them: dense, naive, float64. Not here: anything that the library does to be fast.

import Foundation
package import Losses

/// A whole global batch on one rank. Targets: N positives, then k − 1 blocks of N negatives.
package struct DenseBatch: Sendable {
    package var queries: [[Double]]
    package var targets: [[Double]]
    package var ids: [Int64]?
    package var temperature: Double
    package var bias: Double

    package init(queries: [[Double]], targets: [[Double]], ids: [Int64]?, temperature: Double, bias: Double) {
        (self.queries, self.targets, self.ids, self.temperature, self.bias) = (queries, targets, ids, temperature, bias)
    }

    package var rows: Int { queries.count }
    package var width: Int { queries.first?.count ?? 0 }
}

package struct DenseResult: Sendable {
    package var loss = 0.0
    package var dqueries: [[Double]]
    package var dtargets: [[Double]]
    package var dtemperature = 0.0
    package var dbias = 0.0
    package var precisionAt1 = 0.0
}

/// Loss and gradients by the chain rule through every logit, one at a time.
package func denseLoss(_ kind: ContrastiveLossOptions.Kind, _ batch: DenseBatch) -> DenseResult {
    let (n, m) = (batch.rows, batch.targets.count)
    let scores = batch.queries.map { q in batch.targets.map { t in zip(q, t).reduce(0) { $0 + $1.0 * $1.1 } } }
    func takesPart(_ i: Int, _ j: Int) -> Bool {
        guard i != j, let ids = batch.ids, j < ids.count else { return true }
        return ids[i] != ids[j]
    }
    var dlogits = [[Double]](repeating: Array(repeating: 0, count: m), count: n)
    var result = DenseResult(
        dqueries: Array(repeating: Array(repeating: 0, count: batch.width), count: n),
        dtargets: Array(repeating: Array(repeating: 0, count: batch.width), count: m))

    /// Cross-entropy over `pairs` with the answer `own`; adds to the loss and the logits' gradient.
    func crossEntropy(_ pairs: [(Int, Int)], own: (Int, Int), weight: Double) {
        let logits = pairs.map { scores[$0.0][$0.1] / batch.temperature }
        let largest = logits.max() ?? 0
        let total = logits.reduce(0) { $0 + exp($1 - largest) }
        result.loss += weight * (largest + log(total) - scores[own.0][own.1] / batch.temperature)
        for (pair, logit) in zip(pairs, logits) {
            dlogits[pair.0][pair.1] += weight * (exp(logit - largest) / total - (pair == own ? 1 : 0))
        }
    }

    for i in 0..<n {
        let columns = (0..<m).filter { takesPart(i, $0) }
        if columns.allSatisfy({ $0 == i || scores[i][$0] < scores[i][i] }) { result.precisionAt1 += 1 / Double(n) }
        switch kind {
        case .infonce: crossEntropy(columns.map { (i, $0) }, own: (i, i), weight: 1 / Double(n))
        case .symmetric:
            crossEntropy(columns.map { (i, $0) }, own: (i, i), weight: 0.5 / Double(n))
            crossEntropy((0..<n).filter { takesPart($0, i) }.map { ($0, i) }, own: (i, i), weight: 0.5 / Double(n))
        case .sigmoid:
            for j in columns {
                let sign: Double = i == j ? 1 : -1
                let logit = sign * (scores[i][j] / batch.temperature + batch.bias)
                // −log sigmoid(x) = log(1 + e⁻ˣ)
                result.loss += (max(-logit, 0) + log1p(exp(-abs(logit)))) / Double(n)
                dlogits[i][j] -= sign / (1 + exp(logit)) / Double(n)
            }
        }
    }
    for i in 0..<n {
        for j in 0..<m {
            for e in 0..<batch.width {
                result.dqueries[i][e] += dlogits[i][j] * batch.targets[j][e] / batch.temperature
                result.dtargets[j][e] += dlogits[i][j] * batch.queries[i][e] / batch.temperature
            }
            result.dtemperature -= dlogits[i][j] * scores[i][j] / (batch.temperature * batch.temperature)
            if kind == .sigmoid { result.dbias += dlogits[i][j] }
        }
    }
    return result
}
