// Averages, nested embeddings, learning rates by parameter, and resuming when what is trained has changed. Not here: the formulas
// (OptimizerTests.swift), world sizes (WorldSizeTests.swift).

import Buffers
import Collectives
import Failures
import Foundation
import Testing

@testable import Training

@Suite(.serialized) struct AdaptingTests {
    // MARK: - Averages

    /// A decay of 0 keeps nothing: the average is the parameters, in evaluation and in use.
    @Test(arguments: [1, 3]) func theAverageIsWhatIsEvaluatedAndUsed(_ ranks: Int) throws {
        let tiny = try TinyRun.shared.get()
        func evaluation(_ options: [String]) throws -> (trained: Double, used: Double, loss: [Double]) {
            let configuration = try tiny.configuration(
                options + [
                    "steps=12", "optimizer.learning_rate=1e-2", "evaluate.sets={own: \(tiny.folder)/train.jsonl}",
                ])
            let result = try train(configuration, ranks: ranks)
            let trained = try #require(result.summary.evaluation.first?.report.geometry.alignment)
            let used = try inWorld(of: ranks) { communicator in
                try TrainedModel(.run(configuration.folder), communicator: communicator)
                    .evaluate("\(tiny.folder)/train.jsonl", chunk: 9, communicator: communicator).geometry.alignment
            }[0]
            return (trained, used, try curve(configuration).filter(\.isFinite))
        }
        let plain = try evaluation([])
        let nothingKept = try evaluation(["ema={decay: 0}"])
        let slow = try evaluation(["ema={decay: 0.99, warmup: false}"])
        #expect(plain.loss.count == 12 && plain.loss == nothingKept.loss && plain.loss == slow.loss)
        #expect(abs(plain.trained - nothingKept.trained) < 1e-6 && abs(plain.trained - plain.used) < 1e-6)
        #expect(abs(slow.trained - plain.trained) > 0.01 && abs(slow.trained - slow.used) < 1e-6)
    }

    // MARK: - Nested embeddings

    /// The whole width alone is the loss as it was; weights are factors; the sum is a sum.
    @Test func theLossIsTheWeightedSum() throws {
        let tiny = try TinyRun.shared.get()
        let plain = try gradient(tiny.configuration())
        func nested(_ matryoshka: String) throws -> StepGradient {
            try gradient(tiny.configuration(["loss.matryoshka=\(matryoshka)"]))
        }
        let whole = try nested("[12]")
        #expect(abs(whole.loss - plain.loss) < 1e-6)
        #expect(whole.largestDifference(from: plain, floor: 1e-3).value < 1e-4)
        let (three, seven) = (try nested("[3]"), try nested("[7]"))
        #expect(abs(three.loss - seven.loss) > 1e-3)
        let sum = try nested("{dimensions: [7, 3], weights: [0.5, 2]}")
        #expect(abs(sum.loss - 0.5 * seven.loss - 2 * three.loss) < 1e-6)
        var expected = sum
        expected.values = sum.values.indices.map { 0.5 * seven.values[$0] + 2 * three.values[$0] }
        #expect(sum.largestDifference(from: expected, floor: 1e-3).value < 2e-5)
        // Of one prefix, the rest of the projection has no part in the loss; the noise, whose strength is that of the whole vector,
        // would bring in its length.
        let bare = try gradient(tiny.configuration(["loss.matryoshka=[3]", "noise.scaling=none"]))
        let projection = try #require(bare.entries.first { $0.name == "target.projection.weight" })
        let (used, rest) = (bare(projection).prefix(3 * 16), bare(projection).dropFirst(3 * 16))
        #expect((rest.map(abs).max() ?? 1) < 1e-4 * (used.map(abs).max() ?? 0))
    }

    @Test(arguments: [1, 2]) func everyDimensionIsEvaluated(_ ranks: Int) throws {
        let tiny = try TinyRun.shared.get()
        let configuration = try tiny.configuration([
            "loss.matryoshka=[12, 2, 5]", "steps=30", "optimizer.learning_rate=1e-2",
            "evaluate.sets={own: \(tiny.folder)/train.jsonl}",
        ])
        let report = try #require(try train(configuration, ranks: ranks).summary.evaluation.first?.report)
        #expect(report.nested.map(\.dimension) == [2, 5, 12])
        #expect(report.nested[2].queryToTarget == report.queryToTarget.precisionAt1)
        #expect(report.nested[2].targetToQuery == report.targetToQuery.precisionAt1)
        #expect(report.nested[0].queryToTarget <= report.nested[2].queryToTarget)
        let row = try #require(
            try metrics(configuration).last { $0.keys.contains { $0.hasSuffix("precision_at_1.first_5") } })
        #expect(row["own.query_to_target.precision_at_1.first_5"] as? Double == report.nested[1].queryToTarget)
    }

    @Test(arguments: [
        "[0]", "[3, 3]", "[13]", "[1.5]", "{dimensions: [3], weights: [1, 2]}", "{dimensions: [3], weights: [0]}",
        "{dimensions: [3], weights: [-1]}", "{weights: [1]}", "{dimension: [3]}",
    ]) func onlyPrefixesAreDimensions(_ matryoshka: String) {
        #expect(throws: Failure.self) { try TinyRun.shared.get().configuration(["loss.matryoshka=\(matryoshka)"]) }
    }

    // MARK: - Learning rates

    @Test func ratesFallFromTheTopOfATower() throws {
        let configuration = try TinyRun.shared.get().configuration([
            "model.target.depth=3", "optimizer.layer_decay=0.5",
            "optimizer.rates={'*.bias': 3, target.projection: 10, loss: 0}",
            "model.freeze=target.positions",
        ])
        let model = try Stepper(configuration, steps: 1, communicator: SoloWorld()).model
        let rates = try configuration.optimizer.rates(of: model.parameters)
        let byName = Dictionary(uniqueKeysWithValues: zip(model.parameters.trainable.entries.map(\.name), rates))
        #expect(byName["target.tokens"] == 0.0625 && byName["target.positions"] == nil)
        #expect(byName["target.blocks.0.attention.qkv.weight"] == 0.125)
        #expect(byName["target.blocks.2.mlp.output.weight"] == 0.5 && byName["target.blocks.2.mlp.output.bias"] == 1.5)
        #expect(byName["target.output_norm.weight"] == 1 && byName["target.projection.weight"] == 10)
        #expect(byName["query.patch_embedding.weight"] == 0.25 && byName["query.blocks.0.mlp.hidden.weight"] == 0.5)
        #expect(byName["loss.log_temperature"] == 0)
        let wrong = try TinyRun.shared.get().configuration(["optimizer.rates={target.positionz: 3}"])
        let failure = #expect(throws: Failure.self) { try Stepper(wrong, steps: 1, communicator: SoloWorld()) }
        #expect(failure?.kind == .configuration && failure?.message.contains("target.positions") == true)
    }

    // MARK: - Resuming

    /// A changed list is refused by name; allowed, it is reported, and what was trained before keeps its moments.
    @Test(arguments: [1, 3]) func aChangedFreezeListIsReported(_ ranks: Int) throws {
        let tiny = try TinyRun.shared.get()
        let name = "thawed-\(UUID())"
        let options = ["model.freeze=[query, '*.bias']", "ema=0.9"]
        try train(tiny.configuration(options + ["steps=4"], name: name), ranks: ranks)
        let changed = try tiny.configuration(["model.freeze=['*.qkv']", "ema=0.9", "steps=6"], name: name)
        let failure = #expect(throws: Failure.self) { try train(changed, ranks: ranks) }
        #expect(failure?.kind == .configuration && failure?.message.contains("model.freeze") == true)
        #expect(try train(changed, ranks: ranks, allowedChanges: ["model.freeze"]).summary.step == 6)
        #expect(try curve(changed).count == 6 && curve(changed).allSatisfy { $0.isFinite })
    }

    @Test func anotherOptimizerIsRefused() throws {
        let tiny = try TinyRun.shared.get()
        let name = "other-\(UUID())"
        try train(tiny.configuration(["steps=2"], name: name))
        let changed = try tiny.configuration(["steps=4", "optimizer.kind=lion"], name: name)
        let failure = #expect(throws: Failure.self) { try train(changed) }
        #expect(failure?.message.contains("optimizer.kind adamw → lion") == true)
    }
}
