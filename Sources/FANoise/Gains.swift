// From singular values to the strength of the noise in each direction: the S of the paper. Not here: directions (Decomposition.swift).

private import Foundation
import Randomness

/// S_j for every direction of a spectrum, and for the directions that no singular vector was computed of.
struct Gains: Equatable {
    /// S of the resolved non-zero directions, in the order of their singular values.
    var resolved_K: [Double]
    /// S in each of the n − k remaining dimensions; 0 unless the solver was approximate or the scaling Gaussian.
    var rest: Double

    /// M = I.
    static let isotropic = Gains(resolved_K: [], rest: 1)

    /// The paper's definition.
    ///
    /// ```
    /// S_j = σ_j^p / mean_r(σ^p)          r = min(m, n); σ_j at or under the tolerance contributes 0, for p = 0 too
    /// matched: S scaled so that Σ_j S_j² = n
    /// ```
    /// Zero directions count in the mean: the mean of a rank-deficient batch is over r, not over its dimension. An all-zero batch
    /// has no gains and gets no noise.
    ///
    /// Unresolved directions (randomized solver, m ≥ n or not) share the noise energy Σ S² of their r − k values evenly among the
    /// n − k dimensions that remain.
    ///
    /// - Parameters:
    ///   - resolved: k, how many leading directions have a vector; the other non-zero σ are equal.
    ///   - shuffle: deals the resolved gains to the resolved directions in another order; nil leaves them.
    init(spectrum: Spectrum, resolved: Int, exponent: Double, energy: NoiseOptions.Energy, shuffle: [Int]?) {
        precondition(resolved <= spectrum.dimension, "\(resolved) vectors of \(spectrum.dimension) non-zero directions")
        // Relative to σ_1, so that no power overflows; the ratio S is unchanged.
        let top = spectrum.singularValues.first ?? 0
        let powers = spectrum.singularValues.prefix(spectrum.dimension).map { pow($0 / top, exponent) }
        let sum = powers.reduce(0, +)
        guard sum > 0, spectrum.columns > 0 else {
            self.init(resolved_K: [], rest: 0)
            return
        }
        let scale: Double
        switch energy {
        case .paper: scale = Double(spectrum.singularValues.count) / sum
        case .matched: scale = (Double(spectrum.columns) / powers.reduce(0) { $0 + $1 * $1 }).squareRoot()
        }
        let gains = powers.map { $0 * scale }
        let rest = gains[resolved...].reduce(0) { $0 + $1 * $1 }
        let remaining = spectrum.columns - resolved
        self.init(
            resolved_K: shuffle.map { order in order.map { gains[$0] } } ?? Array(gains[..<resolved]),
            rest: remaining > 0 ? (rest / Double(remaining)).squareRoot() : 0)
    }

    init(resolved_K: [Double], rest: Double) {
        self.resolved_K = resolved_K
        self.rest = rest
    }

    /// Σ_j S_j² over all n dimensions: n/α² times the expected noise energy of a row.
    func energy(columns: Int) -> Double {
        resolved_K.reduce(0) { $0 + $1 * $1 } + rest * rest * Double(columns - resolved_K.count)
    }
}
