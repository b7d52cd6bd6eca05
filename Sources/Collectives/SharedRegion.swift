// Memory that processes of one node map together, and the words by which they tell each other how far they are. Not here: what travels
// through it (SharedSchedules.swift), which ranks agree to share (MPIWorld+NodeMemory.swift).

import Buffers
private import CMPI
import Foundation

/// A piece of memory made by one rank, which others map through the descriptor that its process holds.
///
/// Not a file in /dev/shm, which containers often keep at 64 MiB, which fails by a signal when it is full, and where a killed job leaves
/// its files behind.
struct SharedRegion {
    /// What another rank needs to know to map it.
    struct Ticket: Equatable {
        var process: Int
        var descriptor: Int
        /// Stands in the region's first word: another process of that number has something else there.
        var token: Int
        static let wordCount = 3

        var words: [Int64] { [Int64(process), Int64(descriptor), Int64(token)] }

        init(process: Int, descriptor: Int, token: Int) {
            (self.process, self.descriptor, self.token) = (process, descriptor, token)
        }

        init(_ words: ArraySlice<Int64>) {
            let words = words.map { Int($0) }
            self.init(process: words[0], descriptor: words[1], token: words[2])
        }
    }

    /// A page of its own for the token, so that the memory proper is aligned to pages.
    private static let headerBytes = 4096

    /// The first byte for use.
    let address: UnsafeMutableRawPointer
    private let mappedBytes: Int

    /// Makes a region; the descriptor in the ticket is the caller's to close. Nil where the machine refuses, with the reason in `errno`.
    static func make(byteCount: Int) -> (region: SharedRegion, ticket: Ticket)? {
        let bytes = headerBytes + max(1, byteCount)
        let descriptor = cmpi_memory_create(Int64(bytes))
        guard descriptor >= 0 else { return nil }
        guard let base = cmpi_memory_map(descriptor, Int64(bytes)) else {
            let code = errno
            close(descriptor)
            errno = code
            return nil
        }
        let token = Int.random(in: 1...Int.max)
        base.storeBytes(of: token, as: Int.self)
        return (
            SharedRegion(address: base + headerBytes, mappedBytes: bytes),
            Ticket(process: Int(getpid()), descriptor: Int(descriptor), token: token)
        )
    }

    /// Maps the region of another rank; nil where its process cannot be seen.
    static func open(_ ticket: Ticket, byteCount: Int) -> SharedRegion? {
        let bytes = headerBytes + max(1, byteCount)
        let descriptor = Foundation.open("/proc/\(ticket.process)/fd/\(ticket.descriptor)", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // A file that is too short would answer reads with a signal.
        var information = stat()
        guard fstat(descriptor, &information) == 0, Int(information.st_size) == bytes,
            let base = cmpi_memory_map(descriptor, Int64(bytes))
        else { return nil }
        let region = SharedRegion(address: base + headerBytes, mappedBytes: bytes)
        guard base.load(as: Int.self) == ticket.token else {
            region.unmap()
            return nil
        }
        return region
    }

    func unmap() { munmap(address - Self.headerBytes, mappedBytes) }
}

/// A node's copies of one piece of memory, as this rank sees them.
final class SharedMemory {
    let kind: NodeMemoryKind
    /// Where the memory of each rank of the node begins, in their order; of `common` memory, one.
    let addresses: [UnsafeMutableRawPointer]
    /// This rank's index among them.
    let own: Int
    let byteCount: Int

    init(_ kind: NodeMemoryKind, regions: [SharedRegion], own: Int, byteCount: Int) {
        self.kind = kind
        addresses = regions.map(\.address)
        self.own = own
        self.byteCount = byteCount
    }

    /// Where in this rank's piece a payload lies; nil when it lies elsewhere.
    func offset(of payload: Payload) -> Int? {
        let offset = payload.address - addresses[own]
        return offset >= 0 && offset + payload.count * payload.type.byteCount <= byteCount ? offset : nil
    }
}

/// Words in which the ranks of a node tell each other where they are: who has come to a collective, and who needs nobody's memory any more.
///
/// A rank writes its own words alone. A word holds the number of the collective that wrote it last, so that nothing is ever reset; a
/// collective uses the words at its number modulo `slots`, which is more than are ever under way.
struct NodeFlags {
    enum Mark: Int { case arrived, place, done }

    static let slots = 4096
    private static let stride = 4
    static let byteCount = slots * stride * MemoryLayout<Int64>.stride

    /// First word of each rank of the node.
    let words: [UnsafeMutablePointer<Int64>]
    let own: Int

    init(_ memory: SharedMemory) {
        words = memory.addresses.map { $0.assumingMemoryBound(to: Int64.self) }
        own = memory.own
    }

    func publish(_ mark: Mark, _ value: Int, of collective: Int) {
        cmpi_word_publish(words[own] + Self.index(mark, collective), Int64(value))
    }

    func read(_ mark: Mark, of collective: Int, rank: Int) -> Int {
        Int(cmpi_word_read(words[rank] + Self.index(mark, collective)))
    }

    /// Whether all ranks of the node have made this mark.
    func all(_ mark: Mark, of collective: Int) -> Bool {
        words.indices.allSatisfy { read(mark, of: collective, rank: $0) >= collective }
    }

    private static func index(_ mark: Mark, _ collective: Int) -> Int {
        collective % slots * stride + mark.rawValue
    }
}
