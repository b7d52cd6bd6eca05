// Data as a configuration wants it: sources, tokenizers, preparation of both sides. Not here: reading and preparing (Datasets).

import Datasets
import Failures
import Foundation
import Tokenizers

/// The two sides of a pair.
public enum Side: String, Sendable, CaseIterable {
    case query, target

    /// The side across.
    public var other: Side { self == .query ? .target : .query }

    /// The tokenizer's file in checkpoints.
    var tokenizerFile: String { "\(rawValue)_tokenizer.json" }
}

extension RunConfig {
    /// One side's encoder.
    func encoder(_ side: Side) -> Encoder { side == .query ? model.query : model.target }

    /// One side's column in the data: of held-out data, and of training data that does not say otherwise.
    func column(_ side: Side) -> Column { column(side, own: OwnSideSource()) }

    private func column(_ side: Side, own: OwnSideSource) -> Column {
        let shared = data.side(side)
        var name: String?
        if case .value(let column) = own.column ?? shared.column { name = column }
        return Column(name, encoder(side).inputKind, prefix: own.prefix ?? shared.prefix)
    }

    private func columns(_ source: Source = Source()) -> SourceColumns {
        var negatives: [String]?
        if case .value(let fields) = source.negatives ?? data.negatives.columns { negatives = fields.names }
        return SourceColumns(
            query: column(.query, own: source.query), target: column(.target, own: source.target),
            negatives: data.negatives.maximum == 0 ? [] : negatives, id: source.id)
    }

    /// The field that one side is written as, so that the same configuration reads it again.
    func fieldName(_ side: Side) -> String { column(side).name ?? (side == .query ? "anchor" : "positive") }

    /// One side of data that may have no other.
    func sideSource(_ path: String, _ side: Side) throws -> any PairSource {
        var columns = columns()
        (columns.negatives, columns.only) = ([], side == .query ? .query : .target)
        return try SourceDescription(paths: [path], columns: columns).open()
    }

    /// The training data.
    func trainingSource() throws -> any PairSource {
        let policy: RowErrorPolicy = data.onError == .skip ? .skip(maximumShare: data.maxSkipped) : .fail
        if let train = data.train {
            return try SourceDescription(paths: train.patterns, columns: columns()).open(onError: policy)
        }
        let sources = try data.sources.map { source in
            var format: DataFormat?
            if case .value(let value) = source.format { format = value }
            return try SourceDescription(paths: source.path.patterns, format: format, columns: columns(source)).open(
                onError: policy)
        }
        return MixedSource(sources)
    }

    /// Which rows of the training data make a step.
    func sampler(_ source: any PairSource) throws -> GlobalSampler {
        let entries = data.sources.isEmpty ? [Source()] : data.sources
        let parts = zip(entries, source.parts).map {
            SampledPart(rows: $1.rows, weight: $0.weight, mixing: $0.batches ?? data.batches)
        }
        return try GlobalSampler(
            ids: source.ids, parts: parts, globalBatch: batch.global, seed: seed, last: batch.last,
            distinctIDs: data.distinctIDs)
    }

    /// Held-out data of the same columns, without negatives.
    func evaluationSource(_ path: String) throws -> any PairSource {
        var columns = columns()
        columns.negatives = []
        return try SourceDescription(paths: [path], columns: columns).open()
    }

    /// How both sides become numbers; `augments` for training.
    func preparation(_ tokenizers: SideTokenizers, augments: Bool) -> PairPreparation {
        PairPreparation(
            query: preparation(.query, tokenizers, augments: augments),
            target: preparation(.target, tokenizers, augments: augments))
    }

    func preparation(_ side: Side, _ tokenizers: SideTokenizers, augments: Bool) -> SidePreparation {
        switch encoder(side) {
        case .vit(let vision):
            let prepared = PicturePreparation(size: vision.imageSize)
            return .pictures(augments ? augmented(prepared) : prepared)
        case .text(let text):
            guard let tokenizer = tokenizers[side] else {
                preconditionFailure("the \(side.rawValue) side has text and no tokenizer")
            }
            return .text(
                TextPreparation(
                    tokenizer: tokenizer, contextLength: text.context, nameProbability: data.captions.nameProbability))
        case .features(let head):
            return .features(columns: head.inputs)
        }
    }
}

extension RunConfig.Data {
    /// One side's keys.
    func side(_ side: Side) -> RunConfig.SideSource { side == .query ? query : target }

    /// The places where the kind of one side is stated, and what they state.
    func statedKinds(_ side: Side) -> [(place: String, kind: ColumnKind)] {
        var stated: [(place: String, kind: ColumnKind)] = []
        if case .value(let kind) = self.side(side).kind { stated.append(("data.\(side.rawValue)", kind)) }
        for (index, source) in sources.enumerated() {
            guard case .value(let kind)? = source.side(side).kind else { continue }
            stated.append(("data.sources[\(index)].\(side.rawValue)", kind))
        }
        return stated
    }
}

extension RunConfig.Source {
    /// One side's own keys.
    func side(_ side: Side) -> RunConfig.OwnSideSource { side == .query ? query : target }
}

/// The tokenizers of the sides that are text.
struct SideTokenizers {
    private var bySide: [Side: any TextTokenizer] = [:]

    subscript(side: Side) -> (any TextTokenizer)? { bySide[side] }

    /// Rows that a vocabulary is learnt from at most; more are sampled evenly.
    private static let maximumRows = 200_000

    /// Learns a vocabulary from each text side of the training data: a function of the data, the same on every rank.
    init(trainedOn source: any PairSource, _ configuration: RunConfig) throws {
        for side in Side.allCases {
            guard case .text(let text) = configuration.encoder(side) else { continue }
            var texts: [String] = []
            for index in stride(from: 0, to: source.count, by: max(1, source.count / Self.maximumRows)) {
                let row = try source.row(index)
                switch side == .query ? row.query : row.target {
                case .text(let main, let alternatives): texts += [main] + alternatives
                case .choice(let all): texts += all
                case .picture, .features: continue
                }
            }
            bySide[side] = ByteBPETokenizer.train(texts: texts, vocabularySize: text.vocabulary)
        }
    }

    /// Reads those that a checkpoint holds.
    init(_ configuration: RunConfig, file: (String) throws -> Data?) throws {
        for side in Side.allCases {
            guard case .text = configuration.encoder(side) else { continue }
            guard let json = try file(side.tokenizerFile) else {
                throw Failure(
                    .data, "the checkpoint has no \(side.tokenizerFile), which its \(side.rawValue) side needs")
            }
            bySide[side] = try readTokenizer(json: json, name: side.tokenizerFile)
        }
    }

    /// The files of a checkpoint.
    func files(_ configuration: RunConfig) -> [String: Data] {
        var files: [String: Data] = [:]
        for (side, tokenizer) in bySide {
            guard case .text(let text) = configuration.encoder(side) else { continue }
            files[side.tokenizerFile] = tokenizer.file(contextLength: text.context)
        }
        return files
    }
}
