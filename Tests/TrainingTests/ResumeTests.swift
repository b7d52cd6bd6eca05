// A run goes on from its checkpoints as if it had never stopped. Not here: the files (CheckpointsTests), signals (StopTests.swift).

import Collectives
import Failures
import Foundation
import Testing

@testable import Training

@Suite(.serialized) struct ResumeTests {
    private static func folder(_ configuration: RunConfig) -> String { RunFolder(configuration.folder).checkpoints }

    private static func file(_ configuration: RunConfig, step: Int, _ name: String) throws -> Data {
        try Data(contentsOf: URL(filePath: "\(folder(configuration))/step-\(String(format: "%08d", step))/\(name)"))
    }

    private static func names(_ configuration: RunConfig) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder(configuration)).sorted()
    }

    struct Case: CustomTestStringConvertible {
        let ranks: Int
        let options: [String]
        var testDescription: String { "\(ranks) ranks \(options.joined(separator: " "))" }
    }

    static let cases = (1...3).flatMap { ranks in
        [
            [], ["noise.refresh=3"], ["noise.refresh=3", "noise.position=input", "model.target.dropout=0.1"],
            ["optimizer.schedule={kind: cosine, warmup: 3}", "loss.kind=sigmoid", "batch.cache_chunk=2"],
            ["optimizer={kind: lamb, learning_rate: 1e-3}", "ema={decay: 0.9}", "loss.matryoshka=[4, 12]"],
            ["optimizer={kind: sgd, learning_rate: 1e-2, momentum: 0.8}"],
            ["optimizer={kind: lion, learning_rate: 1e-4}", "ema=0.5"],
            ["model.lora={rank: 2, dropout: 0.2, targets: [query, projection]}"],
            ["model.freeze=['*.bias', query.blocks, loss]", "loss.kind=sigmoid"],
        ].map { Case(ranks: ranks, options: $0) }
    }

    /// 10 steps are 7 and 3: step 7 is the second batch of the second epoch, and the second step of a noise shape that lasts three.
    /// Bit for bit: parameters, moments, figures.
    @Test(arguments: cases) func tenStepsAreSevenAndThree(_ example: Case) throws {
        let tiny = try TinyRun.shared.get()
        let whole = try tiny.configuration(example.options + ["steps=10"])
        let uninterrupted = try train(whole, ranks: example.ranks)
        let halves = try tiny.configuration(example.options + ["steps=10"])
        let stopped = try train(halves, ranks: example.ranks, stopAfter: 7)
        #expect(stopped.summary.wasStopped && stopped.summary.step == 7)
        #expect(stopped.parameters != uninterrupted.parameters)
        let resumed = try train(halves, ranks: example.ranks)
        #expect(
            resumed.summary.step == 10 && !resumed.summary.wasStopped && resumed.parameters == uninterrupted.parameters)

        for name in ["model.safetensors", "state.json"] {
            #expect(try Self.file(halves, step: 10, name) == Self.file(whole, step: 10, name), "\(name)")
        }
        for rank in 0..<example.ranks {
            let name = "optimizer-\(String(format: "%05d-of-%05d", rank, example.ranks)).safetensors"
            #expect(try Self.file(halves, step: 10, name) == Self.file(whole, step: 10, name), "\(name)")
        }
        for key in [
            "step", "epoch", "loss", "precision_at_1", "temperature", "learning_rate", "gradient_norm",
            "noise_to_signal",
        ] {
            #expect(try curve(halves, key) == curve(whole, key), "\(key)")
        }
        #expect(try curve(halves, "step") == (1...10).map(Double.init))
    }

    /// Saved at 3 ranks, resumed at 1, and other pairs: the same curve but for rounding.
    @Test(
        arguments: [(3, 1), (1, 3), (2, 4), (8, 5), (5, 8), (1, 8), (7, 2)],
        [[], ["noise.refresh=3", "batch.cache_chunk=2"]]) func anotherWorldSizeGoesOn(
            _ ranks: (before: Int, after: Int), _ options: [String]
        ) throws
    {
        try expectTheSameCurve(ranks, options)
    }

    /// The same with other moments, averages of the parameters, adapters, frozen parts, and disturbed batches.
    @Test(
        arguments: [(3, 2), (1, 4)],
        [
            ["optimizer={kind: lamb, learning_rate: 1e-3}", "ema={decay: 0.9}"],
            ["optimizer={kind: lion, learning_rate: 1e-4}", "ema=0.5"],
            ["optimizer={kind: sgd, learning_rate: 1e-2, momentum: 0.8}", "model.freeze=['*.bias', query.blocks]"],
            [
                "model.lora={rank: 2, dropout: 0.2, targets: [query, projection]}",
                "regularize={mixup: 0.3, neftune: 2, label_smoothing: 0.1}",
            ],
        ]) func anotherWorldSizeGoesOnWithOtherMethods(_ ranks: (before: Int, after: Int), _ options: [String]) throws
    {
        try expectTheSameCurve(ranks, options)
    }

    private func expectTheSameCurve(_ ranks: (before: Int, after: Int), _ options: [String]) throws {
        let tiny = try TinyRun.shared.get()
        let whole = try tiny.configuration(options + ["steps=20"])
        try train(whole)
        let halves = try tiny.configuration(options + ["steps=20"])
        try train(halves, ranks: ranks.before, stopAfter: 7)
        try train(halves, ranks: ranks.after)
        let (expected, found) = (try curve(whole), try curve(halves))
        #expect(found.count == 20)
        #expect(zip(expected, found).allSatisfy { abs($0 - $1) <= 1e-4 * max(1, $0) })
    }

    /// A key that shapes the course is refused by name, and accepted when it is allowed.
    @Test(arguments: [
        ("seed", "seed=8"), ("noise.strength", "noise.strength=0.2"), ("batch.global", "batch.global=11"),
        ("optimizer.learning_rate", "optimizer.learning_rate=2e-3"), ("loss.kind", "loss.kind=infonce"),
        ("noise.refresh", "noise.refresh=2"), ("optimizer.weight_decay", "optimizer.weight_decay=0.2"),
    ]) func aChangedKeyIsRefusedByName(_ key: String, _ option: String) throws {
        let tiny = try TinyRun.shared.get()
        let name = "changed-\(UUID())"
        try train(tiny.configuration(["steps=2"], name: name))
        let changed = try tiny.configuration(["steps=4", option], name: name)
        for ranks in [1, 2] {
            let failure = #expect(throws: Failure.self) { try train(changed, ranks: ranks) }
            #expect(failure?.kind == .configuration)
            #expect(failure?.message.contains("\(key) ") == true && failure?.message.contains("--allow-change") == true)
        }
        #expect(throws: Failure.self) { try train(changed, allowedChanges: ["optimizer.epsilon"]) }
        let resumed = try train(changed, allowedChanges: [key])
        #expect(resumed.summary.step == 4)
        #expect(try curve(changed, "step") == [1, 2, 3, 4])
    }

    /// A section stands for all of its keys, those of lists and of other kinds among them.
    @Test func aSectionMayBeAllowed() throws {
        let tiny = try TinyRun.shared.get()
        let name = "section-\(UUID())"
        try train(tiny.configuration(["steps=2"], name: name))
        let changed = try tiny.configuration(
            [
                "steps=4", "optimizer.betas=[0.8, 0.9]", "optimizer.schedule={kind: linear, warmup: 1}",
                "data.augment={shift: 2, flip: true}", "model.freeze=[target.tokens]",
            ], name: name)
        let refused = #expect(throws: Failure.self) { try train(changed, allowedChanges: ["optimizer"]) }
        let message = refused?.message ?? ""
        for part in ["steps ", "data.augment.shift 1 → 2", "data.augment.flip false → true", "model.freeze [] → "] {
            #expect(message.contains(part), "\(message)")
        }
        #expect(!message.contains("optimizer.betas"))
        let resumed = try train(changed, allowedChanges: ["optimizer", "data", "model.freeze", "steps"])
        #expect(resumed.summary.step == 4)
    }

    @Test func keysThatShapeNothingMayChange() throws {
        let tiny = try TinyRun.shared.get()
        let name = "harmless-\(UUID())"
        try train(tiny.configuration(["steps=2"], name: name))
        let changed = try tiny.configuration(
            [
                "steps=4", "log.every=2", "checkpoint={every: 1, keep: 2}", "evaluate.chunk=7", "batch.cache_chunk=3",
                "data.prefetch=0",
                "threads=2", "loss.tile=4", "data.cache=0 MiB",
            ], name: name)
        #expect(try train(changed, ranks: 2).summary.step == 4)
        #expect(try Self.names(changed).count == 2)
        // The learning rate's course depends on the number of steps unless it is constant.
        let cosine = try tiny.configuration(["steps=5", "optimizer.schedule=cosine"], name: name)
        let failure = #expect(throws: Failure.self) { try train(cosine) }
        #expect(failure?.message.contains("optimizer.schedule.kind constant → cosine") == true)
    }

    /// A run that was stopped before an evaluation makes up for it; killed behind that, it does so again, and has one row of it.
    @Test func anEvaluationIsRecordedOnce() throws {
        let tiny = try TinyRun.shared.get()
        let configuration = try tiny.configuration(
            ["steps=6", "evaluate={every: 3, sets: {held: \(tiny.folder)/train.jsonl}}"])
        try train(configuration, stopAfter: 3)
        #expect(try curve(configuration, "step") == [1, 2, 3])
        let path = RunFolder(configuration.folder).metrics
        let rows = try String(contentsOfFile: path, encoding: .utf8)
        // What the killed one leaves behind.
        let more = "{\"step\": 3, \"held.mrr\": 0.5}\n{\"step\": 4, \"loss\": 1}\n"
        try (rows + more).write(toFile: path, atomically: false, encoding: .utf8)
        try train(configuration)
        #expect(try curve(configuration, "step") == [1, 2, 3, 3, 4, 5, 6, 6])
    }

    /// Who comes second is told so before it looks for a checkpoint to go on from: the first may save a newer one meanwhile.
    @Test(arguments: [1, 2]) func oneProcessTrainsInAFolder(_ ranks: Int) throws {
        let tiny = try TinyRun.shared.get()
        let name = "locked-\(UUID())"
        let configuration = try tiny.configuration(["steps=2"], name: name)
        try train(configuration)
        let other = try tiny.configuration(["steps=4", "seed=8"], name: name)
        let lock = try RunFolder(configuration.folder).lock()
        let failure = #expect(throws: Failure.self) { try train(other, ranks: ranks) }
        withExtendedLifetime(lock) {}
        #expect(failure?.kind == .cannotCreate, "\(failure?.message ?? "")")
        #expect(failure?.message.contains("another process is training") == true)
    }

    /// A run whose folder was renamed must not write into another's that has its name now.
    @Test func aFolderThatWasReplacedIsNotWrittenTo() throws {
        let parent = FileManager.default.temporaryDirectory.appending(path: "replaced-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: parent) }
        let folder = RunFolder("\(parent)/run")
        try folder.create()
        let lock = try folder.lock()
        try lock.requireFolder()
        try FileManager.default.moveItem(atPath: folder.path, toPath: "\(parent)/moved")
        func refused() -> String? { #expect(throws: Failure.self) { try lock.requireFolder() }?.message }
        #expect(refused()?.contains("was removed, renamed or replaced") == true)
        try folder.create()
        let other = try folder.lock()
        #expect(refused()?.contains("was removed, renamed or replaced") == true)
        try other.requireFolder()
    }

    @Test func neverRefusesWhatIsThere() throws {
        let configuration = try TinyRun.shared.get().configuration(["steps=2"])
        try train(configuration, resume: .never)
        for ranks in [1, 3] {
            let failure = #expect(throws: Failure.self) { try train(configuration, ranks: ranks, resume: .never) }
            #expect(failure?.kind == .cannotCreate && failure?.message.contains(Self.folder(configuration)) == true)
        }
        #expect(try curve(configuration, "step") == [1, 2])
    }

    /// A finished run has nothing to do, and says so without another step.
    @Test func aFinishedRunIsLeftAsItIs() throws {
        let configuration = try TinyRun.shared.get().configuration(["steps=3"])
        let first = try train(configuration, ranks: 2)
        let again = try train(configuration, ranks: 2)
        #expect(again.summary.step == 3 && again.summary.loss == nil && again.parameters == first.parameters)
        #expect(try curve(configuration, "step") == [1, 2, 3])
    }

    @Test(arguments: ["model.safetensors", "optimizer-00001-of-00002.safetensors", "state.json"])
    func aDamagedCheckpointIsSkipped(_ name: String) throws {
        let tiny = try TinyRun.shared.get()
        let whole = try tiny.configuration(["steps=8"])
        let uninterrupted = try train(whole, ranks: 2)
        let damaged = try tiny.configuration(["steps=8", "checkpoint.every=3"])
        try train(damaged, ranks: 2, stopAfter: 6)
        let path = "\(Self.folder(damaged))/step-00000006/\(name)"
        var bytes = try Data(contentsOf: URL(filePath: path))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(filePath: path))

        // The resumption goes back to step 3 and says why.
        let messages = try inWorld(of: 2) { communicator in
            var messages: [String] = []
            let point = try ResumePoint(
                .automatic, configuration: damaged, allowedChanges: [], warn: { messages.append($0) },
                communicator: communicator)
            #expect(point.checkpoint?.step == 3)
            return messages
        }
        #expect(messages.allSatisfy { $0.count == 1 && $0[0].contains("step-00000006") && $0[0].contains(name) })
        let resumed = try train(damaged, ranks: 2)
        #expect(resumed.summary.step == 8 && resumed.parameters == uninterrupted.parameters)
        #expect(try curve(damaged, "step") == (1...8).map(Double.init))
        #expect(try curve(damaged) == curve(whole))
    }

    /// Gone back to, an older checkpoint begins a course that a stopped run goes on with: later ones of the course before are set aside.
    @Test(arguments: [1, 2]) func aRunThatGoesBackStaysOnItsNewCourse(_ ranks: Int) throws {
        let tiny = try TinyRun.shared.get()
        let configuration = try tiny.configuration(["steps=12", "checkpoint={every: 4, keep: 9}"])
        let first = try train(configuration, ranks: ranks)
        let older = Resume.path("\(Self.folder(configuration))/step-00000004")
        let stopped = try train(configuration, ranks: ranks, resume: older, stopAfter: 6)
        #expect(stopped.summary.wasStopped && stopped.summary.step == 6)
        let aside = ["step-00000008.abandoned", "step-00000012.abandoned"]
        #expect(try Self.names(configuration) == ["step-00000004", "step-00000006"] + aside)
        let resumed = try train(configuration, ranks: ranks)
        #expect(resumed.summary.step == 12 && resumed.parameters == first.parameters)
        #expect(try curve(configuration, "step") == (1...12).map(Double.init))
        #expect(try Self.names(configuration).filter { $0.hasSuffix(".abandoned") } == aside)
    }

    /// An abandoned checkpoint, and one of another run, begin courses that a stopped run goes on with.
    @Test func aRunThatGoesElsewhereStaysOnItsNewCourse() throws {
        let tiny = try TinyRun.shared.get()
        let options = ["steps=8", "checkpoint={every: 2, keep: 9}"]
        let configuration = try tiny.configuration(options)
        let first = try train(configuration)
        // A stop takes effect at the end of the step after.
        try train(configuration, resume: .path("\(Self.folder(configuration))/step-00000002"), stopAfter: 3)
        let aside = try Self.names(configuration).filter { $0.hasSuffix(".abandoned") }
        #expect(aside == ["step-00000004.abandoned", "step-00000006.abandoned", "step-00000008.abandoned"])
        try train(configuration, resume: .path("\(Self.folder(configuration))/\(aside[0])"), stopAfter: 5)
        let found = try Self.names(configuration)
        let expected = [
            "step-00000002.abandoned", "step-00000004", "step-00000004.abandoned", "step-00000004.abandoned-2",
            "step-00000006", "step-00000006.abandoned", "step-00000008.abandoned",
        ]
        #expect(found == expected)
        #expect(try train(configuration).parameters == first.parameters)

        let other = try tiny.configuration(options)
        try train(other, resume: .path("\(Self.folder(configuration))/step-00000006"), stopAfter: 7)
        #expect(try Self.names(other) == ["step-00000006", "step-00000008"])
        #expect(try train(other).parameters == first.parameters)
    }

    /// From a path, not the newest; a path that is none is an error.
    @Test func aPathNamesACheckpoint() throws {
        let tiny = try TinyRun.shared.get()
        let configuration = try tiny.configuration(["steps=6", "checkpoint.every=2"])
        let first = try train(configuration)
        let again = try train(configuration, ranks: 1, resume: .path("\(Self.folder(configuration))/step-00000002"))
        #expect(again.parameters == first.parameters)
        #expect(try curve(configuration, "step") == (1...6).map(Double.init))
        let failure = #expect(throws: Failure.self) {
            try train(configuration, ranks: 2, resume: .path("/nowhere/step-00000002"))
        }
        #expect(failure?.kind == .inputMissing)
    }
}
