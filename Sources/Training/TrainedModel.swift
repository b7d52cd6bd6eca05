// A trained model in use: from a checkpoint to embeddings, scores and neighbours. Not here: training.
//
// Shapes: B local rows, M rows of an index, E embedding width.

public import Buffers
import Checkpoints
public import Collectives
import Datasets
import Failures
import Foundation

/// A model as a checkpoint holds it, with its configuration and tokenizers.
public struct TrainedModel {
    /// Where a model comes from.
    public enum Source: Sendable {
        /// A run's folder: its newest valid checkpoint.
        case run(String)
        /// A checkpoint's folder; `…/checkpoints/best` is that of the step that did best.
        case checkpoint(String)
        /// A published model's directory, as it is.
        case published(String)
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
    let assets: ModelAssets
    /// Of the checkpoint; nil for a published model as it is.
    let step: Int?
    /// Tells this model from every other: of its checkpoint's files.
    public let identity: String

    /// *Collective.*
    /// - Parameters:
    ///   - columns: the fields of data that the sides are, in place of the configuration's.
    ///   - warn: on every rank, receives a sentence for each newer checkpoint of a run that cannot be used.
    /// - Throws: on every rank alike, `Failure(.inputMissing)` when there is no checkpoint, `Failure(.data)` when it is damaged.
    public init(
        _ source: Source, columns: [Side: String] = [:], warn: (String) -> Void = { _ in },
        communicator: any Communicator
    ) throws {
        let checkpoint = try Self.checkpoint(source, warn: warn, communicator: communicator)
        step = checkpoint?.step
        (configuration, assets, embedder, identity) = try agreed(communicator) {
            var configuration: RunConfig
            let assets: ModelAssets
            if let checkpoint {
                configuration = try RunConfig.parse(checkpoint.config, file: "\(checkpoint.path)/config.yaml")
                assets = try ModelAssets(configuration, checkpoint: checkpoint)
            } else {
                configuration = try RunConfig(published: source)
                assets = try ModelAssets(published: configuration)
            }
            if let name = columns[.query] { configuration.data.query.column = .value(name) }
            if let name = columns[.target] { configuration.data.target.column = .value(name) }
            let model = try DualEncoder(configuration, assets, use: .inference)
            if let checkpoint {
                try checkpoint.loadParameters(layout: model.parameters.layout, into: model.parameters.values)
                if configuration.ema.decay != nil {
                    try checkpoint.loadMoments(
                        name: "average", layout: model.parameters.layout,
                        ranges: [0..<model.parameters.trainable.count], into: model.parameters.trainableValues)
                }
            } else {
                try assets.origins.fill(model, configuration)
            }
            return (
                configuration, assets, Embedder(model: model, normalizes: configuration.noise.normalizesEmbeddings),
                try checkpoint?.digest ?? "published \(ParameterAgreement.checksum(model.parameters.values))"
            )
        }
        preparation = configuration.preparation(assets, augments: false)
    }

    /// The checkpoint that a source means; nil for a published model.
    private static func checkpoint(
        _ source: Source, warn: (String) -> Void, communicator: any Communicator
    ) throws -> Checkpoint? {
        switch source {
        case .published: return nil
        case .checkpoint(let path):
            let named = try agreed(communicator) { try BestCheckpoint.resolve(path) }
            return try Checkpoint.open(path: named, communicator: communicator)
        case .run(let path):
            let folder = RunFolder(path)
            try agreed(communicator) {
                guard FileManager.default.fileExists(atPath: folder.path) else {
                    throw Failure(
                        .inputMissing,
                        "the run's folder \(folder.path) does not exist; train first, or give another --run")
                }
            }
            var skipped: [String] = []
            let store = CheckpointStore(directory: folder.checkpoints, keep: 1)
            guard let newest = try store.latest(communicator: communicator, warn: { skipped.append($0) }) else {
                let reasons = skipped.isEmpty ? "" : ": \(skipped.joined(separator: "; "))"
                throw Failure(
                    .inputMissing,
                    "\(folder.checkpoints) holds no valid checkpoint\(reasons); train first, or give another --run")
            }
            skipped.forEach(warn)
            return newest
        }
    }

    /// E.
    public var columns: Int { embedder.model.columns }

    /// Scores a held-out file of pairs. *Collective.*
    public func evaluate(_ path: String, chunk: Int, communicator: any Communicator) throws -> EvaluationReport {
        let set = try agreed(communicator) {
            try EvaluationSet(source: configuration.evaluationSource(path), preparation: preparation)
        }
        return try Evaluator(
            embedder: embedder, chunk: chunk, communicator: communicator,
            dimensions: configuration.loss.matryoshka.dimensions.values
        ).evaluate(set)
    }

    /// The rows of a file that can be embedded as one side. Local.
    ///
    /// - Parameter field: where they lie; nil: where the configuration says or, in a row without that, under a recognised name.
    public func rows(of path: String, side: Side, field: String? = nil) throws -> EmbeddableRows {
        let column = configuration.column(side)
        if column.kind == .text, !DataFormat.isTold(by: path) {
            guard field == nil else {
                throw Failure(
                    .usage, "\(path) is read as plain text, one a line, which has no columns; leave --column out")
            }
            return try EmbeddableRows(TextLines(path: path, prefix: column.prefix))
        }
        return EmbeddableRows(try configuration.sideSource(path, side, field: field), field: field)
    }

    /// Whether arrays are what one side encodes.
    public func readsFeatures(_ side: Side) -> Bool { configuration.column(side).kind == .features }

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

    /// Embeddings of questions, [questions, E], in their order; the same on every rank. *Collective.*
    public func embeddings(of questions: EmbeddableRows, side: Side, chunk: Int, communicator: any Communicator) throws
        -> Floats
    {
        let rows = try agreed(communicator) { try sideRows(questions.source, side: side, unitRows: chunk) }
        return try rows.gathered(communicator)
    }

    /// One question as a row of one side. Local.
    /// - Throws: `Failure(.data)` for a text that says nothing.
    public func row(of question: Question, side: Side) throws -> EmbeddableRows {
        switch question {
        case .text(let text):
            guard !text.allSatisfy(\.isWhitespace) else {
                throw Failure(.data, "the text to search for is empty; give one with words")
            }
            return EmbeddableRows(
                InlineSource(
                    [(.text(text, alternatives: []), "--text")], kind: .text, prefix: configuration.column(side).prefix)
            )
        case .picture(let path):
            return EmbeddableRows(InlineSource([(.picture(.file(path)), path)], kind: .picture))
        }
    }
}

/// Rows of one side, for `TrainedModel`.
public struct EmbeddableRows: Sendable {
    let source: any PairSource

    /// The field that was asked for, if any.
    let field: String?

    init(_ source: any PairSource, field: String? = nil) { (self.source, self.field) = (source, field) }

    public var count: Int { source.count }

    /// Tells whether the rows are what they were.
    var fingerprint: UInt64 { source.fingerprint }

    /// A row's content, to show: its text, or its picture's path; nil for features, which nobody can read.
    public func content(_ row: Int) throws -> String? {
        let side = try source.row(row, alternatives: false).query
        if case .features = side { return nil }
        return side.displayText
    }
}

extension RunConfig {
    /// The configuration of a published model that nothing has trained: both sides its own.
    fileprivate init(published source: TrainedModel.Source) throws {
        guard case .published(let path) = source else { preconditionFailure("\(source) has a configuration") }
        self.init()
        name = "published"
        duration = .steps(1)
        model.initialization = path
        (model.query, model.target) = (.published(PublishedEncoder()), .published(PublishedEncoder()))
        try resolvePublished()
    }
}
