// W ranks as threads of one process. Not here: the work of a collective (Meeting.swift), exit codes (World.swift).

import Buffers
import Foundation

/// A world whose ranks are threads: for the debugger, for tests, and for `--ranks N` without `mpirun`.
///
/// The ranks share the process; a collective copies directly between their buffers, and any rank that waits helps. Comparing what
/// the ranks say (`CollectiveSettings.checks`) is always on. When one rank fails or ends early, those that wait for it fail too.
public final class ThreadWorld: Communicator {
    public let rank: Int
    public var size: Int { hall.size }
    public var ranksOnThisHost: Int { hall.size }
    public var deadline: Duration { hall.settings.deadline }
    public let sharesProcess = true
    public var step = 0

    private let hall: Hall
    private var sequence = 0
    private var commonPieces = 0

    fileprivate init(rank: Int, hall: Hall) {
        self.rank = rank
        self.hall = hall
    }

    public func start(_ collective: Collective) throws -> any CollectiveRequest {
        collective.validate(rank: rank, size: size)
        sequence += 1
        let report = RankReport(sequence: sequence, step: step, signature: CollectiveSignature(collective))
        let meeting = try hall.arrive(rank, collective, report)
        return ThreadRequest(meeting: meeting, hall: hall, report: report)
    }

    /// Neighbours see all memory of this process: `common` memory is one piece that all are given.
    public func nodeMemory(_ kind: NodeMemoryKind, byteCount: Int) throws -> NodeMemory {
        guard kind == .common, hall.settings.sharesMemory else {
            return NodeMemory(Memory(byteCount: byteCount), isFirst: true)
        }
        commonPieces += 1
        return NodeMemory(hall.common(commonPieces, byteCount: byteCount), isFirst: rank == 0)
    }

    /// Runs `body` on every rank, each on its own thread, and returns the results in rank order.
    ///
    /// - Throws: what the first failing rank threw. Ranks in a collective are woken; a rank that is busy elsewhere is given two
    ///   seconds to come to an end and is then left behind.
    /// - Precondition: `ranks` ≥ 1.
    public static func run<Result: Sendable>(
        ranks: Int, settings: CollectiveSettings = CollectiveSettings(),
        _ body: @escaping @Sendable (any Communicator) throws -> Result
    ) throws -> [Result] {
        switch outcome(ranks: ranks, settings: settings, whenOneFails: { _, _ in }, body) {
        case .success(let results): return results
        case .failure(let failure): throw failure.error
        }
    }

    /// The first rank that failed, and what it threw.
    struct RankFailure: Error {
        let rank: Int
        let error: any Error
    }

    /// As `run`; `whenOneFails` is called once, at once, on the failing rank's thread.
    static func outcome<Value: Sendable>(
        ranks: Int, settings: CollectiveSettings, whenOneFails: @escaping @Sendable (Int, any Error) -> Void,
        _ body: @escaping @Sendable (any Communicator) throws -> Value
    ) -> Result<[Value], RankFailure> {
        precondition(ranks >= 1, "a world of \(ranks) ranks")
        let hall = Hall(size: ranks, settings: settings)
        let results = Results<Value>(count: ranks)
        for rank in 0..<ranks {
            let thread = Thread {
                do {
                    results.set(rank, try body(ThreadWorld(rank: rank, hall: hall)))
                    hall.leave(rank)
                } catch {
                    if hall.fail(rank, error) { whenOneFails(rank, error) }
                }
                hall.end()
            }
            thread.name = "rank \(rank)"
            thread.stackSize = 16 << 20
            thread.start()
        }
        if let failure = hall.waitForAll(grace: .seconds(2)) { return .failure(failure) }
        return .success(results.all)
    }
}

/// What the ranks return, filled from their threads.
private final class Results<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var values: [Value?]

    init(count: Int) { values = Array(repeating: nil, count: count) }

    func set(_ rank: Int, _ value: Value) { lock.withLock { values[rank] = value } }
    var all: [Value] { lock.withLock { values.compactMap { $0 } } }
}

/// A collective of one rank of a `ThreadWorld`.
private final class ThreadRequest: CollectiveRequest {
    private let meeting: Meeting
    private let hall: Hall
    private let report: RankReport

    init(meeting: Meeting, hall: Hall, report: RankReport) {
        self.meeting = meeting
        self.hall = hall
        self.report = report
    }

    func test() throws -> Bool { try hall.help(meeting, report) }
    func wait() throws { try hall.wait(meeting, report) }
}

/// Where the ranks of one `ThreadWorld` meet: one lock, one condition, the meetings that not all have reached.
private final class Hall: @unchecked Sendable {
    let size: Int
    let settings: CollectiveSettings
    private let condition = NSCondition()
    private var open: [Int: Meeting] = [:]
    private var lastSeen: [RankReport]
    private var left: Set<Int> = []
    private var ended = 0
    private var failure: ThreadWorld.RankFailure?
    /// Common memory that not all ranks have asked for yet, by its number, and how many have.
    private var commons: [Int: (memory: Memory, takers: Int)] = [:]

    init(size: Int, settings: CollectiveSettings) {
        self.size = size
        self.settings = settings
        lastSeen = Array(repeating: RankReport(), count: size)
    }

    /// Elements of one piece of work: large enough to outweigh the lock, small enough for all ranks to help.
    private var pieceElements: Int { min(settings.chunk, 1 << 16) }

    /// The piece of that number, made for the first rank that asks.
    func common(_ number: Int, byteCount: Int) -> Memory {
        locked {
            let (memory, takers) = commons[number] ?? (Memory(byteCount: byteCount), 0)
            precondition(memory.byteCount == byteCount, "common memory of \(memory.byteCount) and \(byteCount) bytes")
            commons[number] = takers + 1 == size ? nil : (memory, takers + 1)
            return memory
        }
    }

    func arrive(_ rank: Int, _ collective: Collective, _ report: RankReport) throws -> Meeting {
        try locked {
            try throwIfFailed(report)
            lastSeen[rank] = report
            let meeting = open[report.sequence] ?? Meeting(sequence: report.sequence, size: size)
            open[report.sequence] = meeting
            try meeting.arrive(rank, collective, report, chunk: pieceElements)
            if meeting.hasAll {
                open[report.sequence] = nil
                condition.broadcast()
            }
            return meeting
        }
    }

    /// Does whatever work of the meeting is left; true when it is complete.
    func help(_ meeting: Meeting, _ report: RankReport) throws -> Bool {
        try locked {
            if work(on: meeting) { return true }
            try throwIfFailed(report)
            return false
        }
    }

    func wait(_ meeting: Meeting, _ report: RankReport) throws {
        var patience = Patience()
        var yields = 0
        try locked {
            while !work(on: meeting) {
                try throwIfFailed(report)
                try throwIfImpossible(meeting, report)
                if yields < 100 {
                    yields += 1
                    condition.unlock()
                    sched_yield()
                    condition.lock()
                    continue
                }
                let waited = patience.look()
                if waited >= settings.deadline { throw deadlineError(meeting, report, waited) }
                let slice = min((settings.deadline - waited) / .seconds(1), 0.5)
                _ = condition.wait(until: Date(timeIntervalSinceNow: slice))
            }
        }
    }

    /// A rank's body has returned: it will come to no more meetings.
    func leave(_ rank: Int) {
        locked {
            left.insert(rank)
            condition.broadcast()
        }
    }

    /// A rank's body has thrown; true for the first.
    func fail(_ rank: Int, _ error: any Error) -> Bool {
        locked {
            condition.broadcast()
            guard failure == nil else { return false }
            failure = ThreadWorld.RankFailure(rank: rank, error: error)
            return true
        }
    }

    /// A rank's thread has nothing left to do, its message included.
    func end() {
        locked {
            ended += 1
            condition.broadcast()
        }
    }

    /// Returns when all ranks have ended, or `grace` after one has failed.
    func waitForAll(grace: Duration) -> ThreadWorld.RankFailure? {
        locked {
            var end: Date?
            while ended < size {
                if failure != nil, end == nil { end = Date(timeIntervalSinceNow: grace / .seconds(1)) }
                if let end {
                    if !condition.wait(until: end) { break }
                } else {
                    condition.wait()
                }
            }
            return failure
        }
    }

    private func locked<Value>(_ body: () throws -> Value) rethrows -> Value {
        condition.lock()
        defer { condition.unlock() }
        return try body()
    }

    /// Called with the lock held, which it gives up while it works. Returns whether the meeting is complete.
    private func work(on meeting: Meeting) -> Bool {
        while let piece = meeting.take() {
            let arrivals = meeting.arrivals.compactMap { $0 }
            condition.unlock()
            Meeting.perform(piece, arrivals)
            condition.lock()
            if meeting.finish() { condition.broadcast() }
        }
        return meeting.isComplete
    }

    private func throwIfFailed(_ report: RankReport) throws {
        guard let failure else { return }
        throw CollectiveError(
            .lostPeer,
            "step \(report.step): \(report.signature.title(report.sequence)): rank \(failure.rank) failed: \(failure.error)"
        )
    }

    /// A rank that has returned can no longer arrive.
    private func throwIfImpossible(_ meeting: Meeting, _ report: RankReport) throws {
        guard !meeting.hasAll, !left.isEmpty else { return }
        let gone = left.filter { meeting.arrivals[$0] == nil }.sorted()
        guard !gone.isEmpty else { return }
        let who = gone.map { "rank \($0) has ended (\(lastSeen[$0].lastSeen))" }.joined(separator: ", ")
        throw CollectiveError(
            .lostPeer, "step \(report.step): \(report.signature.title(report.sequence)) cannot complete: \(who)")
    }

    private func deadlineError(_ meeting: Meeting, _ report: RankReport, _ waited: Duration) -> CollectiveError {
        let missing = (0..<size).filter { meeting.arrivals[$0] == nil }.map { "rank \($0) (\(lastSeen[$0].lastSeen))" }
        return .deadline(report, waited: waited, missing: missing)
    }
}
