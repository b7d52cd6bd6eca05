// The matrix M that colours white noise, and its product with the noise of some rows. Not here: where M comes from (NoiseShaper.swift).

import Buffers
import Kernels

/// M = V_K (diag(S) − ρ I) V_Kᵀ + ρ I, kept as its parts; ρ is the gain of the directions without a vector.
///
/// A function of n only: the m × m route leaves nothing of the batch behind. The same bits on every rank.
struct NoiseShape {
    let gains: Gains
    /// V_Kᵀ, k × n.
    let basis_KN: Floats
    let columns: Int
    /// The singular values that the gains were made of; nil for Gaussian noise.
    let spectrum: Spectrum?
    /// The step whose batch the spectrum is of.
    let step: Int
    /// M, n × n, once it has paid for itself.
    private var dense_NN: Floats?

    init(gains: Gains, basis_KN: Floats, columns: Int, spectrum: Spectrum?, step: Int) {
        precondition(
            gains.resolved_K.count * columns == basis_KN.count,
            "\(gains.resolved_K.count) gains for \(basis_KN.count) elements of \(columns) columns")
        self.gains = gains
        self.basis_KN = basis_KN
        self.columns = columns
        self.spectrum = spectrum
        self.step = step
    }

    private var k: Int { gains.resolved_K.count }
    /// Whether M = 0.
    var isZero: Bool { k == 0 && gains.rest == 0 }

    /// What `shape(_:into:)` leaves out: its result lacks `remainder` · ε.
    var remainder: Float { dense_NN == nil ? Float(gains.rest) : 0 }
    /// Whether M is a multiple of the identity, so that there is nothing to multiply.
    var isIsotropic: Bool { k == 0 }

    /// Decides the form for `rows` rows a step: V (S (Vᵀ ε)) costs 4 B n k flops, M itself 2 n² k once and then 2 B n².
    ///
    /// A function of its arguments, so that a resumed run multiplies the same matrices as an uninterrupted one.
    mutating func prepare(rows: Int, reuse: Int) {
        let once = 2 * columns * columns * k / reuse
        guard k > 0, once + 2 * rows * columns * columns < 4 * rows * columns * k else {
            dense_NN = nil
            return
        }
        guard dense_NN == nil else { return }
        let scaled_KN = Floats(count: k * columns)
        for (vector, gain) in gains.resolved_K.enumerated() {
            let source = basis_KN.base + vector * columns
            let target = scaled_KN.base + vector * columns
            let factor = Float(gain - gains.rest)
            for column in 0..<columns { target[column] = factor * source[column] }
        }
        let matrix_NN = Floats(count: columns * columns)
        gemm(
            Matrix(basis_KN, rows: k, columns: columns), .transposed, Matrix(scaled_KN, rows: k, columns: columns),
            into: Matrix(matrix_NN, rows: columns, columns: columns))
        for column in 0..<columns { matrix_NN.base[column * columns + column] += Float(gains.rest) }
        dense_NN = matrix_NN
    }

    /// Overwrites `result_BN` with ε M − `remainder` · ε.
    /// - Parameter projected_BK: workspace of at least B · k elements.
    func shape(_ noise_BN: Floats, rows: Int, into result_BN: Floats, workspace projected_BK: Floats) {
        let noise = Matrix(noise_BN, rows: rows, columns: columns)
        let result = Matrix(result_BN, rows: rows, columns: columns)
        if let dense_NN { return gemm(noise, .none, Matrix(dense_NN, rows: columns, columns: columns), into: result) }
        let basis = Matrix(basis_KN, rows: k, columns: columns)
        let projected = Matrix(projected_BK, rows: rows, columns: k)
        gemm(noise, .none, basis, .transposed, into: projected)
        let factors_K = Floats(gains.resolved_K.map { Float($0 - gains.rest) })
        for row in 0..<rows {
            let values = projected_BK.base + row * k
            for direction in 0..<k { values[direction] *= factors_K.base[direction] }
        }
        gemm(projected, .none, basis, into: result)
    }
}

extension NoiseShape {
    private static let headerCount = 7

    /// Everything above in float64 numbers, in which a float32 is exact: for a checkpoint.
    var encoded: Doubles {
        let sigma = spectrum?.singularValues ?? []
        let header = [
            Double(step), Double(columns), Double(spectrum?.rows ?? -1), Double(spectrum?.dimension ?? 0),
            spectrum?.isApproximate == true ? 1 : 0, Double(k), gains.rest,
        ]
        let result = Doubles(count: header.count + sigma.count + k + basis_KN.count)
        let start = header.count + sigma.count + k
        result[0..<start].copy(from: Doubles(header + sigma + gains.resolved_K))
        for index in 0..<basis_KN.count { result.base[start + index] = Double(basis_KN.base[index]) }
        return result
    }

    /// The shape that `encoded` was made of; nil when the numbers cannot be one for this width.
    init?(encoded: Doubles, columns n: Int) {
        guard encoded.count >= Self.headerCount else { return nil }
        let header = encoded[0..<Self.headerCount].array
        guard header.allSatisfy(\.isFinite), header[1] == Double(n) else { return nil }
        let whole = [header[0], header[2], header[3], header[5]].map { Int(exactly: $0) }
        guard let step = whole[0], let rows = whole[1], let dimension = whole[2], let k = whole[3] else { return nil }
        let r = rows < 0 ? 0 : min(rows, n)
        guard k >= 0, k <= max(dimension, 0), dimension <= r, encoded.count == header.count + r + k + k * n else {
            return nil
        }
        let numbers = encoded[header.count..<header.count + r + k].array
        let basis_KN = Floats(count: k * n)
        let start = header.count + r + k
        for index in 0..<k * n { basis_KN.base[index] = Float(encoded.base[start + index]) }
        let spectrum =
            rows < 0
            ? nil
            : Spectrum(
                singularValues: Array(numbers[..<r]), rows: rows, columns: n, dimension: dimension,
                isApproximate: header[4] == 1)
        self.init(
            gains: Gains(resolved_K: Array(numbers[r...]), rest: header[6]), basis_KN: basis_KN, columns: n,
            spectrum: spectrum,
            step: step)
    }
}
