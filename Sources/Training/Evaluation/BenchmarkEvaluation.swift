// Retrieval benchmarks in BEIR's format. Not here: reading their files (Datasets), the measures (RankingMetrics).
//
// Shapes: Q queries, E embedding width.

import Buffers
public import Collectives
import Datasets
import Failures
import Foundation
import Kernels

/// What a model can do on one benchmark.
public struct BenchmarkReport: Sendable, Encodable {
    /// Means over queries: `ndcg_at_10` and so on.
    public var measures: [String: Double]
    public var queries: Int
    public var documents: Int
    /// Judged queries that are not in queries.jsonl, and are left out.
    public var unknownQueries: Int
    /// Judgements of documents that are not in corpus.jsonl: never found, but counted as relevant, as trec_eval does.
    public var unknownDocuments: Int

    enum CodingKeys: String, CodingKey {
        case measures, queries, documents
        case unknownQueries = "unknown_queries"
        case unknownDocuments = "unknown_documents"
    }

    /// For people: one line.
    public var summary: String {
        let percent = { (name: String) in ProgressLine.decimal((measures[name] ?? 0) * 100, 2) }
        var line =
            "nDCG@10 \(percent("ndcg_at_10"))  Recall@100 \(percent("recall_at_100"))  MRR@10 \(percent("mrr_at_10"))  "
            + "MAP \(percent("map_at_1000"))  P@1 \(percent("precision_at_1"))   (\(queries) queries, \(documents) documents)"
        if unknownQueries > 0 { line += "; left out: \(unknownQueries) judged queries that are not in queries.jsonl" }
        if unknownDocuments > 0 { line += "; \(unknownDocuments) judged documents are not in corpus.jsonl" }
        return line
    }
}

extension TrainedModel {
    /// Ranks a corpus for every judged query, by dot product. *Collective*; the result does not depend on the number of ranks.
    ///
    /// The corpus is streamed: ranks take turns at its chunks and keep each query's thousand best documents. Equal scores are in
    /// descending order of the documents' names, as in trec_eval; a document with the query's name is left out, as in BEIR.
    /// - Parameter split: of the judgements, `qrels/SPLIT.tsv`.
    /// - Throws: `Failure` naming file and line of what is wrong with the benchmark.
    public func evaluate(
        benchmark folder: String, split: String, chunk: Int, communicator: any Communicator
    ) throws -> BenchmarkReport {
        let benchmark = try agreed(communicator) { try Benchmark(folder, split: split, model: self, chunk: chunk) }
        let queries = try benchmark.queries.gathered(communicator)
        // One more for the document with the query's own name.
        let depth = min((RankingMetrics.depths.last ?? 0) + 1, benchmark.names.count)
        var search = NearestRows(queries: queries, columns: columns, depth: depth)
        try agreed(communicator) {
            try benchmark.corpus.forEachUnit(from: communicator.rank, by: communicator.size) { rows, values in
                for first in stride(from: 0, to: rows.count, by: NearestRows.tileRows) {
                    let part = first..<min(first + NearestRows.tileRows, rows.count)
                    benchmark.order.withUnsafeBufferPointer { order in
                        search.add(
                            values[part.lowerBound * columns..<part.upperBound * columns],
                            firstRow: rows.lowerBound + first,
                            keys: order.baseAddress.map { $0 + rows.lowerBound + first })
                    }
                }
            }
        }
        return benchmark.report(try search.best.merged(communicator, keys: benchmark.order))
    }
}

/// A benchmark's files, open.
private struct Benchmark {
    let queries: SideRows
    let corpus: SideRows
    /// Names of the documents.
    let names: [String]
    /// Place of each document in the descending order of names: decides between equal scores.
    let order: [Int32]
    private let asked: [String]
    private let judgements: RelevanceJudgements

    init(_ folder: String, split: String, model: TrainedModel, chunk: Int) throws {
        for side in Side.allCases where model.configuration.column(side).kind != .text {
            throw Failure(
                .usage, "a benchmark has texts; the \(side.rawValue) side of this model encodes none")
        }
        judgements = try RelevanceJudgements(path: "\(folder)/qrels/\(split).tsv")
        let questions = try IdentifiedTexts(
            path: "\(folder)/queries.jsonl", column: model.configuration.column(.query))
        let documents = try IdentifiedTexts(
            path: "\(folder)/corpus.jsonl", column: model.configuration.column(.target))
        let judged = judgements.grades
        let rows = questions.names.indices.filter { judged[questions.names[$0]] != nil }
        guard !rows.isEmpty else {
            throw Failure(.data, "\(folder)/qrels/\(split).tsv judges no query of \(folder)/queries.jsonl")
        }
        asked = rows.map { questions.names[$0] }
        queries = try model.sideRows(SelectedRows(questions, rows: rows), side: .query, unitRows: chunk)
        corpus = try model.sideRows(documents, side: .target, unitRows: chunk)
        names = documents.names
        order = RankingMetrics.order(names)
    }

    func report(_ best: BestRows) -> BenchmarkReport {
        let measures = RankingMetrics.means(best, names: names, queries: asked, grades: judgements.grades)
        let known = Set(names)
        let questions = Set(asked)
        return BenchmarkReport(
            measures: measures, queries: asked.count,
            documents: names.count, unknownQueries: judgements.queries.count { !questions.contains($0) },
            unknownDocuments: judgements.grades.values.reduce(0) { $0 + $1.keys.count { !known.contains($0) } })
    }
}
