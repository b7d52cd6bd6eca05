// Sums, searches, exponentials of rows and AdamW against float64.

import Buffers
import Foundation
import Kernels
import Testing

struct ReductionTests {
    @Test(arguments: edgeSizes + [4096, 4097, 10_001])
    func dotAndSquaresAreFloat64(count: Int) {
        let (x, y) = (sample(count, 1), sample(count, 2))
        let products = zip(x.doubles, y.doubles).map { $0 * $1 }
        let exact = products.reduce(0, +)
        // Products are exact; float64 sums of n terms differ by at most n · 2⁻⁵³ of the sum of magnitudes.
        let bound = Double(count) * 0x1p-52 * products.reduce(0) { $0 + abs($1) }
        #expect(abs(dot(x, y) - exact) <= bound)
        let squares = x.doubles.reduce(0) { $0 + $1 * $1 }
        #expect(abs(sumOfSquares(x) - squares) <= Double(count) * 0x1p-52 * squares)
    }

    /// 10⁷ + 1 in float32 is the end of exact sums near 1.7e7; float64 does not notice.
    @Test func squaresDoNotSaturate() {
        let x = Floats(repeating: 1, count: 20_000_000)
        #expect(sumOfSquares(x) == 2e7)
    }

    @Test(arguments: edgeSizes)
    func addIntoAddsScaled(count: Int) {
        let (x, y) = (sample(count, 1), sample(count, 2))
        let expected = zip(x.doubles, y.doubles).map { $1 - 0.25 * $0 }
        addInto(y, x, scale: -0.25)
        expectClose(y, expected, tolerance: unitRoundoff, "y")
    }

    @Test(arguments: [1, 16, 17, 4095, 4097, 9000], [Float.nan, .infinity, -.infinity])
    func findsTheFirstNonFinite(count: Int, bad: Float) {
        let x = Floats(repeating: .greatestFiniteMagnitude, count: count)
        x[0] = -0.0
        #expect(allFinite(x) && firstNonFinite(x) == nil)
        for index in Set([0, count / 2, count - 1]) {
            let saved = x[index]
            x[index] = bad
            #expect(firstNonFinite(x) == index && !allFinite(x))
            x[index] = saved
        }
        #expect(allFinite(x[0..<0]))
    }
}

struct RowKernelTests {
    @Test(arguments: edgeSizes + [1024, 1025, 3000])
    func streamedSoftmaxMatchesOracle(count: Int) {
        let x = sample(count, 1, scale: 30)
        let xs = x.doubles
        let top = maximum(of: x.base, count: count)
        #expect(Double(top) == (xs.max() ?? -.infinity))
        let exact = xs.reduce(0) { $0 + exp($1 - Double(top)) }
        // Relative error of one exponential: 2 u, and the rounding of its argument, of magnitude up to 40 where it matters.
        let tolerance = 48 * unitRoundoff
        #expect(abs(sumOfExponentials(x.base, count: count, minus: top) - exact) <= tolerance * exact)
        guard count > 0 else { return }
        let lse = Float(Double(top) + log(exact))
        exponentials(x.base, count: count, minus: lse, scale: 3)
        expectClose(x, xs.map { 3 * exp($0 - Double(lse)) }, tolerance: tolerance, "probabilities")
    }

    @Test func maskedLogitsAddNothing() {
        let x = Floats(repeating: -.infinity, count: 37)
        let top = maximum(of: x.base, count: 37)
        #expect(top == -.infinity && sumOfExponentials(x.base, count: 37, minus: top) == 0)
        x[20] = 3
        #expect(sumOfExponentials(x.base, count: 37, minus: maximum(of: x.base, count: 37)) == 1)
        exponentials(x.base, count: 37, minus: 3, scale: 2)
        #expect(x.array == (0..<37).map { $0 == 20 ? 2 : 0 })
    }

    @Test func notANumberReachesTheSum() {
        let x = Floats(repeating: 0, count: 37)
        x[36] = .nan
        #expect(sumOfExponentials(x.base, count: 37, minus: 0).isNaN)
    }

    /// e^x within 2 u relatively, over all it can represent.
    @Test func exponentialIsAccurate() {
        let x = Floats((0..<17_500).map { -87.25 + Float($0) * 0.01 })
        let xs = x.doubles
        exponentials(x.base, count: x.count, minus: 0, scale: 1)
        for i in 0..<x.count where xs[i] < 88.3 {
            #expect(abs(Double(x[i]) / exp(xs[i]) - 1) <= 2 * unitRoundoff, "e^\(xs[i])")
        }
    }
}

struct AdamWTests {
    @Test(arguments: edgeSizes, [1, 1000])
    func matchesEquations(count: Int, step: Int) {
        let (p, g, m) = (sample(count, 1), sample(count, 2), sample(count, 3))
        let v = Floats(sample(count, 4).array.map { $0 * $0 })
        let (ps, gs, ms, vs) = (p.doubles, g.doubles, m.doubles, v.doubles)
        let (rate, b1, b2, eps, decay, scale) = (1e-2, 0.9, 0.999, 1e-6, 0.1, 0.5)
        adamWUpdate(
            parameters: p, gradients: g, firstMoment: m, secondMoment: v, learningRate: rate, beta1: b1, beta2: b2,
            epsilon: eps, weightDecay: decay, step: step, gradientScale: Float(scale))
        let (c1, c2) = (1 - pow(b1, Double(step)), 1 - pow(b2, Double(step)))
        var (newP, newM, newV): ([Double], [Double], [Double]) = ([], [], [])
        for i in 0..<count {
            let gradient = scale * gs[i]
            newM.append(b1 * ms[i] + (1 - b1) * gradient)
            newV.append(b2 * vs[i] + (1 - b2) * gradient * gradient)
            let decayed = ps[i] * (1 - rate * decay)
            newP.append(decayed - rate / c1 * newM[i] / ((newV[i] / c2).squareRoot() + eps))
        }
        // A handful of roundings each; the largest parameter and moments are of order three.
        expectClose(p, newP, tolerance: 8 * unitRoundoff, "parameters")
        expectClose(m, newM, tolerance: 4 * unitRoundoff, "first moment")
        expectClose(v, newV, tolerance: 4 * unitRoundoff, "second moment")
        #expect(g.array == sample(count, 2).array)
    }
}
