// The gradient of InfoNCE with respect to one query, and what noise adds to its expectation. Not here: sampling (GradientExperiment),
// the derivation (docs/mathematics-gradient.md).
//
// Shapes: N keys, E columns; C the covariance of a row's noise, E × E.

import Foundation

/// One query and its keys, of which one is the positive.
struct NoisyGradient {
    /// q, unit, [E].
    let query: [Double]
    /// k_j, unit, [N, E].
    let keys: [[Double]]
    let positive: Int
    /// τ.
    let temperature: Double
    /// Whether rows are normalised after the noise, the gradient being that with respect to the row before it.
    let isRenormalized: Bool

    private var columns: Int { query.count }

    /// `∇_q L = −(1/τ)(k⁺ − Σ_j p_j k_j)`, p the softmax of ⟨q, k_j⟩/τ; after a normalisation `q = x/‖x‖` also `(I − q qᵀ)/‖x‖` of it.
    func gradient(query x: [Double], keys rows: [[Double]]) -> [Double] {
        guard isRenormalized else { return Self.gradient(x, rows, positive, temperature) }
        let norm = dot(x, x).squareRoot()
        let q = x.map { $0 / norm }
        let unit = rows.map { row in
            let length = dot(row, row).squareRoot()
            return row.map { $0 / length }
        }
        let g = Self.gradient(q, unit, positive, temperature)
        return tangent(g, at: q).map { $0 / norm }
    }

    private static func gradient(_ q: [Double], _ keys: [[Double]], _ positive: Int, _ temperature: Double) -> [Double]
    {
        let p = softmax(keys.map { dot(q, $0) / temperature })
        var result = keys[positive].map { -$0 }
        for (share, key) in zip(p, keys) { for column in q.indices { result[column] += share * key[column] } }
        return result.map { $0 / temperature }
    }

    /// What independent noise of covariance C on every key adds to the expected gradient, to first order in C.
    ///
    /// ```
    /// −(1/τ) [ b⁺ − Σ p_j b_j − Σ p_j (k_j − k̄) ⟨q, b_j⟩/τ − ½ Σ s_j p_j (1 − 2 p_j)(k_j − k̄) − (1/τ) Σ p_j (1 − p_j) C_j q ]
    /// s_j = qᵀC_j q/τ²;  without normalisation C_j = C and b_j = 0;  with it P_j = I − k_j k_jᵀ, C_j = P_j C P_j and
    /// b_j = −P_j C k_j − ½ tr(P_j C) k_j, and the whole is projected by I − q qᵀ
    /// ```
    func keyShift(covariance C: [[Double]]) -> [Double] {
        let p = softmax(keys.map { dot(query, $0) / temperature })
        var mean = [Double](repeating: 0, count: columns)
        for (share, key) in zip(p, keys) { for column in mean.indices { mean[column] += share * key[column] } }
        let trace = C.indices.reduce(0) { $0 + C[$1][$1] }
        var sum = [Double](repeating: 0, count: columns)
        for (index, key) in keys.enumerated() {
            var drift = [Double](repeating: 0, count: columns)
            var coupled = product(C, query)
            if isRenormalized {
                let Ck = product(C, key)
                let along = dot(key, Ck)
                drift = zip(tangent(Ck, at: key), key).map { -$0 - 0.5 * (trace - along) * $1 }
                coupled = tangent(product(C, tangent(query, at: key)), at: key)
            }
            let spread = dot(query, coupled) / (temperature * temperature)
            let towards = dot(query, drift) / temperature + 0.5 * spread * (1 - 2 * p[index])
            for column in sum.indices {
                sum[column] +=
                    p[index]
                    * (drift[column] + towards * (key[column] - mean[column])
                        + (1 - p[index]) * coupled[column] / temperature)
            }
            if index == positive { for column in sum.indices { sum[column] -= drift[column] } }
        }
        let shift = sum.map { $0 / temperature }
        return isRenormalized ? tangent(shift, at: query) : shift
    }

    /// What noise of covariance `Σ_a c_a v_a v_aᵀ` on the query adds, to first order: `½ Σ_a c_a ∂²∇L/∂v_a²`.
    ///
    /// ```
    /// without normalisation    (1/2τ³) Σ p_j (k_j − k̄) (k_j − k̄)ᵀ C (k_j − k̄)
    /// ```
    /// With it, the second differences of the gradient along the noise's directions.
    func queryShift(covariance C: [[Double]], directions: [(vector: [Double], variance: Double)]) -> [Double] {
        guard isRenormalized else {
            let p = softmax(keys.map { dot(query, $0) / temperature })
            var mean = [Double](repeating: 0, count: columns)
            for (share, key) in zip(p, keys) { for column in mean.indices { mean[column] += share * key[column] } }
            var sum = [Double](repeating: 0, count: columns)
            for (share, key) in zip(p, keys) {
                let difference = zip(key, mean).map { $0 - $1 }
                let weight = share * dot(difference, product(C, difference))
                for column in sum.indices { sum[column] += weight * difference[column] }
            }
            return sum.map { $0 / (2 * temperature * temperature * temperature) }
        }
        let here = gradient(query: query, keys: keys)
        let step = 1e-4
        var sum = [Double](repeating: 0, count: columns)
        for (vector, variance) in directions where variance > 0 {
            let ahead = gradient(query: zip(query, vector).map { $0 + step * $1 }, keys: keys)
            let behind = gradient(query: zip(query, vector).map { $0 - step * $1 }, keys: keys)
            for column in sum.indices {
                sum[column] += 0.5 * variance * (ahead[column] - 2 * here[column] + behind[column]) / (step * step)
            }
        }
        return sum
    }
}

func dot(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for index in a.indices { sum += a[index] * b[index] }
    return sum
}

/// A x.
func product(_ A: [[Double]], _ x: [Double]) -> [Double] { A.map { dot($0, x) } }

/// (I − u uᵀ) x, u a unit vector.
func tangent(_ x: [Double], at u: [Double]) -> [Double] {
    let along = dot(x, u)
    return zip(x, u).map { $0 - along * $1 }
}

private func softmax(_ z: [Double]) -> [Double] {
    let largest = z.max() ?? 0
    let exponentials = z.map { exp($0 - largest) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
}
