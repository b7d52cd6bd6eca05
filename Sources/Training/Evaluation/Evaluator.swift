// Evaluation of a model on held-out pairs: chunked, distributed, without noise or dropout. Not here: the metrics' formulas
// (Retrieval, EmbeddingGeometry), where the rows come from (Datasets).
//
// Shapes: B local rows, N rows of the set, E embedding width.

import Autograd
import Buffers
import Collectives
import Datasets
import Encoders
import Kernels

/// What a model can do on one held-out set.
public struct EvaluationReport: Sendable, Codable {
    /// Queries find their target among the set's distinct concepts.
    public var queryToTarget: RetrievalMetrics
    /// Distinct concepts find a query that belongs to them among all of the set's.
    public var targetToQuery: RetrievalMetrics
    public var geometry: EmbeddingGeometry

    enum CodingKeys: String, CodingKey {
        case queryToTarget = "query_to_target"
        case targetToQuery = "target_to_query"
        case geometry
    }

    /// For people: one line.
    public var summary: String {
        let percent = { (share: Double) in ProgressLine.decimal(share * 100, 1) + " %" }
        return "P@1 \(percent(queryToTarget.precisionAt1)) → · \(percent(targetToQuery.precisionAt1)) ←   R@5 \(percent(queryToTarget.recallAt5))"
            + " → · \(percent(targetToQuery.recallAt5)) ←   (\(queryToTarget.queries) queries, \(queryToTarget.gallery) candidates)"
    }

    /// For metrics.jsonl: `prefix.precision_at_1` and so on.
    func measures(prefix: String) -> [MetricsRow.Measure] {
        let directions = [("query_to_target", queryToTarget), ("target_to_query", targetToQuery)]
        return directions.flatMap { name, metrics in
            [
                MetricsRow.Measure(key: "\(prefix).\(name).precision_at_1", value: metrics.precisionAt1),
                MetricsRow.Measure(key: "\(prefix).\(name).recall_at_5", value: metrics.recallAt5),
                MetricsRow.Measure(key: "\(prefix).\(name).mrr", value: metrics.meanReciprocalRank),
                MetricsRow.Measure(key: "\(prefix).\(name).ndcg_at_10", value: metrics.ndcgAt10),
            ]
        } + [
            MetricsRow.Measure(key: "\(prefix).alignment", value: geometry.alignment),
            MetricsRow.Measure(key: "\(prefix).uniformity", value: geometry.uniformity),
            MetricsRow.Measure(key: "\(prefix).effective_rank", value: geometry.effectiveRank),
        ]
    }
}

/// Turns inputs into embeddings with a model as it stands.
struct Embedder {
    let model: DualEncoder
    /// Whether embeddings are unit vectors, as they were in training.
    let normalizes: Bool

    /// Embeddings of one side's rows, [B, E]. Local.
    func embeddings(_ input: EncoderInput, _ encoder: any Encoder) -> Floats {
        guard input.rows > 0 else { return Floats(count: 0) }
        let tape = Tape(.inference)
        let representations = encoder(input, model.parameters, on: tape)
        return normalizes ? tape.normalizeRows(representations).values : representations.values
    }
}
