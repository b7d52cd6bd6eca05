// Retrieval metrics over a gallery, rows sharded over ranks. Not here: encoding (Evaluator), geometry (EmbeddingGeometry).
//
// Shapes: B local queries, G gallery items, E embedding width, c queries scored at a time.

import Buffers
import Collectives
import Foundation
import Kernels

/// How well queries find what belongs to them.
public struct RetrievalMetrics: Sendable, Equatable, Codable {
    /// Share of queries whose best-scored item is relevant.
    public var precisionAt1: Double
    /// Share of queries with a relevant item among the five best (the hit rate that image–text papers call Recall@5).
    public var recallAt5: Double
    /// Mean of 1 / place of the best-placed relevant item.
    public var meanReciprocalRank: Double
    /// Normalised discounted cumulative gain of the ten best, binary relevance (Järvelin & Kekäläinen 2002).
    public var ndcgAt10: Double
    public var queries: Int
    public var gallery: Int
    /// Of each query in the order of the set, the place (1 for the best) of its best-placed relevant item, 0 where there is none; nil
    /// unless asked for.
    public var places: [Int64]?

    enum CodingKeys: String, CodingKey {
        case precisionAt1 = "precision_at_1"
        case recallAt5 = "recall_at_5"
        case meanReciprocalRank = "mrr"
        case ndcgAt10 = "ndcg_at_10"
        case queries, gallery
    }
}

/// Scores every local query against the whole gallery. *Collective.*
///
/// An item is relevant when its id equals the query's. Ties count against the query: an irrelevant item with the score of a relevant
/// one is placed before it, so that constant embeddings score chance and not 100 %. Queries without a relevant item are left out.
/// - Parameters:
///   - queries: local rows [B, E]; `queryIDs` has B entries.
///   - gallery: the same G rows on every rank, [G, E]; `galleryIDs` has G entries.
///   - keepsPlaces: whether the place of every query's best item, of all ranks, is part of the result.
///   - beforeChunk: called before each chunk of queries; what it throws on one rank, all ranks throw.
func retrieval(
    queries: Floats, queryIDs: [Int64], gallery: Floats, galleryIDs: [Int64], columns: Int, chunk: Int = 256,
    keepsPlaces: Bool = false, communicator: any Communicator, beforeChunk: () throws -> Void = {}
) throws -> RetrievalMetrics {
    let (rows, items) = (queryIDs.count, galleryIDs.count)
    var relevant: [Int64: [Int]] = [:]
    for (index, id) in galleryIDs.enumerated() { relevant[id, default: []].append(index) }
    let galleryMatrix = Matrix(gallery, rows: items, columns: columns)
    let scores = Floats(count: min(chunk, rows) * items)
    let sums = Doubles(repeating: 0, count: 5)
    let bestPlaces = Buffer<Int64>(repeating: 0, count: rows)

    try agreed(communicator) {
        for first in stride(from: 0, to: rows, by: chunk) {
            try beforeChunk()
            let count = min(chunk, rows - first)
            gemm(
                Matrix(queries, offset: first * columns, rows: count, columns: columns), .none, galleryMatrix,
                .transposed,
                into: Matrix(scores, rows: count, columns: items))
            for row in 0..<count {
                guard let positives = relevant[queryIDs[first + row]] else { continue }
                let places = places(
                    of: positives, in: UnsafeBufferPointer(start: scores.base + row * items, count: items))
                let best = places[0]
                bestPlaces[first + row] = Int64(best)
                sums[0] += best == 1 ? 1 : 0
                sums[1] += best <= 5 ? 1 : 0
                sums[2] += 1 / Double(best)
                sums[3] += ndcg(places, at: 10)
                sums[4] += 1
            }
        }
    }
    try communicator.allReduce(sums)
    var allPlaces: [Int64]?
    if keepsPlaces {
        let counts = try communicator.allGather(rows)
        let all = Buffer<Int64>(count: counts.reduce(0, +))
        try communicator.allGather(bestPlaces, counts: counts, into: all)
        allPlaces = all.array
    }
    let total = max(sums[4], 1)
    return RetrievalMetrics(
        precisionAt1: sums[0] / total, recallAt5: sums[1] / total, meanReciprocalRank: sums[2] / total,
        ndcgAt10: sums[3] / total,
        queries: Int(sums[4]), gallery: items, places: allPlaces)
}

/// The places (1 for the best) of the relevant items, ascending.
private func places(of positives: [Int], in scores: UnsafeBufferPointer<Float>) -> [Int] {
    let ordered = positives.map { scores[$0] }.sorted(by: >)
    return ordered.enumerated().map { earlier, score in
        var atLeast = 0
        for other in scores where other >= score { atLeast += 1 }
        // Relevant items that are not placed before this one do not count; irrelevant ones with an equal score do.
        let relevantAtLeast = ordered.count { $0 >= score }
        return atLeast - relevantAtLeast + earlier + 1
    }
}

private func ndcg(_ places: [Int], at depth: Int) -> Double {
    let gain = places.filter { $0 <= depth }.reduce(0) { $0 + 1 / Foundation.log2(Double($1) + 1) }
    let ideal = (1...min(depth, places.count)).reduce(0) { $0 + 1 / Foundation.log2(Double($1) + 1) }
    return gain / ideal
}
