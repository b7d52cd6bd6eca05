// How each collective travels as messages, stage by stage. Not here: gathers and reduce-scatters over several nodes (NodeSchedules.swift),
// waiting, deadlines, order between collectives (MPIWorld.swift).
//
// Reductions and gathers exchange directly between all pairs of ranks instead of calling MPI_Iallreduce and its kin. Measured
// inside one node (2 ranks, Open MPI 4.1.4): 16 MB all-reduce 2.8 ms here, 4.7 ms MPI_Allreduce, 6.9 ms MPI_Iallreduce. It folds in
// rank order (the bits of ThreadWorld), needs no `int` displacements, and sees every count that does not match. Each rank sends
// W − 1 messages per stage: right for tens of ranks, wasteful for tiny vectors on many hundreds.

import Buffers

/// What a schedule needs to know of its world.
struct Route {
    let rank: Int
    let size: Int
    let group: MPIGroup
    /// Most elements of a message.
    let chunk: Int
    /// First of the two tags of this collective: stages of different collectives may overtake each other.
    let tag: Int32

    /// Other ranks, from the next one round: spreads the load.
    var others: [Int] { (1..<max(size, 1)).map { (rank + $0) % size } }

    /// Cuts a region into messages.
    func messages(_ region: Payload, _ range: Range<Int>, _ post: (UnsafeMutableRawPointer, Int) throws -> Void)
        rethrows
    {
        var start = range.lowerBound
        while start < range.upperBound {
            let count = min(chunk, range.upperBound - start)
            try post(region.at(start), count)
            start += count
        }
    }
}

/// What came of a call to `Schedule.advance`.
enum Advance {
    /// The next stage is posted, or there was nothing to post for it.
    case posted
    /// Other ranks of this node have yet to come, who send no message.
    case waiting
    case complete
}

/// A collective as a sequence of stages.
protocol Schedule: AnyObject {
    /// Called first by `start`, then whenever all posted messages are complete: does the local work and posts the next stage.
    func advance(_ mail: inout Mailbox) throws -> Advance
}

/// All-gather: one stage, every part straight to its place.
final class GatherSchedule: Schedule {
    private let local: Payload
    private let counts: [Int]
    private let result: Payload
    private let route: Route
    private var posted = false

    init(_ local: Payload, counts: [Int], into result: Payload, _ route: Route) {
        self.local = local
        self.counts = counts
        self.result = result
        self.route = route
    }

    func advance(_ mail: inout Mailbox) throws -> Advance {
        guard !posted else { return .complete }
        posted = true
        let offsets = partOffsets(counts)
        for source in route.others {
            try route.messages(result, offsets[source]..<offsets[source + 1]) {
                try mail.receive($0, $1, result.type, from: source, tag: route.tag, route.group)
            }
        }
        for destination in route.others {
            try route.messages(local, 0..<local.count) {
                try mail.send($0, $1, local.type, to: destination, tag: route.tag, route.group)
            }
        }
        let place = result.at(offsets[route.rank])
        if place != local.address {
            place.copyMemory(from: local.address, byteCount: local.count * local.type.byteCount)
        }
        return .posted
    }
}

/// All-reduce and reduce-scatter: segment by segment, each rank receives its piece of the others' segments and folds them in rank
/// order; an all-reduce then sends the folded piece to all.
///
/// A segment stays in cache between its receipt and its folding. Scratch: (W − 1) pieces of one segment.
final class ReduceSchedule: Schedule {
    /// Elements of the input that one stage moves: one range per owner.
    private enum Shape {
        /// Segments of the vector, each cut into W pieces; short ones are folded whole by everybody, in one stage.
        case everybody(count: Int)
        /// Owners' parts, each cut into segments.
        case owners(offsets: [Int])
    }
    private enum Stage { case next, fold, share }

    /// Bytes of a segment over all owners; 1 to 4 MB measured equal, smaller and larger slower.
    private static let segmentBytes = 2 << 20
    /// Up to here, one stage with W times the traffic is faster than two.
    private static let oneStageBytes = 2048

    private let values: Payload
    private let target: Payload?
    private let reduction: Reduction
    private let route: Route
    private let shape: Shape
    private let segment: Int
    private let segmentCount: Int
    private let scratch: Memory
    private let slotBytes: Int
    private var index = 0
    private var stage = Stage.next

    /// All-reduce in place.
    init(allReduce values: Payload, _ reduction: Reduction, _ route: Route) {
        (self.values, self.reduction, self.route) = (values, reduction, route)
        target = nil
        shape = .everybody(count: values.count)
        segment = min(values.count, Self.segmentBytes / values.type.byteCount, route.chunk)
        segmentCount = segment == 0 ? 0 : (values.count + segment - 1) / segment
        // One piece of each other rank, or the whole of a vector that is folded by everybody.
        let piece = (segment + route.size - 1) / route.size
        let slot = max(piece, min(segment, Self.oneStageBytes / values.type.byteCount))
        slotBytes = (slot * values.type.byteCount + 63) / 64 * 64
        scratch = Memory(byteCount: slotBytes * max(0, route.size - 1))
    }

    /// Reduce-scatter; the result goes to `target`.
    init(reduceScatter values: Payload, counts: [Int], into target: Payload, _ reduction: Reduction, _ route: Route) {
        (self.values, self.reduction, self.route) = (values, reduction, route)
        self.target = target
        shape = .owners(offsets: partOffsets(counts))
        let largest = counts.max() ?? 0
        segment = min(largest, max(1, Self.segmentBytes / values.type.byteCount / route.size), route.chunk)
        segmentCount = segment == 0 ? 0 : (largest + segment - 1) / segment
        slotBytes = (segment * values.type.byteCount + 63) / 64 * 64
        scratch = Memory(byteCount: slotBytes * max(0, route.size - 1))
    }

    func advance(_ mail: inout Mailbox) throws -> Advance {
        while mail.isEmpty {
            switch stage {
            case .next:
                guard index < segmentCount else { return .complete }
                try postPieces(&mail)
                stage = .fold
            case .fold:
                fold()
                stage = .share
                try postResults(&mail)
            case .share:
                index += 1
                stage = .next
            }
        }
        return .posted
    }

    /// The elements of the current segment that `owner` folds.
    private func range(of owner: Int) -> Range<Int> {
        switch shape {
        case .everybody(let count):
            let start = index * segment
            let length = min(segment, count - start)
            if isOneStage { return start..<start + length }
            let piece = (length + route.size - 1) / route.size
            return start + min(length, owner * piece)..<start + min(length, (owner + 1) * piece)
        case .owners(let offsets):
            let start = min(offsets[owner] + index * segment, offsets[owner + 1])
            return start..<min(start + segment, offsets[owner + 1])
        }
    }

    private var isOneStage: Bool {
        guard case .everybody(let count) = shape else { return true }
        return min(segment, count - index * segment) * values.type.byteCount <= Self.oneStageBytes
    }

    private func slot(_ index: Int) -> UnsafeMutableRawPointer { scratch.address + index * slotBytes }

    private func postPieces(_ mail: inout Mailbox) throws {
        let mine = range(of: route.rank)
        for source in route.others where !mine.isEmpty {
            let place = slot(source < route.rank ? source : source - 1)
            try mail.receive(place, mine.count, values.type, from: source, tag: route.tag, route.group)
        }
        for owner in route.others {
            let piece = range(of: owner)
            guard !piece.isEmpty else { continue }
            try mail.send(values.at(piece.lowerBound), piece.count, values.type, to: owner, tag: route.tag, route.group)
        }
    }

    /// Rank order: ((x₀ ∘ x₁) ∘ … ∘ x_{r−1}) is folded in slot 0, then joined with this rank's own, then with those behind it.
    private func fold() {
        let mine = range(of: route.rank)
        guard !mine.isEmpty else { return }
        var own = values.at(mine.lowerBound)
        if let target, case .owners(let offsets) = shape {
            let place = target.at(mine.lowerBound - offsets[route.rank])
            if place != own { place.copyMemory(from: own, byteCount: mine.count * values.type.byteCount) }
            own = place
        }
        for before in 1..<max(1, route.rank) {
            accumulate(slot(before), into: slot(0), count: mine.count, type: values.type, reduction)
        }
        if route.rank > 0, reduction == .sum {
            accumulate(slot(0), into: own, count: mine.count, type: values.type, reduction)
        } else if route.rank > 0 {
            // The minimum of +0 and −0 is the second of them: keep the order, or ranks that fold the same elements would differ.
            accumulate(own, into: slot(0), count: mine.count, type: values.type, reduction)
            own.copyMemory(from: slot(0), byteCount: mine.count * values.type.byteCount)
        }
        for behind in route.rank..<route.size - 1 {
            accumulate(slot(behind), into: own, count: mine.count, type: values.type, reduction)
        }
    }

    private func postResults(_ mail: inout Mailbox) throws {
        guard !isOneStage else { return }
        let mine = range(of: route.rank)
        for owner in route.others {
            let piece = range(of: owner)
            guard !piece.isEmpty else { continue }
            try mail.receive(
                values.at(piece.lowerBound), piece.count, values.type, from: owner, tag: route.tag + 1, route.group)
        }
        for destination in route.others where !mine.isEmpty {
            try mail.send(
                values.at(mine.lowerBound), mine.count, values.type, to: destination, tag: route.tag + 1, route.group)
        }
    }
}

/// Broadcast and barrier: the library's own, posted once, in the order of the starts.
final class LibrarySchedule: Schedule {
    private let post: (inout Mailbox) throws -> Void
    private var posted = false

    /// From the root's region into everybody's.
    init(broadcast values: Payload, root: Int, _ route: Route) {
        post = { mail in
            try route.messages(values, 0..<values.count) {
                try mail.broadcast($0, $1, values.type, root: root, route.group)
            }
        }
    }

    /// Nobody passes before all have come.
    init(barrier route: Route) { post = { try $0.barrier(route.group) } }

    func advance(_ mail: inout Mailbox) throws -> Advance {
        guard !posted else { return .complete }
        posted = true
        try post(&mail)
        return .posted
    }
}
