// What a run does about its checkpoints: in the background, the best, failing ones. Not here: resuming from them (ResumeTests.swift).

import Collectives
import Failures
import Foundation
import Testing

@testable import Training

@Suite(.serialized) struct CheckpointRoutineTests {
    private static func folder(_ configuration: RunConfig) -> String { RunFolder(configuration.folder).checkpoints }

    private static func names(_ configuration: RunConfig) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder(configuration)).sorted()
    }

    private static func train(
        _ configuration: RunConfig, ranks: Int, beforeStep: @escaping @Sendable (Int, Trainer) -> Void
    ) throws -> [Failure?] {
        try inWorld(of: ranks) { communicator in
            do {
                let trainer = try Trainer(configuration: configuration, progress: .silent, communicator: communicator)
                trainer.stopRequested = { [unowned trainer] in
                    beforeStep(communicator.step + 1, trainer)
                    return false
                }
                _ = try trainer.run()
                return nil
            } catch let failure as Failure { return failure }
        }
    }

    /// In the background or not, the same bytes: training does not reach into what is being written.
    @Test(arguments: 1...3) func theBytesAreThoseOfASynchronousSave(ranks: Int) throws {
        let tiny = try TinyRun.shared.get()
        let options = ["steps=9", "checkpoint={every: 2, keep: 9}", "noise.refresh=3"]
        let background = try tiny.configuration(options + ["checkpoint.asynchronous=true"])
        let waiting = try tiny.configuration(options + ["checkpoint.asynchronous=false"])
        for configuration in [background, waiting] { try TrainingTests.train(configuration, ranks: ranks) }
        #expect(try Self.names(background).count == 5 && Self.names(background) == Self.names(waiting))
        for step in try Self.names(background) {
            let files = try FileManager.default.contentsOfDirectory(atPath: "\(Self.folder(background))/\(step)")
            for file in files where file != "config.yaml" && file != "manifest.json" {
                let contents = try [background, waiting].map {
                    try Data(contentsOf: URL(filePath: "\(Self.folder($0))/\(step)/\(file)"))
                }
                #expect(contents[0] == contents[1], "\(step)/\(file)")
            }
        }
        let stalls = try curve(background, "checkpoint_stall").filter { !$0.isNaN }
        let writes = try curve(background, "checkpoint_write").filter { !$0.isNaN }
        #expect(!stalls.isEmpty && stalls.allSatisfy { $0 > 0 })
        #expect(!writes.isEmpty && writes.allSatisfy { $0 > 0 })
    }

    /// The checkpoint of the best evaluation stays, whatever is saved after it, and is known across a resumption.
    @Test(arguments: [1, 2]) func theBestEvaluationIsKept(ranks: Int) throws {
        let tiny = try TinyRun.shared.get()
        let options = [
            "steps=20", "evaluate={every: 2, sets: {held: \(tiny.folder)/train.jsonl}}",
            "checkpoint={every: 5, keep: 1}",
            "checkpoint.best={set: held, metric: uniformity, goal: maximum}",
        ]
        let configuration = try tiny.configuration(options)
        try TrainingTests.train(configuration, ranks: ranks, stopAfter: 11)
        try TrainingTests.train(configuration, ranks: ranks)
        let values = try metrics(configuration).compactMap { row in
            (row["held.uniformity"] as? Double).map { (step: row["step"] as? Int ?? 0, value: $0) }
        }
        #expect(values.map(\.step) == Array(stride(from: 2, through: 20, by: 2)))
        let best = try #require(values.max { $0.value < $1.value })
        struct Mark: Decodable {
            let step: Int
            let measure: String
            let value: Double
        }
        let mark = try JSONDecoder().decode(
            Mark.self, from: Data(contentsOf: URL(filePath: "\(Self.folder(configuration))/best.json")))
        #expect(mark.step == best.step && abs(mark.value - best.value) < 1e-12, "\(mark), \(values)")
        #expect(mark.measure == "held.uniformity")
        let expected = Set(["best.json", "step-00000020", "step-\(String(format: "%08d", best.step))"])
        #expect(try Set(Self.names(configuration)) == expected)
    }

    @Test func aMeasureThatDoesNotExistIsNamed() throws {
        let tiny = try TinyRun.shared.get()
        let set = "evaluate={every: 1, sets: {held: \(tiny.folder)/train.jsonl}}"
        let configuration = try tiny.configuration(["steps=2", set, "checkpoint.best={set: held, metric: beauty}"])
        for ranks in [1, 2] {
            let failure = #expect(throws: Failure.self) { try TrainingTests.train(configuration, ranks: ranks) }
            #expect(failure?.kind == .configuration && failure?.message.contains("'held.beauty'") == true)
            #expect(failure?.message.contains("held.query_to_target.precision_at_1") == true)
            // Before anything is trained.
            #expect(!FileManager.default.fileExists(atPath: configuration.folder))
        }
        let nested = ["loss.matryoshka=[4, 12]", "checkpoint.best.set=held", set]
        let metric = "checkpoint.best.metric=target_to_query.precision_at_1.first_"
        try tiny.configuration(nested + [metric + "4"]).requireBestMeasure()
        #expect(throws: Failure.self) { try tiny.configuration(nested + [metric + "5"]).requireBestMeasure() }
        let other = #expect(throws: Failure.self) { try tiny.configuration([set, "checkpoint.best.set=other"]) }
        #expect(other?.message.contains("checkpoint.best.set is 'other', but evaluate.sets has held") == true)
    }

    /// The folder of checkpoints is a file from step 3 to step 6.
    private static func breakFolder(_ step: Int, _ trainer: Trainer) {
        guard trainer.communicator.rank == 0 else { return }
        let path = trainer.folder.checkpoints
        switch step {
        case 3:
            try? FileManager.default.moveItem(atPath: path, toPath: path + ".aside")
            try? Data().write(to: URL(filePath: path))
        case 7:
            try? FileManager.default.removeItem(atPath: path)
            try? FileManager.default.moveItem(atPath: path + ".aside", toPath: path)
        default: break
        }
    }

    @Test(arguments: [1, 3], [true, false]) func trainingGoesOnWithoutACheckpointWhereThatIsAllowed(
        ranks: Int, asynchronous: Bool
    ) throws {
        let tiny = try TinyRun.shared.get()
        let options = ["steps=8", "checkpoint={every: 2, keep: 9, asynchronous: \(asynchronous)}"]
        let whole = try TrainingTests.train(tiny.configuration(options), ranks: ranks)
        let tolerant = try tiny.configuration(options + ["checkpoint.on_error=continue"])
        let failures = try Self.train(tolerant, ranks: ranks) { step, trainer in
            // The save of step 2 has ended by then.
            if step == 3 { Thread.sleep(forTimeInterval: 0.1) }
            Self.breakFolder(step, trainer)
        }
        #expect(failures.allSatisfy { $0 == nil })
        let kept = try Self.names(tolerant).compactMap { Int($0.dropFirst(5)) }
        #expect(kept.contains(8) && !kept.contains(4), "\(kept)")
        let again = try TrainingTests.train(tolerant, ranks: ranks)
        #expect(again.parameters == whole.parameters)
        #expect(try curve(tolerant, "step") == (1...8).map(Double.init))
    }

    @Test(arguments: [1, 3]) func withoutThatTheRunEnds(ranks: Int) throws {
        let tiny = try TinyRun.shared.get()
        let strict = try tiny.configuration(["steps=8", "checkpoint={every: 2, keep: 9, asynchronous: false}"])
        let failures = try Self.train(strict, ranks: ranks) { Self.breakFolder($0, $1) }
        for failure in failures {
            #expect(try #require(failure).kind == .cannotCreate)
            #expect(failure?.message.contains(Self.folder(strict)) == true)
        }
    }

    /// At the end there is no next checkpoint to hope for.
    @Test(arguments: [1, 2]) func theLastCheckpointMayNotFail(ranks: Int) throws {
        let tiny = try TinyRun.shared.get()
        let tolerant = try tiny.configuration(["steps=4", "checkpoint.on_error=continue"])
        let failures = try Self.train(tolerant, ranks: ranks) { Self.breakFolder($0, $1) }
        for failure in failures { #expect(try #require(failure).kind == .cannotCreate) }
    }
}
