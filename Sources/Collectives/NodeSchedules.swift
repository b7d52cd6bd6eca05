// Collectives of several nodes that cross between them once a node, not once a rank: who stands in for whom, sums between nodes, and
// gathers and reductions that use messages inside a node too. Not here: nodes that share memory (SharedSchedules.swift), all pairs of ranks
// (Schedules.swift).

import Buffers

/// The ranks of every node, seen from one of them.
struct NodeLayout {
    let nodes: [[Int]]
    /// Index of this rank's node.
    let index: Int

    init(_ nodes: [[Int]], rank: Int) {
        self.nodes = nodes
        index = nodes.firstIndex { $0.contains(rank) } ?? 0
    }

    var members: [Int] { nodes[index] }

    /// Whether fewer messages cross between nodes when a node has somebody to stand in for it.
    var isShared: Bool { nodes.count > 1 && nodes.contains { $0.count > 1 } }

    /// The rank that stands in for its node in what concerns the rank at `position` of another one: they take turns.
    private func delegate(ofNode node: Int, at position: Int) -> Int { nodes[node][position % nodes[node].count] }

    /// The ranks of other nodes for which `rank`, of this node, stands in, in order of nodes and ranks.
    func mandates(of rank: Int) -> [Int] {
        nodes.indices.filter { $0 != index }.flatMap { other in
            nodes[other].enumerated().filter { delegate(ofNode: index, at: $0.offset) == rank }.map(\.element)
        }
    }

    /// For each other node, by its index, the rank that stands in for it in what concerns `rank`, of this node.
    func delegates(for rank: Int) -> [(node: Int, rank: Int)] {
        let position = members.firstIndex(of: rank) ?? 0
        return nodes.indices.filter { $0 != index }.map { ($0, delegate(ofNode: $0, at: position)) }
    }
}

/// The second half of a reduce-scatter over nodes: each part's owner receives one sum of every other node and folds all in node order.
///
/// Scratch: a part for every other node.
final class NodeSums {
    /// Of a block that stays in cache while it is folded.
    static let blockBytes = 16 << 10

    let values: Payload
    let reduction: Reduction
    private let offsets: [Int]
    private let target: Payload
    private let route: Route
    private let layout: NodeLayout
    private let mandates: [Int]
    private let block = Memory(byteCount: blockBytes)
    private var scratch: Memory?

    init(
        _ values: Payload, offsets: [Int], into target: Payload, _ reduction: Reduction, _ route: Route,
        _ layout: NodeLayout
    ) {
        (self.values, self.offsets, self.target, self.reduction) = (values, offsets, target, reduction)
        (self.route, self.layout) = (route, layout)
        mandates = layout.mandates(of: route.rank)
        owners = [route.rank] + mandates
    }

    /// Whose parts this rank folds over its node: its own, and those it stands in for.
    let owners: [Int]

    func range(of owner: Int) -> Range<Int> { offsets[owner]..<offsets[owner + 1] }

    private var partBytes: Int { (target.count * values.type.byteCount + 63) / 64 * 64 }

    /// Once the parts of `owners` hold the node's sums, in `values`: sends them to their owners.
    func post(_ mail: inout Mailbox) throws {
        let delegates = layout.delegates(for: route.rank)
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

    /// Once they have come: folds the sums of the nodes in their order, block by block, and gives the caller its part.
    func combine() {
        let (mine, size) = (range(of: route.rank), values.type.byteCount)
        let delegates = layout.delegates(for: route.rank)
        defer { scratch = nil }
        if let scratch, !delegates.isEmpty {
            let before = delegates.count { $0.node < layout.index }
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

    /// `place = before ∘ place`.
    func join(_ before: UnsafeMutableRawPointer, _ count: Int, into place: UnsafeMutableRawPointer) {
        guard reduction != .sum else {
            return accumulate(before, into: place, count: count, type: values.type, reduction)
        }
        // The minimum of +0 and −0 is the second of them: keep the order.
        let size = values.type.byteCount
        for start in stride(from: 0, to: count, by: Self.blockBytes / size) {
            let (length, offset) = (min(Self.blockBytes / size, count - start), start * size)
            block.address.copyMemory(from: before + offset, byteCount: length * size)
            accumulate(place + offset, into: block.address, count: length, type: values.type, reduction)
            (place + offset).copyMemory(from: block.address, byteCount: length * size)
        }
    }
}

/// Reduce-scatter over nodes by messages: in each node whoever owns a part, or stands in for its owner, receives it of the others and folds
/// in rank order; then one sum a node travels on.
///
/// Scratch: the parts that this rank folds, of every other rank of the node; about one copy of the input where parts are equal.
final class NodeReduceSchedule: Schedule {
    private enum Stage { case begin, fold, combine, complete }

    private let sums: NodeSums
    private let route: Route
    private let layout: NodeLayout
    /// The other ranks of the node.
    private let others: [Int]
    /// Elements of the parts that this rank folds.
    private let length: Int
    private var scratch: Memory?
    private var stage = Stage.begin

    init(
        _ values: Payload, counts: [Int], into target: Payload, _ reduction: Reduction, _ route: Route,
        _ layout: NodeLayout
    ) {
        sums = NodeSums(values, offsets: partOffsets(counts), into: target, reduction, route, layout)
        (self.route, self.layout) = (route, layout)
        others = layout.members.filter { $0 != route.rank }
        length = sums.owners.reduce(0) { $0 + counts[$1] }
    }

    func advance(_ mail: inout Mailbox) throws -> Advance {
        switch stage {
        case .begin:
            try exchange(&mail)
            stage = .fold
        case .fold:
            fold()
            try sums.post(&mail)
            stage = .combine
        case .combine:
            sums.combine()
            stage = .complete
        case .complete: return .complete
        }
        return .posted
    }

    private func exchange(_ mail: inout Mailbox) throws {
        let (values, size) = (sums.values, sums.values.type.byteCount)
        let place = Memory(byteCount: others.count * length * size)
        scratch = place
        for (index, source) in others.enumerated() {
            let all = Payload(
                memory: place, address: place.address + index * length * size, count: length, type: values.type)
            var start = 0
            for owner in sums.owners {
                let end = start + sums.range(of: owner).count
                try route.messages(all, start..<end) {
                    try mail.receive($0, $1, values.type, from: source, tag: route.tag, route.group)
                }
                start = end
            }
        }
        for destination in others {
            for owner in [destination] + layout.mandates(of: destination) {
                try route.messages(values, sums.range(of: owner)) {
                    try mail.send($0, $1, values.type, to: destination, tag: route.tag, route.group)
                }
            }
        }
    }

    /// ((x₀ ∘ x₁) ∘ …) over the ranks of this node, into this rank's memory, in blocks that stay in cache.
    private func fold() {
        guard let scratch else { return }
        let (type, reduction, size) = (sums.values.type, sums.reduction, sums.values.type.byteCount)
        let before = others.count { $0 < route.rank }
        var first = 0
        for owner in sums.owners {
            let range = sums.range(of: owner)
            for start in stride(from: 0, to: range.count, by: NodeSums.blockBytes / size) {
                let count = min(NodeSums.blockBytes / size, range.count - start)
                let own = sums.values.at(range.lowerBound + start)
                let slot = { (index: Int) in scratch.address + (index * self.length + first + start) * size }
                for index in 1..<max(1, before) {
                    accumulate(slot(index), into: slot(0), count: count, type: type, reduction)
                }
                if before > 0 { sums.join(slot(0), count, into: own) }
                for index in before..<others.count {
                    accumulate(slot(index), into: own, count: count, type: type, reduction)
                }
            }
            first += range.count
        }
        self.scratch = nil
    }
}

/// All-gather over nodes by messages: a part goes to its owner's neighbours and to one rank of every other node, which hands it on.
final class NodeGatherSchedule: Schedule {
    private enum Stage { case begin, handOn, complete }

    private let local: Payload
    private let offsets: [Int]
    private let result: Payload
    private let route: Route
    private let layout: NodeLayout
    private let neighbours: [Int]
    private let mandates: [Int]
    private var stage = Stage.begin

    init(_ local: Payload, counts: [Int], into result: Payload, _ route: Route, _ layout: NodeLayout) {
        (self.local, self.result, self.route, self.layout) = (local, result, route, layout)
        offsets = partOffsets(counts)
        neighbours = layout.members.filter { $0 != route.rank }
        mandates = layout.mandates(of: route.rank)
    }

    func advance(_ mail: inout Mailbox) throws -> Advance {
        switch stage {
        case .begin:
            for owner in neighbours + mandates { try receive(owner, from: owner, tag: route.tag, &mail) }
            for destination in neighbours + layout.delegates(for: route.rank).map(\.rank) {
                try route.messages(local, 0..<local.count) {
                    try mail.send($0, $1, local.type, to: destination, tag: route.tag, route.group)
                }
            }
            let place = result.at(offsets[route.rank])
            if place != local.address {
                place.copyMemory(from: local.address, byteCount: local.count * local.type.byteCount)
            }
            stage = .handOn
        case .handOn:
            for neighbour in neighbours {
                for owner in layout.mandates(of: neighbour) {
                    try receive(owner, from: neighbour, tag: route.tag + 1, &mail)
                }
                for owner in mandates {
                    try route.messages(result, offsets[owner]..<offsets[owner + 1]) {
                        try mail.send($0, $1, result.type, to: neighbour, tag: route.tag + 1, route.group)
                    }
                }
            }
            stage = .complete
        case .complete: return .complete
        }
        return .posted
    }

    /// The part of `owner` to its place.
    private func receive(_ owner: Int, from source: Int, tag: Int32, _ mail: inout Mailbox) throws {
        try route.messages(result, offsets[owner]..<offsets[owner + 1]) {
            try mail.receive($0, $1, result.type, from: source, tag: tag, route.group)
        }
    }
}
