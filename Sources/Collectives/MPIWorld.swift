// The ranks of an MPI job. Not here: messages (Schedules.swift), the side channel (RollCall.swift), start and end of MPI (World.swift).

import Buffers
import Foundation

/// A world whose ranks are processes started by `mpirun` or `srun`. Made by `World.run`, on the thread that initialised MPI.
///
/// Nothing in it blocks inside MPI: a rank that waits tests, at first spinning, then giving up its processor, so that its latency
/// is MPI's own; after a second it also serves the side channel, and past the deadline says who is missing.
public final class MPIWorld: Communicator {
    public let rank: Int
    public let size: Int
    public let ranksOnThisHost: Int
    public var deadline: Duration { settings.deadline }
    public var step = 0

    /// Set before the first collective.
    var settings = CollectiveSettings()
    private let data: MPIGroup
    private let rollCall: RollCall
    private let control: MPIGroup
    private var last = RankReport()
    /// Collectives started and not complete, in order.
    private var active: [MPIRequest] = []
    /// Unsuccessful tests before a waiting rank gives up its processor; 0 when ranks outnumber processors.
    private let spins: Int
    private var lastServed = ContinuousClock.now

    /// *Collective.* Blocks without deadline; MPI has been initialised.
    init(host: String) throws {
        data = try MPIGroup()
        control = try MPIGroup()
        rank = try data.rank()
        size = try data.size()
        ranksOnThisHost = try data.sharedSize()
        let width = 64
        let name = Array(host.utf8.prefix(width))
        let names = try data.gatherBytes(name + Array(repeating: 0, count: width - name.count), size: size)
        let hosts = stride(from: 0, to: names.count, by: width).map {
            String(decoding: names[$0..<$0 + width].prefix { $0 != 0 }, as: UTF8.self)
        }
        rollCall = RollCall(rank: rank, size: size, hosts: hosts, group: control)
        spins = ranksOnThisHost > ProcessInfo.processInfo.activeProcessorCount ? 0 : 1000
    }

    public func start(_ collective: Collective) throws -> any CollectiveRequest {
        collective.validate(rank: rank, size: size)
        last = RankReport(sequence: last.sequence + 1, step: step, signature: CollectiveSignature(collective))
        if settings.checks { try checkAgreement() }
        return try begin(schedule(collective), holding: collective)
    }

    private func schedule(_ collective: Collective) -> any Schedule {
        let route = route(data)
        switch collective {
        case .allReduce(let values, let reduction): return ReduceSchedule(allReduce: values, reduction, route)
        case .allGather(let local, let counts, let result):
            return GatherSchedule(local, counts: counts, into: result, route)
        case .reduceScatter(let values, let counts, let result, let reduction):
            return ReduceSchedule(reduceScatter: values, counts: counts, into: result, reduction, route)
        case .broadcast(let values, let root): return LibrarySchedule(broadcast: values, root: root, route)
        case .barrier: return LibrarySchedule(barrier: route)
        }
    }

    /// Two tags per collective; the smallest range that MPI guarantees (0 ... 32767) serves 16384 collectives under way.
    private func route(_ group: MPIGroup) -> Route {
        Route(rank: rank, size: size, group: group, chunk: settings.chunk, tag: Int32(last.sequence % 16384) * 2)
    }

    private func begin(_ schedule: any Schedule, holding collective: Collective?) throws -> MPIRequest {
        let request = MPIRequest(schedule, collective, last, world: self)
        active.append(request)
        try request.progress()
        return request
    }

    /// *Collective.* The last of a job: a rank that has ended waits here, and says so to those who ask.
    func finish() throws {
        last = RankReport(sequence: last.sequence, step: step, signature: CollectiveSignature(kind: .finish))
        try begin(LibrarySchedule(barrier: route(control)), holding: nil).wait()
    }

    /// Whether this rank is the one whose message the user sees.
    func claimFailure() -> Bool { rollCall.claimFailure(last) }

    /// Compares what all ranks say about the collective that they start now; waits for them.
    private func checkAgreement() throws {
        let words = Words(count: size * RankReport.wordCount)
        let rollCall = rollCall
        let report = last
        let exchange = CheckSchedule { try rollCall.postCheck(report, &$0, words) }
        try begin(exchange, holding: nil).wait()
        let said = words.array
        let reports = (0..<size).map {
            RankReport(words: Array(said[$0 * RankReport.wordCount..<($0 + 1) * RankReport.wordCount]))
        }
        if let error = CollectiveError.disagreement(reports) { throw error }
    }

    /// Moves every collective under way on: one may wait for what another rank sends in a later one.
    fileprivate func progress() throws {
        var anyDone = false
        for request in active {
            try request.progress()
            anyDone = anyDone || request.isDone
        }
        if anyDone { active.removeAll { $0.isDone } }
    }

    /// Tests until `request` is complete. Spins, then yields, then (after a second) naps and listens; past the deadline, asks.
    fileprivate func wait(_ request: MPIRequest, _ report: RankReport) throws {
        var turns = 0
        var patience = Patience()
        var vigil = Vigil()
        try progress()
        while !request.isDone {
            turns += 1
            if turns > spins { sched_yield() }
            if vigil.isLate || turns & 127 == 0 {
                let waited = patience.look()
                vigil.isLate = waited > min(.seconds(1), settings.deadline / 2)
                if vigil.isLate {
                    usleep(waited < .seconds(10) ? 100 : 1000)
                    try listen(report, waited, &vigil)
                }
            }
            try progress()
        }
    }

    /// What a rank that only tests owes to those that wait: an answer now and then.
    fileprivate func answer() throws {
        let now = ContinuousClock.now
        guard now - lastServed > .milliseconds(500) else { return }
        lastServed = now
        try rollCall.serve(last)
    }

    /// Serves the side channel, asks past the deadline, and throws when the answers are in.
    private func listen(_ report: RankReport, _ waited: Duration, _ vigil: inout Vigil) throws {
        guard waited - vigil.lastServed > .milliseconds(10) else { return }
        vigil.lastServed = waited
        try rollCall.serve(last)
        // Another rank ends the job; the launcher is about to end this one. Wait for that, but not for ever.
        if vigil.givesUp == nil, !rollCall.failing.isEmpty { vigil.givesUp = waited + .seconds(30) }
        if vigil.givesUp == nil, waited > settings.deadline {
            try rollCall.ask()
            vigil.givesUp = waited + RollCall.grace
        }
        guard let givesUp = vigil.givesUp, waited > givesUp else { return }
        // Ranks whose deadlines pass together: the lowest speaks, the others give it time.
        if !vigil.hasDeferred, rollCall.asking.contains(where: { $0 < rank }) {
            vigil.hasDeferred = true
            vigil.givesUp = waited + .seconds(2)
            return
        }
        throw CollectiveError.deadline(report, waited: settings.deadline, missing: rollCall.missing(in: report))
    }
}

/// How far a waiting rank has gone with its questions.
private struct Vigil {
    var isLate = false
    var lastServed = Duration.zero
    /// When this rank stops listening and fails.
    var givesUp: Duration?
    var hasDeferred = false
}

/// One stage, posted by a closure.
private final class CheckSchedule: Schedule {
    private let post: (inout Mailbox) throws -> Void
    private var posted = false

    init(_ post: @escaping (inout Mailbox) throws -> Void) { self.post = post }

    func advance(_ mail: inout Mailbox) throws -> Bool {
        guard !posted else { return false }
        posted = true
        try post(&mail)
        return !mail.isEmpty
    }
}

/// A collective of one rank of an `MPIWorld`.
private final class MPIRequest: CollectiveRequest {
    private let schedule: any Schedule
    /// Keeps the buffers until the end.
    private var collective: Collective?
    private let report: RankReport
    private let world: MPIWorld
    private var mail = Mailbox()
    private(set) var isDone = false

    init(_ schedule: any Schedule, _ collective: Collective?, _ report: RankReport, world: MPIWorld) {
        self.schedule = schedule
        self.collective = collective
        self.report = report
        self.world = world
    }

    func test() throws -> Bool {
        try world.progress()
        if !isDone { try world.answer() }
        return isDone
    }

    func wait() throws { try world.wait(self, report) }

    /// Lets MPI work, and posts the next stages as far as they can be.
    func progress() throws {
        guard !isDone else { return }
        do {
            try mail.test()
            while mail.isEmpty {
                guard try schedule.advance(&mail) else {
                    isDone = true
                    collective = nil
                    return
                }
            }
        } catch let error as CollectiveError {
            throw CollectiveError(
                error.kind, "step \(report.step): \(report.signature.title(report.sequence)): \(error.message)")
        }
    }
}
