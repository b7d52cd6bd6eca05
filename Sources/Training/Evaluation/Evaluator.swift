// Evaluation of a model on held-out pairs: chunked, distributed, without noise or dropout. Not here: the metrics' formulas
// (Retrieval, EmbeddingGeometry), where the rows come from (Datasets).
//
// Shapes: B local rows, N rows of the set, E embedding width.

import Autograd
import Buffers
import Collectives
import Datasets
import Encoders
import Failures
import Kernels

/// What a model can do on one held-out set.
public struct EvaluationReport: Sendable, Codable {
    /// Queries find their target among the set's distinct concepts.
    public var queryToTarget: RetrievalMetrics
    /// Distinct concepts find a query that belongs to them among all of the set's.
    public var targetToQuery: RetrievalMetrics
    public var geometry: EmbeddingGeometry
    /// Of prefixes of the embeddings, where the model was trained for them.
    public var nested: [NestedPrecision] = []
    /// A few questions and what they find; on rank 0 alone, and in no file of scores.
    var examples: [RankedExample] = []

    enum CodingKeys: String, CodingKey {
        case queryToTarget = "query_to_target"
        case targetToQuery = "target_to_query"
        case geometry, nested
    }

    /// For people: one line.
    public var summary: String {
        let percent = { (share: Double) in ProgressLine.decimal(share * 100, 1) + " %" }
        return
            "P@1 \(percent(queryToTarget.precisionAt1)) → · \(percent(targetToQuery.precisionAt1)) ←   R@5 \(percent(queryToTarget.recallAt5))"
            + " → · \(percent(targetToQuery.recallAt5)) ←   (\(queryToTarget.queries) queries, \(queryToTarget.gallery) candidates)"
    }

    /// For metrics.jsonl: `prefix.precision_at_1` and so on.
    func measures(prefix: String) -> [MetricsRow.Measure] {
        let directions = [("query_to_target", queryToTarget), ("target_to_query", targetToQuery)]
        let prefixes = nested.flatMap { nested in
            [
                MetricsRow.Measure(
                    key: "\(prefix).query_to_target.precision_at_1.first_\(nested.dimension)",
                    value: nested.queryToTarget),
                MetricsRow.Measure(
                    key: "\(prefix).target_to_query.precision_at_1.first_\(nested.dimension)",
                    value: nested.targetToQuery),
            ]
        }
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
        ] + prefixes
    }

    /// The keys of `measures`, known before there is a report.
    /// - Parameter dimensions: of the prefixes that are scored too.
    static func measureKeys(prefix: String, dimensions: [Int]) -> [String] {
        let none = RetrievalMetrics(
            precisionAt1: 0, recallAt5: 0, meanReciprocalRank: 0, ndcgAt10: 0, queries: 0, gallery: 0)
        let report = EvaluationReport(
            queryToTarget: none, targetToQuery: none,
            geometry: EmbeddingGeometry(alignment: 0, uniformity: 0, effectiveRank: 0),
            nested: dimensions.map { NestedPrecision(dimension: $0, queryToTarget: 0, targetToQuery: 0) })
        return report.measures(prefix: prefix).map(\.key)
    }
}

/// What the first dimensions of the embeddings can do by themselves.
public struct NestedPrecision: Sendable, Codable {
    public var dimension: Int
    /// Precision@1 of queries, as in `RetrievalMetrics`.
    public var queryToTarget: Double
    public var targetToQuery: Double

    enum CodingKeys: String, CodingKey {
        case dimension
        case queryToTarget = "query_to_target"
        case targetToQuery = "target_to_query"
    }
}

/// Turns inputs into embeddings with a model as it stands.
struct Embedder {
    let model: DualEncoder
    /// Whether embeddings are unit vectors, as they were in training.
    let normalizes: Bool

    /// Embeddings of one side's rows, [B, E]. Local.
    /// - Throws: `Failure(.data)` when one is not finite.
    /// - Parameters:
    ///   - number: of a row of the input where the rows come from, for messages.
    ///   - change: what is done to the tokens that enter the encoder.
    func embeddings(
        _ input: EncoderInput, _ encoder: any Encoder, number: (Int) -> Int,
        changing change: ((Floats) -> Floats)? = nil
    ) throws -> Floats {
        guard input.rows > 0 else { return Floats(count: 0) }
        let tape = Tape(.inference)
        var tokens = encoder.embed(input, model.parameters, on: tape)
        if let change { tokens = tape.replaceValues(of: tokens, with: change(tokens.values)) }
        let representations = encoder.encode(tokens, of: input, model.parameters, on: tape)
        let embeddings = normalizes ? tape.normalizeRows(representations).values : representations.values
        guard let element = firstNonFinite(embeddings) else { return embeddings }
        let row = element / model.columns
        throw Failure(.data, complaint(of: row, number(row), in: embeddings, input))
    }

    /// Features beyond this have squares that float32 does not hold.
    private static let largestFeature: Float = 1e18

    /// That a row's embedding is not finite, and why: damaged weights spoil every row, wrong input its own.
    private func complaint(of row: Int, _ number: Int, in embeddings: Floats, _ input: EncoderInput) -> String {
        let columns = model.columns
        let othersAreFinite = (0..<input.rows).contains { allFinite(embeddings[$0 * columns..<($0 + 1) * columns]) }
        if case .features(let values, let count) = input {
            let width = values.count / count
            if values[row * width..<(row + 1) * width].array.contains(where: { abs($0) > Self.largestFeature }) {
                return
                    "row \(number) of the input has features beyond \(Self.largestFeature), and an embedding that is not "
                    + "finite; scale the features"
            }
        }
        guard othersAreFinite else {
            return "\(Divergence.ofEmbeddings): its weights have diverged or are damaged; use an earlier checkpoint"
        }
        return
            "\(Divergence.ofEmbeddings): that of row \(number) is not, others are; look at that row of the input and, if "
            + "nothing is wrong with it, use an earlier checkpoint: the weights have diverged or are damaged"
    }
}

/// Scores held-out sets, rows sharded over ranks.
struct Evaluator {
    let embedder: Embedder
    /// Rows encoded, and queries scored, at a time.
    let chunk: Int
    let communicator: any Communicator
    /// Widths of prefixes that are scored too.
    var dimensions: [Int] = []
    /// Questions of each direction whose results are kept.
    var examples = 0
    /// Whether every query's place is part of the report.
    var keepsPlaces = false
    /// Deviation of the noise on inputs; 0 for none.
    var perturbation = 0.0
    /// Called before each chunk of rows is encoded or scored; what it throws on one rank ends the evaluation on all.
    var beforeChunk: () throws -> Void = {}

    /// Queries find their concept's target, concepts find a query of theirs. *Collective.*
    func evaluate(_ set: EvaluationSet) throws -> EvaluationReport {
        let (rank, size, columns) = (communicator.rank, communicator.size, embedder.model.columns)
        let mine = set.rows(rank: rank, of: size)
        func disturbance(_ side: Side) -> InputPerturbation? {
            perturbation > 0 ? InputPerturbation(deviation: Float(perturbation), side: side) : nil
        }
        let (queries, targets) = try agreed(communicator) {
            (
                try embedder.embeddings(Array(mine), chunk: chunk, embedder.model.query, disturbance(.query)) {
                    try beforeChunk()
                    return try set.queries($0)
                },
                try embedder.embeddings(Array(mine), chunk: chunk, embedder.model.target, disturbance(.target)) {
                    try beforeChunk()
                    return try set.targets($0)
                }
            )
        }
        let counts = (0..<size).map { set.rows(rank: $0, of: size).count * columns }
        let allQueries = Floats(count: set.count * columns)
        let allTargets = Floats(count: set.count * columns)
        try communicator.allGather(queries, counts: counts, into: allQueries)
        try communicator.allGather(targets, counts: counts, into: allTargets)

        // Each concept's target is there once, however many queries ask for it.
        let gallery = Floats(count: set.gallery.count * columns)
        gatherRows(allTargets, rows: set.gallery, columns: columns, into: gallery)
        let askers = evenRange(of: set.gallery.count, part: rank, of: size)
        /// Both directions by the first `width` dimensions.
        func metrics(_ width: Int) throws -> (queryToTarget: RetrievalMetrics, targetToQuery: RetrievalMetrics) {
            let (candidates, queries) = (prefix(gallery, width), prefix(queries, width))
            return (
                try retrieval(
                    queries: queries, queryIDs: Array(set.ids[mine]), gallery: candidates, galleryIDs: set.galleryIDs,
                    columns: width, chunk: chunk, keepsPlaces: keepsPlaces && width == columns,
                    communicator: communicator, beforeChunk: beforeChunk),
                try retrieval(
                    queries: candidates[askers.lowerBound * width..<askers.upperBound * width],
                    queryIDs: Array(set.galleryIDs[askers]), gallery: prefix(allQueries, width), galleryIDs: set.ids,
                    columns: width, chunk: chunk, keepsPlaces: keepsPlaces && width == columns,
                    communicator: communicator, beforeChunk: beforeChunk)
            )
        }
        let whole = try metrics(columns)
        let nested = try dimensions.sorted().map { width in
            let part = try metrics(width)
            return NestedPrecision(
                dimension: width, queryToTarget: part.queryToTarget.precisionAt1,
                targetToQuery: part.targetToQuery.precisionAt1)
        }
        var report = EvaluationReport(
            queryToTarget: whole.queryToTarget, targetToQuery: whole.targetToQuery,
            geometry: try EmbeddingGeometry(
                queries: unit(queries), targets: unit(targets), allQueries: unit(allQueries),
                allTargets: unit(allTargets), columns: columns,
                firstRow: mine.lowerBound, communicator: communicator, beforeChunk: beforeChunk), nested: nested)
        if rank == 0, examples > 0 {
            let queries = RankedRows(allQueries, rows: Array(0..<set.count), ids: set.ids)
            let candidates = RankedRows(gallery, rows: set.gallery, ids: set.galleryIDs)
            report.examples = [Side.query, .target].flatMap { asking in
                rankedExamples(
                    of: asking == .query ? queries : candidates, among: asking == .query ? candidates : queries,
                    columns: columns, asking: asking, count: examples)
            }
        }
        return report
    }

    /// The first dimensions of embeddings, unit vectors again where embeddings are.
    private func prefix(_ rows: Floats, _ width: Int) -> Floats {
        let columns = embedder.model.columns
        guard width < columns, rows.count > 0 else { return rows }
        let tape = Tape(.inference)
        let part = tape.prefix(Tensor(rows, shape: [rows.count / columns, columns]), columns: width)
        return embedder.normalizes ? tape.normalizeRows(part).values : part.values
    }

    /// Rows divided by their length: alignment and uniformity are defined on the sphere.
    private func unit(_ rows: Floats) -> Floats {
        guard !embedder.normalizes else { return rows }
        let columns = embedder.model.columns
        let result = Floats(count: rows.count)
        let inverseNorms = Floats(count: rows.count / columns)
        normalizeRowsForward(
            rows, rows: rows.count / columns, columns: columns, epsilon: 1e-12, into: result, inverseNorms: inverseNorms
        )
        return result
    }
}

extension Embedder {
    /// Embeddings of rows, encoded `chunk` at a time, [rows, E]. Local.
    /// - Parameter prepare: gives the side of some rows.
    func embeddings(
        _ rows: [Int], chunk: Int, _ encoder: any Encoder, _ perturbation: InputPerturbation? = nil,
        _ prepare: (ArraySlice<Int>) throws -> SideBatch
    ) throws -> Floats {
        let columns = model.columns
        let result = Floats(count: rows.count * columns)
        var first = 0
        for part in chunks(of: rows, size: chunk) {
            let input = try prepare(part).encoderInput
            let change = perturbation.map { perturbation in
                { (tokens: Floats) in perturbation(tokens, of: input, rows: Array(part), encoder) }
            }
            let embeddings = try embeddings(
                input, encoder, number: { part[part.startIndex + $0] }, changing: change)
            result[first..<first + embeddings.count].copy(from: embeddings)
            first += embeddings.count
        }
        return result
    }
}
