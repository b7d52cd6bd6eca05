// Student's t distribution, for intervals over few seeds. Not here: what is tested.

import Foundation

/// Student's t with ν degrees of freedom.
struct StudentDistribution {
    /// ν > 0.
    let freedom: Double

    /// P(T ≤ t) = 1 − ½ I_x(ν/2, ½) for t ≥ 0, x = ν/(ν + t²). Relative error below 1e-10.
    func cumulative(_ t: Double) -> Double {
        guard t.isFinite else { return t > 0 ? 1 : 0 }
        let tail = 0.5 * Self.incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5)
        return t >= 0 ? 1 - tail : tail
    }

    /// P(|T| > |t|).
    func twoSided(_ t: Double) -> Double { 2 * (1 - cumulative(abs(t))) }

    /// The t with P(T ≤ t) = `share`, 0 < share < 1, by bisection.
    func quantile(_ share: Double) -> Double {
        precondition(share > 0 && share < 1, "quantile \(share)")
        var (low, high) = (-1e8, 1e8)
        for _ in 0..<200 {
            let middle = (low + high) / 2
            if cumulative(middle) < share { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }

    /// The regularised incomplete beta function I_x(a, b), by its continued fraction (Abramowitz & Stegun 26.5.8, evaluated from the front
    /// by Lentz's method).
    static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
        guard x > 0 else { return 0 }
        guard x < 1 else { return 1 }
        // The fraction converges fast below the mean.
        if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(1 - x, b, a) }
        let front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
        let tiny = 1e-300
        var (c, d, result) = (1.0, 1 - (a + b) * x / (a + 1), 1.0)
        d = 1 / (abs(d) < tiny ? tiny : d)
        result = d
        for step in 1...500 {
            let m = Double(step)
            for numerator in [
                m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
            ] {
                d = 1 + numerator * d
                c = 1 + numerator / c
                d = 1 / (abs(d) < tiny ? tiny : d)
                if abs(c) < tiny { c = tiny }
                result *= c * d
            }
            if abs(c * d - 1) < 1e-15 { break }
        }
        return front * result
    }
}

/// Holm's adjustment of several p values: the chance of any false discovery stays below that of one test. Source: Holm, Scandinavian
/// Journal of Statistics 6 (1979).
func holmAdjusted(_ p: [Double]) -> [Double] {
    var result = p
    var largest = 0.0
    for (place, index) in p.indices.sorted(by: { p[$0] < p[$1] }).enumerated() {
        largest = max(largest, min(1, p[index] * Double(p.count - place)))
        result[index] = largest
    }
    return result
}
