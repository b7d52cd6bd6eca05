// The last block of an encoder that pools single rows against the same block on all rows.

import Autograd
import Buffers
import Foundation
import Kernels
import Layers
import Testing

@testable import Encoders

struct PooledRowsTests {
    /// Both ways: values of the wanted rows, and every gradient, of one random linear function of them.
    @Test(
        arguments: [NormPlacement.before, .after],
        [(causal: false, adapted: false), (causal: true, adapted: false), (causal: true, adapted: true)])
    func equalTheRowsOfTheWholeBlock(norms: NormPlacement, how: (causal: Bool, adapted: Bool)) throws {
        // Sequences of 1, 4 and 20 rows; of the last, the row in the middle.
        let packing = SequencePacking(offsets: [0, 1, 5, 25], causal: how.causal)
        let rows = [0, 4, 14]
        let shape = TransformerShape(width: 24, depth: 2, heads: 3, hidden: 40, norms: norms)
        let adapters = LowRankOptions(rank: 3, alpha: 6, targets: [LayerPattern("query"), LayerPattern("value")])
        var plan = ParameterPlan(lowRank: how.adapted ? adapters : nil)
        let blocks = (0..<2).map { TransformerBlock(&plan, "query.blocks.\($0)", shape: shape) }
        let parameters = Parameters(plan, seed: 3)
        // B of an adapter begins at zero: without it A has no gradient.
        for entry in plan.layout.entries where entry.name.hasSuffix("lora_B.weight") {
            for index in entry.range { parameters.values[index] = Float(sin(Double(index))) / 8 }
        }
        let input = Floats((0..<25 * 24).map { Float(sin(Double($0 * $0 % 977))) })
        let direction = Floats((0..<3 * 24).map { Float(cos(Double($0 * 7))) })
        func run(_ encode: (Tensor, Tape) -> Tensor) -> (values: [Float], dx: [Float], gradients: [Float]) {
            let tape = Tape()
            let x = Tensor(input, shape: [25, 24], requiresGradient: true)
            parameters.gradients.fill(0)
            let y = encode(x, tape)
            tape.backward(from: [(y, direction)])
            return (y.values.array, tape.gradient(of: x)?.array ?? [], parameters.gradients.array)
        }
        let picked = run { blocks($0, packing: packing, rows: rows, parameters, on: $1) }
        let whole = run { $1.gather(blocks($0, packing: packing, rows: nil, parameters, on: $1), rows: rows) }
        #expect(relativeError(picked.values, whole.values.map(Double.init)) < 1e-6)
        #expect(relativeError(picked.dx, whole.dx.map(Double.init)) < 3e-6)
        for entry in plan.layout.entries {
            let (mine, other) = (picked.gradients[entry.range], whole.gradients[entry.range])
            #expect(relativeError(Array(mine), other.map(Double.init)) < 3e-6, "\(entry.name)")
            #expect(other.contains { $0 != 0 }, "\(entry.name) is compared with nothing")
        }
    }

    /// A row that a causal query sees of no other sequence, and not after it, has no part in its result.
    @Test func whatIsNotSeenChangesNothing() {
        let packing = SequencePacking(offsets: [0, 4, 9], causal: true)
        let shape = TransformerShape(width: 16, depth: 1, heads: 2, hidden: 32)
        var plan = ParameterPlan()
        let blocks = [TransformerBlock(&plan, "target.blocks.0", shape: shape)]
        let parameters = Parameters(plan, seed: 1)
        var input = (0..<9 * 16).map { Float(sin(Double($0))) }
        func values() -> [Float] {
            blocks(
                Tensor(Floats(input), shape: [9, 16]), packing: packing, rows: [1, 7], parameters, on: Tape(.inference)
            ).values.array
        }
        let before = values()
        for row in [2, 3, 8] { for column in 0..<16 { input[row * 16 + column] = .nan } }
        #expect(values() == before)
    }

    /// What a rank or a chunk drops of its sequences is what the whole batch drops of them: in the last block, in its adapters, and in
    /// attention pooling and its adapters.
    @Test(arguments: [true, false])
    func masksAreThoseOfTheWholeBatch(pooledByAttention: Bool) {
        let shape = TransformerShape(width: 16, depth: 1, heads: 2, hidden: 32, dropout: 0.3)
        var plan = ParameterPlan(
            lowRank: LowRankOptions(rank: 2, alpha: 4, dropout: 0.4, targets: [LayerPattern("all-linear")]))
        let blocks = [TransformerBlock(&plan, "query.blocks.0", shape: shape)]
        let pooling = AttentionPooling(&plan, "query.pooling", shape: shape)
        let parameters = Parameters(plan, seed: 2)
        for entry in plan.layout.entries where entry.name.hasSuffix("lora_B.weight") {
            for index in entry.range { parameters.values[index] = Float(cos(Double(index))) / 4 }
        }
        let offsets = [0, 2, 5, 9]
        let input = (0..<9 * 16).map { Float(sin(Double($0 * $0 % 613))) }
        func values(_ sequences: Range<Int>) -> [Float] {
            let rows = offsets[sequences.lowerBound]..<offsets[sequences.upperBound]
            let own = offsets[sequences.lowerBound...sequences.upperBound].map { $0 - rows.lowerBound }
            let tape = Tape(
                context: ForwardContext(
                    step: 4, firstRow: rows.lowerBound, firstSequence: sequences.lowerBound, dropoutSeed: 9))
            let x = Tensor(Floats(Array(input[rows.lowerBound * 16..<rows.upperBound * 16])), shape: [rows.count, 16])
            let packing = SequencePacking(offsets: own, causal: false)
            let first = pooledByAttention ? nil : Array(own.dropLast())
            let y = blocks(x, packing: packing, rows: first, parameters, on: tape)
            return pooledByAttention
                ? pooling(y, offsets: own, parameters, on: tape).values.array : y.values.array
        }
        let whole = values(0..<3)
        #expect(relativeError(values(0..<1) + values(1..<3), whole.map(Double.init)) < 1e-6)
    }
}
