// Exponentials of logits that need no reference, against float64.

import Buffers
import Foundation
import Kernels
import Testing

@Suite struct ContrastiveRowTests {
    static let counts = [0, 1, 7, 16, 33, 1024, 1055]

    /// Logits between −40 and 40, every fifth left out.
    private func logits(_ count: Int) -> [Float] {
        (0..<count).map { $0 % 5 == 3 ? -.infinity : Float(($0 &* 7919) % 801) / 10 - 40 }
    }

    /// Elements: 2e-7 of each, what `v_exp` and one rounding leave. Sums of positive terms: the same.
    @Test(arguments: counts, [false, true]) func exponentialsAndTheirSums(_ count: Int, _ hasColumns: Bool) {
        let z = logits(count)
        let (x, columns) = (Floats(z), Floats(repeating: 2, count: count))
        let found = exponentials(x.base, count: count, addingTo: hasColumns ? columns.base : nil)
        let expected = z.map { exp(Double($0)) }
        let total = expected.reduce(0, +)
        #expect(abs(found.sum - total) <= 1e-6 * total)
        #expect(found.maximum == z.max() ?? -.infinity)
        for index in 0..<count {
            #expect(abs(Double(x[index]) - expected[index]) <= 2e-7 * expected[index])
            let sum = 2 + (hasColumns ? expected[index] : 0)
            #expect(abs(Double(columns[index]) - sum) <= 3e-7 * sum)
        }
    }

    @Test(arguments: counts, [false, true]) func scaledBothWays(_ count: Int, _ hasFactors: Bool) {
        let z = logits(count)
        let factors = Floats((0..<count).map { Float($0 % 11) / 8 })
        let pointer = hasFactors ? UnsafePointer(factors.base) : nil
        let (x, y) = (Floats(z), Floats(z))
        _ = exponentials(x.base, count: count, addingTo: nil)
        scale(x.base, count: count, by: 0.25, plus: pointer)
        scaledExponentials(y.base, count: count, by: 0.25, plus: pointer)
        for index in 0..<count {
            let expected = exp(Double(z[index])) * (0.25 + (hasFactors ? Double(factors[index]) : 0))
            #expect(abs(Double(x[index]) - expected) <= 4e-7 * expected)
            #expect(abs(Double(y[index]) - expected) <= 4e-7 * expected)
        }
        withExtendedLifetime(factors) {}
    }
}
