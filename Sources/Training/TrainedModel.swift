// A trained model in use: from a checkpoint to embeddings, scores and neighbours. Not here: training.
//
// Shapes: B local rows, M rows of an index, E embedding width.

public import ArrayFiles
import Buffers
import Checkpoints
public import Collectives
import Datasets
import Failures
import Foundation
import Kernels

/// A model as a checkpoint holds it, with its configuration and tokenizers.
public struct TrainedModel {
    /// Where a model comes from.
    public enum Source: Sendable {
        /// A run's folder: its newest valid checkpoint.
        case run(String)
        /// A checkpoint's folder.
        case checkpoint(String)
    }

    /// What is searched for.
    public enum Question: Sendable {
        case text(String)
        case picture(path: String)
    }

    /// The configuration the model was trained with.
    public let configuration: RunConfig
    let embedder: Embedder
    let preparation: PairPreparation

    /// *Collective.*
    /// - Parameter warn: on every rank, receives a sentence for each newer checkpoint of a run that cannot be used.
    /// - Throws: on every rank alike, `Failure(.inputMissing)` when there is no checkpoint, `Failure(.data)` when it is damaged.
    public init(_ source: Source, warn: (String) -> Void = { _ in }, communicator: any Communicator) throws {
        let checkpoint: Checkpoint
        switch source {
        case .checkpoint(let path): checkpoint = try Checkpoint.open(path: path, communicator: communicator)
        case .run(let path):
            let folder = RunFolder(path)
            var skipped: [String] = []
            let store = CheckpointStore(directory: folder.checkpoints, keep: 1)
            guard let newest = try store.latest(communicator: communicator, warn: { skipped.append($0) }) else {
                let reasons = skipped.isEmpty ? "" : ": \(skipped.joined(separator: "; "))"
                throw Failure(
                    .inputMissing,
                    "\(folder.checkpoints) holds no valid checkpoint\(reasons); train first, or give another --run")
            }
            skipped.forEach(warn)
            checkpoint = newest
        }
        (configuration, embedder, preparation) = try agreed(communicator) {
            let configuration = try RunConfig.parse(checkpoint.config, file: "\(checkpoint.path)/config.yaml")
            let tokenizers = try SideTokenizers(configuration) { try checkpoint.extraFile($0) }
            let model = try DualEncoder(
                configuration, queryVocabulary: tokenizers[.query]?.vocabularySize,
                targetVocabulary: tokenizers[.target]?.vocabularySize)
            try checkpoint.loadParameters(layout: model.parameters.layout, into: model.parameters.values)
            return (
                configuration, Embedder(model: model, normalizes: configuration.noise.normalizesEmbeddings),
                configuration.preparation(tokenizers, augments: false)
            )
        }
    }

    /// E.
    public var columns: Int { embedder.model.columns }

    /// Scores a held-out file of pairs. *Collective.*
    public func evaluate(_ path: String, chunk: Int, communicator: any Communicator) throws -> EvaluationReport {
        let set = try agreed(communicator) {
            try EvaluationSet(source: configuration.evaluationSource(path), preparation: preparation)
        }
        return try Evaluator(embedder: embedder, chunk: chunk, communicator: communicator).evaluate(set)
    }

    /// The rows of a file that can be embedded as one side. Local.
    public func rows(of path: String, side: Side) throws -> EmbeddableRows {
        let column = configuration.column(side)
        if column.kind == .text, !path.hasSuffix(".jsonl") { return try EmbeddableRows(InlineSource(linesOf: path)) }
        return EmbeddableRows(try JSONLDataset(path: path, query: column, target: column))
    }

    /// Embeds rows and writes them in order, [rows, E]; rank 0 writes. *Collective.*
    ///
    /// Rows go round the ranks chunk by chunk, so that no rank holds more than a chunk of each.
    public func writeEmbeddings(
        of rows: EmbeddableRows, side: Side, to path: String, chunk: Int, communicator: any Communicator
    ) throws {
        let set = try agreed(communicator) { try self.set(rows.source, side: side) }
        let writer = try agreed(communicator) {
            communicator.rank == 0 ? try NPYWriter(path: path, shape: [rows.count, columns]) : nil
        }
        let encoder = side == .query ? embedder.model.query : embedder.model.target
        for start in stride(from: 0, to: rows.count, by: chunk * communicator.size) {
            let parts = (0..<communicator.size).map { rank in
                min(start + rank * chunk, rows.count)..<min(start + (rank + 1) * chunk, rows.count)
            }
            let local = try agreed(communicator) {
                try embedder.embeddings(Array(parts[communicator.rank]), chunk: chunk, encoder) { try set.queries($0) }
            }
            let counts = parts.map { $0.count * columns }
            let all = Floats(count: counts.reduce(0, +))
            try communicator.allGather(local, counts: counts, into: all)
            try agreed(communicator) { try writer?.append(all) }
        }
        try agreed(communicator) { try writer?.finish() }
    }

    /// The side that can encode a question.
    /// - Throws: `Failure(.usage)` when neither side can.
    public func side(for question: Question) throws -> Side {
        let kind: ColumnKind
        switch question {
        case .text: kind = .text
        case .picture: kind = .picture
        }
        if let side = Side.allCases.first(where: { configuration.column($0).kind == kind }) { return side }
        throw Failure(.usage, "neither side of this model encodes a \(kind.rawValue)")
    }

    /// The rows of an index, [M, E], whose dot products with the question's embedding are largest, best first; ties in row order. Local.
    public func nearest(to question: Question, in index: NPYArray, named name: String, count: Int) throws -> [(
        row: Int, score: Float
    )] {
        guard index.shape.count == 2, index.shape[1] == columns else {
            throw Failure(
                .data, "\(name) has shape \(index.shape); expected rows × \(columns), as `fanoise embed` writes them")
        }
        let side = try side(for: question)
        let source: InlineSource
        switch question {
        case .text(let text): source = InlineSource([(.text(text, alternatives: []), "--text")], kind: .text)
        case .picture(let path): source = InlineSource([(.picture(path: path), path)], kind: .picture)
        }
        let encoder = side == .query ? embedder.model.query : embedder.model.target
        if let element = firstNonFinite(index.values) {
            throw Failure(
                .data,
                "\(name): row \(element / max(columns, 1)) has an element that is not finite; embed the rows again")
        }
        let embedding = try embedder.embeddings(try set(source, side: side).queries([0]).encoderInput, encoder)
        let rows = index.shape[0]
        let scores = Floats(count: rows)
        gemm(
            Matrix(index.values, rows: rows, columns: columns), .none, Matrix(embedding, rows: 1, columns: columns),
            .transposed,
            into: Matrix(scores, rows: rows, columns: 1))
        let order = (0..<rows).sorted { (scores[$0], $1) > (scores[$1], $0) }
        return order.prefix(count).map { ($0, scores[$0]) }
    }

    /// A set whose both sides are prepared as one side of this model.
    private func set(_ source: any PairSource, side: Side) throws -> EvaluationSet {
        let own = side == .query ? preparation.query : preparation.target
        return try EvaluationSet(source: source, preparation: PairPreparation(query: own, target: own))
    }
}

/// Rows of one side, for `TrainedModel`.
public struct EmbeddableRows: Sendable {
    let source: any PairSource

    init(_ source: any PairSource) { self.source = source }

    public var count: Int { source.count }

    /// A row's content, to show: its text, or its picture's path.
    public func content(_ row: Int) throws -> String {
        switch try source.row(row).query {
        case .text(let text, _): text
        case .picture(let path): path
        case .features(let values): "\(values.count) features"
        }
    }
}
