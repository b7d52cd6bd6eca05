// Mixup of representations: which rows of a batch are mixed, and how gradients find their way back. Not here: labels (SoftLabels).
//
// Shapes: B local rows, N global rows, E embedding width.

import Buffers
import Collectives
import Randomness

/// Queries of a step mixed with others of the global batch: `x̃_i = λ x_i + (1 − λ) x_π(i)`.
///
/// One λ a step, 1 − λ uniform in [0, `share`), and one permutation π of the N rows, both functions of seed and step. With a share of ½
/// this is the folded Beta(1, 1) of mixup. Sources: Zhang et al., "mixup", arXiv 1710.09412; on representations and for contrastive
/// losses: Verma et al., "Manifold Mixup", arXiv 1806.05236; Lee et al., "i-Mix", arXiv 2010.08887.
struct Mixture {
    /// λ.
    let weight: Float
    /// π, N entries.
    let partners: [Int]
    /// π⁻¹.
    private let admirers: [Int]
    let counts: [Int]
    let firstRow: Int

    /// *Collective.*
    /// - Parameter rows: B.
    init(share: Double, seed: UInt64, step: Int, rows: Int, communicator: any Communicator) throws {
        counts = try communicator.allGather(rows)
        firstRow = counts.prefix(communicator.rank).reduce(0, +)
        let count = counts.reduce(0, +)
        weight = 1 - Float(share) * RandomField(seed: seed, purpose: .mixing, stream: 1).uniform(step: step, row: 0)
        partners = RandomField(seed: seed, purpose: .mixing).permutation(count: count, step: step)
        var inverse = partners
        for (row, partner) in partners.enumerated() { inverse[partner] = row }
        admirers = inverse
    }

    /// Mixed rows, [B, E]. *Collective.*
    func mixed(_ x_BE: Floats, columns: Int, _ communicator: any Communicator) throws -> Floats {
        try combined(x_BE, with: partners, columns: columns, communicator)
    }

    /// The gradient of the rows from that of the mixed ones: `dx_i = λ dx̃_i + (1 − λ) dx̃_π⁻¹(i)`. *Collective.*
    func gradient(_ dmixed_BE: Floats, columns: Int, _ communicator: any Communicator) throws -> Floats {
        try combined(dmixed_BE, with: admirers, columns: columns, communicator)
    }

    /// Σ over the batch of ⟨q_i, t_i − t_π(i)⟩, with the gradients of the local rows. *Collective.*
    func labelGap(
        queries q_BE: Floats, positives t_BE: Floats, columns: Int, _ communicator: any Communicator
    ) throws -> (sum: Double, dqueries_BE: Floats, dpositives_BE: Floats) {
        let (q_NE, t_NE) = (try gathered(q_BE, columns, communicator), try gathered(t_BE, columns, communicator))
        var sum = 0.0
        for (row, partner) in partners.enumerated() {
            for column in 0..<columns {
                let difference = Double(t_NE[row * columns + column]) - Double(t_NE[partner * columns + column])
                sum += Double(q_NE[row * columns + column]) * difference
            }
        }
        let (dq_BE, dt_BE) = (Floats(count: q_BE.count), Floats(count: t_BE.count))
        for local in 0..<counts[communicator.rank] {
            let row = firstRow + local
            for column in 0..<columns {
                dq_BE[local * columns + column] =
                    t_NE[row * columns + column] - t_NE[partners[row] * columns + column]
                dt_BE[local * columns + column] =
                    q_NE[row * columns + column] - q_NE[admirers[row] * columns + column]
            }
        }
        return (sum, dq_BE, dt_BE)
    }

    private func combined(
        _ x_BE: Floats, with others: [Int], columns: Int, _ communicator: any Communicator
    ) throws -> Floats {
        let x_NE = try gathered(x_BE, columns, communicator)
        let result = Floats(count: x_BE.count)
        for local in 0..<counts[communicator.rank] {
            let other = others[firstRow + local] * columns
            for column in 0..<columns {
                result[local * columns + column] =
                    weight * x_BE[local * columns + column] + (1 - weight) * x_NE[other + column]
            }
        }
        return result
    }

    private func gathered(_ x_BE: Floats, _ columns: Int, _ communicator: any Communicator) throws -> Floats {
        let x_NE = Floats(count: counts.reduce(0, +) * columns)
        try communicator.allGather(x_BE, counts: counts.map { $0 * columns }, into: x_NE)
        return x_NE
    }
}
