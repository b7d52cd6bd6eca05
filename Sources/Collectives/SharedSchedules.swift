// Collectives on memory that the ranks of a node share: reading instead of sending inside the node, one message a node between nodes.
// Not here: the memory (SharedRegion.swift), collectives on other memory (Schedules.swift).
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
    /// Ranks of every node.
    let nodes: [[Int]]
    /// Index of this rank's node.
    let index: Int

    var members: [Int] { nodes[index] }

    /// The rank of a node that stands in for it in what concerns `owner`, a rank of another node: they take turns.
    func delegate(ofNode node: Int, for owner: Int, at position: Int) -> Int {
        nodes[node][position % nodes[node].count]
    }

    /// The owners on other nodes for which this rank stands in, in rank order.
    func mandates(of rank: Int) -> [Int] {
        nodes.indices.filter { $0 != index }.flatMap { other in
            nodes[other].enumerated().filter { delegate(ofNode: index, for: $1, at: $0) == rank }.map(\.element)
        }
    }

    /// For each other node, by its index, the rank that stands in for it in what concerns this rank.
    func delegates(for rank: Int) -> [(node: Int, rank: Int)] {
        let position = members.firstIndex(of: rank) ?? 0
        return nodes.indices.filter { $0 != index }.map { ($0, delegate(ofNode: $0, for: rank, at: position)) }
    }

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

    private static let blockBytes = 16 << 10

    private let values: Payload
    private let offsets: [Int]
    private let target: Payload
    private let reduction: Reduction
    private let route: Route
    private let node: NodeView
    private let block: Memory
    private var scratch: Memory?
    private var stage = Stage.begin

    init(
        _ values: Payload, counts: [Int], into target: Payload, _ reduction: Reduction, _ route: Route, _ node: NodeView
    ) {
        (self.values, self.target, self.reduction, self.route, self.node) = (values, target, reduction, route, node)
        offsets = partOffsets(counts)
        block = Memory(byteCount: Self.blockBytes)
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
            let mandates = node.mandates(of: route.rank)
            for owner in [route.rank] + mandates { fold(range(of: owner)) }
            node.finish()
            try post(mandates, &mail)
            stage = .combine
            return .posted
        case .combine:
            combine()
            stage = .leave
            return .posted
        case .leave: return node.allDone ? .complete : .waiting
        }
    }

    private func range(of owner: Int) -> Range<Int> { offsets[owner]..<offsets[owner + 1] }

    private var partBytes: Int { (target.count * values.type.byteCount + 63) / 64 * 64 }

    /// ((x₀ ∘ x₁) ∘ …) over the ranks of this node, into this rank's memory.
    private func fold(_ range: Range<Int>) {
        let size = values.type.byteCount
        let (own, ranks) = (node.memory.own, node.memory.addresses.map { $0 + node.offset })
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.blockBytes / size) {
            let count = min(Self.blockBytes / size, range.upperBound - start)
            let place = { (rank: Int) in ranks[rank] + start * size }
            var before = own > 0 ? place(0) : nil
            if own > 1 {
                block.address.copyMemory(from: place(0), byteCount: count * size)
                for rank in 1..<own {
                    accumulate(place(rank), into: block.address, count: count, type: values.type, reduction)
                }
                before = block.address
            }
            if let before { join(before, count, into: place(own)) }
            for rank in own + 1..<max(own + 1, ranks.count) {
                accumulate(place(rank), into: place(own), count: count, type: values.type, reduction)
            }
        }
    }

    /// `place = before ∘ place`.
    private func join(_ before: UnsafeMutableRawPointer, _ count: Int, into place: UnsafeMutableRawPointer) {
        guard reduction != .sum else {
            return accumulate(before, into: place, count: count, type: values.type, reduction)
        }
        // The minimum of +0 and −0 is the second of them: keep the order.
        let bytes = count * values.type.byteCount
        if before != block.address { block.address.copyMemory(from: before, byteCount: bytes) }
        accumulate(place, into: block.address, count: count, type: values.type, reduction)
        place.copyMemory(from: block.address, byteCount: bytes)
    }

    private func post(_ mandates: [Int], _ mail: inout Mailbox) throws {
        let delegates = node.delegates(for: route.rank)
        let mine = range(of: route.rank)
        let place = Memory(byteCount: delegates.count * partBytes)
        scratch = place
        for (index, delegate) in delegates.enumerated() {
            let part = Payload(
                memory: place, address: place.address + index * partBytes, count: mine.count, type: values.type)
            try route.messages(part, 0..<mine.count) {
                try mail.receive($0, $1, values.type, from: delegate.rank, tag: route.tag, route.group)
            }
        }
        for owner in mandates {
            try route.messages(values, range(of: owner)) {
                try mail.send($0, $1, values.type, to: owner, tag: route.tag, route.group)
            }
        }
    }

    /// Folds the sums of the nodes in their order, block by block, and gives the caller its part.
    private func combine() {
        let (mine, size) = (range(of: route.rank), values.type.byteCount)
        let delegates = node.delegates(for: route.rank)
        defer { scratch = nil }
        if let scratch, !delegates.isEmpty {
            let before = delegates.count { $0.node < node.index }
            for start in stride(from: 0, to: mine.count, by: Self.blockBytes / size) {
                let count = min(Self.blockBytes / size, mine.count - start)
                let slot = { (index: Int) in scratch.address + index * self.partBytes + start * size }
                let own = values.at(mine.lowerBound + start)
                for index in 1..<max(1, before) {
                    accumulate(slot(index), into: slot(0), count: count, type: values.type, reduction)
                }
                if before > 0 { join(slot(0), count, into: own) }
                for index in before..<delegates.count {
                    accumulate(slot(index), into: own, count: count, type: values.type, reduction)
                }
            }
        }
        let place = values.at(mine.lowerBound)
        if place != target.address { target.address.copyMemory(from: place, byteCount: mine.count * size) }
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
        for owner in node.mandates(of: route.rank) {
            try route.messages(result, offsets[owner]..<offsets[owner + 1]) {
                try mail.receive($0, $1, result.type, from: owner, tag: route.tag, route.group)
            }
        }
        for delegate in node.delegates(for: route.rank) {
            try route.messages(result, offsets[route.rank]..<offsets[route.rank + 1]) {
                try mail.send($0, $1, result.type, to: delegate.rank, tag: route.tag, route.group)
            }
        }
    }
}
