// Which names patterns mean, and where frozen parameters lie. Not here: training with them (FreezingTests.swift).

import Buffers
import Testing

@testable import Autograd

@Suite struct NamePatternTests {
    @Test(arguments: [
        ("query", "query", true), ("query", "query.blocks.0.mlp.hidden.weight", true),
        ("query", "queries.tokens", false),
        ("query.blocks.1", "query.blocks.10.weight", false), ("query.blocks.1", "query.blocks.1.weight", true),
        ("query.*", "query.tokens", true), ("query.*", "query", false), ("*.bias", "a.b.bias", true),
        ("*.bias", "bias", false), ("*bias", "bias", true), ("*.bias", "a.bias.b", true),
        ("*.blocks.?", "a.blocks.7.x", true),
        ("*.blocks.?", "a.blocks.17", false), ("a*b*c", "a.xx.b.bb.c", true), ("a*b*c", "a.c.b", false),
        ("*", "anything.at.all", true), ("**", "x", true), ("", "x", false), ("?", "é", false),
        ("*é*", "caf.é.x", true),
        ("query.", "query.tokens", false), ("a.*.b", "a..b", true), ("*a", "aaab", false), ("*aab", "aaaab", true),
        ("!query", "query.tokens", true),
        ("*.blocks.[0-2]", "shared.blocks.2.mlp", true), ("*.blocks.[0-2]", "shared.blocks.3.mlp", false),
        ("*.blocks.[0-2]", "shared.blocks.10", false), ("a.[135]", "a.3", true), ("a.[135]", "a.2", false),
        ("a.[!0-2]", "a.3", true), ("a.[!0-2]", "a.1", false), ("a.[!0-2]", "a", false),
        ("![!a]x", "bx", true), ("![!a]x", "ax", false), ("[a-cx]*", "x.y", true), ("[a-]", "-", true),
        ("[-a]", "-", true), ("[]a]", "]", true), ("[!]a]", "b", true), ("[!]a]", "]", false), ("[z-a]", "m", false),
        ("[ab", "[ab", true), ("a[", "a[", true), ("[]", "[]", true), ("[!]", "[!]", true), ("*[0-9]*", "ab7c", true),
    ]) func patternsCoverNames(_ pattern: String, _ name: String, _ covers: Bool) {
        #expect(NamePattern(pattern).covers(name) == covers)
    }

    @Test(arguments: [
        (["query"], "query.a", true), (["query", "!*.a"], "query.a", false), (["!*.a", "query"], "query.a", true),
        (["query", "!*.a"], "query.b", true), ([], "query", false), (["!query"], "query", false),
        (["*", "!*.bias", "query.bias"], "query.bias", true),
    ]) func theLastPatternThatCoversDecides(_ patterns: [String], _ name: String, _ selected: Bool) {
        #expect(patterns.map { NamePattern($0) }.selects(name) == selected)
    }

    @Test(arguments: [[], [0], [2], [1, 3], [0, 1, 2, 3]] as [Set<Int>])
    func frozenParametersLieBehind(_ frozen: Set<Int>) {
        var plan = ParameterPlan()
        for (index, count) in [5, 16, 1, 40].enumerated() {
            _ = plan.declare("p\(index)", [count], .normal(deviation: 1))
        }
        let (plain, parameters) = (Parameters(plan, seed: 3), Parameters(plan, seed: 3, frozen: frozen))
        #expect(parameters.trainableIndices == (0..<4).filter { !frozen.contains($0) })
        #expect(parameters.trainable.entries.map(\.name) == parameters.trainableIndices.map { "p\($0)" })
        #expect(parameters.gradients.count == parameters.trainable.count)
        #expect(parameters.layout.count == plain.layout.count && parameters.values.count == plain.values.count)
        for (index, entry) in parameters.layout.entries.enumerated() {
            #expect((entry.offset >= parameters.trainable.count) == frozen.contains(index) && entry.offset % 16 == 0)
            #expect(parameters.layout.index(of: entry.name) == index)
            let tensor = parameters[ParameterReference(index: index)]
            #expect(tensor.requiresGradient == !frozen.contains(index) && tensor.parameter == index)
            #expect((tensor.parameterGradient == nil) == frozen.contains(index))
            // The values do not depend on what is frozen.
            #expect(parameters.values[entry.range].array == plain.values[plain.layout.entries[index].range].array)
        }
        for (position, index) in parameters.trainableIndices.enumerated() {
            #expect(parameters.trainable.entries[position] == parameters.layout.entries[index])
        }
    }

    /// For inference there are layouts, values that files will fill, and no gradients.
    @Test func inferenceHasNoGradients() {
        var plan = ParameterPlan()
        for (index, count) in [5, 16].enumerated() { _ = plan.declare("p\(index)", [count], .normal(deviation: 1)) }
        _ = plan.declare("gain", [4], .ones)
        let trained = Parameters(plan, seed: 3, frozen: [0])
        let used = Parameters(plan, seed: 3, frozen: [0], use: .inference)
        #expect(used.gradients.count == 0 && trained.gradients.count > 0)
        #expect(used.layout == trained.layout && used.trainable.count == trained.trainable.count)
        #expect(used.values.array.filter { $0 != 0 } == [1, 1, 1, 1])
        for index in 0..<3 { #expect(!used[ParameterReference(index: index)].requiresGradient) }
    }

    /// Below the lowest trainable layer nothing is recorded and nothing multiplied.
    @Test func nothingIsSpentOnFrozenLayers() {
        var plan = ParameterPlan()
        let weights = (0..<3).map { plan.declare("w\($0)", [4, 4], .normal(deviation: 1)) }
        func operations(frozen: Set<Int>, mode: Tape.Mode = .recording) -> (
            forward: Double, backward: Double, used: Bool
        ) {
            let parameters = Parameters(plan, seed: 1, frozen: frozen)
            let tape = Tape(mode)
            var x = Tensor(Floats(repeating: 1, count: 8), shape: [2, 4])
            for weight in weights { x = tape.linear(x, LinearOperands(weight: parameters[weight])) }
            let forward = tape.linearOperations
            if mode == .recording { tape.backward(from: [(x, Floats(repeating: 1, count: 8))]) }
            return (forward / 64, (tape.linearOperations - forward) / 64, tape.usesTrainableParameters)
        }
        // A product of 2×4 by 4×4 is 64 operations.
        #expect(operations(frozen: []) == (3, 5, true))
        #expect(operations(frozen: [0]) == (3, 3, true))
        #expect(operations(frozen: [0, 1]) == (3, 1, true))
        #expect(operations(frozen: [1, 2]) == (3, 3, true))
        #expect(operations(frozen: [0, 1, 2]) == (3, 0, false))
        #expect(operations(frozen: [], mode: .inference) == (3, 0, true))
        #expect(operations(frozen: [0, 1, 2], mode: .inference) == (3, 0, false))
    }
}
