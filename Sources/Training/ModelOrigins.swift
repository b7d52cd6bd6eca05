// The published models that a run begins with: from their directories when it starts, from its checkpoints afterwards. Not here: what
// such models are (Encoders/Published), the keys that name them (PublishedEncoderConfig).

import ArrayFiles
import Checkpoints
import Datasets
import Encoders
import Failures
import Foundation

/// A published model, and what of it a checkpoint keeps so that its directory is not needed again.
struct ModelOrigin {
    let model: PublishedModel
    /// Where the weights are; nil once they are the checkpoint's.
    let weights: PublishedWeights?
    /// Element types, names and unused tensors of the published weights.
    let record: PublishedRecord
    /// Where a checkpoint keeps the tensors that nothing computes with.
    private let unusedPath: String?

    init(directory: String) throws {
        model = try PublishedModel(directory: directory)
        let weights = try PublishedWeights(directory: directory, of: model)
        (self.weights, record, unusedPath) = (weights, try weights.record(), nil)
    }

    /// The model that a checkpoint keeps under `key`.
    fileprivate init(key: String, checkpoint: Checkpoint) throws {
        var files: [String: Data] = [:]
        var records: [String: Data] = [:]
        for name in checkpoint.extraFileNames where name.hasPrefix("\(key).") {
            guard let data = try checkpoint.extraFile(name) else { continue }
            let own = String(name.dropFirst(key.count + 1))
            if PublishedRecord.fileNames.contains(own) { records[own] = data } else { files[Self.path(own)] = data }
        }
        guard !files.isEmpty else {
            throw Failure(.data, "\(checkpoint.path): the files of the published model (\(key).*) are missing")
        }
        model = try PublishedModel(ModelFiles(origin: "\(checkpoint.path): \(key)", contents: files))
        record = try PublishedRecord(files: records, origin: "\(checkpoint.path): \(key)")
        weights = nil
        unusedPath = "\(checkpoint.path)/\(key).\(PublishedRecord.unusedFile)"
    }

    /// The published tensors that nothing computes with.
    func unusedTensors() throws -> [SafetensorsTensor] {
        if let weights { return try weights.unusedTensors() }
        guard let unusedPath else { return [] }
        let file = try SafetensorsFile(path: unusedPath)
        return try file.entries.map { ($0.name, $0.shape, .bytes(try file.bytes($0.name), $0.type)) }
    }

    /// The files of a checkpoint: plain names, `/` written as `%2F`.
    fileprivate func files(key: String) -> [String: Data] {
        let own = model.files.contents.map { (Self.name($0.key), $0.value) } + record.files.map { ($0.key, $0.value) }
        return Dictionary(uniqueKeysWithValues: own.map { ("\(key).\($0.0)", $0.1) })
    }

    private static func name(_ path: String) -> String {
        path.replacingOccurrences(of: "%", with: "%25").replacingOccurrences(of: "/", with: "%2F")
    }

    private static func path(_ name: String) -> String {
        name.replacingOccurrences(of: "%2F", with: "/").replacingOccurrences(of: "%25", with: "%")
    }

    func tower(_ kind: RunConfig.EncoderKind) -> PublishedTower? { kind == .vit ? model.vision : model.text }
}

/// The published models of a configuration; none when both sides are from scratch.
struct ModelOrigins {
    /// Of `model.init`.
    private(set) var whole: ModelOrigin?
    /// Of `model.query.init` and `model.target.init`.
    private var ofSide: [Side: ModelOrigin] = [:]
    /// How the published sides that see pictures want them.
    private(set) var pictures: [Side: PicturePreparation] = [:]

    /// Reads the directories that the configuration names.
    init(_ configuration: RunConfig) throws {
        whole = try configuration.model.initialization.map { try ModelOrigin(directory: $0) }
        for side in Side.allCases {
            guard case .published(let own) = configuration.encoder(side), let path = own.initialization else {
                continue
            }
            ofSide[side] = try ModelOrigin(directory: path)
        }
        try check(configuration)
        try checkContexts(configuration)
        try readPreparations(configuration)
    }

    /// Reads what a checkpoint keeps.
    init(_ configuration: RunConfig, checkpoint: Checkpoint) throws {
        if configuration.model.initialization != nil {
            whole = try ModelOrigin(key: Self.key(nil), checkpoint: checkpoint)
        }
        for side in Side.allCases {
            guard case .published(let own) = configuration.encoder(side), own.initialization != nil else { continue }
            ofSide[side] = try ModelOrigin(key: Self.key(side), checkpoint: checkpoint)
        }
        try check(configuration)
        try readPreparations(configuration)
    }

    private static func key(_ side: Side?) -> String { "init-\(side?.rawValue ?? "model")" }

    /// The files of a checkpoint.
    var files: [String: Data] {
        var files = whole?.files(key: Self.key(nil)) ?? [:]
        for (side, origin) in ofSide { files.merge(origin.files(key: Self.key(side))) { $1 } }
        return files
    }

    /// The published model that a side begins with.
    func origin(_ side: Side) -> ModelOrigin? { ofSide[side] ?? whole }

    /// The published tower of a side with the keys that the configuration sets; nil from scratch.
    func tower(_ side: Side, _ configuration: RunConfig) -> PublishedTower? {
        guard case .published(let own) = configuration.encoder(side),
            var tower = origin(side)?.tower(configuration.encoder(side).kind)
        else { return nil }
        switch tower.plan {
        case .text(var text):
            text.context = own.context ?? text.context
            if case .value(let pooling) = own.pooling { text.pooling = [pooling.layer] }
            text.transformer.dropout = Float(own.dropout)
            tower.plan = .text(text)
        case .vision(var vision):
            vision.transformer.dropout = Float(own.dropout)
            tower.plan = .vision(vision)
        }
        return tower
    }

    private mutating func readPreparations(_ configuration: RunConfig) throws {
        for side in Side.allCases {
            guard let origin = origin(side), case .vision(let vision)? = tower(side, configuration)?.plan else {
                continue
            }
            let files = origin.model.files
            let preparation = try PicturePreparation.read(of: files.origin) { files[$0] }
            guard preparation.size == vision.imageSize else {
                throw Failure(
                    .data,
                    "\(files.origin): pictures are prepared with \(preparation.size) pixels a side, but the encoder wants \(vision.imageSize)"
                )
            }
            pictures[side] = preparation
        }
    }

    /// What the configuration wants of the models, they must have.
    private func check(_ configuration: RunConfig) throws {
        for side in Side.allCases {
            guard case .published(let own) = configuration.encoder(side), let origin = origin(side) else { continue }
            let kind = configuration.encoder(side).kind
            guard let tower = origin.tower(kind) else {
                throw Failure(
                    .configuration,
                    "model.\(side.rawValue).kind is \(kind.rawValue), but \(origin.model.files.origin) holds a "
                        + "\(origin.model.family.rawValue) model without such an encoder; set model.\(side.rawValue).kind and "
                        + "data.\(side.rawValue).kind to \(kind == .vit ? "text" : "picture and vit")")
            }
            try checkPooling(own, tower, origin, side)
            try checkPrompt(configuration.column(side).prefix, origin, side)
            guard let context = own.context, case .text(let text) = tower.plan else { continue }
            guard context <= text.positions.capacity(rows: text.positionRows),
                text.filler == nil || context == text.context
            else {
                throw Failure(
                    .configuration,
                    "model.\(side.rawValue).context is \(context), but \(origin.model.files.origin) has positions for texts of "
                        + "\(text.filler == nil ? "at most " : "")\(text.filler == nil ? text.positions.capacity(rows: text.positionRows) : text.context) tokens"
                )
            }
        }
    }

    /// A number of tokens is of texts alone. Not asked of checkpoints, of which older ones may state it in vain.
    private func checkContexts(_ configuration: RunConfig) throws {
        for side in Side.allCases {
            guard case .published(let own) = configuration.encoder(side), let context = own.context,
                let origin = origin(side), case .vision? = tower(side, configuration)?.plan
            else { continue }
            throw Failure(
                .configuration,
                "model.\(side.rawValue).context is \(context), but this side is the picture encoder of \(origin.model.files.origin), "
                    + "which reads no tokens; leave it null")
        }
    }

    /// Pooling can be chosen where the family leaves it open, and where nothing published depends on how wide it makes the vector.
    private func checkPooling(
        _ own: RunConfig.PublishedEncoder, _ tower: PublishedTower, _ origin: ModelOrigin, _ side: Side
    ) throws {
        guard own.pooling != .automatic else { return }
        let isOpen = [.bert, .roberta, .mpnet].contains(origin.model.family)
        guard isOpen, case .text(let text) = tower.plan, text.pooling.count == 1 || text.projections.isEmpty else {
            throw Failure(
                .configuration,
                "model.\(side.rawValue).pooling: the pooling of \(origin.model.files.origin), a \(origin.model.family.rawValue) model, "
                    + "is a part of it; leave it auto")
        }
    }

    private func checkPrompt(_ prefix: String, _ origin: ModelOrigin, _ side: Side) throws {
        guard !prefix.isEmpty, try !SentencePrompts(origin.model.files).arePooled else { return }
        throw Failure(
            .configuration,
            "data.\(side.rawValue).prefix: \(origin.model.files.origin) leaves prompts out of pooling (include_prompt is false), which "
                + "is not done here; set the prefix to \"\", or include_prompt to true")
    }

    /// Overwrites the parameters of the published towers with the published values, and those of the loss where `model.init` has them.
    func fill(_ model: DualEncoder, _ configuration: RunConfig) throws {
        for side in Side.allCases where !(model.isShared && side == .target) {
            guard let tower = tower(side, configuration), let weights = origin(side)?.weights else { continue }
            try weights.fill(tower, named: model.isShared ? "shared" : side.rawValue, model.parameters)
        }
        guard let record = whole?.record else { return }
        if let logarithm = publishedLogTemperature(configuration) {
            model.parameters[model.logTemperature].values[0] = logarithm
        }
        if let bias = record.logitBias, configuration.loss.bias.initial == .automatic {
            model.parameters[model.bias].values[0] = bias
        }
    }

    /// ln τ where training begins with the published one.
    func publishedLogTemperature(_ configuration: RunConfig) -> Float? {
        configuration.loss.temperature.initial == .automatic ? whole?.record.logTemperature : nil
    }
}
