// Owned, aligned memory, and the pool that lends it again. Not here: what the bytes mean (Buffer.swift).

import Foundation
import Synchronization

/// A region of memory with one owner: 64-byte aligned, uninitialised, given back to `MemoryPool` when the last reference goes.
public final class Memory: @unchecked Sendable {
    /// Start of the region; aligned to 64 bytes (a cache line, and an AVX-512 register) when the region is owned.
    public let address: UnsafeMutableRawPointer
    /// Usable bytes.
    public let byteCount: Int
    private let release: (UnsafeMutableRawPointer) -> Void

    /// Borrows at least `byteCount` uninitialised bytes from the pool.
    public convenience init(byteCount: Int) {
        precondition(byteCount >= 0, "byteCount \(byteCount) is negative")
        let capacity = MemoryPool.capacity(for: byteCount)
        self.init(
            address: MemoryPool.shared.take(capacity: capacity), byteCount: byteCount,
            release: { MemoryPool.shared.give($0, capacity: capacity) })
    }

    /// Adopts a region that somebody else made (a mapped file, a shared-memory window); `release` runs once, at the end.
    public init(address: UnsafeMutableRawPointer, byteCount: Int, release: @escaping (UnsafeMutableRawPointer) -> Void)
    {
        self.address = address
        self.byteCount = byteCount
        self.release = release
    }

    deinit { release(address) }
}

/// Free lists of regions by capacity class, so that a training step in its steady state asks the system for nothing.
///
/// Fresh memory costs page faults, more than the arithmetic on it; regions are therefore kept until the process ends.
public final class MemoryPool: Sendable {
    public static let shared = MemoryPool()

    private struct State: ~Copyable {
        var free: [Int: [UInt]] = [:]
        var systemAllocations = 0
        var systemBytes = 0
    }
    private let state = Mutex(State())

    /// How often, and for how many bytes in total, the system was asked for memory since the process began.
    public var systemAllocations: (count: Int, bytes: Int) { state.withLock { ($0.systemAllocations, $0.systemBytes) } }

    /// Sizes are rounded up to an eighth of the power of two below them: at most 12.5 % is wasted, and sizes that
    /// differ a little (packed text of varying length) share their regions.
    static func capacity(for byteCount: Int) -> Int {
        guard byteCount > 4096 else { return byteCount <= 256 ? 256 : byteCount <= 1024 ? 1024 : 4096 }
        let quantum = 1 << (Int.bitWidth - byteCount.leadingZeroBitCount - 4)
        return (byteCount + quantum - 1) / quantum * quantum
    }

    func take(capacity: Int) -> UnsafeMutableRawPointer {
        let reused = state.withLock { state -> UInt? in
            if let address = state.free[capacity]?.popLast() { return address }
            state.systemAllocations += 1
            state.systemBytes += capacity
            return nil
        }
        if let reused, let pointer = UnsafeMutableRawPointer(bitPattern: reused) { return pointer }
        return UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
    }

    func give(_ address: UnsafeMutableRawPointer, capacity: Int) {
        let bits = UInt(bitPattern: address)
        state.withLock { $0.free[capacity, default: []].append(bits) }
    }
}
