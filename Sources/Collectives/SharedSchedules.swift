// Collectives on memory that the ranks of a node share: reading instead of sending inside the node, one message a node between nodes.
// Not here: the memory (SharedRegion.swift), what happens between nodes (NodeSchedules.swift), collectives on other memory (Schedules.swift).
//
// Measured inside one node, two ranks, against the messages of Schedules.swift: docs/scaling.md.

import Buffers

/// What a schedule on shared memory needs to know of its node.
struct NodeView {
    let memory: SharedMemory
    let flags: NodeFlags
    /// Number of this collective among those on shared memory; the same on every rank.
    let number: Int
    /// Offset of the payload in everybody's memory.
    let offset: Int
    let layout: NodeLayout

    var members: [Int] { layout.members }

    /// Tells the others of the node that this rank has come, and with what.
    func arrive() {
        flags.publish(.place, offset, of: number)
        flags.publish(.arrived, number, of: number)
    }

    var allArrived: Bool { flags.all(.arrived, of: number) }

    func finish() { flags.publish(.done, number, of: number) }
    var allDone: Bool { flags.all(.done, of: number) }

    /// Throws when a rank of this node has come with another part of the memory.
    func checkPlaces() throws {
        for (index, rank) in members.enumerated() {
            let place = flags.read(.place, of: number, rank: index)
            // A rank that is already at a much later collective has overwritten the word.
            guard place != offset, flags.read(.arrived, of: number, rank: index) == number else { continue }
            throw CollectiveError(
                .disagreement,
                "rank \(rank) reduces its memory at byte \(place), this rank at \(offset): the ranks call different collectives"
            )
        }
    }
}

/// Reduce-scatter of `own` memory. In each node the rank that owns a part, or stands in for an owner elsewhere, folds it in rank order by
/// reading its neighbours' memory, into its own; between nodes the owner receives one such sum a node and folds them in node order.
///
/// The fold is done in blocks that stay in cache. Scratch: a part for every other node.
final class SharedReduceSchedule: Schedule {
    private enum Stage { case begin, arrive, combine, leave }

    private let sums: NodeSums
    private let node: NodeView
    private let block = Memory(byteCount: NodeSums.blockBytes)
    private var stage = Stage.begin

    init(
        _ values: Payload, counts: [Int], into target: Payload, _ reduction: Reduction, _ route: Route, _ node: NodeView
    ) {
        sums = NodeSums(values, offsets: partOffsets(counts), into: target, reduction, route, node.layout)
        self.node = node
    }

    func advance(_ mail: inout Mailbox) throws -> Advance {
        switch stage {
        case .begin:
            node.arrive()
            stage = .arrive
            return .posted
        case .arrive:
            guard node.allArrived else { return .waiting }
            try node.checkPlaces()
            for owner in sums.owners { fold(sums.range(of: owner)) }
            node.finish()
            try sums.post(&mail)
            stage = .combine
            return .posted
        case .combine:
            sums.combine()
            stage = .leave
            return .posted
        case .leave: return node.allDone ? .complete : .waiting
        }
    }

    /// ((x₀ ∘ x₁) ∘ …) over the ranks of this node, into this rank's memory.
    private func fold(_ range: Range<Int>) {
        let (type, reduction) = (sums.values.type, sums.reduction)
        let size = type.byteCount
        let (own, ranks) = (node.memory.own, node.memory.addresses.map { $0 + node.offset })
        for start in stride(from: range.lowerBound, to: range.upperBound, by: NodeSums.blockBytes / size) {
            let count = min(NodeSums.blockBytes / size, range.upperBound - start)
            let place = { (rank: Int) in ranks[rank] + start * size }
            var before = own > 0 ? place(0) : nil
            if own > 1 {
                block.address.copyMemory(from: place(0), byteCount: count * size)
                for rank in 1..<own {
                    accumulate(place(rank), into: block.address, count: count, type: type, reduction)
                }
                before = block.address
            }
            if let before { sums.join(before, count, into: place(own)) }
            for rank in own + 1..<max(own + 1, ranks.count) {
                accumulate(place(rank), into: place(own), count: count, type: type, reduction)
            }
        }
    }
}

/// All-gather into `common` memory: every part is where it belongs as soon as its owner has written it; what other nodes own arrives once.
final class SharedGatherSchedule: Schedule {
    private enum Stage { case begin, arrive, store, leave }

    private let local: Payload
    private let offsets: [Int]
    private let result: Payload
    private let route: Route
    private let node: NodeView
    private var stage = Stage.begin

    init(_ local: Payload, counts: [Int], into result: Payload, _ route: Route, _ node: NodeView) {
        (self.local, self.result, self.route, self.node) = (local, result, route, node)
        offsets = partOffsets(counts)
    }

    func advance(_ mail: inout Mailbox) throws -> Advance {
        switch stage {
        case .begin:
            node.arrive()
            stage = .arrive
            return .posted
        case .arrive:
            // The memory is everybody's: nothing is written before all have handed it over.
            guard node.allArrived else { return .waiting }
            try node.checkPlaces()
            let place = result.at(offsets[route.rank])
            if place != local.address {
                place.copyMemory(from: local.address, byteCount: local.count * local.type.byteCount)
            }
            try exchange(&mail)
            stage = .store
            return .posted
        case .store:
            node.finish()
            stage = .leave
            return .posted
        case .leave: return node.allDone ? .complete : .waiting
        }
    }

    private func exchange(_ mail: inout Mailbox) throws {
        for owner in node.layout.mandates(of: route.rank) {
            try route.messages(result, offsets[owner]..<offsets[owner + 1]) {
                try mail.receive($0, $1, result.type, from: owner, tag: route.tag, route.group)
            }
        }
        for delegate in node.layout.delegates(for: route.rank) {
            try route.messages(result, offsets[route.rank]..<offsets[route.rank + 1]) {
                try mail.send($0, $1, result.type, to: delegate.rank, tag: route.tag, route.group)
            }
        }
    }
}
