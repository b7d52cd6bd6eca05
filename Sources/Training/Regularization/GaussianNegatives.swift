// Random vectors among the negatives. Not here: explicit negatives of the data (Datasets).
//
// Shapes: B local rows, g vectors a row, E embedding width.

import Buffers
import Kernels
import Randomness

/// Unit vectors in random directions, negatives of every query: g of each row of the global batch, others in every step.
///
/// A function of seed, step, global row and place. Source: Wu et al., "Smoothed Contrastive Learning for Unsupervised Sentence
/// Embedding", arXiv 2109.04321, which draws Gaussian vectors and compares by cosine: the same.
struct GaussianNegatives {
    /// g.
    let count: Int
    let seed: UInt64

    /// The local rows' vectors in g blocks, [g, B, E].
    func vectors(rows: Int, firstRow: Int, columns: Int, step: Int) -> Floats {
        let result = Floats(count: count * rows * columns)
        for place in 0..<count {
            let field = RandomField(seed: seed, purpose: .randomNegatives, stream: UInt32(place))
            let raw = field.normals(step: step, firstRow: firstRow, rows: rows, columns: columns)
            normalizeRowsForward(
                raw, rows: rows, columns: columns, epsilon: 1e-12,
                into: result[place * rows * columns..<(place + 1) * rows * columns], inverseNorms: Floats(count: rows))
        }
        return result
    }
}
