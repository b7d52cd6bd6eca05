// The noise of the paper by another road: explicit singular vectors from one-sided Jacobi rotations in float64, no LAPACK, no Gram
// matrix, no distribution. Not here: tests.

import Foundation

/// A dense float64 matrix, for tests only: slow and plain.
package struct Dense: Sendable {
    package let rows: Int
    package let columns: Int
    package var values: [Double]

    package init(_ rows: Int, _ columns: Int, _ values: [Double]? = nil) {
        self.rows = rows
        self.columns = columns
        self.values = values ?? Array(repeating: 0, count: rows * columns)
        precondition(self.values.count == rows * columns)
    }

    package init(_ rows: Int, _ columns: Int, _ values: [Float]) { self.init(rows, columns, values.map { Double($0) }) }

    package subscript(row: Int, column: Int) -> Double {
        get { values[row * columns + column] }
        set { values[row * columns + column] = newValue }
    }

    package var transposed: Dense {
        var result = Dense(columns, rows)
        for row in 0..<rows { for column in 0..<columns { result[column, row] = self[row, column] } }
        return result
    }

    package static func * (a: Dense, b: Dense) -> Dense {
        precondition(a.columns == b.rows)
        var result = Dense(a.rows, b.columns)
        for row in 0..<a.rows {
            for inner in 0..<a.columns {
                for column in 0..<b.columns { result[row, column] += a[row, inner] * b[inner, column] }
            }
        }
        return result
    }

    package var norm: Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }

    /// The matrix minus its mean row.
    package var centred: Dense {
        var result = self
        for column in 0..<columns {
            let mean = (0..<rows).reduce(0) { $0 + self[$1, column] } / Double(rows)
            for row in 0..<rows { result[row, column] -= mean }
        }
        return result
    }
}

/// σ (descending, min(m, n) of them) and the right singular vectors as columns, by Hestenes' rotations.
package func jacobiSVD(_ x: Dense) -> (sigma: [Double], right: Dense) {
    let isTall = x.rows >= x.columns
    var a = isTall ? x : x.transposed
    let q = a.columns
    var rotation = Dense(q, q)
    for index in 0..<q { rotation[index, index] = 1 }
    for _ in 0..<60 {
        var largest = 0.0
        for i in 0..<q {
            for j in i + 1..<max(q, i + 1) {
                var (alpha, beta, gamma) = (0.0, 0.0, 0.0)
                for row in 0..<a.rows {
                    alpha += a[row, i] * a[row, i]
                    beta += a[row, j] * a[row, j]
                    gamma += a[row, i] * a[row, j]
                }
                guard abs(gamma) > 1e-300, abs(gamma) > 1e-16 * (alpha * beta).squareRoot() else { continue }
                largest = max(largest, abs(gamma) / (alpha * beta).squareRoot())
                let zeta = (beta - alpha) / (2 * gamma)
                let t = (zeta >= 0 ? 1.0 : -1.0) / (abs(zeta) + (1 + zeta * zeta).squareRoot())
                let c = 1 / (1 + t * t).squareRoot()
                let s = c * t
                for row in 0..<a.rows {
                    (a[row, i], a[row, j]) = (c * a[row, i] - s * a[row, j], s * a[row, i] + c * a[row, j])
                }
                for row in 0..<q {
                    (rotation[row, i], rotation[row, j]) = (
                        c * rotation[row, i] - s * rotation[row, j], s * rotation[row, i] + c * rotation[row, j]
                    )
                }
            }
        }
        if largest < 1e-15 { break }
    }
    let norms = (0..<q).map { j in (0..<a.rows).reduce(0) { $0 + a[$1, j] * a[$1, j] }.squareRoot() }
    let order = norms.indices.sorted { norms[$0] > norms[$1] }
    var right = Dense(x.columns, q)
    for (target, source) in order.enumerated() {
        for row in 0..<x.columns {
            right[row, target] = isTall ? rotation[row, source] : norms[source] > 0 ? a[row, source] / norms[source] : 0
        }
    }
    return (order.map { norms[$0] }, right)
}

/// The reference noise, N × n, for given ε.
///
/// ```
/// (α/√n) (ε V diag(S)) Vᵀ,  S_j = σ_j^p / mean_r(σ^p),  σ_j ≤ scale · max(m, n) · 2⁻²³ counts as 0
/// ```
package func referenceNoise(
    _ x: Dense, gaussian: Dense, alpha: Double, power: Double, isMatched: Bool, isCentred: Bool,
    rowsOfSpectrum: Dense? = nil
) -> Dense {
    let whole = rowsOfSpectrum ?? x
    let batch = isCentred ? whole.centred : whole
    let (sigma, right) = jacobiSVD(batch)
    let n = Double(x.columns)
    var removed = 0.0
    if isCentred {
        let difference = zip(whole.values, batch.values).map { $0 - $1 }
        removed = difference.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
    let floor = max(sigma[0], removed) * Double(max(whole.rows, whole.columns)) * 0x1p-23
    let powers = sigma.map { $0 <= floor ? 0 : Foundation.pow($0, power) }
    let mean = powers.reduce(0, +) / Double(sigma.count)
    guard mean > 0 else { return Dense(x.rows, x.columns) }
    var gains = powers.map { $0 / mean }
    if isMatched {
        let factor = (n / gains.reduce(0) { $0 + $1 * $1 }).squareRoot()
        gains = gains.map { $0 * factor }
    }
    var projected = gaussian * right
    for row in 0..<projected.rows { for column in 0..<projected.columns { projected[row, column] *= gains[column] } }
    var noise = projected * right.transposed
    noise.values = noise.values.map { $0 * alpha / n.squareRoot() }
    return noise
}
