// Memory that the ranks of one node have in common: what a rank may ask for. Not here: how it is made (SharedRegion.swift, ThreadWorld.swift).

public import Buffers

/// Who sees a piece of memory that a world hands out.
public enum NodeMemoryKind: Sendable {
    /// One piece for all ranks of a node: what is the same on every rank, kept once.
    case common
    /// A piece for each rank, which its neighbours can read: what is reduced.
    case own
}

/// Memory for one of a model's flat buffers, as its world lays it out.
///
/// Collectives find out by themselves where their buffers lie. A reduce-scatter of `own` memory is reduced in place: each rank reads its
/// part of its neighbours' memory, and between nodes one partial sum a node travels. An all-gather into `common` memory moves nothing
/// inside a node, and between nodes each part once.
public struct NodeMemory: Sendable {
    public let memory: Memory
    /// Whether this rank is the first of those that share the memory, and so the one to give it its first contents; the others see them
    /// after the next collective.
    public let isFirst: Bool

    init(_ memory: Memory, isFirst: Bool) {
        self.memory = memory
        self.isFirst = isFirst
    }
}

extension Communicator {
    /// Memory that nobody shares: what a world without neighbours hands out.
    public func nodeMemory(_ kind: NodeMemoryKind, byteCount: Int) throws -> NodeMemory {
        NodeMemory(Memory(byteCount: byteCount), isFirst: true)
    }

    public var nodes: [[Int]] { [Array(0..<size)] }
    public var sharesProcess: Bool { false }
    public var sharingRefusal: String? { nil }

    /// The ranks of this rank's node, itself included, ascending.
    public var node: [Int] { nodes.first { $0.contains(rank) } ?? [rank] }
}
