// The leading part of a large spectrum by randomised subspace iteration. Not here: what the rest is taken to be (Gains.swift).

import Buffers
import Collectives
import Kernels
import Randomness

/// A range finder with power iterations, orthonormalised between them, and a Rayleigh–Ritz step at the end.
///
/// ```
/// Q_0 = orth(Ω),  Ω ~ N(0, 1)^{l×n}      Q_{i+1} = orth(Q_i XᵀX)      Q XᵀX Qᵀ = W diag(σ²) Wᵀ,  V ≈ Wᵀ Q
/// ```
/// l = `sketch` + 16. Halko, Martinsson, Tropp, SIAM Review 53, 2011, algorithm 4.4, on the right side of X. The values that
/// remain are replaced by their root mean square, which is exact in total because ‖X‖_F² = Σ σ²:
///
/// ```
/// σ_j = √((‖X‖_F² − Σ_{i≤k} σ_i²) / (r − k)),   j > k
/// ```
/// Exact to rounding when l ≥ r or when the batch has at most `sketch` non-zero singular values. Cost: (4 · 3 + 2) B n l flops
/// a rank, and on the root three QR factorisations of n × l and an eigenproblem of order l.
final class RandomizedSolver: SpectrumSolver {
    private static let powerIterations = 3
    private static let oversampling = 16

    private let rows: DistributedRows
    private let center: Bool
    private let sketch: Int
    private let field: RandomField
    private let root: Int
    private let communicator: any Communicator
    /// Tests let it fail.
    var orthonormalize: (Doubles, _ count: Int, _ length: Int) throws -> Void = {
        try Kernels.orthonormalize($0, count: $1, length: $2)
    }

    init(
        _ rows: DistributedRows, center: Bool, sketch: Int, seed: UInt64, root: Int, _ communicator: any Communicator
    ) {
        self.rows = rows
        self.center = center
        self.sketch = sketch
        self.root = root
        self.communicator = communicator
        field = RandomField(seed: seed, purpose: .rangeFinder)
    }

    func begin() {}

    func abandon() {}

    func solve() throws -> Decomposition? {
        let (n, r) = (rows.columns, rows.order)
        let l = min(n, sketch + Self.oversampling)
        var mean_N: Doubles?
        var removed = 0.0
        if center { (mean_N, removed) = try globalMean(rows, communicator) }
        let batch = CentredRows(rows.local_BN, rows: rows.counts[communicator.rank], columns: n, mean_N: mean_N)
        let squares = try communicator.allReduce(batch.addMoments(to: Doubles(repeating: 0, count: n)))

        let basis_LN = try range(of: batch, l)
        let gram_LL = Doubles(repeating: 0, count: l * l)
        batch.addProjectedGram(on: basis_LN, count: l, to: gram_LL)
        try communicator.allReduce(gram_LL)
        guard communicator.rank == root else { return nil }

        let ritz = singularValues(ofEigenvalues: try symmetricEigen(gram_LL, order: l))
        let kept = l >= r ? r : min(sketch, r)
        let found = Array(ritz[..<kept])
        let rest = max(0, squares - found.reduce(0) { $0 + $1 * $1 })
        let tail = kept < r ? min(found[kept - 1], (rest / Double(r - kept)).squareRoot()) : 0
        let exact = Spectrum(
            singularValues: found + Array(repeating: tail, count: r - kept), rows: rows.rows, columns: n,
            scale: max(found[0], removed.squareRoot()))
        let spectrum = Spectrum(
            singularValues: exact.singularValues, rows: rows.rows, columns: n, dimension: exact.dimension,
            isApproximate: exact.dimension > kept)
        let vectors_LN = Doubles(count: l * n)
        gemm(
            DoubleMatrix(gram_LL, rows: l, columns: l), .none, DoubleMatrix(basis_LN, rows: l, columns: n),
            into: DoubleMatrix(vectors_LN, rows: l, columns: n))
        return Decomposition(
            spectrum: spectrum, basis_KN: descendingFloats(vectors_LN, count: min(kept, spectrum.dimension), length: n))
    }

    /// l orthonormal rows that nearly span X's leading right singular vectors, the same bits on every rank. *Collective.*
    private func range(of batch: CentredRows, _ l: Int) throws -> Doubles {
        let n = rows.columns
        var basis_LN = Doubles(count: l * n)
        let start = field.normals(step: rows.step, firstRow: 0, rows: l, columns: n)
        for index in 0..<l * n { basis_LN.base[index] = Double(start.base[index]) }
        for iteration in 0...Self.powerIterations {
            if iteration > 0 {
                let product_LN = Doubles(repeating: 0, count: l * n)
                batch.addGramProduct(of: basis_LN, count: l, to: product_LN)
                try communicator.allReduce(product_LN)
                basis_LN = product_LN
            }
            // The others would wait for a root that has failed.
            try agreed(communicator) { if communicator.rank == root { try orthonormalize(basis_LN, l, n) } }
            try communicator.broadcast(basis_LN, root: root)
        }
        return basis_LN
    }
}
