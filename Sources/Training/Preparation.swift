// Data as a configuration wants it: sources, and the preparation of both sides. Not here: reading and preparing (Datasets).

import Datasets
import Failures
import Foundation

/// The two sides of a pair.
public enum Side: String, Sendable, CaseIterable {
    case query, target

    /// The side across.
    public var other: Side { self == .query ? .target : .query }

    /// The tokenizer's file in checkpoints.
    var tokenizerFile: String { "\(rawValue)_tokenizer.json" }
}

extension RunConfig {
    /// Whether both sides are one encoder.
    var isShared: Bool { model.shared == .value(true) }

    /// One side's encoder.
    func encoder(_ side: Side) -> Encoder { side == .query ? model.query : model.target }

    /// One side's column in the data: of held-out data, and of training data that does not say otherwise.
    func column(_ side: Side) -> Column { column(side, own: OwnSideSource()) }

    private func column(_ side: Side, own: OwnSideSource) -> Column {
        let shared = data.side(side)
        var name: String?
        let kind = encoder(side).inputKind
        // Named, so that the two arrays of a folder are two columns.
        if kind == .features { name = side == .query ? "queries" : "targets" }
        if case .value(let column) = own.column ?? shared.column { name = column }
        return Column(name, kind, prefix: own.prefix ?? shared.prefix.resolved(""))
    }

    private func columns(_ source: Source = Source()) -> SourceColumns {
        var negatives: [String]?
        if case .value(let fields) = source.negatives ?? data.negatives.columns { negatives = fields.names }
        return SourceColumns(
            query: column(.query, own: source.query), target: column(.target, own: source.target),
            negatives: data.negatives.maximum == 0 ? [] : negatives, id: source.id)
    }

    /// The field that one side of a source's rows is written as, so that the same configuration reads it again: what the source calls it.
    func fieldName(_ side: Side, of source: any PairSource) -> String {
        if let taken = source.takenFields.first { return side == .query ? taken.query : taken.target }
        return column(side).name ?? (side == .query ? "anchor" : "positive")
    }

    /// One side of data that may have no other: in `field` or, without one, in the field that the configuration names, or one whose name is
    /// recognised.
    func sideSource(_ path: String, _ side: Side, field: String? = nil) throws -> any PairSource {
        var columns = columns()
        (columns.negatives, columns.only) = ([], side == .query ? .query : .target)
        columns.recognisesOthers = field == nil
        if let field {
            if side == .query { columns.query.name = field } else { columns.target.name = field }
        }
        return try SourceDescription(paths: [path], columns: columns).open()
    }

    /// The training data.
    func trainingSource() throws -> any PairSource {
        let policy: RowErrorPolicy = data.onError == .skip ? .skip(maximumShare: data.maxSkipped) : .fail
        if let train = data.train {
            return try changed(SourceDescription(paths: train.patterns, columns: columns()).open(onError: policy))
        }
        let sources = try data.sources.map { source in
            var format: DataFormat?
            if case .value(let value) = source.format { format = value }
            return try SourceDescription(paths: source.path.patterns, format: format, columns: columns(source)).open(
                onError: policy)
        }
        return MixedSource(sources)
    }

    /// Training data with fewer rows, or with wrong pairs, where those are asked for.
    private func changed(_ source: any PairSource) throws -> any PairSource {
        var source = source
        if let limit = data.limit {
            guard limit <= source.count else {
                throw Failure(
                    .configuration, "data.limit is \(limit), but \(source.name) has \(source.count) rows; lower it")
            }
            source = SelectedRows(source, rows: (0..<limit).map { $0 * source.count / limit })
        }
        return data.wrongPairs > 0 ? WrongPairs(source, share: data.wrongPairs, seed: seed) : source
    }

    /// - Throws: `Failure(.configuration)` when every step would have one candidate for one query, with a loss of 0 whatever the model.
    func requireNegatives(_ source: any PairSource) throws {
        let brings = data.negatives.maximum > 0 && source.parts.contains { $0.maximumNegatives > 0 }
        guard batch.global == 1, loss.kind != .sigmoid, !brings, regularize.gaussianNegatives == 0 else { return }
        throw Failure(
            .configuration,
            "batch.global is 1 and the rows of \(source.name) bring no negatives: with nothing to tell its target from, a query's loss "
                + "is 0 and nothing can be learnt; raise batch.global")
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

    /// Held-out data without negatives: of the same columns or, in rows that have not all of them, of columns with a recognised name.
    func evaluationSource(_ path: String) throws -> any PairSource {
        var columns = columns()
        columns.negatives = []
        columns.recognisesOthers = true
        return try SourceDescription(paths: [path], columns: columns).open()
    }

    /// How both sides become numbers; `augments` for training.
    func preparation(_ assets: ModelAssets, augments: Bool) -> PairPreparation {
        PairPreparation(
            query: preparation(.query, assets, augments: augments),
            target: preparation(.target, assets, augments: augments))
    }

    func preparation(_ side: Side, _ assets: ModelAssets, augments: Bool) -> SidePreparation {
        switch encoder(side) {
        case .vit(let vision):
            let prepared = PicturePreparation(size: vision.imageSize)
            return .pictures(augments ? augmented(prepared) : prepared)
        case .text(let text): return .text(texts(side, context: text.context, assets))
        case .features(let head): return .features(columns: head.inputs)
        case .published:
            switch assets.origins.tower(side, self)?.plan {
            case .vision?:
                guard let prepared = assets.origins.pictures[side] else {
                    preconditionFailure("the \(side.rawValue) side has no preparation of pictures")
                }
                return .pictures(augments ? augmented(prepared) : prepared)
            case .text(let text)?: return .text(texts(side, context: text.context, assets))
            case nil: preconditionFailure("the \(side.rawValue) side has no published tower")
            }
        }
    }

    private func texts(_ side: Side, context: Int, _ assets: ModelAssets) -> TextPreparation {
        guard let tokenizer = assets.tokenizers[side] else {
            preconditionFailure("the \(side.rawValue) side has text and no tokenizer")
        }
        return TextPreparation(
            tokenizer: tokenizer, contextLength: context, nameProbability: data.captions.nameProbability)
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
