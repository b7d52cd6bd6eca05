// Saving and finding checkpoints at any number of ranks. Not here: damaged ones (DamageTests.swift), SHA-256 (DigestTests.swift).

import ArrayFiles
import Buffers
import Collectives
import Failures
import Foundation
import Testing

@testable import Checkpoints

@Suite struct CheckpointStoreTests {
    /// Every bit of parameters, moments, state and configuration comes back, whatever the two numbers of ranks.
    @Test(arguments: 1...4, 1...4) func whatIsSavedIsLoaded(saving: Int, loading: Int) throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 2)
        _ = try ThreadWorld.run(ranks: saving) { try TrainedModel.save(1000, to: store, $0) }
        let shards = (0..<saving).map { Manifest.shard($0, of: saving) }
        let files = try FileManager.default.contentsOfDirectory(atPath: "\(folder.store)/step-00001000").sorted()
        #expect(
            files
                == (["config.yaml", "manifest.json", "model.safetensors", "state.json", "tokenizer.json"] + shards)
                .sorted())
        _ = try ThreadWorld.run(ranks: loading) { world in
            let checkpoint = try #require(try store.latest(communicator: world) { Issue.record("\($0)") })
            try TrainedModel.check(checkpoint, 1000, world)
            try TrainedModel.check(try store.open(path: checkpoint.path, communicator: world), 1000, world)
        }
    }

    @Test func theModelIsPlainSafetensors() throws {
        let folder = try TemporaryFolder()
        try TrainedModel.save(5, to: CheckpointStore(directory: folder.store, keep: 1), SoloWorld())
        let file = try SafetensorsFile(path: "\(folder.store)/step-00000005/model.safetensors")
        #expect(file.names.sorted() == TrainedModel.layout.entries.map(\.name).sorted())
        for entry in TrainedModel.layout.entries {
            #expect(file.entry(entry.name)?.shape == entry.shape)
            #expect(
                TrainedModel.bits(try file.floats(entry.name))
                    == TrainedModel.bits(TrainedModel.parameters(5)[entry.range]))
        }
    }

    @Test func nothingSavedIsNothingFound() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 1)
        #expect(try store.latest(communicator: SoloWorld()) { Issue.record("\($0)") } == nil)
        expectFailure(.inputMissing, ["\(folder.store)/step-00000001"]) {
            _ = try store.open(path: "\(folder.store)/step-00000001", communicator: SoloWorld())
        }
    }

    @Test(arguments: [1, 2, 3]) func theNewestAreKept(keep: Int) throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: keep)
        for step in [3, 20, 100, 1_234_567_890] { try TrainedModel.save(step, to: store, SoloWorld()) }
        let all = ["step-00000003", "step-00000020", "step-00000100", "step-1234567890"]
        #expect(folder.steps == Array(all.suffix(keep)))
        let latest = try #require(try store.latest(communicator: SoloWorld()) { Issue.record("\($0)") })
        try TrainedModel.check(latest, 1_234_567_890, SoloWorld())
    }

    /// A run resumed from step 2 saves step 3: step 9 is neither deleted nor does it take a place.
    @Test func laterStepsAreLeftAlone() throws {
        let folder = try TemporaryFolder()
        for step in [1, 2, 9] {
            try TrainedModel.save(step, to: CheckpointStore(directory: folder.store, keep: 9), SoloWorld())
        }
        try TrainedModel.save(3, to: CheckpointStore(directory: folder.store, keep: 2), SoloWorld())
        #expect(folder.steps == ["step-00000002", "step-00000003", "step-00000009"])
    }

    /// Set aside, later checkpoints are found no more, and the best is one of those that are left.
    @Test func laterStepsAreSetAside() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 9)
        let best = [3, 20].map { BestCheckpoint(step: $0, measure: "held.mrr", value: 0.5) }
        for step in [3, 20, 100] { try TrainedModel.save(step, to: store, best: best[step == 3 ? 0 : 1], SoloWorld()) }
        #expect(try store.abandon(for: "\(folder.store)/step-00000100", step: 100, best: best[1]).isEmpty)
        #expect(folder.steps == ["best.json", "step-00000003", "step-00000020", "step-00000100"])
        let start = "\(folder.store)/../checkpoints/step-00000003/"
        #expect(
            try store.abandon(for: start, step: 3, best: best[0])
                == ["step-00000100.abandoned", "step-00000020.abandoned"])
        let left = ["best.json", "step-00000003", "step-00000020.abandoned", "step-00000100.abandoned"]
        #expect(folder.steps == left)
        let mark = try Data(contentsOf: URL(filePath: "\(folder.store)/best.json"))
        #expect(try JSONDecoder().decode(BestCheckpoint.self, from: mark) == best[0])
        #expect(try store.latest(communicator: SoloWorld()) { Issue.record("\($0)") }?.step == 3)
        // A second time and a third, beside what the first set aside.
        for number in 2...3 {
            try TrainedModel.save(20, to: store, SoloWorld())
            let name = "step-00000020.abandoned-\(number)"
            #expect(try store.abandon(for: start, step: 3, best: nil) == [name])
            let aside = try store.open(path: "\(folder.store)/\(name)", communicator: SoloWorld())
            try TrainedModel.check(aside, 20, SoloWorld())
        }
        #expect(folder.steps.filter { !$0.contains("abandoned-") } == Array(left.dropFirst()))
    }

    /// A checkpoint from elsewhere, and one that was set aside itself, become the folder's newest, and nothing of what was there is lost.
    @Test func aCheckpointFromElsewhereIsPutBeforeAllOthers() throws {
        let folder = try TemporaryFolder()
        let (store, other) = (
            CheckpointStore(directory: folder.store, keep: 9),
            CheckpointStore(directory: "\(folder.path)/other/checkpoints", keep: 9)
        )
        // Written by two ranks: its manifest differs from that of the folder's own step 20.
        _ = try ThreadWorld.run(ranks: 2) { try TrainedModel.save(20, to: other, $0) }
        for step in [3, 20, 100] { try TrainedModel.save(step, to: store, SoloWorld()) }
        func newest() throws -> Checkpoint {
            try #require(try store.latest(communicator: SoloWorld()) { Issue.record("\($0)") })
        }
        let (foreign, own) = (
            try other.open(path: "\(other.directory)/step-00000020", communicator: SoloWorld()),
            try store.open(path: "\(folder.store)/step-00000020", communicator: SoloWorld())
        )
        let (foreignDigest, ownDigest) = (try foreign.digest, try own.digest)
        #expect(foreignDigest != ownDigest)
        #expect(
            try store.abandon(for: foreign.path, step: 20, best: nil)
                == ["step-00000100.abandoned", "step-00000020.abandoned", "step-00000003.abandoned"])
        #expect(try newest().digest == foreignDigest)
        try TrainedModel.check(newest(), 20, SoloWorld())
        #expect(
            try store.abandon(for: "\(folder.store)/step-00000020.abandoned", step: 20, best: nil)
                == ["step-00000020.abandoned-2"])
        #expect(try newest().digest == ownDigest)
        try TrainedModel.check(newest(), 20, SoloWorld())
        let aside = ["step-00000003", "step-00000020", "step-00000100"].map { $0 + ".abandoned" }
        #expect(folder.steps == (aside + ["step-00000020", "step-00000020.abandoned-2"]).sorted())
        #expect(FileManager.default.fileExists(atPath: "\(other.directory)/step-00000020/manifest.json"))
    }

    /// A save that was killed just before its end is whole: gone on from by its path, it gets its name.
    @Test func anInterruptedSaveIsGoneOnFrom() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 9)
        for step in [3, 20] { try TrainedModel.save(step, to: store, SoloWorld()) }
        let partial = "\(folder.store)/step-00000020.partial"
        try FileManager.default.moveItem(atPath: "\(folder.store)/step-00000020", toPath: partial)
        #expect(try store.abandon(for: partial, step: 20, best: nil) == ["step-00000003.abandoned"])
        #expect(folder.steps == ["step-00000003.abandoned", "step-00000020"])
        try TrainedModel.check(
            store.open(path: "\(folder.store)/step-00000020", communicator: SoloWorld()), 20, SoloWorld())
    }

    /// Damaged checkpoints do not count, so the last usable ones stay.
    @Test func damagedCheckpointsTakeNoPlace() throws {
        let folder = try TemporaryFolder()
        for step in [1, 2, 3, 4] {
            try TrainedModel.save(step, to: CheckpointStore(directory: folder.store, keep: 9), SoloWorld())
        }
        try FileManager.default.removeItem(atPath: "\(folder.store)/step-00000004/manifest.json")
        try Data().write(to: URL(filePath: "\(folder.store)/step-00000003/state.json"))
        try TrainedModel.save(5, to: CheckpointStore(directory: folder.store, keep: 2), SoloWorld())
        #expect(folder.steps == ["step-00000002", "step-00000005"])
    }

    @Test func aSecondSaveOfAStepReplacesTheFirst() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 2)
        _ = try ThreadWorld.run(ranks: 2) { try TrainedModel.save(7, to: store, $0) }
        try TrainedModel.save(7, to: store, SoloWorld())
        #expect(folder.steps == ["step-00000007"])
        let latest = try #require(try store.latest(communicator: SoloWorld()) { Issue.record("\($0)") })
        try TrainedModel.check(latest, 7, SoloWorld())
    }

    /// What a power cut between the two renames of a replacement leaves.
    @Test func aReplacedCheckpointCountsUntilItsReplacementIsThere() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 3)
        try TrainedModel.save(7, to: store, SoloWorld())
        try FileManager.default.moveItem(
            atPath: "\(folder.store)/step-00000007", toPath: "\(folder.store)/step-00000007.replaced")
        let latest = try #require(try store.latest(communicator: SoloWorld()) { Issue.record("\($0)") })
        try TrainedModel.check(latest, 7, SoloWorld())
        try TrainedModel.save(8, to: store, SoloWorld())
        #expect(folder.steps == ["step-00000007.replaced", "step-00000008"])
        try TrainedModel.save(7, to: store, SoloWorld())
        #expect(folder.steps == ["step-00000007", "step-00000008"])
    }

    @Test func anInterruptedSaveIsInvisibleAndRemoved() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 3)
        try TrainedModel.save(1, to: store, SoloWorld())
        try FileManager.default.copyItem(
            atPath: "\(folder.store)/step-00000001", toPath: "\(folder.store)/step-00000002.partial")
        try FileManager.default.createDirectory(
            atPath: "\(folder.store)/notes.partial", withIntermediateDirectories: false)
        #expect(try store.latest(communicator: SoloWorld()) { Issue.record("\($0)") }?.step == 1)
        try TrainedModel.save(3, to: store, SoloWorld())
        #expect(folder.steps == ["notes.partial", "step-00000001", "step-00000003"])
    }

    // MARK: - Failing saves

    /// What each rank of a world throws, the collective once over: none of them waits for another.
    static func outcomes(ranks: Int, _ body: @escaping @Sendable (any Communicator) throws -> Void) throws -> [Failure?]
    {
        try ThreadWorld.run(ranks: ranks) { world in
            do { try body(world) } catch let failure as Failure { return failure }
            return nil
        }
    }

    @Test(arguments: 1...4) func aFolderThatCannotBeIsOneFailureOnAllRanks(ranks: Int) throws {
        let folder = try TemporaryFolder()
        try Data().write(to: URL(filePath: "\(folder.path)/file"))
        let store = CheckpointStore(directory: "\(folder.path)/file/checkpoints", keep: 1)
        let outcomes = try Self.outcomes(ranks: ranks) { try TrainedModel.save(1, to: store, $0) }
        for outcome in outcomes {
            let failure = try #require(outcome)
            #expect(failure.kind == .cannotCreate)
            #expect(failure.message.contains("\(folder.path)/file"))
            #expect(failure.message == outcomes[0]?.message)
        }
    }

    /// The disk of one rank is full: all ranks say so, and the checkpoint from before is what it was.
    @Test(arguments: 0..<3) func aFullDiskAtOneRankIsOneFailureOnAllRanks(full: Int) throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 1)
        _ = try ThreadWorld.run(ranks: 3) { try TrainedModel.save(1, to: store, $0) }
        let outcomes = try Self.outcomes(ranks: 3) { world in
            var store = store
            if world.rank == full { store.freeBytes = { _ in 1000 } }
            try TrainedModel.save(2, to: store, world)
        }
        for outcome in outcomes {
            let failure = try #require(outcome)
            #expect(failure.kind == .inputOutput)
            for part in ["rank \(full): ", folder.store, "found 1000 free", "free space"] {
                #expect(failure.message.contains(part))
            }
        }
        #expect(folder.steps == ["step-00000001"])
        _ = try ThreadWorld.run(ranks: 2) { world in
            try TrainedModel.check(
                try #require(try store.latest(communicator: world) { Issue.record("\($0)") }), 1, world)
        }
    }

    @Test func ranksThatRanApartSaveNothing() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 1)
        for outcome in try Self.outcomes(ranks: 2, { try TrainedModel.save(10 + $0.rank, to: store, $0) }) {
            let failure = try #require(outcome)
            #expect(failure.kind == .internal && failure.message.contains("different steps: [10, 11]"))
        }
        #expect(folder.steps == [])
    }

    @Test(arguments: [
        ("step-00001000", 1000, false), ("step-123456789", 123_456_789, false), ("step-00000001.replaced", 1, true),
    ]) func directoriesHaveNames(name: String, step: Int, isReplaced: Bool) throws {
        let directory = try #require(StepDirectory(name: name))
        #expect(directory.step == step && directory.isReplaced == isReplaced)
        if !isReplaced { #expect(StepDirectory(step: step).name == name) }
    }

    @Test(arguments: ["step-1000", "step-00001000.partial", "step-0000100a", "step--0001000", "step_00001000", "x", ""])
    func otherNamesAreNotCheckpoints(name: String) { #expect(StepDirectory(name: name) == nil) }
}
