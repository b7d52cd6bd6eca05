// Ranking measures and mining rules against BEIR and sentence-transformers. Golden values: Golden/retrieval.py, Golden/negatives.py.

import Buffers
import Foundation
import Kernels
import Testing

@testable import Training

private func golden<Value: Decodable>(_ name: String, _: Value.Type) throws -> Value {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden/\(name)")
    return try JSONDecoder().decode(Value.self, from: Data(contentsOf: path))
}

@Suite struct RankingMetricsTests {
    private struct Golden: Decodable {
        struct Case: Decodable {
            let results: [String: [String: Float]]
            let qrels: [String: [String: Int]]
            let values: [String: Double]
        }
        let cases: [Case]
    }

    /// Few, some and no equal scores; graded, negative and missing judgements; documents with the query's name.
    @Test(arguments: 0..<3) func equalsBEIR(_ index: Int) throws {
        let given = try golden("retrieval.json", Golden.self).cases[index]
        let queries = given.qrels.keys.sorted()
        let names = given.results[queries[0]].map { Array($0.keys) } ?? []
        let order = RankingMetrics.order(names)
        var best = BestRows(queries: queries.count, depth: names.count)
        for (query, name) in queries.enumerated() {
            for (row, document) in names.enumerated() {
                let score = try #require(given.results[name]?[document])
                best.offer(BestRows.Entry(row: row, score: score, key: order[row]), query: query)
            }
        }
        let values = RankingMetrics.means(best, names: names, queries: queries, grades: given.qrels)
        let prefixes = ["NDCG": "ndcg", "MAP": "map", "Recall": "recall", "P": "precision", "MRR": "mrr"]
        #expect(given.values.count == (index == 2 ? 25 : 24))
        for (name, expected) in given.values {
            let parts = name.split(separator: "@").map(String.init)
            let prefix = try #require(prefixes[parts[0]])
            let own = try #require(values["\(prefix)_at_\(parts[1])"])
            // BEIR rounds to five digits.
            #expect(abs(own - expected) < 0.500001e-5, "\(name): \(own) for \(expected)")
        }
    }
}

@Suite struct NegativeRulesTests {
    private struct Golden: Decodable {
        struct Rules: Decodable {
            let num_negatives: Int?
            let range_min: Int?
            let range_max: Int?
            let max_score: Float?
            let min_score: Float?
            let absolute_margin: Float?
            let relative_margin: Float?
        }
        struct Case: Decodable {
            let rules: Rules
            let negatives: [[Int]]
        }
        let queries: [[Float]]
        let corpus: [[Float]]
        let positives: [[Int]]
        let cases: [Case]
    }

    private func rules(_ given: Golden.Rules) -> NegativeRules {
        var rules = NegativeRules()
        rules.count = given.num_negatives ?? rules.count
        rules.rangeMin = given.range_min ?? 0
        rules.rangeMax = given.range_max
        (rules.maxScore, rules.minScore) = (given.max_score, given.min_score)
        (rules.absoluteMargin, rules.relativeMargin) = (given.absolute_margin, given.relative_margin)
        return rules
    }

    private func mine(_ given: Golden, _ rules: NegativeRules) -> (negatives: [[Int]], NegativeRules.Exclusions) {
        let columns = given.corpus[0].count
        let most = given.positives.map(\.count).max() ?? 0
        let range = rules.range(positives: most)
        var search = NearestRows(
            queries: Floats(given.queries.flatMap { $0 }), columns: columns,
            depth: min(range + most, given.corpus.count))
        search.add(Floats(given.corpus.flatMap { $0 }), firstRow: 0)
        var exclusions = NegativeRules.Exclusions()
        let negatives = given.queries.indices.map { query in
            let lowest = given.positives[query].map { positive in
                zip(given.queries[query], given.corpus[positive]).reduce(Float(0)) { $0 + $1.0 * $1.1 }
            }.min()
            return rules.choose(
                search.best.sorted(query: query), query: query, positives: Set(given.positives[query]), own: nil,
                lowest: lowest ?? 0, range: range, &exclusions
            ).map(\.row)
        }
        return (negatives, exclusions)
    }

    @Test(arguments: 0..<6) func equalsSentenceTransformers(_ index: Int) throws {
        let given = try golden("negatives.json", Golden.self)
        #expect(given.cases.count == 6)
        #expect(mine(given, rules(given.cases[index].rules)).negatives == given.cases[index].negatives)
    }

    /// Random negatives come from the range, differ by seed and not by call, and keep the order of scores.
    @Test func randomSampling() throws {
        let given = try golden("negatives.json", Golden.self)
        var rules = NegativeRules()
        (rules.count, rules.rangeMin, rules.rangeMax) = (20, 3, 23)
        let whole = mine(given, rules).negatives
        (rules.count, rules.sampling) = (4, .random)
        let first = mine(given, rules).negatives
        #expect(first == mine(given, rules).negatives)
        for (chosen, all) in zip(first, whole) {
            let places = chosen.compactMap { all.firstIndex(of: $0) }
            #expect(chosen.count == 4 && places.count == 4 && places == places.sorted() && Set(places).count == 4)
        }
        #expect(first != whole.map { Array($0.prefix(4)) })
        rules.seed += 1
        #expect(first != mine(given, rules).negatives)
    }

    @Test func countsWhatIsExcluded() throws {
        let given = try golden("negatives.json", Golden.self)
        var rules = NegativeRules()
        rules.maxScore = -2
        let (negatives, exclusions) = mine(given, rules)
        #expect(negatives.allSatisfy { $0.isEmpty })
        #expect(exclusions.emptyQueries == given.queries.count && exclusions.shortQueries == given.queries.count)
        #expect(exclusions.maxScore + exclusions.positives > 0)
    }
}
