// Labels that are not all on one target: what they add to a contrastive loss. Not here: the loss with hard labels (Losses).
//
// Shapes: B local rows, N global rows, M targets of the global batch (k of each row), E embedding width.

import Buffers
import Collectives
import Kernels
import Losses

/// Label smoothing and mixed labels, as corrections of the loss with hard labels.
///
/// Cross-entropy is linear in the labels: with y_ij instead of [i = j] it is larger by z_ii − Σ_j y_ij z_ij, z_ij = ⟨q_i, t_j⟩/τ. So
///
///     y_i = (1 − s) (λ e_i + (1 − λ) e_π(i)) + s/M        L(y) = L + s/N Σ_i [z_ii − mean_j z_ij] + (1 − s)(1 − λ)/N Σ_i [z_ii − z_iπ(i)]
///
/// and in the symmetric loss, whose other direction has the transposed labels, half of the first sum is over rows, half over columns. Sums and gradients
/// cost one all-reduce of 3E numbers. Deviation from smoothing over the columns that take part: targets with a row's own id, which are
/// no negatives, get their even share as well. Source of smoothing: Szegedy et al., arXiv 1512.00567, section 7.
struct SoftLabels {
    /// s.
    let smoothing: Double
    let mixture: Mixture?
    let isSymmetric: Bool

    /// Adds the correction, its gradients and that of τ. *Collective.*
    /// - Parameters:
    ///   - targets: k blocks of B rows, the positives first; `result.dtargets` may have further blocks.
    ///   - rows: B.
    func correct(
        _ result: inout LossResult, queries q_BE: Floats, targets t_KBE: Floats, rows: Int, columns: Int,
        temperature: Double, communicator: any Communicator
    ) throws {
        // The same on every rank.
        guard result.nonFinite == nil else { return }
        let positives_BE = t_KBE[0..<rows * columns]
        if smoothing > 0 {
            try smooth(
                &result, q_BE, t_KBE, rows: rows, columns: columns, temperature: temperature, communicator)
        }
        if let mixture {
            let gap = try mixture.labelGap(
                queries: q_BE, positives: positives_BE, columns: columns, communicator)
            let weight = (1 - smoothing) * Double(1 - mixture.weight) / (Double(result.rows) * temperature)
            result.loss += weight * gap.sum
            result.temperatureGradient -= weight * gap.sum / temperature
            addInto(result.dqueries, gap.dqueries_BE, scale: Float(weight))
            addInto(result.dtargets[0..<rows * columns], gap.dpositives_BE, scale: Float(weight))
        }
    }

    private func smooth(
        _ result: inout LossResult, _ q_BE: Floats, _ t_KBE: Floats, rows: Int, columns: Int, temperature: Double,
        _ communicator: any Communicator
    ) throws {
        // Q = Σ q_i, P = Σ t_i of the positives, T = Σ t_j of all targets, then Σ ⟨q_i, t_i⟩ and M.
        let sums = Doubles(repeating: 0, count: 3 * columns + 2)
        let targets = columns == 0 ? 0 : t_KBE.count / columns
        for row in 0..<targets {
            for column in 0..<columns {
                let t = Double(t_KBE[row * columns + column])
                sums[2 * columns + column] += t
                guard row < rows else { continue }
                let q = Double(q_BE[row * columns + column])
                sums[column] += q
                sums[columns + column] += t
                sums[3 * columns] += q * t
            }
        }
        sums[3 * columns + 1] = Double(targets)
        try communicator.allReduce(sums)
        let (N, M) = (Double(result.rows), sums[3 * columns + 1])
        let (byRow, byColumn) = isSymmetric ? (0.5 / M, 0.5 / N) : (1 / M, 0)
        var mean = 0.0
        for column in 0..<columns {
            mean += sums[column] * (byRow * sums[2 * columns + column] + byColumn * sums[columns + column])
        }
        let weight = smoothing / (N * temperature)
        let correction = weight * (sums[3 * columns] - mean)
        result.loss += correction
        result.temperatureGradient -= correction / temperature
        for row in 0..<targets {
            let isPositive = row < rows
            for column in 0..<columns {
                let index = row * columns + column
                let even = (byRow + (isPositive ? byColumn : 0)) * sums[column]
                result.dtargets[index] += Float(weight * ((isPositive ? Double(q_BE[index]) : 0) - even))
                guard isPositive else { continue }
                let others = byRow * sums[2 * columns + column] + byColumn * sums[columns + column]
                result.dqueries[index] += Float(weight * (Double(t_KBE[index]) - others))
            }
        }
    }
}
