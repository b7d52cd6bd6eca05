// Two linear layers as one operation against one after the other, of which the gradients are checked elsewhere.

import Autograd
import Buffers
import Kernels
import Randomness
import Testing

struct FeedForwardTests {
    /// What of the operation a run trains.
    enum Trained: CaseIterable {
        case all, input, adapters, outputLayer, nothing
    }

    /// R = 5, I = 6, F = 20, O = 6: every value and every gradient to the bit.
    @Test(arguments: Trained.allCases, [true, false])
    func equalsItsParts(_ trained: Trained, adapted: Bool) {
        let names = ["t.mlp.hidden", "t.mlp.output"]
        let lowRank = LowRankOptions(
            rank: 3, alpha: 2, dropout: 0.25, targets: adapted ? [LayerPattern("mlp")] : [])
        var plan = ParameterPlan(lowRank: lowRank)
        func layer(_ name: String, _ inputs: Int, _ outputs: Int) -> (
            weight: ParameterReference, bias: ParameterReference, adapter: LowRankAdapter?
        ) {
            let weight = plan.declare("\(name).weight", [outputs, inputs], .normal(deviation: 0.5))
            let bias = plan.declare("\(name).bias", [outputs], .normal(deviation: 0.5))
            return (weight, bias, plan.declareAdapter(name, weight: weight, outputs: 0..<outputs))
        }
        let layers = [layer(names[0], 6, 20), layer(names[1], 20, 6)]
        let frozen = plan.layout.entries.indices.filter { index in
            let name = plan.layout.entries[index].name
            return switch trained {
            case .all: false
            case .input, .nothing: true
            case .adapters: !name.contains("lora")
            case .outputLayer: !name.hasPrefix("t.mlp.output")
            }
        }
        let parameters = Parameters(plan, seed: 4, frozen: Set(frozen))
        for (index, adapter) in parameters.adapters.enumerated() {
            RandomField(seed: 9, purpose: .test, stream: UInt32(index))
                .normals(step: 0, row: 0, into: parameters[adapter.up].values)
        }
        let operands = layers.map { layer in
            LinearOperands(
                weight: parameters[layer.weight], bias: parameters[layer.bias],
                adapters: parameters.adapters.filter { $0.weight == layer.weight }, of: parameters)
        }
        func sample(_ count: Int, _ stream: UInt32) -> Floats {
            let values = Floats(count: count)
            RandomField(seed: 5, purpose: .test, stream: stream).normals(step: 0, row: 0, into: values)
            return values
        }
        let (input, direction) = (sample(30, 1), sample(30, 2))
        func run(_ operation: (Tape, Tensor) -> Tensor) -> [[Float]] {
            let tape = Tape(context: ForwardContext(step: 3, firstRow: 7, dropoutSeed: 11))
            let x = Tensor(input, shape: [5, 6], requiresGradient: trained == .all || trained == .input)
            parameters.zeroGradients()
            let y = operation(tape, x)
            tape.backward(from: [(y, direction)])
            return [
                y.values.array, tape.gradient(of: x)?.array ?? [], parameters.gradients.array,
                [Float(tape.linearOperations)],
            ]
        }
        let whole = run { tape, x in
            tape.feedForward(x, hidden: operands[0], activation: .geluErf, output: operands[1], residual: x)
        }
        let parts = run { tape, x in
            tape.linear(tape.linear(x, operands[0], activation: .geluErf), operands[1], residual: x)
        }
        #expect(whole == parts)
        #expect(whole[1].isEmpty == (trained != .all && trained != .input))
        #expect(
            whole[2].contains { $0 != 0 }
                == (trained == .all || trained == .outputLayer || (trained == .adapters && adapted)))
    }
}
