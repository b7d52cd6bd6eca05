// The ranks of an MPI job. Not here: messages (Schedules.swift, NodeSchedules.swift, SharedSchedules.swift), the side channel (RollCall.swift), start and end of
// MPI (World.swift).

import Buffers
import Foundation

/// A world whose ranks are processes started by `mpirun` or `srun`. Made by `World.run`, on the thread that initialised MPI.
///
/// Nothing in it blocks inside MPI: a rank that waits tests, at first spinning, then giving up its processor, so that its latency
/// is MPI's own; after a second it also serves the side channel, and past the deadline says who is missing.
///
/// MPI moves messages only inside its own calls. Where ranks span several nodes, a thread calls it now and then while this rank computes
/// and collectives are under way (`ProgressThread`); `lock` keeps the two apart.
public final class MPIWorld: Communicator {
    public let rank: Int
    public let size: Int
    public private(set) var nodes: [[Int]]
    public let ranksOnThisHost: Int
    public var deadline: Duration { settings.deadline }
    public var step = 0

    /// Set before the first collective.
    var settings = CollectiveSettings() {
        didSet {
            nodes = Self.split(nodes, into: settings.ranksPerNode)
            layout = NodeLayout(nodes, rank: rank)
        }
    }
    /// The nodes from where this rank stands.
    private var layout: NodeLayout
    /// Whether there are several hosts, whatever the settings make of them.
    let spansHosts: Bool
    private let data: MPIGroup
    private let rollCall: RollCall
    private let control: MPIGroup
    private var last = RankReport()
    /// Collectives started and not complete, in order.
    private var active: [MPIRequest] = []
    /// Unsuccessful tests before a waiting rank gives up its processor; 0 when ranks outnumber processors.
    private let spins: Int
    private var lastServed = ContinuousClock.now
    /// Held by whoever calls MPI.
    let lock = NSLock()
    private var thread: ProgressThread?
    /// What went wrong on the progress thread; thrown by the next call of this rank's own.
    private var failure: (any Error)?
    /// What this rank shares with its neighbours, as long as somebody uses it.
    private var shared: [(memory: WeakMemory, region: SharedMemory)] = []
    /// Present once memory is shared.
    private var flags: (memory: Memory, words: NodeFlags)?
    private var sharedCollectives = 0
    private var hasAgreedOnNodes = false
    public private(set) var sharingRefusal: String?

    /// *Collective.* Blocks without deadline; MPI has been initialised.
    init(host: String) throws {
        data = try MPIGroup()
        control = try MPIGroup()
        rank = try data.rank()
        size = try data.size()
        let leader = try data.nodeLeader()
        let leaders = try data.gatherBytes(withUnsafeBytes(of: Int64(leader)) { Array($0) }, size: size)
        nodes = Self.nodes(
            leaders: (0..<size).map { rank in
                leaders.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: 8 * rank, as: Int64.self)) }
            })
        let width = 64
        let name = Array(host.utf8.prefix(width))
        let names = try data.gatherBytes(name + Array(repeating: 0, count: width - name.count), size: size)
        let hosts = stride(from: 0, to: names.count, by: width).map {
            String(decoding: names[$0..<$0 + width].prefix { $0 != 0 }, as: UTF8.self)
        }
        layout = NodeLayout(nodes, rank: rank)
        spansHosts = nodes.count > 1
        rollCall = RollCall(rank: rank, size: size, hosts: hosts, group: control)
        ranksOnThisHost = nodes.first { $0.contains(leader) }?.count ?? 1
        spins = ranksOnThisHost > ProcessInfo.processInfo.activeProcessorCount ? 0 : 1000
    }

    /// Ranks by node, from the lowest rank of each rank's node.
    static func nodes(leaders: [Int]) -> [[Int]] {
        Dictionary(grouping: leaders.indices) { leaders[$0] }.values.sorted { $0[0] < $1[0] }
    }

    /// Nodes of at most `count` ranks each.
    static func split(_ nodes: [[Int]], into count: Int?) -> [[Int]] {
        guard let count else { return nodes }
        return nodes.flatMap { node in
            stride(from: 0, to: node.count, by: count).map { Array(node[$0..<min($0 + count, node.count)]) }
        }.sorted { $0[0] < $1[0] }
    }

    /// Lets a thread move collectives on, where the settings or the layout want one.
    func startProgress(isAllowed: Bool) {
        guard isAllowed, settings.progresses ?? (nodes.count > 1) else { return }
        thread = ProgressThread { [weak self] in self?.progressBehind() ?? false }
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
            if let node = view(of: result, .common) {
                return SharedGatherSchedule(local, counts: counts, into: result, route, node)
            }
            return hasAgreedOnNodes && layout.isShared
                ? NodeGatherSchedule(local, counts: counts, into: result, route, layout)
                : GatherSchedule(local, counts: counts, into: result, route)
        case .reduceScatter(let values, let counts, let result, let reduction):
            if let node = view(of: values, .own) {
                return SharedReduceSchedule(values, counts: counts, into: result, reduction, route, node)
            }
            return hasAgreedOnNodes && layout.isShared
                ? NodeReduceSchedule(values, counts: counts, into: result, reduction, route, layout)
                : ReduceSchedule(reduceScatter: values, counts: counts, into: result, reduction, route)
        case .broadcast(let values, let root): return LibrarySchedule(broadcast: values, root: root, route)
        case .barrier: return LibrarySchedule(barrier: route)
        }
    }

    /// How this rank's node shares the memory of a payload; nil where it does not. Counts: every rank asks for the same collectives.
    private func view(of payload: Payload, _ kind: NodeMemoryKind) -> NodeView? {
        shared.removeAll { $0.memory.memory == nil }
        guard let flags,
            let (region, offset) = shared.lazy.compactMap({ entry -> (SharedMemory, Int)? in
                guard entry.region.kind == kind, let offset = entry.region.offset(of: payload) else { return nil }
                return (entry.region, offset)
            }).first
        else { return nil }
        sharedCollectives += 1
        return NodeView(
            memory: region, flags: flags.words, number: sharedCollectives, offset: offset, layout: layout)
    }

    /// Compares what decides which way collectives go, before any goes it: variables that reached some ranks only would leave the others
    /// waiting.
    func agreeOnNodes() throws {
        guard !hasAgreedOnNodes else { return }
        try requireAgreement(
            on: "\(settings.sharesMemory) \(nodes)", what: "idea of who shares memory",
            remedy: "give FANOISE_SHARED_MEMORY and FANOISE_RANKS_PER_NODE to all ranks (mpirun -x NAME)")
        hasAgreedOnNodes = true
    }

    /// Makes the words of this node when there are none yet. *Collective.* False where memory cannot be shared.
    func prepareFlags() throws -> Bool {
        if flags == nil, let (memory, region) = try share(.own, byteCount: NodeFlags.byteCount) {
            flags = (memory, NodeFlags(region))
        }
        return flags != nil
    }

    /// Collectives find this memory from now on.
    func remember(_ memory: Memory, _ region: SharedMemory) { shared.append((WeakMemory(memory), region)) }

    /// Memory is not shared from now on.
    func refuse(_ reason: String) { sharingRefusal = reason }

    /// Two tags per collective; the smallest range that MPI guarantees (0 ... 32767) serves 16384 collectives under way.
    private func route(_ group: MPIGroup) -> Route {
        Route(rank: rank, size: size, group: group, chunk: settings.chunk, tag: Int32(last.sequence % 16384) * 2)
    }

    private func begin(_ schedule: any Schedule, holding collective: Collective?) throws -> MPIRequest {
        let request = MPIRequest(schedule, collective, last, world: self)
        let isDone = try locked {
            active.append(request)
            try request.progress()
            return request.isDone
        }
        if !isDone { thread?.wake() }
        return request
    }

    /// *Collective.* The last of a job: a rank that has ended waits here, and says so to those who ask.
    func finish() throws {
        last = RankReport(sequence: last.sequence, step: step, signature: CollectiveSignature(kind: .finish))
        try begin(LibrarySchedule(barrier: route(control)), holding: nil).wait()
        thread?.stop()
    }

    /// Whether this rank is the one whose message the user sees.
    func claimFailure() -> Bool {
        thread?.stop()
        // A call of MPI on the other thread that does not return keeps the lock: then nobody can be asked.
        return (try? locked(for: .seconds(1)) { rollCall.claimFailure(last) }) ?? true
    }

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

    /// Runs what calls MPI, one thread at a time.
    /// - Throws: `CollectiveError(.deadline)` when the other thread's call of MPI does not return in time.
    private func locked<Result>(for limit: Duration? = nil, _ body: () throws -> Result) throws -> Result {
        let limit = limit ?? settings.deadline
        guard lock.try() || lock.lock(before: Date(timeIntervalSinceNow: limit / .seconds(1)))
        else {
            throw CollectiveError(
                .deadline,
                "a call of MPI on rank \(rank) did not return within \(limit): its network is lost; "
                    + "the job can be started again from its last checkpoint")
        }
        defer { lock.unlock() }
        return try body()
    }

    /// Moves every collective under way on: one may wait for what another rank sends in a later one.
    /// - Returns: whether `request` is complete. Only under the lock does that say that its results can be read: another thread may
    ///   have written them.
    fileprivate func progress(_ request: MPIRequest) throws -> Bool {
        try locked {
            try progressLocked()
            return request.isDone
        }
    }

    private func progressLocked() throws {
        if let failure { throw failure }
        var anyDone = false
        for request in active {
            try request.progress()
            anyDone = anyDone || request.isDone
        }
        if anyDone { active.removeAll { $0.isDone } }
    }

    /// The progress thread's turn; false when there is nothing to do.
    private func progressBehind() -> Bool {
        // Whoever holds the lock moves things on.
        guard lock.try() else { return true }
        defer { lock.unlock() }
        guard failure == nil else { return false }
        do { try progressLocked() } catch { failure = error }
        return !active.isEmpty
    }

    /// Tests until `request` is complete. Spins, then yields, then (after a second) naps and listens; past the deadline, asks.
    fileprivate func wait(_ request: MPIRequest, _ report: RankReport) throws {
        var turns = 0
        var patience = Patience()
        var vigil = Vigil()
        while try !progress(request) {
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
        }
    }

    /// What a rank that only tests owes to those that wait: an answer now and then.
    fileprivate func answer() throws {
        let now = ContinuousClock.now
        guard now - lastServed > .milliseconds(500) else { return }
        lastServed = now
        try locked { try rollCall.serve(last) }
    }

    /// Serves the side channel, asks past the deadline, and throws when the answers are in.
    private func listen(_ report: RankReport, _ waited: Duration, _ vigil: inout Vigil) throws {
        guard waited - vigil.lastServed > .milliseconds(10) else { return }
        vigil.lastServed = waited
        try locked { try rollCall.serve(last) }
        // Another rank ends the job; the launcher is about to end this one. Wait for that, but not for ever.
        if vigil.givesUp == nil, !rollCall.failing.isEmpty { vigil.givesUp = waited + .seconds(30) }
        if vigil.givesUp == nil, waited > settings.deadline {
            try locked { try rollCall.ask() }
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

    func advance(_ mail: inout Mailbox) throws -> Advance {
        guard !posted else { return .complete }
        posted = true
        try post(&mail)
        return .posted
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
    /// Read and written under the world's lock.
    private(set) var isDone = false

    init(_ schedule: any Schedule, _ collective: Collective?, _ report: RankReport, world: MPIWorld) {
        self.schedule = schedule
        self.collective = collective
        self.report = report
        self.world = world
    }

    func test() throws -> Bool {
        if try world.progress(self) { return true }
        try world.answer()
        return false
    }

    func wait() throws { try world.wait(self, report) }

    /// Lets MPI work, and posts the next stages as far as they can be.
    func progress() throws {
        guard !isDone else { return }
        do {
            try mail.test()
            while mail.isEmpty {
                switch try schedule.advance(&mail) {
                case .posted: break
                case .waiting: return
                case .complete:
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
