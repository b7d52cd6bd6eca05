// Kernels against an independent framework, and the check of the checks: a planted wrong gradient.

import Buffers
import Kernels
import Testing

/// `((37 i + 11 s) mod 41 − 20) / 8`, as in Golden/kernels.py.
private func ramp(_ count: Int, _ stream: Int, scale: Float = 1) -> Floats {
    Floats((0..<count).map { Float(((37 * $0 + 11 * stream) % 41) - 20) / 8 * scale })
}

/// Inputs reach 5, sums have up to 12 terms of up to 6: 100 u is two roundings of each.
private let tolerance = 100 * unitRoundoff

struct GoldenTests {
    @Test(arguments: [
        (Activation.geluErf, KernelGolden.geluErf, KernelGolden.geluErfGradient),
        (.geluTanh, KernelGolden.geluTanh, KernelGolden.geluTanhGradient),
        (.quickGelu, KernelGolden.quickGelu, KernelGolden.quickGeluGradient),
    ])
    func activation(activation: Activation, values: [Double], gradient: [Double]) {
        let (x, y, dx) = (ramp(23, 1, scale: 2), unwritten(23), unwritten(23))
        biasActivationForward(x, bias: nil, activation: activation, rows: 1, columns: 23, into: y)
        expectClose(y, values, tolerance: tolerance, "y")
        activationBackward(
            ramp(23, 2), preactivation: x, activation: activation, rows: 1, columns: 23, into: dx, dbias: nil)
        expectClose(dx, gradient, tolerance: tolerance, "dx")
    }

    @Test func layerNorm() {
        let (x, gain, shift, y, dx) = (ramp(21, 1), ramp(7, 2), ramp(7, 3), unwritten(21), unwritten(21))
        let (mean, inverse) = (unwritten(3), unwritten(3))
        let (dgain, dshift) = (Floats(repeating: 0, count: 7), Floats(repeating: 0, count: 7))
        layerNormForward(
            x, gain: gain, shift: shift, epsilon: 1e-5, rows: 3, columns: 7, into: y, mean: mean,
            inverseDeviation: inverse)
        layerNormBackward(
            ramp(21, 4), x: x, gain: gain, mean: mean, inverseDeviation: inverse, rows: 3, columns: 7, into: dx,
            dgain: dgain, dshift: dshift)
        expectClose(y, KernelGolden.layerNorm, tolerance: tolerance, "y")
        expectClose(dx, KernelGolden.layerNormInputGradient, tolerance: tolerance, "dx")
        expectClose(dgain, KernelGolden.layerNormGainGradient, tolerance: tolerance, "dgain")
        expectClose(dshift, KernelGolden.layerNormShiftGradient, tolerance: tolerance, "dshift")
    }

    @Test(arguments: [false, true])
    func attention(causal: Bool) {
        let (y, dqkv) = attend(causal: causal)
        expectClose(
            y, causal ? KernelGolden.causalAttention : KernelGolden.attention, tolerance: tolerance, "y")
        expectClose(
            dqkv, causal ? KernelGolden.causalAttentionGradient : KernelGolden.attentionGradient, tolerance: tolerance,
            "dqkv")
    }

    private func attend(causal: Bool) -> (y: Floats, dqkv: Floats) {
        let (qkv, y, lse, dqkv) = (ramp(120, 5), unwritten(40), unwritten(10), unwritten(120))
        attentionForward(qkv: qkv, offsets: [0, 2, 5], heads: 2, width: 8, causal: causal, into: y, logSumExp: lse)
        attentionBackward(
            dy: ramp(40, 6), qkv: qkv, y: y, logSumExp: lse, offsets: [0, 2, 5], heads: 2, width: 8, causal: causal,
            into: dqkv)
        return (y, dqkv)
    }

    @Test func adamW() {
        let (p, m, v) = (ramp(9, 7), Floats(repeating: 0, count: 9), Floats(repeating: 0, count: 9))
        for step in 1...3 {
            adamWUpdate(
                parameters: p, gradients: ramp(9, 7 + step), firstMoment: m, secondMoment: v, learningRate: 0.01,
                beta1: 0.9, beta2: 0.98, epsilon: 1e-6, weightDecay: 0.1, step: step, gradientScale: 0.5)
        }
        expectClose(p, KernelGolden.adamW, tolerance: tolerance, "parameters")
        expectClose(m, KernelGolden.adamWFirstMoment, tolerance: tolerance, "first moment")
        expectClose(v, KernelGolden.adamWSecondMoment, tolerance: tolerance, "second moment")
    }

    /// The comparison and the central differences must see a wrong sign, a missing factor, a swapped pair and a NaN.
    @Test func plantedErrorsAreCaught() {
        let truth = attend(causal: false).dqkv.doubles
        let golden = KernelGolden.attentionGradient
        #expect(worstError(truth, golden).error <= tolerance)
        let largest = golden.indices.max { abs(golden[$0]) < abs(golden[$1]) } ?? 0
        let plants: [(inout [Double]) -> Void] = [
            { $0[largest] = -$0[largest] },
            { $0[largest] *= 0.999 },
            { for i in $0.indices { $0[i] *= 0.5 } },
            { $0.swapAt(largest, (largest + 1) % $0.count) },
            { $0[3] = .nan },
            { $0.removeLast() },
        ]
        for plant in plants {
            var wrong = truth
            plant(&wrong)
            #expect(worstError(wrong, golden).error > tolerance)
        }
        // Probabilities that are not normalised, a log-sum-exp of 0, are what a careless backward has.
        let oracle = AttentionOracle(offsets: [0, 2, 5], heads: 2, width: 8, causal: false)
        let numeric = centralDifferences(at: ramp(120, 5).doubles) {
            weighted(oracle.forward($0).y, ramp(40, 6).doubles)
        }
        let y = Floats(oracle.forward(ramp(120, 5).doubles).y.map { Float($0) })
        let dqkv = unwritten(120)
        attentionBackward(
            dy: ramp(40, 6), qkv: ramp(120, 5), y: y, logSumExp: Floats(repeating: 0, count: 10), offsets: [0, 2, 5],
            heads: 2, width: 8,
            causal: false, into: dqkv)
        #expect(worstError(dqkv.doubles, numeric).error > 0.01)
        #expect(worstError(truth, numeric).error <= tolerance)
    }
}
