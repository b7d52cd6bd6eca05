// Saves that go on while their caller does something else, and the best checkpoint. Not here: what is saved (CheckpointStoreTests.swift).

import Collectives
import Failures
import Foundation
import Synchronization
import Testing

@testable import Checkpoints

@Suite struct PendingSaveTests {
    /// A disk that does nothing until it is opened, or breaks when it is.
    final class Gate: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)
        func open() { for _ in 0..<8 { semaphore.signal() } }
        func wait() { semaphore.wait() }
    }

    /// While one rank's disk is slow there is no checkpoint, and nobody waits for it; then there is one.
    @Test(arguments: 1...4) func nothingWaitsForTheDisk(ranks: Int) throws {
        let folder = try TemporaryFolder()
        let gate = Gate()
        _ = try ThreadWorld.run(ranks: ranks) { world in
            var store = CheckpointStore(directory: folder.store, keep: 1)
            if world.rank == ranks - 1 { store.beforeWriting = { gate.wait() } }
            let save = try TrainedModel.begin(5, to: store, world)
            for _ in 0..<20 { #expect(try !save.poll()) }
            #expect(save.seconds == nil)
            #expect(folder.steps == ["step-00000005.partial"])
            try world.barrier()
            if world.rank == 0 { gate.open() }
            try save.finish()
            #expect(try save.poll() && save.seconds.map { $0 > 0 } == true)
            #expect(folder.steps == ["step-00000005"])
            try TrainedModel.check(
                try #require(try store.latest(communicator: world) { Issue.record("\($0)") }), 5, world)
        }
    }

    /// Who has written its part says so while it waits for another's disk; who waits for its own does not.
    @Test func whoWaitsForAnotherSaysSo() throws {
        let folder = try TemporaryFolder()
        let gate = Gate()
        let isOpen = Mutex(false)
        _ = try ThreadWorld.run(ranks: 2) { world in
            var store = CheckpointStore(directory: folder.store, keep: 1)
            if world.rank == 1 { store.beforeWriting = { gate.wait() } }
            let save = try TrainedModel.begin(5, to: store, world)
            try save.finish {
                if world.rank == 0 {
                    isOpen.withLock { $0 = true }
                    gate.open()
                }
                #expect(isOpen.withLock { $0 })
            }
        }
        #expect(folder.steps == ["step-00000005"])
    }

    /// `best` is the step that best.json names; without one, or with a damaged one, a sentence says so.
    @Test func bestIsAName() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.store, withIntermediateDirectories: true)
        let (path, file) = ("\(folder.store)/best", "\(folder.store)/\(BestCheckpoint.file)")
        let missing = #expect(throws: Failure.self) { try BestCheckpoint.resolve(path) }
        #expect(missing?.kind == .inputMissing && missing?.message.contains(file) == true)
        try BestCheckpoint(step: 30, measure: "s.m", value: 0.5).encoded().write(to: URL(fileURLWithPath: file))
        #expect(try BestCheckpoint.resolve(path) == "\(folder.store)/step-00000030")
        #expect(try BestCheckpoint.resolve(path + "/") == "\(folder.store)/step-00000030")
        #expect(try BestCheckpoint.resolve("\(folder.store)/step-00000010") == "\(folder.store)/step-00000010")
        try Data("{}".utf8).write(to: URL(fileURLWithPath: file))
        let damaged = #expect(throws: Failure.self) { try BestCheckpoint.resolve(path) }
        #expect(damaged?.kind == .data)
    }

    /// A rank whose disk fails after the save has begun: all ranks hear of it, the partial is gone, the one from before is whole.
    @Test(arguments: 0..<3) func aDiskThatFailsLaterIsOneFailureOnAllRanks(failing: Int) throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 1)
        _ = try ThreadWorld.run(ranks: 3) { try TrainedModel.save(1, to: store, $0) }
        let outcomes = try CheckpointStoreTests.outcomes(ranks: 3) { world in
            var store = store
            if world.rank == failing { store.beforeWriting = { throw Failure(.inputOutput, "the disk burns") } }
            let save = try TrainedModel.begin(2, to: store, world)
            while try !save.poll() { Thread.sleep(forTimeInterval: 0.001) }
        }
        for outcome in outcomes {
            #expect(try #require(outcome).kind == .inputOutput)
            #expect(outcome?.message == "rank \(failing): the disk burns")
        }
        #expect(folder.steps == ["step-00000001"])
        // The next one succeeds.
        _ = try ThreadWorld.run(ranks: 3) { try TrainedModel.save(3, to: store, $0) }
        #expect(folder.steps == ["step-00000003"])
    }

    /// A save that is dropped, as when its rank fails, leaves no thread behind that writes.
    @Test func aDroppedSaveIsOver() throws {
        let folder = try TemporaryFolder()
        let gate = Gate()
        var store = CheckpointStore(directory: folder.store, keep: 1)
        store.beforeWriting = {
            gate.wait()
            Thread.sleep(forTimeInterval: 0.05)
        }
        var save: PendingSave? = try TrainedModel.begin(1, to: store, SoloWorld())
        gate.open()
        save = nil
        #expect(save == nil)
        let left = try FileManager.default.contentsOfDirectory(atPath: "\(folder.store)/step-00000001.partial").sorted()
        #expect(left.count == 5 && !left.contains(where: { $0.hasSuffix(".partial") }))
    }

    @Test(arguments: [1, 2]) func theBestIsKeptBeyondTheNewest(keep: Int) throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: keep)
        let best = BestCheckpoint(step: 2, measure: "unseen.mrr", value: 0.5)
        for step in 1...5 {
            try TrainedModel.save(step, to: store, best: step < 2 ? nil : best, SoloWorld())
        }
        let newest = (6 - keep...5).map { StepDirectory(step: $0).name }
        #expect(folder.steps == ["best.json", "step-00000002"] + newest)
        let file = try Data(contentsOf: URL(filePath: "\(folder.store)/best.json"))
        #expect(try JSONDecoder().decode(BestCheckpoint.self, from: file) == best)
        // A better one takes its place.
        try TrainedModel.save(
            6, to: store, best: BestCheckpoint(step: 6, measure: "unseen.mrr", value: 0.6), SoloWorld())
        #expect(folder.steps == ["best.json"] + (7 - keep...6).map { StepDirectory(step: $0).name })
    }

    /// A best one that was damaged is no better than others; one that was removed takes nobody's place.
    @Test func aDamagedBestIsNotKept() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(directory: folder.store, keep: 1)
        let best = BestCheckpoint(step: 1, measure: "unseen.mrr", value: 0.5)
        for step in 1...2 { try TrainedModel.save(step, to: store, best: best, SoloWorld()) }
        #expect(folder.steps == ["best.json", "step-00000001", "step-00000002"])
        try FileManager.default.removeItem(atPath: "\(folder.store)/step-00000001/state.json")
        for step in 3...4 { try TrainedModel.save(step, to: store, best: best, SoloWorld()) }
        #expect(folder.steps == ["best.json", "step-00000004"])
    }
}
