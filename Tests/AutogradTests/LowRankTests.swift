// Adapters of linear layers: which layers, the term's values and gradients, merging. Not here: training (LoRATests.swift).

import Buffers
import Kernels
import Layers
import Randomness
import Testing

@testable import Autograd

@Suite struct LowRankTests {
    @Test(arguments: [
        ("query", "query.blocks.0.attention.query", true), ("query", "query.projection", false),
        ("value", "target.blocks.11.attention.value", true), ("mlp", "query.blocks.0.mlp.hidden", true),
        ("blocks.1", "query.blocks.1.mlp.hidden", true), ("blocks.1", "query.blocks.11.mlp.hidden", false),
        ("target.*.query", "target.blocks.0.attention.query", true),
        ("target.*.query", "query.blocks.0.attention.query", false),
        ("q_proj", "query.blocks.0.attention.query", true), ("fc2", "query.blocks.0.mlp.output", true),
        ("dense", "query.blocks.0.attention.output", true), ("dense", "query.blocks.0.attention.key", false),
        ("out_proj", "query.blocks.0.mlp.output", false), ("all-linear", "query.projection", false),
        ("all-linear", "query.patch_embedding", true), ("*", "query.projection", true), ("", "query.projection", false),
        ("attention.output", "query.blocks.0.attention.output", true), ("output", "query.blocks.0.mlp.output", true),
    ]) func patternsMeanLayers(_ pattern: String, _ layer: String, _ covers: Bool) {
        #expect(LayerPattern(pattern).covers(layer) == covers)
    }

    /// A fused layer of three parts, of which two are adapted: R = 5, I = 6, O = 3 · 4.
    private struct Layer {
        let parameters: Parameters
        let linear: Linear

        init(targets: [String], rank: Int, dropout: Float = 0, activation: Activation = .identity, frozen: Bool = true)
        {
            var plan = ParameterPlan(
                lowRank: LowRankOptions(
                    rank: rank, alpha: 3, dropout: dropout, targets: targets.map { LayerPattern($0) }))
            linear = Linear(
                &plan, "t.attention.qkv", inputs: 6, outputs: 12, activation: activation,
                parts: ["query", "key", "value"],
                deviation: 0.5)
            let weights = Set(plan.layout.entries.indices).subtracting(plan.adapterParameters)
            parameters = Parameters(plan, seed: 4, frozen: frozen ? weights : [])
            // Adapters are the identity at first; in the middle of training they are not.
            for (index, adapter) in parameters.adapters.enumerated() {
                let up = parameters[adapter.up].values
                #expect(up.array.allSatisfy { $0 == 0 })
                RandomField(seed: 9, purpose: .test, stream: UInt32(index)).normals(step: 0, row: 0, into: up)
            }
        }

        func callAsFunction(_ x: Tensor, context: ForwardContext = .evaluation) -> (tape: Tape, y: Tensor) {
            let tape = Tape(context: context)
            return (tape, linear(x, parameters, on: tape))
        }
    }

    private static func values(_ count: Int, _ stream: UInt32) -> Floats {
        let values = Floats(count: count)
        RandomField(seed: 5, purpose: .test, stream: stream).normals(step: 0, row: 0, into: values)
        return values
    }

    @Test(arguments: [["query"], ["key", "value"], ["query", "key", "value"]], [1, 2, 7])
    func theTermIsThatOfTheFormula(_ targets: [String], _ rank: Int) {
        let layer = Layer(targets: targets, rank: rank)
        #expect(layer.parameters.adapters.map(\.layer) == targets.map { "t.attention.\($0)" })
        let x = Self.values(30, 1)
        let y = layer(Tensor(x, shape: [5, 6])).y.values
        let weight = layer.parameters[layer.linear.weight].values
        for row in 0..<5 {
            for column in 0..<12 {
                var expected = (0..<6).reduce(0.0) { $0 + Double(x[row * 6 + $1]) * Double(weight[column * 6 + $1]) }
                for adapter in layer.parameters.adapters where adapter.outputs.contains(column) {
                    let (a, b) = (layer.parameters[adapter.down].values, layer.parameters[adapter.up].values)
                    for k in 0..<rank {
                        let h = (0..<6).reduce(0.0) { $0 + Double(x[row * 6 + $1]) * Double(a[k * 6 + $1]) }
                        expected += 3 / Double(rank) * h * Double(b[(column - adapter.outputs.lowerBound) * rank + k])
                    }
                }
                #expect(abs(Double(y[row * 12 + column]) - expected) < 1e-5)
            }
        }
        // Merged, the layer computes the same and its adapters nothing.
        layer.parameters.mergeAdapters()
        let merged = layer(Tensor(x, shape: [5, 6])).y.values
        for index in 0..<60 { #expect(abs(merged[index] - y[index]) < 1e-5) }
        #expect(layer.parameters.adapters.allSatisfy { layer.parameters[$0.up].values.array.allSatisfy { $0 == 0 } })
    }

    /// A is within ±1/√I and fills the interval; it, B and the weights do not depend on one another's presence.
    @Test func theBeginningIsThatOfPEFT() {
        let layer = Layer(targets: ["query", "value"], rank: 7)
        let (first, second) = (layer.parameters.adapters[0], layer.parameters.adapters[1])
        let a = layer.parameters[first.down].values.array
        let bound = 1 / Float(6).squareRoot()
        #expect(a.allSatisfy { abs($0) <= bound } && (a.max() ?? 0) > 0.8 * bound && (a.min() ?? 0) < -0.8 * bound)
        #expect(a != layer.parameters[second.down].values.array)
        let plain = Layer(targets: [], rank: 1)
        #expect(
            plain.parameters[plain.linear.weight].values.array == layer.parameters[layer.linear.weight].values.array)
    }

    /// Along the gradient of A, of B, of x: (L(p + h d) − L(p − h d)) / 2h. The loss is linear in y, so that with the identity as
    /// activation only rounding is left, 10⁻⁶ of terms near 1 over h = 10⁻².
    @Test(arguments: [0, 0.3] as [Float], [(Activation.identity, true), (.geluErf, true), (.geluErf, false)])
    func gradientsAreThoseOfDifferences(_ dropout: Float, _ kind: (activation: Activation, frozen: Bool)) {
        let layer = Layer(
            targets: ["query", "value"], rank: 2, dropout: dropout, activation: kind.activation, frozen: kind.frozen)
        let context = ForwardContext(step: 2, firstRow: 7, dropoutSeed: 8)
        let (x, weights) = (Self.values(30, 1), Self.values(60, 2))
        func loss() -> Double {
            let y = layer(Tensor(x, shape: [5, 6]), context: context).y.values
            return (0..<60).reduce(0) { $0 + Double(y[$1]) * Double(weights[$1]) }
        }
        let input = Tensor(x, shape: [5, 6], requiresGradient: true)
        layer.parameters.zeroGradients()
        let (tape, y) = layer(input, context: context)
        tape.backward(from: [(y, weights)])
        var checked = layer.parameters.trainableIndices.map { index -> (Floats, [Float]) in
            let entry = layer.parameters.layout.entries[index]
            return (layer.parameters.values[entry.range], layer.parameters.gradients[entry.range].array)
        }
        #expect(checked.count == (kind.frozen ? 4 : 6))
        checked.append((x, tape.gradient(of: input)?.array ?? []))
        for (values, gradient) in checked {
            let length = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(length > 0.1)
            let (before, h) = (values.array, Float(1e-2))
            func moved(_ amount: Float) -> Double {
                for index in before.indices { values[index] = before[index] + amount * gradient[index] / length }
                defer { values.copy(from: Floats(before)) }
                return loss()
            }
            let numerical = (moved(h) - moved(-h)) / Double(2 * h)
            #expect(abs(numerical - Double(length)) < 1e-3 * Double(length) + 1e-3)
        }
    }

    /// Masks are a function of the global row, and no two parts share one.
    @Test func masksFollowTheGlobalRow() {
        let layer = Layer(targets: ["query", "value"], rank: 2, dropout: 0.5)
        let x = Self.values(30, 1)
        let whole = layer(Tensor(x, shape: [5, 6]), context: ForwardContext(step: 1, firstRow: 10, dropoutSeed: 3)).y
            .values
        let tail = layer(
            Tensor(x[12..<30], shape: [3, 6]), context: ForwardContext(step: 1, firstRow: 12, dropoutSeed: 3)
        ).y.values
        for index in tail.array.indices { #expect(abs(tail[index] - whole[24 + index]) < 1e-5) }
        let other = layer(Tensor(x, shape: [5, 6]), context: ForwardContext(step: 2, firstRow: 10, dropoutSeed: 3)).y
            .values
        #expect(other.array != whole.array)
    }

    /// The query of attention pooling is the same on every rank, and so is what dropout leaves of it.
    @Test func aParameterHasOneMask() {
        var plan = ParameterPlan(
            lowRank: LowRankOptions(rank: 2, alpha: 2, dropout: 0.5, targets: [LayerPattern("probed")]))
        let probe = plan.declare("t.probe", [1, 40], .normal(deviation: 1))
        let linear = Linear(&plan, "t.probed", inputs: 40, outputs: 8, deviation: 0.5)
        let parameters = Parameters(plan, seed: 4)
        parameters[parameters.adapters[0].up].values.fill(1)
        func values(first: Int, seed: UInt64) -> [Float] {
            let context = ForwardContext(step: 1, firstRow: first, firstSequence: first, dropoutSeed: seed)
            return linear(parameters[probe], parameters, on: Tape(context: context)).values.array
        }
        #expect(values(first: 0, seed: 3) == values(first: 5, seed: 3))
        #expect(values(first: 0, seed: 3) != values(first: 0, seed: 4))
    }
}
