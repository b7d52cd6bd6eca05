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

    /// One side's column in the data.
    func column(_ side: Side) -> Column {
        let source = side == .query ? data.query : data.target
        return Column(source.column, source.kind)
    }

    /// The field that one side is written as, so that the same configuration reads it again.
    func fieldName(_ side: Side) -> String { column(side).name }

    /// The training data.
    func trainingSource() throws -> JSONLDataset {
        try JSONLDataset(
            path: data.train, query: column(.query), target: column(.target),
            onError: data.onError == .skip ? .skip(maximumShare: data.maxSkipped) : .fail)
    }

    /// A held-out file of the same columns.
    func evaluationSource(_ path: String) throws -> JSONLDataset {
        try JSONLDataset(path: path, query: column(.query), target: column(.target))
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

/// The tokenizers of the sides that are text.
struct SideTokenizers {
    private var bySide: [Side: any TextTokenizer] = [:]

    subscript(side: Side) -> (any TextTokenizer)? { bySide[side] }

    /// Rows that a vocabulary is learnt from at most; more are sampled evenly.
    private static let maximumRows = 200_000

    /// Learns a vocabulary from each text side of the training data: a function of the data, the same on every rank.
    init(trainedOn source: JSONLDataset, _ configuration: RunConfig) throws {
        for side in Side.allCases {
            guard case .text(let text) = configuration.encoder(side) else { continue }
            var texts: [String] = []
            for index in stride(from: 0, to: source.count, by: max(1, source.count / Self.maximumRows)) {
                let row = try source.row(index)
                guard case .text(let main, let alternatives) = side == .query ? row.query : row.target else { continue }
                texts.append(main)
                texts += alternatives
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
