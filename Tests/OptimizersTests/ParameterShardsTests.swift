// Buckets and pieces cover the layout once. Not here: the update on them (OptimizerTests.swift).

import Buffers
import Testing

@testable import Optimizers

@Suite struct ParameterShardsTests {
    static func layout(_ counts: [Int]) -> ParameterLayout {
        var layout = ParameterLayout()
        for (index, count) in counts.enumerated() { _ = layout.add("p\(index)", shape: [count], decays: true) }
        return layout
    }

    @Test(
        arguments: [
            [], [1], [16], [17, 1, 1], [5000, 3, 3, 3, 3], [3, 3, 3, 5000], Array(repeating: 100, count: 50),
        ], 1...7)
    func piecesMakeTheLayout(counts: [Int], worldSize: Int) {
        let layout = Self.layout(counts)
        let limit = 400
        let shards = ParameterShards(layout: layout, worldSize: worldSize, bucketBytes: limit * 4)
        // Buckets run from the layout's end to its start, over whole parameters.
        var end = layout.count
        var lastEntry = counts.count
        for (bucket, range) in shards.buckets.enumerated() {
            #expect(range.upperBound == end && !range.isEmpty)
            let entries = shards.entries[bucket]
            #expect(entries.upperBound == lastEntry && layout.entries[entries.lowerBound].offset == range.lowerBound)
            #expect(range.count <= limit || entries.count == 1)
            (end, lastEntry) = (range.lowerBound, entries.lowerBound)
            // Pieces are contiguous, aligned, nearly equal and complete.
            let pieces = shards.pieces(ofBucket: bucket)
            #expect(pieces.count == worldSize)
            #expect(pieces.first?.lowerBound == range.lowerBound && pieces.last?.upperBound == range.upperBound)
            for (piece, next) in zip(pieces, pieces.dropFirst()) { #expect(piece.upperBound == next.lowerBound) }
            for piece in pieces { #expect(piece.lowerBound % 16 == 0 && piece.upperBound % 16 == 0) }
            let sizes = shards.counts(ofBucket: bucket)
            #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 16)
        }
        #expect(end == 0 && lastEntry == 0)
        #expect((0..<worldSize).flatMap { shards.ranges(rank: $0) }.reduce(0) { $0 + $1.count } == layout.count)
    }

    @Test func bucketsFillUpToTheirLimit() {
        // 100 elements are padded to 112; three of them fit into 400, a fourth would not.
        let shards = ParameterShards(layout: Self.layout([100, 100, 100, 100, 100]), worldSize: 2, bucketBytes: 1600)
        #expect(shards.buckets == [224..<560, 0..<224])
        #expect(shards.entries == [2..<5, 0..<2])
        #expect(shards.ranges(rank: 0) == [224..<384, 0..<112])
        #expect(shards.ranges(rank: 1) == [384..<560, 112..<224])
    }
}
