// Which rank owns which part of the flat parameters, and in what order gradients leave. Not here: the exchange (Collectives), the
// update (Optimizer.swift).

public import Buffers

/// The flat layout cut into buckets, and each bucket into one piece for each rank.
///
/// A bucket holds whole parameters, so that it is complete when the last of its gradients is; backward completes parameters from the
/// end of the layout to its start, and buckets are numbered in that order. Rank r owns piece r of every bucket: it sums its
/// neighbours' gradients there, updates the parameters there and keeps the moments of them. Local; the same on every rank.
public struct ParameterShards: Sendable, Equatable {
    /// W ≥ 1.
    public let worldSize: Int
    /// Ranges of the flat buffer in order of completion: the first ends at the layout's end, the last begins at 0.
    public let buckets: [Range<Int>]
    /// For each bucket, the indices in `layout.entries` of its parameters.
    public let entries: [Range<Int>]

    /// Elements to which pieces are aligned: 64 bytes, a cache line, so that no two ranks write one.
    public static let alignment = 16

    /// Bytes of a bucket unless told otherwise.
    public static let bucketBytes = 4 << 20

    /// - Parameter bucketBytes: a bucket is closed before it would exceed this; a larger parameter is a bucket by itself.
    public init(layout: ParameterLayout, worldSize: Int, bucketBytes: Int = ParameterShards.bucketBytes) {
        precondition(
            worldSize >= 1 && bucketBytes >= 1, "shards for \(worldSize) ranks in buckets of \(bucketBytes) bytes")
        self.worldSize = worldSize
        let limit = bucketBytes / MemoryLayout<Float>.stride
        var buckets: [Range<Int>] = []
        var entries: [Range<Int>] = []
        var end = layout.count
        var lastEntry = layout.entries.count
        for index in layout.entries.indices.reversed() {
            let start = layout.entries[index].offset
            // Close here if the parameter before this one no longer fits.
            let previous = index == 0 ? nil : layout.entries[index - 1].offset
            if let previous, end - previous <= limit { continue }
            buckets.append(start..<end)
            entries.append(index..<lastEntry)
            (end, lastEntry) = (start, index)
        }
        self.buckets = buckets
        self.entries = entries
    }

    /// The pieces of a bucket, one for each rank, in rank order: contiguous, nearly equal, aligned; some may be empty.
    public func pieces(ofBucket bucket: Int) -> [Range<Int>] {
        (0..<worldSize).map { piece(ofBucket: bucket, rank: $0) }
    }

    /// Elements of each rank's piece: the counts of the bucket's reduce-scatter and all-gather.
    public func counts(ofBucket bucket: Int) -> [Int] { pieces(ofBucket: bucket).map(\.count) }

    /// What a rank owns of a bucket.
    public func piece(ofBucket bucket: Int, rank: Int) -> Range<Int> {
        precondition(rank >= 0 && rank < worldSize, "rank \(rank) of \(worldSize)")
        let range = buckets[bucket]
        // The layout is aligned, so units of 16 elements divide every bucket exactly.
        let units = range.count / ParameterShards.alignment
        func bound(_ rank: Int) -> Int { range.lowerBound + rank * units / worldSize * ParameterShards.alignment }
        return bound(rank)..<bound(rank + 1)
    }

    /// What a rank owns: one range for each bucket, in bucket order; some may be empty. The ranges of all ranks make the layout.
    public func ranges(rank: Int) -> [Range<Int>] { buckets.indices.map { piece(ofBucket: $0, rank: rank) } }
}
