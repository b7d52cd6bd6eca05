// Training on explicit negatives: one gradient whatever the number of ranks, and the right one. Not here: which negatives
// (MixtureTests), the loss itself (LossesTests).

import Failures
import Foundation
import Testing

@testable import Datasets
@testable import Training

@Suite(.serialized) struct HardNegativeTests {
    /// Eleven rows with 0 to 3 negatives each, and four of another source with none.
    private static let files = Result {
        let folder = try TinyRun.shared.get().folder
        for (name, count) in [("hard", 11), ("easy", 4)] {
            let lines = (0..<count).map { row in
                let negatives = (0..<(name == "hard" ? row % 4 : 0)).map { "\"wrong \(row * 7 + $0)\"" }
                return #"{"anchor": "\#(name) \#(row)", "positive": "answer \#(row * 3)", "#
                    + #""negatives": [\#(negatives.joined(separator: ","))]}"#
            }
            try lines.joined(separator: "\n").write(
                toFile: "\(folder)/\(name).jsonl", atomically: true, encoding: .utf8)
        }
        return folder
    }

    private static func options(_ more: [String] = [], batches: String = "mixed", negatives: Int = 2) throws -> [String]
    {
        let folder = try files.get()
        let text = "{kind: text, vocabulary: 280, context: 8, width: 16, depth: 1, heads: 2}"
        return [
            "model.query=\(text)", "model.target=\(text)", "data.train=null",
            "data.sources=[{path: \(folder)/hard.jsonl, query: {prefix: 'ask '}}, {path: \(folder)/easy.jsonl}]",
            "data.batches=\(batches)", "data.negatives.maximum=\(negatives)", "batch.global=6",
        ] + more
    }

    @Test(arguments: [
        [], ["noise.position=input"], ["noise.spectrum=joint", "loss.kind=infonce"],
        ["batch.cache_chunk=2", "model.target.dropout=0.1"], ["loss.kind=sigmoid", "noise.center=true"],
        ["data.batches=same_source"],
    ])
    func theGradientIsOne(_ more: [String]) throws {
        let configuration = try TinyRun.shared.get().configuration(
            Self.options(more + ["optimizer.learning_rate=1e-30"]))
        // Step 3 is short: of 4 ranks one is empty.
        for step in [1, 3] {
            let single = try gradient(configuration, step: step)
            #expect(single.values.allSatisfy(\.isFinite) && single.loss.isFinite)
            for ranks in 2...4 {
                let several = try gradient(configuration, ranks: ranks, step: step)
                let (name, difference) = several.largestDifference(from: single, floor: WorldSizeTests.floor)
                #expect(difference <= WorldSizeTests.tolerance, "\(name), \(ranks) ranks, step \(step)")
                #expect(abs(several.loss - single.loss) <= 1e-6 * max(1, single.loss))
            }
        }
    }

    /// More candidates make the loss of the same batch larger, by about ln 3 where nothing is learnt yet.
    @Test func negativesAreCandidates() throws {
        let tiny = try TinyRun.shared.get()
        let losses = try [0, 2].map { negatives in
            try gradient(
                tiny.configuration(
                    Self.options(
                        ["loss.kind=infonce", "noise.scaling=none", "loss.temperature.initial=1"], negatives: negatives)
                )
            ).loss
        }
        #expect(abs(losses[0] - log(6)) < 0.3 && abs(losses[1] - log(18)) < 0.3, "\(losses)")
    }

    /// Stopped and resumed at another world size, a mixture with weights and negatives goes on as if nothing had been.
    @Test(arguments: [1, 3]) func resumingGoesOn(ranks: Int) throws {
        let tiny = try TinyRun.shared.get()
        let folder = try Self.files.get()
        let weighted = [
            "data.sources=[{path: \(folder)/hard.jsonl, weight: 2}, {path: \(folder)/easy.jsonl, weight: 1}]",
            "steps=12",
        ]
        let whole = try tiny.configuration(Self.options(weighted))
        try train(whole, ranks: 2)
        let parted = try tiny.configuration(Self.options(weighted))
        #expect(try train(parted, ranks: 2, stopAfter: 5).summary.wasStopped)
        try train(parted, ranks: ranks)
        let (expected, found) = (try curve(whole), try curve(parted))
        #expect(found.count == 12 && zip(expected, found).allSatisfy { abs($0 - $1) <= 1e-4 * max(1, abs($0)) })
    }

    /// One row and no negatives: there is nothing to learn. Negatives, random ones or another loss change that.
    @Test func aBatchOfOneRowNeedsNegatives() throws {
        let tiny = try TinyRun.shared.get()
        let none = try tiny.configuration(["steps=1", "batch.global=1"])
        for ranks in [1, 2] {
            let failure = #expect(throws: Failure.self) { try train(none, ranks: ranks) }
            #expect(failure?.kind == .configuration && failure?.message.contains("batch.global is 1") == true)
        }
        for options in [["loss.kind=sigmoid"], ["regularize.gaussian_negatives=2"]] {
            try train(tiny.configuration(["steps=1", "batch.global=1"] + options))
        }
        try train(tiny.configuration(Self.options(["batch.global=1", "steps=1"])))
    }

    /// The same rule for epochs as for steps.
    @Test func aWarmUpLongerThanItsEpochsIsRefused() throws {
        let tiny = try TinyRun.shared.get()
        func configuration(_ warmUp: String) throws -> RunConfig {
            try tiny.configuration(["steps=null", "epochs=1", "optimizer.schedule.warmup=\(warmUp)"])
        }
        let failure = try #require(throws: Failure.self) { try train(configuration("6"), ranks: 2) }
        #expect(failure.kind == .configuration && failure.message.contains("is 6, more than all 5 steps"))
        try train(configuration("5"))
        try train(configuration("0.4"))
        let rates = try tiny.configuration(["steps=5", "optimizer.schedule.warmup=0.4"])
        try train(rates)
        #expect(try curve(rates, "learning_rate") == [5e-4, 1e-3, 1e-3, 1e-3, 1e-3])
    }

    /// Mined pairs keep the names of the pairs that they come from.
    @Test func fieldsKeepTheirNames() throws {
        let configuration = try TinyRun.shared.get().configuration(Self.options())
        let folder = try Self.files.get()
        func names(_ line: String) throws -> [String] {
            let path = "\(folder)/names-\(UUID()).jsonl"
            try line.write(toFile: path, atomically: true, encoding: .utf8)
            let source = try configuration.evaluationSource(path)
            return Side.allCases.map { configuration.fieldName($0, of: source) }
        }
        #expect(try names(#"{"query": "a", "positive": "b"}"#) == ["query", "positive"])
        #expect(try names(#"{"question": "a", "pos": ["b"]}"#) == ["question", "pos"])
        let inline = InlineSource([(.text("a", alternatives: []), "here")], kind: .text)
        #expect(Side.allCases.map { configuration.fieldName($0, of: inline) } == ["anchor", "positive"])
    }

    /// Each rank meets its own unreadable rows; the metrics count all of them, those met before a resumption too.
    @Test(arguments: 1...3) func skippedRowsAreCountedOverAllRanks(ranks: Int) throws {
        let tiny = try TinyRun.shared.get()
        let folder = "\(tiny.folder)/skipped-\(ranks)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for row in 0..<TinyRun.rows where row % 10 != 3 {
            try FileManager.default.copyItem(atPath: "\(tiny.folder)/\(row).png", toPath: "\(folder)/\(row).png")
        }
        try FileManager.default.copyItem(atPath: "\(tiny.folder)/train.jsonl", toPath: "\(folder)/train.jsonl")
        let options = ["data.train=\(folder)/train.jsonl", "data.on_error=skip", "steps=12"]
        let configuration = try tiny.configuration(options + ["data.max_skipped=0.2"])
        try train(configuration, ranks: ranks)
        #expect(try metrics(configuration).last?["skipped_rows"] as? Double == 4)
        let parted = try tiny.configuration(options + ["data.max_skipped=0.2"])
        #expect(try train(parted, ranks: 1, stopAfter: 10).summary.wasStopped)
        try train(parted, ranks: ranks)
        #expect(try metrics(parted).last?["skipped_rows"] as? Double == 4)
        let strict = try tiny.configuration(options + ["data.max_skipped=0.05"])
        #expect(throws: (any Error).self) { try train(strict, ranks: ranks) }
    }
}
