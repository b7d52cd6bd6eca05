// Training a part of the parameters: what is frozen stays, what is not has the gradient it always had. Not here: patterns
// (NamePatternTests.swift).

import Buffers
import Collectives
import Failures
import Foundation
import Testing

@testable import Training

@Suite(.serialized) struct FreezingTests {
    struct Case: CustomTestStringConvertible {
        let freeze: String
        var options: [String] = []
        var testDescription: String { ([freeze] + options).joined(separator: " ") }
    }

    static let cases = [
        Case(freeze: "[target]"), Case(freeze: "[query, loss]", options: ["batch.cache_chunk=2"]),
        Case(freeze: "['*.bias', target.tokens, query.patch_embedding]"),
        Case(
            freeze: "['*', '!*.projection']", options: ["model.query.dropout=0.1", "batch.cache_chunk=3"]),
        // One tensor of fewer elements than a cache line: of four ranks one has something to update.
        Case(freeze: "['*', '!target.output_norm.bias']"),
        Case(freeze: "['*.qkv', query.positions]", options: ["noise.position=input"]),
    ]

    /// The gradient of what is trained does not depend on what is not.
    @Test(arguments: cases) func theGradientOfTheRestIsTheSame(_ example: Case) throws {
        let tiny = try TinyRun.shared.get()
        let whole = try gradient(tiny.configuration(example.options))
        let configuration = try tiny.configuration(example.options + ["model.freeze=\(example.freeze)"])
        for ranks in 1...4 {
            let part = try gradient(configuration, ranks: ranks)
            #expect(part.loss == whole.loss || ranks > 1 && abs(part.loss - whole.loss) < 1e-6 * whole.loss)
            #expect(!part.entries.isEmpty && part.entries.count < whole.entries.count)
            let norm = whole.values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
            for entry in part.entries {
                let expected = try #require(whole.entries.first { $0.name == entry.name })
                for (found, expected) in zip(part(entry), whole(expected)) {
                    #expect(abs(found - expected) <= Float(2e-6 * norm), "\(entry.name), \(ranks) ranks")
                }
            }
        }
    }

    @Test(arguments: cases, [1, 3]) func frozenParametersStay(_ example: Case, _ ranks: Int) throws {
        let configuration = try TinyRun.shared.get().configuration(
            example.options + ["model.freeze=\(example.freeze)", "steps=6", "optimizer.weight_decay=0.5"])
        let changed = try inWorld(of: ranks) { communicator in
            let stepper = try Stepper(configuration, steps: 6, communicator: communicator)
            let parameters = stepper.model.parameters
            let before = parameters.values.array
            for _ in 0..<6 {
                let report = try stepper.next()
                #expect(report.gradientNorm > 0)
            }
            #expect(stepper.optimizer.state.ranges.allSatisfy { $0.upperBound <= parameters.trainable.count })
            return parameters.layout.entries.filter { before[$0.range] != parameters.values.array[$0.range] }.map(
                \.name)
        }
        let patterns = configuration.model.freeze.patterns
        for names in changed {
            #expect(!names.isEmpty && !names.contains(where: patterns.selects))
            #expect(names == changed[0])
        }
    }

    /// The norm that clipping compares is that of the trained part.
    @Test func theNormIsThatOfTheTrainedPart() throws {
        let tiny = try TinyRun.shared.get()
        let configuration = try tiny.configuration(["model.freeze=[target, '*.bias']", "steps=1"])
        let part = try gradient(configuration)
        let expected = part.entries.reduce(0) { $0 + part($1).reduce(0) { $0 + Double($1) * Double($1) } }.squareRoot()
        for ranks in [1, 3] {
            let configuration = try tiny.configuration(["model.freeze=[target, '*.bias']", "steps=1"])
            try train(configuration, ranks: ranks)
            #expect(try abs(curve(configuration, "gradient_norm")[0] - expected) < 1e-6 * expected)
        }
    }

    /// A locked tower costs its forward pass; the metrics do not claim more.
    @Test(arguments: ["null", "2"]) func aFrozenTowerIsOnlyReadForwards(_ chunk: String) throws {
        func operations(_ options: [String]) throws -> Double {
            let configuration = try TinyRun.shared.get().configuration(
                options + ["batch.cache_chunk=\(chunk)"] + TinyRun.textPairs)
            return try Stepper(configuration, steps: 1, communicator: SoloWorld()).next().floatingPointOperations
        }
        let (both, query) = (try operations([]), try operations(["model.freeze=target"]))
        let target = try operations(["model.freeze=query"])
        // Each tower trained costs 3 (cached 4) of its forward passes, but for the products of embeddings, and frozen 1.
        let passes = chunk == "null" ? 3.0 : 4.0
        #expect(abs((query + target) / both - (passes + 1) / passes) < 0.05)
    }

    @Test(arguments: [
        ("[qurey]", "qurey", "query"), ("[target.blok.0]", "target.blok.0", "target.blocks.0"),
        ("['!query.projektion']", "!query.projektion", "query.projection"),
    ]) func aPatternWithoutMeaningIsAnError(_ freeze: String, _ pattern: String, _ nearest: String) throws {
        let configuration = try TinyRun.shared.get().configuration(["model.freeze=\(freeze)"])
        let failure = #expect(throws: Failure.self) { try Stepper(configuration, steps: 1, communicator: SoloWorld()) }
        #expect(failure?.kind == .configuration)
        #expect(failure?.message.contains("model.freeze: '\(pattern)'") == true)
        #expect(failure?.message.contains(nearest) == true, "\(failure?.message ?? "")")
    }

    @Test(arguments: ["'*'", "[query, target]", "['*', '!loss']"]) func somethingMustBeTrained(_ freeze: String) throws
    {
        let configuration = try TinyRun.shared.get().configuration(["model.freeze=\(freeze)"])
        let failure = #expect(throws: Failure.self) { try Stepper(configuration, steps: 1, communicator: SoloWorld()) }
        #expect(failure?.kind == .configuration && failure?.message.contains("nothing is left to train") == true)
    }

    @Test(arguments: ["{a: b}", "[[a]]", "[null]", "['']", "['!']"]) func onlyAListOfPatternsIsOne(_ freeze: String) {
        #expect(throws: Failure.self) { try TinyRun.shared.get().configuration(["model.freeze=\(freeze)"]) }
    }
}
