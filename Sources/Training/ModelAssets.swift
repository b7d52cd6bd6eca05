// What a model needs beside its parameters: the published models it begins with, and its tokenizers. Not here: the parameters
// (DualEncoder), reading published models (ModelOrigins).

import Checkpoints
import Datasets
import Failures
import Foundation
import Tokenizers

/// Everything of a model that is no parameter and that its checkpoints keep.
struct ModelAssets {
    let origins: ModelOrigins
    let tokenizers: SideTokenizers

    /// Those of a run that starts: from the published directories, or learnt from the training data.
    init(trainedOn source: any PairSource, _ configuration: RunConfig) throws {
        origins = try ModelOrigins(configuration)
        tokenizers = try SideTokenizers(trainedOn: source, configuration, origins)
    }

    /// Those that a checkpoint keeps.
    init(_ configuration: RunConfig, checkpoint: Checkpoint) throws {
        origins = try ModelOrigins(configuration, checkpoint: checkpoint)
        tokenizers = try SideTokenizers(configuration, origins) { try checkpoint.extraFile($0) }
    }

    /// Those of a published model by itself.
    init(published configuration: RunConfig) throws {
        origins = try ModelOrigins(configuration)
        tokenizers = try SideTokenizers(published: configuration, origins)
    }

    /// The files of a checkpoint.
    func files(_ configuration: RunConfig) -> [String: Data] {
        origins.files.merging(tokenizers.files(configuration)) { $1 }
    }
}

/// The tokenizers of the sides that are text.
struct SideTokenizers {
    private var bySide: [Side: any TextTokenizer] = [:]

    subscript(side: Side) -> (any TextTokenizer)? { bySide[side] }

    /// Rows that a vocabulary is learnt from at most; more are sampled evenly.
    static let maximumRows = 200_000

    /// The rows that a vocabulary is learnt from.
    static func sample(of count: Int) -> StrideTo<Int> {
        stride(from: 0, to: count, by: max(1, (count + maximumRows - 1) / maximumRows))
    }

    /// Learns a vocabulary from each text side of the training data, or one from both for a shared encoder: a function of the data, the
    /// same on every rank. Published sides have their own.
    init(trainedOn source: any PairSource, _ configuration: RunConfig, _ origins: ModelOrigins) throws {
        try readPublished(configuration, origins)
        let groups: [[Side]] = configuration.isShared ? [Side.allCases] : Side.allCases.map { [$0] }
        for sides in groups {
            guard case .text(let text) = configuration.encoder(sides[0]) else { continue }
            var texts: [String] = []
            for index in Self.sample(of: source.count) {
                let row = try source.row(index)
                for side in sides {
                    switch side == .query ? row.query : row.target {
                    case .text(let main, let alternatives): texts += [main] + alternatives
                    case .choice(let all): texts += all
                    case .picture, .features: continue
                    }
                }
            }
            let tokenizer = ByteBPETokenizer.train(texts: texts, vocabularySize: text.vocabulary)
            for side in sides { bySide[side] = tokenizer }
        }
    }

    /// Reads those that a checkpoint holds.
    init(_ configuration: RunConfig, _ origins: ModelOrigins, file: (String) throws -> Data?) throws {
        try readPublished(configuration, origins)
        for side in Side.allCases {
            guard case .text = configuration.encoder(side) else { continue }
            guard let json = try file(side.tokenizerFile) else {
                throw Failure(
                    .data, "the checkpoint has no \(side.tokenizerFile), which its \(side.rawValue) side needs")
            }
            bySide[side] = try readTokenizer(json: json, name: side.tokenizerFile)
        }
    }

    /// Those of published text sides, and no others.
    init(published configuration: RunConfig, _ origins: ModelOrigins) throws {
        try readPublished(configuration, origins)
    }

    /// Reads those of published text sides.
    private mutating func readPublished(_ configuration: RunConfig, _ origins: ModelOrigins) throws {
        for side in Side.allCases {
            guard let tower = origins.tower(side, configuration), case .text(let text) = tower.plan,
                let files = origins.origin(side)?.model.files
            else { continue }
            let tokenizer = try readTokenizer(of: files.origin) { files[$0] }
            guard tokenizer.vocabularySize <= text.vocabulary else {
                throw Failure(
                    .data,
                    "\(files.origin): the tokenizer has \(tokenizer.vocabularySize) tokens, but the model only \(text.vocabulary) rows for them"
                )
            }
            guard tokenizer.specialTokenCount < text.context else {
                throw Failure(
                    .configuration,
                    "\(files.origin): texts of \(text.context) tokens have no room beside \(tokenizer.specialTokenCount) special ones"
                )
            }
            bySide[side] = tokenizer
        }
    }

    /// The files of a checkpoint; those of published sides are among the published files.
    func files(_ configuration: RunConfig) -> [String: Data] {
        var files: [String: Data] = [:]
        for (side, tokenizer) in bySide {
            guard case .text(let text) = configuration.encoder(side) else { continue }
            files[side.tokenizerFile] = tokenizer.file(contextLength: text.context)
        }
        return files
    }
}
