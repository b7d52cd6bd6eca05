// Every differentiable operation against central differences, along random directions. Kernels alone: KernelsTests.

import Autograd
import Buffers
import Kernels
import Randomness
import Testing

/// A named operation on one input and some parameters.
private struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let input: [Int]
    let parameters: [[Int]]
    let operation: @Sendable (Tape, Tensor, [Tensor]) -> Tensor
    var testDescription: String { name }
}

private func random(_ count: Int, _ stream: UInt32) -> [Float] {
    let values = Floats(count: count)
    RandomField(seed: 11, purpose: .test, stream: stream).normals(step: 0, row: 0, into: values)
    return values.array
}

private let cases: [Case] = [
    Case(name: "linear", input: [5, 3], parameters: [[4, 3], [4]]) {
        $0.linear($1, LinearOperands(weight: $2[0], bias: $2[1]))
    },
    Case(name: "linear without bias", input: [5, 3], parameters: [[4, 3]]) {
        $0.linear($1, LinearOperands(weight: $2[0]))
    },
    Case(name: "linear, gelu", input: [5, 3], parameters: [[4, 3], [4]]) {
        $0.linear($1, LinearOperands(weight: $2[0], bias: $2[1]), activation: .geluErf)
    },
    Case(name: "feed-forward", input: [5, 3], parameters: [[4, 3], [4], [3, 4], [3]]) {
        $0.feedForward(
            $1, hidden: LinearOperands(weight: $2[0], bias: $2[1]), activation: .geluErf,
            output: LinearOperands(weight: $2[2], bias: $2[3]), residual: $1)
    },
    Case(name: "add", input: [4, 3], parameters: []) { tape, x, _ in tape.add(x, tape.add(x, x)) },
    Case(name: "layer norm", input: [4, 6], parameters: [[6], [6]]) {
        $0.layerNorm($1, gain: $2[0], shift: $2[1], epsilon: 1e-5)
    },
    Case(name: "attention", input: [7, 24], parameters: []) { tape, x, _ in
        tape.attention(qkv: x, offsets: [0, 1, 5, 7], heads: 2, causal: false)
    },
    Case(name: "causal attention", input: [7, 24], parameters: []) { tape, x, _ in
        tape.attention(qkv: x, offsets: [0, 4, 7], heads: 2, causal: true)
    },
    Case(name: "attention of one row a sequence", input: [7, 16], parameters: []) { tape, x, _ in
        tape.queryAttention(
            tape.prefix(tape.gather(x, rows: [0, 3, 6]), columns: 8), keyValue: x,
            packing: QueryPacking(offsets: [0, 1, 5, 7], ends: [1, 4, 7]), heads: 2)
    },
    Case(name: "attention of one query", input: [7, 16], parameters: [[1, 8]]) { tape, x, parameters in
        tape.queryAttention(parameters[0], keyValue: x, packing: QueryPacking(offsets: [0, 1, 5, 7]), heads: 2)
    },
    Case(name: "embedding", input: [1, 4], parameters: [[6, 4]]) { tape, _, parameters in
        tape.embedding([0, 5, 5, 2], table: parameters[0])
    },
    Case(name: "patches in their places", input: [6, 4], parameters: [[3, 4]]) {
        $0.patchTokens($1, classToken: nil, positions: $2[0])
    },
    Case(name: "patches behind a class token", input: [6, 4], parameters: [[4, 4], [4]]) {
        $0.patchTokens($1, classToken: $2[1], positions: $2[0])
    },
    Case(name: "gather", input: [5, 3], parameters: []) { tape, x, _ in tape.gather(x, rows: [4, 0, 4]) },
    Case(name: "gather of a parameter", input: [1, 3], parameters: [[5, 3]]) { tape, _, parameters in
        tape.joinColumns([tape.gather(parameters[0], rows: [4, 0, 4]), tape.gather(parameters[0], rows: [0, 1, 2])])
    },
    // What comes back to h first belongs to it alone in one case, and to x as well in the other.
    Case(name: "gather of what is normalised too", input: [5, 3], parameters: []) { tape, x, _ in
        let h = tape.add(x, x)
        let chosen = tape.gather(h, rows: [4, 0, 4])
        return tape.joinColumns([chosen, tape.gather(tape.normalizeRows(h), rows: [0, 1, 2])])
    },
    Case(name: "gather of what is added too", input: [3, 3], parameters: []) { tape, x, _ in
        let h = tape.normalizeRows(x)
        let chosen = tape.gather(h, rows: [2, 0, 2])
        return tape.joinColumns([chosen, tape.add(h, x)])
    },
    Case(name: "mean pooling", input: [6, 3], parameters: []) { tape, x, _ in tape.meanPool(x, offsets: [0, 1, 6]) },
    Case(name: "weighted pooling", input: [6, 3], parameters: []) { tape, x, _ in
        tape.weightedPool(x, weights: [1, 0.2, 0.5, -1, 2, 0.1], offsets: [0, 1, 6])
    },
    Case(name: "largest elements", input: [6, 3], parameters: []) { tape, x, _ in tape.maxPool(x, offsets: [0, 1, 6]) },
    Case(name: "columns side by side", input: [4, 3], parameters: []) { tape, x, _ in
        tape.joinColumns([
            tape.gather(x, rows: [3, 0]), tape.meanPool(x, offsets: [0, 2, 4]), tape.gather(x, rows: [1, 1]),
        ])
    },
    Case(name: "normalise rows", input: [4, 5], parameters: []) { tape, x, _ in tape.normalizeRows(x) },
    Case(name: "dropout", input: [4, 5], parameters: []) { tape, x, _ in tape.dropout(x, probability: 0.4, stream: 2) },
]

private struct Harness {
    let point: [[Float]]
    let run: (_ point: [[Float]]) -> (loss: Double, gradients: [[Float]])

    init(_ test: Case) {
        point =
            [random(test.input.reduce(1, *), 1)]
            + test.parameters.enumerated().map { random($1.reduce(1, *), UInt32($0 + 2)) }
        run = { point in
            var plan = ParameterPlan()
            let references = test.parameters.enumerated().map { plan.declare("p\($0)", $1, .zeros) }
            let parameters = Parameters(plan, seed: 0)
            for (reference, values) in zip(references, point.dropFirst()) {
                parameters[reference].values.copy(from: Floats(values))
            }
            let input = Tensor(Floats(point[0]), shape: test.input, requiresGradient: true)
            let tape = Tape(context: ForwardContext(step: 3, firstRow: 5, dropoutSeed: 1))
            let output = test.operation(tape, input, references.map { parameters[$0] })
            let weights = random(output.values.count, 99)
            let loss = zip(output.values.array, weights).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            tape.backward(from: [(output, Floats(weights))])
            let inputGradient = tape.gradient(of: input)?.array ?? Array(repeating: 0, count: point[0].count)
            return (loss, [inputGradient] + references.map { parameters[$0].parameterGradient?.array ?? [] })
        }
    }

    /// |numerical − analytical| of the derivative along a random direction, over the product of the two norms.
    func error(direction stream: UInt32, scale: Float = 1) -> Double {
        let directions = point.enumerated().map { random($1.count, stream + UInt32($0)) }
        // Central differences err by h² · L''' and by the output's rounding over h: 1e-4 and 1e-5 at h = 1e-2.
        let h: Float = 1e-2
        func moved(_ amount: Float) -> Double {
            run(zip(point, directions).map { values, direction in zip(values, direction).map { $0 + amount * $1 } })
                .loss
        }
        let numerical = (moved(h) - moved(-h)) / Double(2 * h)
        let gradients = run(point).gradients.map { $0.map { $0 * scale } }
        let products = zip(gradients.joined(), directions.joined()).map { Double($0) * Double($1) }
        let norm = { (values: [Double]) in values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        let scaleOfBoth = norm(gradients.joined().map(Double.init)) * norm(directions.joined().map(Double.init))
        return abs(numerical - products.reduce(0, +)) / max(scaleOfBoth, 1e-12)
    }
}

struct GradientTests {
    @Test(arguments: cases)
    private func agreesWithCentralDifferences(test: Case) {
        let harness = Harness(test)
        for direction: UInt32 in [200, 300, 400] { #expect(harness.error(direction: direction) < 1e-3, "\(test.name)") }
    }

    @Test func aWrongGradientIsCaught() {
        let harness = Harness(cases[0])
        let errors = [UInt32(200), 300, 400].map { harness.error(direction: $0, scale: 1.1) }
        #expect((errors.max() ?? 0) > 1e-3, "a gradient that is 10 % too large must not pass")
    }
}
