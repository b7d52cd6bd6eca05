// How fast ranks exchange data here. Not here: the collectives (Collectives), the machine alone (MachineSpeed).

import Buffers
public import Collectives

/// Collectives of the ranks of this world, measured. Bandwidths are bytes of the whole vector over seconds, in GB/s.
public struct CollectiveSpeed: Sendable, Equatable, Encodable {
    public var ranks: Int
    /// Ranks of each node.
    public var nodes: [Int]
    /// Seconds of an all-reduce of one number.
    public var latency: Double
    /// All-reduces of 4 MiB and of 64 MiB.
    public var mediumBandwidth: Double
    public var largeBandwidth: Double
    /// Of 64 MiB that travel as messages.
    public var reduceScatterBandwidth: Double
    public var allGatherBandwidth: Double
    /// Of 64 MiB in buckets of 4 MiB, in the memory that gradients and parameters lie in.
    public var gradientBandwidth: Double
    public var parameterBandwidth: Double

    /// *Collective.* Takes a few seconds.
    public static func measure(_ communicator: any Communicator) throws -> CollectiveSpeed {
        let (size, large, count) = (communicator.size, Double(64 << 20) / 1e9, 16 << 20)
        let values = Floats(repeating: 0, count: count)
        func allReduce(_ count: Int, repeats: Int) throws -> Double {
            try seconds(repeats: repeats, communicator) { try communicator.allReduce(values[0..<count]) }
        }
        let counts = (0..<size).map { ($0 + 1) * count / size - $0 * count / size }
        let part = values[
            counts.prefix(communicator.rank).reduce(0, +)..<counts.prefix(communicator.rank + 1).reduce(0, +)]
        return CollectiveSpeed(
            ranks: size, nodes: communicator.nodes.map(\.count), latency: try allReduce(1, repeats: 200),
            mediumBandwidth: Double(4 << 20) / 1e9 / (try allReduce(1 << 20, repeats: 20)),
            largeBandwidth: large / (try allReduce(count, repeats: 5)),
            reduceScatterBandwidth: large
                / (try seconds(repeats: 5, communicator) {
                    try communicator.reduceScatter(values, counts: counts, into: part)
                }),
            allGatherBandwidth: large
                / (try seconds(repeats: 5, communicator) {
                    try communicator.allGather(part, counts: counts, into: values)
                }),
            gradientBandwidth: large / (try buckets(.own, communicator)),
            parameterBandwidth: large / (try buckets(.common, communicator)))
    }

    /// Sixteen buckets at once, as a step has them: reduced in `own` memory, gathered in `common`.
    private static func buckets(_ kind: NodeMemoryKind, _ communicator: any Communicator) throws -> Double {
        let (bucket, size) = (1 << 20, communicator.size)
        let piece = try communicator.nodeMemory(kind, byteCount: 64 << 20)
        let values = Floats(memory: piece.memory, count: 16 * bucket)
        if piece.isFirst { values.fill(0) }
        let counts = (0..<size).map { ($0 + 1) * bucket / size - $0 * bucket / size }
        let first = counts.prefix(communicator.rank).reduce(0, +)
        return try seconds(repeats: 5, communicator) {
            let requests = try (0..<16).map { index in
                let whole = values[index * bucket..<(index + 1) * bucket]
                let part = whole[first..<first + counts[communicator.rank]]
                return try communicator.start(
                    kind == .own
                        ? .reduceScatter(Payload(whole), counts: counts, into: Payload(part), .sum)
                        : .allGather(Payload(part), counts: counts, into: Payload(whole)))
            }
            for request in requests { try request.wait() }
        }
    }

    /// The fastest of `repeats`, the slowest rank counting; the first is for warming up.
    private static func seconds(
        repeats: Int, _ communicator: any Communicator, _ body: () throws -> Void
    ) throws -> Double {
        let clock = ContinuousClock()
        var best = Double.infinity
        for _ in 0...repeats {
            try communicator.barrier()
            let start = clock.now
            try body()
            best = min(best, try communicator.allReduce(start.duration(to: clock.now).seconds, .maximum))
        }
        return best
    }
}
