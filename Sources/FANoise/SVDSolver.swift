// The spectrum by a singular value decomposition in float64: slower, and the reference for the others. Not here: LAPACK (Kernels).

import Buffers
import Collectives
import Kernels

/// Every rank compresses its rows to at most n by a QR factorisation; the root stacks what it receives and takes the SVD.
///
/// ```
/// X_r = Q_r R_r     [R_0; R_1; …] = Q R     R = U Σ Vᵀ        (σ and V of R are those of X)
/// ```
/// Does not square the condition number as the Gram matrix does; needs a float64 copy of the local rows.
final class SVDSolver: SpectrumSolver {
    private let rows: DistributedRows
    private let center: Bool
    private let root: Int
    private let communicator: any Communicator
    private var stacked: Doubles?
    private var removed = 0.0
    private var request: (any CollectiveRequest)?

    init(_ rows: DistributedRows, center: Bool, root: Int, _ communicator: any Communicator) {
        self.rows = rows
        self.center = center
        self.root = root
        self.communicator = communicator
    }

    func begin() throws {
        let n = rows.columns
        let count = rows.counts[communicator.rank]
        var mean_N: Doubles?
        if center { (mean_N, removed) = try globalMean(rows, communicator) }
        let local = CentredRows(rows.local_BN, rows: count, columns: n, mean_N: mean_N).doubles()
        let compressed = try compressedRows(destroying: local, rows: count, columns: n)
        let counts = rows.counts.map { min($0, n) * n }
        let all = Doubles(count: counts.reduce(0, +))
        stacked = all
        request = try communicator.start(.allGather(Payload(compressed), counts: counts, into: Payload(all)))
    }

    func abandon() throws {
        try request?.wait()
        (request, stacked) = (nil, nil)
    }

    func solve() throws -> Decomposition? {
        try request?.wait()
        request = nil
        guard communicator.rank == root, let stacked else { return nil }
        self.stacked = nil
        let n = rows.columns
        let compressed = try compressedRows(destroying: stacked, rows: stacked.count / n, columns: n)
        let (values, right) = try singularDecomposition(destroying: compressed, rows: compressed.count / n, columns: n)
        let spectrum = Spectrum(
            singularValues: values.array, rows: rows.rows, columns: n, scale: max(values[0], removed.squareRoot()))
        let basis_KN = Floats(count: spectrum.dimension * n)
        for index in 0..<basis_KN.count { basis_KN.base[index] = Float(right.base[index]) }
        return Decomposition(spectrum: spectrum, basis_KN: basis_KN)
    }
}

/// The mean row of the global batch, and the square of the singular value that subtracting it removes. *Collective.*
func globalMean(_ rows: DistributedRows, _ communicator: any Communicator) throws -> (mean_N: Doubles, removed: Double)
{
    let sums_N = Doubles(repeating: 0, count: rows.columns)
    _ = CentredRows(rows.local_BN, rows: rows.counts[communicator.rank], columns: rows.columns).addMoments(to: sums_N)
    try communicator.allReduce(sums_N)
    return mean(ofSums: sums_N, rows: rows.rows)
}
