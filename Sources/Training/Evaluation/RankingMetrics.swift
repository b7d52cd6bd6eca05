// Measures of ranked documents with graded relevance, as trec_eval defines them. Not here: the ranking (BenchmarkEvaluation).

import Foundation
import Kernels

/// Sums over queries of what trec_eval computes for each.
///
/// ```
/// DCG@k = Σ_{i ≤ k} g_i / log₂(i + 1)        g_i the grade at place i, 0 where it is not positive or not judged
/// nDCG@k = DCG@k / DCG@k of the best ranking of all judged documents
/// P@k = relevant in k / k     Recall@k = relevant in k / relevant     relevant: grade ≥ 1
/// AP@k = Σ_{i ≤ k, i relevant} P@i / relevant
/// RR@10 = 1 / place of the first relevant document, if that is 10 or less
/// ```
///
/// A query without a relevant document scores 0 and counts. Source: NIST trec_eval 9.0 (`m_ndcg_cut.c`, `m_map_cut.c`, `m_recall.c`,
/// `m_P.c`), which BEIR uses by pytrec_eval; the reciprocal rank is BEIR's own.
struct RankingMetrics {
    static let depths = [1, 3, 5, 10, 100, 1000]

    /// Names in the order in which they are shown.
    static let names: [String] = {
        let families = ["ndcg", "map", "recall", "precision"]
        return families.flatMap { name in depths.map { "\(name)_at_\($0)" } } + ["mrr_at_10"]
    }()

    /// The values of one query, in the order of `names`.
    /// - Parameters:
    ///   - ranked: grades of the ranked documents, nil where not judged.
    ///   - judged: all grades of the query.
    static func values(ranked: [Int?], judged: some Collection<Int>) -> [Double] {
        let relevant = Double(judged.count { $0 >= 1 })
        let ideal = judged.filter { $0 > 0 }.sorted(by: >)
        func gain(_ grades: some Sequence<Int>) -> Double {
            grades.enumerated().reduce(0.0) { sum, grade in
                sum + Double(max(grade.element, 0)) / log2(Double(grade.offset) + 2)
            }
        }
        let grades = ranked.map { $0 ?? 0 }
        let hits = grades.indices.filter { grades[$0] >= 1 }
        func share(_ value: Double, _ whole: Double) -> Double { whole > 0 ? value / whole : 0 }
        func precisions(_ depth: Int) -> Double {
            hits.enumerated().reduce(0.0) { sum, hit in
                hit.element < depth ? sum + Double(hit.offset + 1) / Double(hit.element + 1) : sum
            }
        }
        func found(_ depth: Int) -> Double { Double(hits.count { $0 < depth }) }
        let first: Double = hits.first.map { $0 < 10 ? 1 / Double($0 + 1) : 0 } ?? 0
        var values: [Double] = depths.map { share(gain(grades.prefix($0)), gain(ideal.prefix($0))) }
        values += depths.map { share(precisions($0), relevant) }
        values += depths.map { share(found($0), relevant) }
        values += depths.map { found($0) / Double($0) }
        return values + [first]
    }

    /// Means over queries, by name.
    ///
    /// - Parameters:
    ///   - best: of each query the best documents, kept with `order` as keys, one more than the largest depth: a document with the query's
    ///     own name is left out.
    ///   - names: of the documents.
    ///   - queries: names of the queries.
    ///   - grades: by document, by query.
    static func means(_ best: BestRows, names: [String], queries: [String], grades: [String: [String: Int]]) -> [String:
        Double]
    {
        var sums = [Double](repeating: 0, count: Self.names.count)
        for (query, name) in queries.enumerated() {
            let judged = grades[name] ?? [:]
            let ranked = best.sorted(query: query).map { names[$0.row] }.filter { $0 != name }
            let values = values(ranked: ranked.prefix(depths.last ?? 0).map { judged[$0] }, judged: judged.values)
            for (index, value) in values.enumerated() { sums[index] += value }
        }
        return Dictionary(uniqueKeysWithValues: zip(Self.names, sums.map { $0 / Double(max(queries.count, 1)) }))
    }

    /// Place of each name in the descending order of their bytes: what trec_eval puts between equal scores.
    static func order(_ names: [String]) -> [Int32] {
        var order = [Int32](repeating: 0, count: names.count)
        let bytes = names.map { Array($0.utf8) }
        let descending = names.indices.sorted { bytes[$1].lexicographicallyPrecedes(bytes[$0]) }
        for (place, row) in descending.enumerated() { order[row] = Int32(place) }
        return order
    }
}
