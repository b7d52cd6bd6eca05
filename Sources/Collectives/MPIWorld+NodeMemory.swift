// How the ranks of an MPI world come to share memory. Not here: the memory itself (SharedRegion.swift), what uses it (SharedSchedules.swift).

import Buffers
import Foundation

/// A reference that does not keep its memory: what is no longer used is unmapped.
struct WeakMemory {
    weak var memory: Memory?
    init(_ memory: Memory) { self.memory = memory }
}

extension MPIWorld {
    /// Said instead of an error number by a rank that could make its memory, but not map a neighbour's.
    private static let unseen = -1

    /// Shared memory where every rank can make and see it, else memory of each rank's own; on all ranks alike.
    public func nodeMemory(_ kind: NodeMemoryKind, byteCount: Int) throws -> NodeMemory {
        try agreeOnNodes()
        let neighbours = nodes.contains { $0.count > 1 }
        guard settings.sharesMemory, neighbours, sharingRefusal == nil, try prepareFlags(),
            let (memory, region) = try share(kind, byteCount: byteCount)
        else { return NodeMemory(Memory(byteCount: byteCount), isFirst: true) }
        remember(memory, region)
        return NodeMemory(memory, isFirst: kind == .own || rank == node[0])
    }

    /// Makes one piece of memory. *Collective.* Nil, on every rank alike, where some rank of some node cannot take part; `sharingRefusal`
    /// then says why.
    func share(_ kind: NodeMemoryKind, byteCount: Int) throws -> (memory: Memory, region: SharedMemory)? {
        let makes = kind == .own || rank == node[0]
        let made = makes ? SharedRegion.make(byteCount: byteCount) : nil
        let refused = makes && made == nil ? Int(errno) : 0
        defer { if let made { close(Int32(made.ticket.descriptor)) } }
        // A ticket of zeros is a refusal.
        let own = made?.ticket ?? SharedRegion.Ticket(process: 0, descriptor: 0, token: 0)
        let words = Words(count: size * SharedRegion.Ticket.wordCount)
        try allGather(Words(own.words), into: words)
        let tickets = words.array
        func ticket(_ rank: Int) -> SharedRegion.Ticket {
            SharedRegion.Ticket(
                tickets[rank * SharedRegion.Ticket.wordCount..<(rank + 1) * SharedRegion.Ticket.wordCount])
        }

        let sources = kind == .own ? node : [node[0]]
        var regions: [SharedRegion] = []
        for source in sources {
            if source == rank, let made {
                regions.append(made.region)
            } else if ticket(source).token != 0, let region = SharedRegion.open(ticket(source), byteCount: byteCount) {
                regions.append(region)
            }
        }
        // Also keeps every descriptor open until all have mapped it.
        let outcomes = try allGather(refused != 0 ? refused : regions.count < sources.count ? Self.unseen : 0)
        // Who cannot make memory is also not seen by the others: its reason is the cause.
        guard let first = outcomes.firstIndex(where: { $0 > 0 }) ?? outcomes.firstIndex(where: { $0 < 0 }) else {
            let (region, mapped) = (
                SharedMemory(kind, regions: regions, own: sources.firstIndex(of: rank) ?? 0, byteCount: byteCount),
                regions
            )
            let memory = Memory(address: region.addresses[region.own], byteCount: byteCount) { _ in
                mapped.forEach { $0.unmap() }
            }
            return (memory, region)
        }
        regions.forEach { $0.unmap() }
        let size = byteCount < 1 << 20 ? "\(byteCount >> 10) KiB" : "\(byteCount >> 20) MiB"
        refuse(
            outcomes[first] == Self.unseen
                ? "rank \(first) cannot see its neighbours' memory: every rank keeps its own copy of the parameters; start the ranks of a "
                    + "machine in one container"
                : "rank \(first) cannot share \(size) with its neighbours (\(String(cString: strerror(Int32(outcomes[first])))): "
                    + "every rank keeps its own copy of the parameters; give the machine or the container more memory")
        return nil
    }
}
