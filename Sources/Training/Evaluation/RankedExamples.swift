// What a few questions of a held-out set find, for people to look at. Not here: scores of the whole set (Retrieval), pages (Reports).
//
// Shapes: G candidates, E embedding width.

import Buffers
import Datasets
import Foundation
import Kernels
import Reports

/// One question and its best-scored candidates, as rows of the set.
struct RankedExample: Sendable, Equatable {
    /// The side that asks.
    var asking: Side
    /// The question's row.
    var row: Int
    /// Place of the best-placed candidate that belongs to the question, from 1; as in `retrieval`, ties count against it.
    var place: Int
    var candidates: Int
    /// Best first.
    var results: [(row: Int, score: Double, isRight: Bool)]

    static func == (left: RankedExample, right: RankedExample) -> Bool {
        left.row == right.row && left.asking == right.asking && left.place == right.place
            && left.results.elementsEqual(right.results) { $0 == $1 }
    }
}

/// Embeddings of some rows of a set, with their concepts.
struct RankedRows {
    let embeddings: Floats
    let rows: [Int]
    let ids: [Int64]

    init(_ embeddings: Floats, rows: [Int], ids: [Int64]) {
        precondition(rows.count == ids.count, "\(rows.count) rows with \(ids.count) ids")
        (self.embeddings, self.rows, self.ids) = (embeddings, rows, ids)
    }
}

/// Questions evenly spaced over `questions`, each with its `best` candidates. Local.
func rankedExamples(
    of questions: RankedRows, among candidates: RankedRows, columns: Int, asking: Side, count: Int, best: Int = 5
) -> [RankedExample] {
    let (total, items) = (questions.rows.count, candidates.rows.count)
    guard total > 0, items > 0, count > 0 else { return [] }
    let scores = Floats(count: items)
    return (0..<min(count, total)).map { index in
        let question = index * total / min(count, total)
        gemm(
            Matrix(candidates.embeddings, rows: items, columns: columns), .none,
            Matrix(questions.embeddings, offset: question * columns, rows: 1, columns: columns), .transposed,
            into: Matrix(scores, rows: items, columns: 1))
        var kept = BestRows(queries: 1, depth: best)
        kept.offer(scores.base, count: items, firstRow: 0, query: 0)
        let id = questions.ids[question]
        var highest = -Float.infinity
        for item in 0..<items where candidates.ids[item] == id { highest = max(highest, scores[item]) }
        let before = (0..<items).count { scores[$0] >= highest && candidates.ids[$0] != id }
        return RankedExample(
            asking: asking, row: questions.rows[question], place: before + 1, candidates: items,
            results: kept.sorted(query: 0).map {
                (candidates.rows[$0.row], Double($0.score), candidates.ids[$0.row] == id)
            })
    }
}

extension ExampleSet {
    /// The examples with their contents; those that cannot be read or shown are left out. Local.
    init(name: String, _ ranked: [RankedExample], of set: EvaluationSet) {
        let content = { (row: Int, side: Side) -> RetrievedExample.Content? in
            guard let pair = try? set.row(row) else { return nil }
            return RetrievedExample.Content(side == .query ? pair.query : pair.target)
        }
        let examples = ranked.compactMap { example -> RetrievedExample? in
            let answering: Side = example.asking == .query ? .target : .query
            guard let question = content(example.row, example.asking) else { return nil }
            let results = example.results.compactMap { result in
                content(result.row, answering).map {
                    RetrievedExample.Result($0, score: result.score, isRight: result.isRight)
                }
            }
            guard !results.isEmpty else { return nil }
            return RetrievedExample(
                direction: example.asking == .query ? "query_to_target" : "target_to_query", question: question,
                place: example.place, candidates: example.candidates, results: results)
        }
        self.init(name: name, examples: examples)
    }
}
