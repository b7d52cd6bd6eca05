// Time of each kernel on one core: `OPENBLAS_NUM_THREADS=1 swift run -c release`. Not here: whole training steps.
//
// Each figure is the fastest of many runs on warm memory: what the kernel can do, not what a shared machine does on average.

import Buffers
import Kernels
import Randomness

/// Seconds of the fastest run of `body` within `budget` seconds, at least five runs.
func fastest(budget: Double = 0.3, _ body: () -> Void) -> Double {
    let clock = ContinuousClock()
    var best = Double.infinity
    var spent = 0.0
    var runs = 0
    while spent < budget || runs < 5 {
        let elapsed = clock.measure(body)
        let seconds = Double(elapsed.components.attoseconds) * 1e-18 + Double(elapsed.components.seconds)
        best = min(best, seconds)
        spent += seconds
        runs += 1
    }
    return best
}

func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }

func rounded(_ value: Double) -> String {
    value >= 100 ? String(Int(value.rounded())) : String((value * 10).rounded() / 10)
}

/// One line: name, microseconds, and 10⁹ units (bytes or floating-point operations) a second.
func report(_ name: String, _ units: Double, _ unit: String, _ body: () -> Void) {
    let seconds = fastest(body)
    print(padded(name, 52), padded("\(rounded(seconds * 1e6)) µs", 12), "\(rounded(units / seconds * 1e-9)) \(unit)/s")
}

func ramp(_ count: Int) -> Floats { Floats((0..<count).map { Float($0 &* 2_654_435_761 % 2001) / 1000 - 1 }) }

print("BLAS core \(blasCoreName())")
setBLASThreads(1)

for (m, n, k) in [
    (2176, 384, 128), (2176, 512, 128), (4096, 384, 384), (2048, 768, 768), (4096, 384, 1536), (16, 384, 384), (1, 384, 384),
] {
    let (a, b, c) = (ramp(m * k), ramp(n * k), Floats(count: m * n))
    for unit in ProductUnit.present {
        report("gemm \(m)×\(n)×\(k), B transposed, \(unit) unit", 2 * Double(m * n * k), "GFLOP") {
            gemm(
                Matrix(a, rows: m, columns: k), .none, Matrix(b, rows: n, columns: k), .transposed,
                into: Matrix(c, rows: m, columns: n), on: unit)
        }
    }
}

/// (name, sequences, lengths that they have in turn, heads, head width, causal)
let attentions = [
    ("quick-start pictures", 128, 17...17, 4, 32, false), ("quick-start text, causal", 128, 8...8, 4, 32, true),
    ("3 to 32 tokens", 32, 3...32, 4, 32, false), ("3 to 32 tokens, 12 heads", 64, 3...32, 12, 32, false),
    ("65 tokens", 128, 65...65, 4, 32, false), ("ViT-B-32", 32, 50...50, 12, 64, false),
    ("CLIP text, causal", 32, 77...77, 8, 64, true),
    ("197 tokens", 8, 197...197, 12, 64, false), ("1024 tokens", 1, 1024...1024, 12, 64, false),
]
for (name, sequences, span, heads, headWidth, causal) in attentions {
    let lengths = (0..<sequences).map { span.lowerBound + $0 % span.count }
    let offsets = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    let (rows, width) = (lengths.reduce(0, +), heads * headWidth)
    let (qkv, dy, dqkv) = (ramp(rows * 3 * width), ramp(rows * width), Floats(count: rows * 3 * width))
    let (y, lse) = (Floats(count: rows * width), Floats(count: rows * heads))
    let pairs = Double(lengths.reduce(0) { $0 + (causal ? $1 * ($1 + 1) / 2 : $1 * $1) } * width)
    report("attention forward, \(name)", 4 * pairs, "GFLOP") {
        attentionForward(
            qkv: qkv, offsets: offsets, heads: heads, width: width, causal: causal, into: y, logSumExp: lse)
    }
    report("attention backward, \(name)", 10 * pairs, "GFLOP") {
        attentionBackward(
            dy: dy, qkv: qkv, y: y, logSumExp: lse, offsets: offsets, heads: heads, width: width, causal: causal,
            into: dqkv)
    }
}

for (rows, columns) in [(2176, 128), (2176, 512), (16384, 1024)] {
    let count = rows * columns
    let bytes = Double(count * 4)
    let (x, y, dy, dx) = (ramp(count), Floats(count: count), ramp(count), Floats(count: count))
    let (gain, shift, mean, inverse) = (ramp(columns), ramp(columns), Floats(count: rows), Floats(count: rows))
    let (dgain, dshift) = (Floats(repeating: 0, count: columns), Floats(repeating: 0, count: columns))
    let size = "\(rows)×\(columns)"
    for activation in Activation.allCases {
        report("\(activation) forward \(size)", 2 * bytes, "GB") {
            biasActivationForward(x, bias: nil, activation: activation, rows: rows, columns: columns, into: y)
        }
        report("\(activation) backward with dbias \(size)", 3 * bytes, "GB") {
            activationBackward(
                dy, preactivation: x, activation: activation, rows: rows, columns: columns, into: dx, dbias: dgain)
        }
    }
    report("layerNorm forward \(size)", 2 * bytes, "GB") {
        layerNormForward(
            x, gain: gain, shift: shift, epsilon: 1e-5, rows: rows, columns: columns, into: y, mean: mean,
            inverseDeviation: inverse)
    }
    report("layerNorm backward \(size)", 3 * bytes, "GB") {
        layerNormBackward(
            dy, x: x, gain: gain, mean: mean, inverseDeviation: inverse, rows: rows, columns: columns, into: dx,
            dgain: dgain, dshift: dshift)
    }
    report("normalizeRows forward \(size)", 2 * bytes, "GB") {
        normalizeRowsForward(x, rows: rows, columns: columns, epsilon: 1e-12, into: y, inverseNorms: inverse)
    }
    report("dropout \(size)", 2 * bytes, "GB") {
        dropoutForward(
            x, keep: 0.9, field: RandomField(seed: 1, purpose: .dropout), step: 1, firstRow: 0, columns: columns,
            into: y)
    }
    report("addInto \(size)", 3 * bytes, "GB") { addInto(y, x, scale: 1e-9) }
    report("sumOfSquares \(size)", bytes, "GB") { precondition(sumOfSquares(x) > 0) }
    report("allFinite \(size)", bytes, "GB") { precondition(allFinite(x)) }
    report("maximum, sumOfExponentials, exponentials \(size)", 2 * bytes, "GB") {
        y.copy(from: x)
        for row in 0..<rows {
            let start = y.base + row * columns
            let top = maximum(of: start, count: columns)
            let sum = sumOfExponentials(start, count: columns, minus: top)
            exponentials(start, count: columns, minus: top, scale: Float(1 / sum))
        }
    }
    dx.fill(0)
    dy.fill(0)
    report("adamWUpdate \(size)", 7 * bytes, "GB") {
        adamWUpdate(
            parameters: y, gradients: x, firstMoment: dx, secondMoment: dy, learningRate: 1e-3, beta1: 0.9, beta2: 0.98,
            epsilon: 1e-6, weightDecay: 0.1, step: 10, gradientScale: 1)
    }
}
