// Training low-rank adapters. Not here: the term itself (LowRankTests.swift), world sizes (WorldSizeTests.swift), resuming.

import Autograd
import Buffers
import Collectives
import Failures
import Testing

@testable import Training

@Suite(.serialized) struct LoRATests {
    static let adapted = "model.lora={rank: 3, alpha: 6, targets: [query, value, mlp, projection]}"

    /// With B zero the model is the model without adapters, to the bit, and only B has a gradient.
    @Test func trainingStartsFromTheModelAsItIs() throws {
        let tiny = try TinyRun.shared.get()
        let plain = try gradient(tiny.configuration())
        let adapted = try gradient(tiny.configuration([Self.adapted]))
        #expect(adapted.loss == plain.loss)
        let names = adapted.entries.map(\.name)
        #expect(names.count == 2 + 2 * 2 * 5 && names.contains("query.blocks.0.attention.value.lora_A.weight"))
        #expect(names.allSatisfy { $0.contains(".lora_") || $0.hasPrefix("loss.") })
        for entry in adapted.entries where entry.name.contains(".lora_") {
            #expect(adapted(entry).contains { $0 != 0 } == entry.name.hasSuffix("lora_B.weight"), "\(entry.name)")
            // Factors are matrices and decay like other matrices, towards the model as it was.
            #expect(entry.decays)
        }
    }

    /// Adapters learn, weights stay; merged, the model gives the embeddings that it gave.
    @Test(arguments: [1, 3]) func adaptersLearnAndMerge(_ ranks: Int) throws {
        let configuration = try TinyRun.shared.get().configuration([
            Self.adapted, "steps=20", "optimizer.learning_rate=1e-2", "model.lora.dropout=0.1",
        ])
        let loss = try inWorld(of: ranks) { communicator -> (first: Double, last: Double) in
            let stepper = try Stepper(configuration, steps: 20, communicator: communicator)
            let parameters = stepper.model.parameters
            let frozen = parameters.values[parameters.trainable.count..<parameters.layout.count]
            let before = frozen.array
            let losses = try (0..<20).map { _ in try stepper.next().loss }
            #expect(frozen.array == before)
            let tape = Tape(.inference)
            let ids = [Int32](arrayLiteral: 5, 9, 12, 1, 7, 3)
            let encode = {
                stepper.model.target(.text(ids: ids, offsets: [0, 4, 6]), parameters, on: tape).values.array
            }
            let adapted = encode()
            parameters.mergeAdapters()
            #expect(frozen.array != before)
            for (merged, adapted) in zip(encode(), adapted) {
                #expect(abs(merged - adapted) < 1e-5 * max(1, abs(adapted)))
            }
            return (losses.prefix(4).reduce(0, +), losses.suffix(4).reduce(0, +))
        }[0]
        #expect(loss.last < loss.first - 0.2)
    }

    /// One tower adapted, the other trained whole; and what `!` gives back.
    @Test func theOtherTowerIsTrainedWhole() throws {
        let tiny = try TinyRun.shared.get()
        func trained(_ options: [String]) throws -> [String] {
            try gradient(tiny.configuration(options)).entries.map(\.name)
        }
        let one = "model.lora={rank: 2, targets: ['target.*.query']}"
        let names = try trained([one])
        #expect(names.contains("query.projection.weight") && names.contains("query.blocks.0.attention.qkv.weight"))
        #expect(
            names.filter { $0.hasPrefix("target.") }
                == ["A", "B"].map { "target.blocks.0.attention.query.lora_\($0).weight" })
        #expect(try trained([one, "model.freeze=['!target.projection']"]).contains("target.projection.weight"))
        // A locked tower is not unlocked by adapters elsewhere, nor do patterns for weights mean adapters.
        #expect(try !trained([one, "model.freeze=query"]).contains { $0.hasPrefix("query.") })
        #expect(try trained([one, "model.freeze=target"]).contains("target.blocks.0.attention.query.lora_A.weight"))
        #expect(try !trained([one, "model.freeze='*.lora_A'"]).contains { $0.hasSuffix("lora_A.weight") })
    }

    @Test(arguments: [
        ("{rank: 2, targets: [qerry]}", "'qerry' matches no linear layer", "query"),
        ("{rank: 2, targets: []}", "model.lora.targets is empty", "rank"),
    ]) func targetsMustMeanSomething(_ lora: String, _ words: String, _ nearest: String) throws {
        let configuration = try TinyRun.shared.get().configuration(["model.lora=\(lora)"])
        let failure = #expect(throws: Failure.self) { try Stepper(configuration, steps: 1, communicator: SoloWorld()) }
        #expect(failure?.kind == .configuration)
        #expect(failure?.message.contains(words) == true && failure?.message.contains(nearest) == true)
    }

    @Test(arguments: [
        "{rank: 0}", "{rank: 2, alpha: 0}", "{rank: 2, dropout: 1}", "{alpha: 3}", "{rank: 2, tower: x}",
    ])
    func mistakesAreRefused(_ lora: String) {
        #expect(throws: Failure.self) { try TinyRun.shared.get().configuration(["model.lora=\(lora)"]) }
    }
}
