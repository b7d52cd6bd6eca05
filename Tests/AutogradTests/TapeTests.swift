// The tape: sums over several uses, what is freed when, what is reported when. Gradients of operations: GradientTests.swift.

import Autograd
import Buffers
import Testing

struct TapeTests {
    private func parameters(_ shapes: [[Int]]) -> (Parameters, [ParameterReference]) {
        var plan = ParameterPlan()
        let references = shapes.enumerated().map { plan.declare("p\($0)", $1, .normal(deviation: 1)) }
        return (Parameters(plan, seed: 3), references)
    }

    @Test func gradientsOfSeveralUsesAdd() {
        let (parameters, references) = parameters([[2, 2]])
        let x = Tensor(Floats([1, 2]), shape: [1, 2], requiresGradient: true)
        let tape = Tape()
        let y = tape.linear(x, LinearOperands(weight: parameters[references[0]]))
        let z = tape.add(tape.add(y, y), tape.linear(x, LinearOperands(weight: parameters[references[0]])))
        tape.backward(from: [(z, Floats([1, 1]))])
        // z = 3 W x, so dL/dW = 3 · [1, 1]ᵀ x and dL/dx = 3 Wᵀ [1, 1].
        #expect(parameters.gradients[0..<4].array == [3, 6, 3, 6])
        let w = parameters.values
        let expected = [3 * (w[0] + w[2]), 3 * (w[1] + w[3])]
        for (value, reference) in zip(tape.gradient(of: x)?.array ?? [], expected) {
            #expect(abs(value - reference) <= 1e-6 * abs(reference) + 1e-6)
        }
    }

    @Test func parameterIsReportedAfterItsFirstUse() {
        let (parameters, references) = parameters([[2, 2], [2, 2], [2, 2]])
        let x = Tensor(Floats([1, 2]), shape: [1, 2])
        let tape = Tape()
        let shared = parameters[references[0]]
        let first = tape.linear(x, LinearOperands(weight: shared))
        let second = tape.linear(first, LinearOperands(weight: parameters[references[1]]))
        let last = tape.linear(second, LinearOperands(weight: shared))
        var order: [Int] = []
        tape.backward(from: [(last, Floats([1, 1]))]) { order.append($0) }
        #expect(
            order == [1, 0],
            "the shared weight is complete only when its first use has been differentiated; the third was never used")
    }

    /// Computed again, a layer gives the same gradients to the last bit, masks included, and reports its parameters as before.
    @Test func aCheckpointChangesNoBit() {
        let (parameters, references) = parameters([[4, 4], [4], [4], [4, 4]])
        func run(checkpoints: Bool) -> (values: [Float], gradients: [Float], dx: [Float], order: [Int], kept: Int) {
            parameters.zeroGradients()
            let tape = Tape(
                context: ForwardContext(step: 1, firstRow: 5, dropoutSeed: 3), checkpoints: checkpoints)
            let x = Tensor(Floats((0..<12).map { Float($0) / 7 }), shape: [3, 4], requiresGradient: true)
            let beside = tape.linear(x, LinearOperands(weight: parameters[references[3]]))
            var y = x
            for stream in 1...2 {
                y = tape.checkpoint(y) { y, tape in
                    let norm = tape.layerNorm(
                        y, gain: parameters[references[1]], shift: parameters[references[2]], epsilon: 1e-5)
                    let z = tape.linear(norm, LinearOperands(weight: parameters[references[0]]), activation: .geluErf)
                    return tape.add(tape.add(y, beside), tape.dropout(z, probability: 0.5, stream: UInt32(stream)))
                }
            }
            let kept = tape.count
            var order: [Int] = []
            tape.backward(from: [(y, Floats((0..<12).map { Float($0) - 5 }))]) { order.append($0) }
            return (y.values.array, parameters.gradients.array, tape.gradient(of: x)?.array ?? [], order.sorted(), kept)
        }
        let (plain, checkpointed) = (run(checkpoints: false), run(checkpoints: true))
        #expect(plain.values == checkpointed.values && plain.gradients == checkpointed.gradients)
        #expect(plain.dx == checkpointed.dx && plain.dx.contains { $0 != 0 })
        #expect(plain.order == [0, 1, 2, 3] && checkpointed.order == plain.order)
        #expect(checkpointed.kept == 3 && plain.kept > 3)
    }

    /// A pass that nobody differentiates (its step failed) goes away with its tape, activations and all.
    @Test func anUnusedTapeIsFreed() {
        let (parameters, references) = parameters([[4, 4], [4], [4], [12, 4]])
        weak var freedTape: Tape?
        weak var freedActivation: Tensor?
        do {
            let tape = Tape(context: ForwardContext(step: 1, firstRow: 0, dropoutSeed: 3), checkpoints: true)
            let x = Tensor(Floats(repeating: 1, count: 8), shape: [2, 4], requiresGradient: true)
            var y = tape.checkpoint(x) { x, tape in
                tape.layerNorm(
                    x, gain: parameters[references[1]], shift: parameters[references[2]], epsilon: 1e-5)
            }
            y = tape.linear(y, LinearOperands(weight: parameters[references[0]], bias: parameters[references[1]]))
            y = tape.add(y, tape.dropout(y, probability: 0.5, stream: 1))
            y = tape.layerNorm(y, gain: parameters[references[1]], shift: parameters[references[2]], epsilon: 1e-5)
            let qkv = tape.linear(y, LinearOperands(weight: parameters[references[3]]))
            y = tape.attention(qkv: qkv, offsets: [0, 2], heads: 2, causal: true)
            y = tape.normalizeRows(y)
            #expect(tape.count >= 7)
            (freedTape, freedActivation) = (tape, y)
        }
        #expect(freedTape == nil && freedActivation == nil)
    }

    @Test func inferenceRemembersNothing() {
        let (parameters, references) = parameters([[2, 2]])
        let tape = Tape(.inference)
        let y = tape.linear(
            Tensor(Floats([1, 2]), shape: [1, 2], requiresGradient: true),
            LinearOperands(weight: parameters[references[0]]))
        #expect(tape.count == 0)
        #expect(!y.requiresGradient)
    }

    @Test func activationsAreFreedAsBackwardGoes() {
        let (parameters, references) = parameters([[2, 2], [2, 2]])
        weak var memory: Memory?
        let tape = Tape()
        func forward() -> Tensor {
            let hidden = tape.linear(
                Tensor(Floats([1, 2]), shape: [1, 2]), LinearOperands(weight: parameters[references[0]]))
            memory = hidden.values.memory
            return tape.linear(hidden, LinearOperands(weight: parameters[references[1]]))
        }
        let y = forward()
        #expect(memory != nil, "the second layer's backward needs its input")
        var alive: [Bool] = []
        tape.backward(from: [(y, Floats([1, 1]))]) { _ in alive.append(memory != nil) }
        #expect(memory == nil)
        #expect(alive.last == false || alive.count == 2)
    }

    @Test func backwardAccumulatesIntoParameters() {
        let (parameters, references) = parameters([[1, 1]])
        for _ in 0..<2 {
            let tape = Tape()
            let y = tape.linear(Tensor(Floats([5]), shape: [1, 1]), LinearOperands(weight: parameters[references[0]]))
            tape.backward(from: [(y, Floats([1]))])
        }
        #expect(parameters.gradients[0] == 10)
        parameters.zeroGradients()
        #expect(parameters.gradients[0] == 0)
    }

    @Test func dropoutIsAFunctionOfTheGlobalRow() {
        let x = Tensor(Floats(repeating: 1, count: 40 * 16), shape: [40, 16])
        func mask(rows: Range<Int>, step: Int) -> [Float] {
            let part = Tensor(x.values[rows.lowerBound * 16..<rows.upperBound * 16], shape: [rows.count, 16])
            let tape = Tape(.inference, context: ForwardContext(step: step, firstRow: rows.lowerBound, dropoutSeed: 9))
            return tape.dropout(part, probability: 0.25, stream: 1).values.array
        }
        let whole = mask(rows: 0..<40, step: 1)
        #expect(mask(rows: 0..<13, step: 1) + mask(rows: 13..<40, step: 1) == whole)
        #expect(mask(rows: 0..<40, step: 2) != whole)
        let kept = whole.filter { $0 != 0 }
        #expect(kept.allSatisfy { abs($0 - 4.0 / 3) < 1e-6 })
        // 640 draws with probability 0.75: four standard deviations are 44.
        #expect(abs(kept.count - 480) < 44)
    }

    @Test func initialWeightsAreAFunctionOfTheSeed() {
        let (one, _) = parameters([[3, 5], [7]])
        let (two, _) = parameters([[3, 5], [7]])
        #expect(one.values.array == two.values.array)
        #expect(one.values[15] == 0, "padding stays zero")
    }
}
