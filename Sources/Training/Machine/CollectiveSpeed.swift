// How fast ranks exchange data here. Not here: the collectives (Collectives), the machine alone (MachineSpeed).

import Buffers
public import Collectives

/// All-reduces of the ranks of this world, measured.
public struct CollectiveSpeed: Sendable, Equatable, Encodable {
    public var ranks: Int
    /// Seconds of an all-reduce of one number.
    public var latency: Double
    /// GB/s of gradient reduced, for buckets of 4 MiB and of 64 MiB: bytes of the buffer over seconds.
    public var mediumBandwidth: Double
    public var largeBandwidth: Double

    /// *Collective.* Takes about a second.
    public static func measure(_ communicator: any Communicator) throws -> CollectiveSpeed {
        CollectiveSpeed(
            ranks: communicator.size, latency: try seconds(count: 1, repeats: 200, communicator),
            mediumBandwidth: Double(4 << 20) / 1e9 / (try seconds(count: 1 << 20, repeats: 20, communicator)),
            largeBandwidth: Double(64 << 20) / 1e9 / (try seconds(count: 16 << 20, repeats: 5, communicator)))
    }

    /// The fastest of `repeats`, the slowest rank counting; the first is for warming up.
    private static func seconds(count: Int, repeats: Int, _ communicator: any Communicator) throws -> Double {
        let values = Floats(repeating: 0, count: count)
        let clock = ContinuousClock()
        var best = Double.infinity
        for _ in 0...repeats {
            try communicator.barrier()
            let start = clock.now
            try communicator.allReduce(values)
            best = min(best, try communicator.allReduce(start.duration(to: clock.now).seconds, .maximum))
        }
        return best
    }
}
