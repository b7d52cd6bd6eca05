// The spectrum through the smaller Gram matrix: the route of every ordinary step. Not here: the products (Kernels).

import Buffers
import Collectives
import Kernels

/// Eigenvalues of XᵀX (m ≥ n) or of X Xᵀ (m < n).
///
/// ```
/// m ≥ n:  XᵀX = Σ_ranks X_rᵀX_r              n(n+1)/2 + n numbers all-reduced; eigenvectors are V
///         centred: XᵀX − s sᵀ/m,  s = Σ rows   (the rank-one correction: rows are never touched again)
/// m < n:  X all-gathered, X Xᵀ on the root     m n numbers; eigenvectors are U, and V_j = XᵀU_j / ‖XᵀU_j‖
/// ```
/// No n × n matrix exists when m < n. Cost: B n² flops a rank and 9 n³ on the root, or m² n + 9 m³ + 2 m² n on the root.
/// In single precision the matrix's products, B n² or m² n, are float32, and nothing else is; what that hides is cut off
/// (`Spectrum.singleTolerance`).
final class GramSolver: SpectrumSolver {
    private let rows: DistributedRows
    private let center: Bool
    private let isSingle: Bool
    private let root: Int
    private let communicator: any Communicator
    /// m ≥ n: upper triangle by rows, then the column sums when centring. m < n: unused.
    private var triangle: Doubles?
    /// m < n: all rows, in rank order.
    private var gathered_MN: Floats?
    private var request: (any CollectiveRequest)?

    init(_ rows: DistributedRows, center: Bool, single: Bool = false, root: Int, _ communicator: any Communicator) {
        self.rows = rows
        self.center = center
        isSingle = single
        self.root = root
        self.communicator = communicator
    }

    func begin() throws {
        let n = rows.columns
        if rows.rows >= n {
            let local = CentredRows(rows.local_BN, rows: rows.counts[communicator.rank], columns: n)
            let gram_NN = Doubles(repeating: 0, count: n * n)
            isSingle ? local.addSingleColumnGram(to: gram_NN) : local.addColumnGram(to: gram_NN)
            let message = Doubles(repeating: 0, count: n * (n + 1) / 2 + (center ? n : 0))
            var position = 0
            for row in 0..<n {
                message[position..<position + n - row].copy(from: gram_NN[row * n + row..<(row + 1) * n])
                position += n - row
            }
            if center { _ = local.addMoments(to: message[position..<message.count]) }
            triangle = message
            request = try communicator.start(.allReduce(Payload(message), .sum))
        } else {
            let all_MN = Floats(count: rows.rows * n)
            gathered_MN = all_MN
            request = try communicator.start(
                .allGather(Payload(rows.local_BN), counts: rows.counts.map { $0 * n }, into: Payload(all_MN)))
        }
    }

    func abandon() throws {
        try request?.wait()
        (request, triangle, gathered_MN) = (nil, nil, nil)
    }

    func solve() throws -> Decomposition? {
        try request?.wait()
        request = nil
        defer { (triangle, gathered_MN) = (nil, nil) }
        guard communicator.rank == root else { return nil }
        if let triangle { return try columnSide(triangle) }
        if let gathered_MN { return try rowSide(gathered_MN) }
        preconditionFailure("solve() before begin()")
    }

    private func columnSide(_ message: Doubles) throws -> Decomposition {
        let n = rows.columns
        let gram_NN = Doubles(count: n * n)
        var position = 0
        for row in 0..<n {
            gram_NN[row * n + row..<(row + 1) * n].copy(from: message[position..<position + n - row])
            position += n - row
        }
        var removed = 0.0
        if center {
            let sums = message.base + position
            let scale = 1 / Double(rows.rows)
            for row in 0..<n {
                let target = gram_NN.base + row * n
                let factor = sums[row] * scale
                for column in row..<n { target[column] -= factor * sums[column] }
                removed += factor * sums[row]
            }
        }
        let sigma = singularValues(ofEigenvalues: try symmetricEigen(gram_NN, order: n))
        let spectrum = spectrum(sigma, removed)
        return Decomposition(
            spectrum: spectrum, basis_KN: descendingFloats(gram_NN, count: spectrum.dimension, length: n))
    }

    private func rowSide(_ all_MN: Floats) throws -> Decomposition {
        let (m, n) = (rows.rows, rows.columns)
        var mean_N: Doubles?
        var removed = 0.0
        if center {
            let sums = Doubles(repeating: 0, count: n)
            _ = CentredRows(all_MN, rows: m, columns: n).addMoments(to: sums)
            (mean_N, removed) = mean(ofSums: sums, rows: m)
        }
        let batch = CentredRows(all_MN, rows: m, columns: n, mean_N: mean_N)
        let gram_MM = Doubles(count: m * m)
        isSingle ? batch.singleRowGram(into: gram_MM) : batch.rowGram(into: gram_MM)
        let sigma = singularValues(ofEigenvalues: try symmetricEigen(gram_MM, order: m))
        let spectrum = spectrum(sigma, removed)
        let k = spectrum.dimension
        let left_KM = Doubles(count: k * m)
        for vector in 0..<k {
            left_KM[vector * m..<(vector + 1) * m].copy(from: gram_MM[(m - 1 - vector) * m..<(m - vector) * m])
        }
        return Decomposition(spectrum: spectrum, basis_KN: batch.unitRightVectors(of: left_KM, count: k))
    }

    /// - Parameter removed: the square of the singular value that centring removed.
    private func spectrum(_ sigma: [Double], _ removed: Double) -> Spectrum {
        Spectrum(
            singularValues: sigma, rows: rows.rows, columns: rows.columns, scale: max(sigma[0], removed.squareRoot()),
            tolerance: isSingle ? Spectrum.singleTolerance : Spectrum.tolerance)
    }
}

/// μ = s / m in place, and m ‖μ‖²: the square of the singular value that centring removes.
func mean(ofSums sums_N: Doubles, rows m: Int) -> (mean_N: Doubles, removed: Double) {
    var removed = 0.0
    for column in 0..<sums_N.count {
        sums_N.base[column] /= Double(m)
        removed += sums_N.base[column] * sums_N.base[column] * Double(m)
    }
    return (sums_N, removed)
}
