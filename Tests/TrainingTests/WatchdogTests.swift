// A rank that gets nowhere, and a stop that comes while it is busy elsewhere. Not here: ranks that wait for each other (CollectivesTests),
// whole jobs (Tests/Faults).

import Collectives
import Datasets
import Failures
import Foundation
import Synchronization
import Testing

@testable import Training

@Suite(.serialized) struct WatchdogTests {
    /// What a watchdog said, if it did. Processor time is the process's: each case has one of its own.
    private static func watch(
        _ phase: Phase, deadline: Duration, isAsked: Bool = false, for time: Duration, _ work: (Heartbeat) -> Void
    ) -> Failure? {
        let said = Mutex<Failure?>(nil)
        let heartbeat = Heartbeat(ranks: 1)
        heartbeat.beat(phase, step: 4)
        let watchdog = Watchdog(
            heartbeat, communicator: SoloWorld(deadline: deadline), stopRequested: { isAsked },
            end: { failure in said.withLock { $0 = failure } })
        let end = ContinuousClock.now + time
        while ContinuousClock.now < end { work(heartbeat) }
        watchdog.stop()
        return said.withLock { $0 }
    }

    /// Waiting is nothing, computing is something, and so is a step that ends.
    @Test func onlyIdlenessCounts() async {
        await #expect(processExitsWith: .success) {
            let idle = Self.watch(.data, deadline: .seconds(1), for: .seconds(4)) { _ in usleep(100_000) }
            let failure = try #require(idle)
            try #require(failure.kind == .resumable)
            try #require(failure.message.hasPrefix("step 5: waiting for its batch: nothing has moved for 1"))
            var sum = 0.0
            try #require(Self.watch(.data, deadline: .seconds(1), for: .seconds(3)) { _ in sum += 1 } == nil)
            try #require(
                Self.watch(.data, deadline: .seconds(2), for: .seconds(4)) { heartbeat in
                    heartbeat.beat(.data, step: Int(sum))
                    usleep(300_000)
                } == nil)
        }
    }

    /// Who waits for another to unpack data is not stuck while that one gets on, and a start-up's heartbeat is renewed as long.
    @Test func waitingForAnUnpackingIsNoIdleness() async {
        await #expect(processExitsWith: .success) {
            let path = FileManager.default.temporaryDirectory.appending(path: "heartbeat-\(UUID()).json").path
            defer { try? FileManager.default.removeItem(atPath: path) }
            var (isFirst, renewed) = (true, 0)
            let said = Self.watch(.start, deadline: .seconds(2), for: .seconds(4)) { heartbeat in
                if isFirst { heartbeat.announce(at: path) }
                isFirst = false
                Unpacking.noteProgress()
                usleep(300_000)
                // The watchdog writes what is removed.
                if unlink(path) == 0 { renewed += 1 }
            }
            try #require(said == nil && renewed > 5)
            // To renew it is no sign of life.
            isFirst = true
            let idle = Self.watch(.start, deadline: .seconds(1), for: .seconds(4)) { heartbeat in
                if isFirst { heartbeat.announce(at: path) }
                isFirst = false
                usleep(100_000)
            }
            try #require(idle?.message.hasPrefix("start-up: reading data or a checkpoint: nothing has moved") == true)
        }
    }

    /// Ranks that have read their data wait for one that has not for longer than a collective may take, and are not idle meanwhile; that one is
    /// its watchdog's to judge. A failure is everybody's.
    @Test(arguments: [1, 3]) func ranksWaitWhileOneReads(_ ranks: Int) throws {
        let settings = CollectiveSettings(deadline: .seconds(1))
        let haveBeaten = try ThreadWorld.run(ranks: ranks, settings: settings) { communicator in
            let heartbeat = Heartbeat(ranks: ranks)
            let (rank, start) = (communicator.rank, heartbeat.state.since)
            let found = try agreedPatiently(communicator, heartbeat) {
                if rank == ranks - 1 { usleep(2_500_000) }
                return rank
            }
            #expect(found == rank)
            return heartbeat.state.since != start
        }
        #expect(haveBeaten == (0..<ranks).map { $0 < ranks - 1 })
        let failure = #expect(throws: Failure.self) {
            try ThreadWorld.run(ranks: ranks) { communicator in
                let rank = communicator.rank
                try agreedPatiently(communicator, Heartbeat(ranks: ranks)) {
                    if rank == ranks - 1 { throw Failure(.data, "torn") }
                }
            }
        }
        #expect(failure?.kind == .data && failure?.message == (ranks == 1 ? "torn" : "rank \(ranks - 1): torn"))
    }

    /// Asked to stop, a process that waits for data is not given its whole deadline; one that writes a checkpoint is.
    @Test(arguments: [(Phase.data, true), (.checkpoint, false)]) func aStopShortensPatience(
        _ phase: Phase, _ ends: Bool
    ) async {
        await #expect(processExitsWith: .success) { [phase = phase.rawValue as String, ends = ends as Bool] in
            let phase = try #require(Phase(rawValue: phase))
            let said = Self.watch(phase, deadline: .seconds(60), isAsked: true, for: .seconds(7)) { _ in usleep(50_000)
            }
            try #require((said != nil) == ends)
            if let said { try #require(said.message.contains("asked to stop, but nothing has moved for 5")) }
        }
    }

    /// A stop in the middle of an evaluation ends it on all ranks, saves, and leaves the evaluation to the next run.
    @Test(arguments: [1, 3]) func anEvaluationIsInterrupted(_ ranks: Int) throws {
        let tiny = try TinyRun.shared.get()
        let configuration = try tiny.configuration([
            "steps=4", "evaluate={every: 2, chunk: 2, sets: {held: \(tiny.folder)/train.jsonl}}",
        ])
        let summaries = try ThreadWorld.run(ranks: ranks) { communicator in
            let trainer = try Trainer(configuration: configuration, progress: .silent, communicator: communicator)
            // Asked between the second step's end and its evaluation, on one rank alone.
            let asked = communicator.rank == ranks - 1
            let folder = trainer.folder
            trainer.stopRequested = {
                asked
                    && (try? String(contentsOfFile: folder.heartbeat, encoding: .utf8))?.contains("evaluation") == true
            }
            return try trainer.run()
        }
        #expect(summaries.allSatisfy { $0.wasStopped && $0.step == 2 })
        #expect(RunFolder(configuration.folder).hasCheckpoints)
        let summary = try train(configuration, ranks: ranks).summary
        #expect(summary.step == 4 && !summary.wasStopped)
        let evaluated = try metrics(configuration).filter { $0["held.alignment"] != nil }.map { $0["step"] as? Int }
        #expect(evaluated == [2, 4])
    }

    /// A path that a thread waits for may lie across two pages, or end where memory does.
    @Test(arguments: [1, 5, 11]) func aPathIsReadAcrossPages(before: Int) throws {
        let page = 4096
        let memory = try #require(
            mmap(nil, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "no memory")
        defer { munmap(memory, 2 * page) }
        let place = memory + page - before
        let address = UInt64(UInt(bitPattern: place))
        place.copyMemory(from: "images/7.png", byteCount: 12)
        #expect(StuckCalls.text(at: address) == "images/7.png")
        try #require(munmap(memory + page, page) == 0)
        #expect(StuckCalls.text(at: address) == nil)
    }
}
