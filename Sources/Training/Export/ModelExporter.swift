// A trained model as a directory that other tools load. Not here: tensors and their names (Encoders/Published), writing the directory
// (ExportedDirectory).

import ArrayFiles
import Buffers
import Datasets
import Encoders
import Failures
import Foundation

/// Which tool the directory is for.
public enum ExportFormat: String, CaseIterable, Sendable {
    /// `transformers`: BertModel, XLMRobertaModel, MPNetModel, ViTModel, CLIPModel, SiglipModel.
    case huggingFace = "huggingface"
    case sentenceTransformers = "sentence-transformers"
    case openCLIP = "open-clip"
}

extension TrainedModel {
    /// Writes the model, or one of its sides, as a directory of another tool. Local.
    ///
    /// Adapters are added to the weights, in the model too, which computes what it did.
    /// - Parameters:
    ///   - side: the side to write; nil for both, which must then be one encoder, or a text and a picture encoder.
    ///   - path: a directory that does not exist yet.
    /// - Returns: remarks on what the directory does not say.
    /// - Throws: `Failure(.configuration)` when the model has no exact form there; `Failure(.cannotCreate)` when something is at `path`.
    public func export(_ format: ExportFormat, side: Side?, to path: String) throws -> [String] {
        try ExportedDirectory.requireFree(path)
        embedder.model.parameters.mergeAdapters()
        var export = ModelExport(self, format)
        if let side = try soleSide(side) {
            try export.addTower(side)
        } else {
            try export.addPair()
        }
        export.addCard(side)
        try ExportedDirectory.write(files: export.files, tensors: export.tensors, to: path)
        return export.remarks
    }

    /// Writes the adapters alone, of the model or one of its sides, as `peft` does. Local.
    /// - Parameters: as of `export`.
    /// - Throws: `Failure(.configuration)` when there are none, when something else was trained beside them, or when `peft` has no such
    ///   adapters; `Failure(.cannotCreate)` when something is at `path`.
    public func exportAdapters(side: Side?, to path: String) throws {
        try ExportedDirectory.requireFree(path)
        let sides = try soleSide(side).map { [$0] } ?? Side.allCases
        let model = embedder.model
        let adapter = try assets.origins.adapter(of: sides, configuration, model)
        let bases = Set(sides.map { configuration.model.directory(configuration.encoder($0)) })
        let configurationFile = try adapter.configuration(baseModel: bases.count == 1 ? bases.first ?? nil : nil)
        let towers = model.isShared ? ["shared"] : sides.map(\.rawValue)
        let beside = model.parameters.trainable.entries.map(\.name).filter { name in
            towers.contains { name.hasPrefix("\($0).") } && !name.contains(".lora_")
        }
        guard bases.count == 1, beside.isEmpty else {
            throw Failure(
                .configuration,
                beside.isEmpty
                    ? "the sides begin with different models; say which with --side query or target"
                    : "\(beside.prefix(3).joined(separator: ", ")) were trained beside the adapters, which alone do not make the model; "
                        + "merge them into the weights")
        }
        try ExportedDirectory.write(
            files: [PEFTAdapter.configurationFile: configurationFile],
            tensors: [PEFTAdapter.weightsFile: adapter.tensors], to: path)
    }

    /// What can be exported.
    fileprivate static let exportable =
        "what can be exported are encoders that began as published ones (model.init), and a text and a picture encoder together"

    /// The side whose encoder alone is written; nil when both are.
    private func soleSide(_ side: Side?) throws -> Side? {
        if let side { return side }
        if embedder.model.isShared { return .query }
        let kinds = Set(Side.allCases.map { configuration.encoder($0).kind })
        guard kinds == [.text, .vit] else {
            guard Side.allCases.contains(where: { assets.origins.origin($0) != nil }) else {
                throw Failure(
                    .configuration,
                    "this model has no form in other tools: \(Self.exportable); its embeddings are made with fanoise embed"
                )
            }
            throw Failure(
                .usage,
                "this model has two encoders that are no pair of text and pictures; say which with --side query or target"
            )
        }
        return nil
    }
}

/// What is put together for a directory.
private struct ModelExport {
    private(set) var files: [String: Data] = [:]
    private(set) var tensors: [String: [SafetensorsTensor]] = [:]
    private(set) var remarks: [String] = []
    private let trained: TrainedModel
    private let format: ExportFormat

    init(_ trained: TrainedModel, _ format: ExportFormat) {
        self.trained = trained
        self.format = format
    }

    private var model: DualEncoder { trained.embedder.model }
    private var origins: ModelOrigins { trained.assets.origins }

    private func name(_ side: Side) -> String { model.isShared ? "shared" : side.rawValue }

    private var logits: (logScale: Float, bias: Float) {
        (-model.parameters[model.logTemperature].values[0], model.parameters[model.bias].values[0])
    }

    private mutating func add(
        _ published: PublishedModel, names: (text: String?, vision: String?), origin: ModelOrigin?
    ) throws {
        let written = published.tensors(
            of: model.parameters, names: names, logits: logits, record: origin?.record,
            unused: try origin?.unusedTensors() ?? [])
        files = published.files.contents
        tensors = written.files
        guard written.isWidened, let config = files["config.json"] else { return }
        // Trained values are float32; a reader would round them to the type that is named here.
        let text = String(decoding: config, as: UTF8.self).replacing(
            /("(?:torch_)?dtype"\s*:\s*)"(?:float16|bfloat16)"/, with: { "\($0.output.1)\"float32\"" })
        files["config.json"] = Data(text.utf8)
        remarks.append("the published weights had 16 bits; trained ones are written as float32")
    }

    /// What was trained has a card of its own; a published model as it is keeps its own.
    /// - Parameter side: nil for both, or the one encoder of both.
    mutating func addCard(_ side: Side?) {
        guard let steps = trained.step, format != .openCLIP else { return }
        let sides = side.map { [$0] } ?? Side.allCases
        var text: TextTransformer.Configuration?
        if side != nil || model.isShared, case .text(let plan)? = origins.tower(sides[0], trained.configuration)?.plan {
            text = plan
        }
        let card = ModelCard(
            configuration: trained.configuration, format: format, steps: steps, sides: sides, text: text,
            columns: model.columns, published: sides.compactMap { origins.origin($0)?.model.files[ModelCard.file] })
        files[ModelCard.file] = card.contents
    }

    // MARK: - One encoder

    mutating func addTower(_ side: Side) throws {
        if let published = origins.origin(side)?.model, published.text != nil, published.vision != nil {
            throw Failure(
                .usage,
                "the \(side.rawValue) encoder is one of the two towers of a \(published.family.rawValue) model, which are written together; "
                    + "leave --side out")
        }
        guard let origin = origins.origin(side), let tower = origins.tower(side, trained.configuration) else {
            throw Failure(
                .configuration,
                "the \(side.rawValue) encoder by itself has no form in other tools, for it is not from a published text or picture encoder: "
                    + TrainedModel.exportable)
        }
        guard format != .openCLIP else {
            throw Failure(.usage, "open-clip describes a pair of text and pictures; export this encoder as huggingface")
        }
        let isText = origin.model.text != nil
        try add(origin.model, names: (isText ? name(side) : nil, isText ? nil : name(side)), origin: origin)
        let projected = model.columns != tower.outputColumns
        guard format == .sentenceTransformers else {
            guard !projected else {
                throw Failure(
                    .configuration,
                    "a \(origin.model.family.rawValue) model of transformers has no place for the projection to \(model.columns) columns; "
                        + (isText ? "export it as sentence-transformers, or " : "")
                        + "train with model.embedding \(tower.outputColumns)")
            }
            if isText { try setTexts(side) }
            return
        }
        guard case .text(let text) = tower.plan else {
            throw Failure(.usage, "sentence-transformers describes text encoders; export this one as huggingface")
        }
        try addSentenceModules(side, text, projected: projected ? tower.outputColumns : nil)
    }

    /// Makes the directory one of sentence-transformers: its modules, and the projection behind them if training added one.
    private mutating func addSentenceModules(
        _ side: Side, _ text: TextTransformer.Configuration, projected inputs: Int?
    ) throws {
        let parameter = "\(name(side)).embedding.weight"
        var modules: [[String: Any]] = []
        func add(_ type: String, _ path: String) {
            modules.append([
                "idx": modules.count, "name": "\(modules.count)", "path": path,
                "type": "sentence_transformers.models.\(type)",
            ])
        }
        let isNew = files["modules.json"] == nil
        if isNew {
            add("Transformer", "")
            add("Pooling", "1_Pooling")
            files["1_Pooling/config.json"] = try json(SentencePooling.keys(text))
        } else {
            modules = try JSONSerialization.jsonObject(with: files["modules.json"] ?? Data()) as? [[String: Any]] ?? []
            if case .text(let published)? = origins.origin(side)?.model.text?.plan, published.pooling != text.pooling,
                let path = modules.dropFirst().first?["path"] as? String
            {
                files["\(path)/config.json"] = try json(SentencePooling.keys(text))
            }
        }
        try setPrompts()
        if let inputs {
            let path = "\(modules.count)_Dense"
            add("Dense", path)
            files["\(path)/config.json"] = try json([
                "in_features": inputs, "out_features": model.columns, "bias": false,
                "activation_function": "torch.nn.modules.linear.Identity",
            ])
            let values = try part(parameter)
            tensors["\(path)/model.safetensors"] = [("linear.weight", [model.columns, inputs], .floats(values))]
        }
        if isNew || inputs != nil, trained.configuration.noise.normalizesEmbeddings {
            add("Normalize", "\(modules.count)_Normalize")
        }
        if isNew || inputs != nil { files["modules.json"] = try json(modules) }
        try setLongest(text.context)
    }

    /// Texts are cut where training cut them, and have the prefixes that they had there, as far as transformers' files can say so.
    private mutating func setTexts(_ side: Side) throws {
        guard let text = (model.encoder(side) as? TextTransformer)?.configuration else { return }
        let name = "tokenizer_config.json"
        if case .text(let published)? = origins.tower(side, trained.configuration)?.plan,
            let before = origins.origin(side)?.tower(.text), case .text(let own) = before.plan,
            published.context != own.context
        {
            var keys: [String: Any] = [:]
            if let data = files[name] { keys = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? keys }
            keys["model_max_length"] = text.context
            files[name] = try json(keys)
        }
        if files[SentencePrompts.file] != nil {
            try setPrompts()
        } else if case let prefix = trained.configuration.column(side).prefix, !prefix.isEmpty {
            remarks.append("the directory does not say that texts begin with '\(prefix)': put it before them")
        }
    }

    /// Texts have the prefixes that they had in training.
    private mutating func setPrompts() throws {
        let prefixes = (trained.configuration.column(.query).prefix, trained.configuration.column(.target).prefix)
        let found = try SentencePrompts(ModelFiles(origin: "the exported model", contents: files))
        let name = SentencePrompts.file
        guard files[name] == nil || (found.query, found.document) != prefixes else { return }
        var keys: [String: Any] = ["default_prompt_name": NSNull(), "similarity_fn_name": "cosine"]
        if let data = files[name] { keys = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? keys }
        var prompts = keys["prompts"] as? [String: Any] ?? [:]
        if (found.query, found.document) != prefixes {
            (prompts["query"], prompts["document"]) = prefixes
            // Of an empty prompt the default one would take the place.
            if prefixes.0.isEmpty || prefixes.1.isEmpty { keys["default_prompt_name"] = NSNull() }
        }
        keys["prompts"] = prompts
        files[name] = try json(keys)
    }

    private func part(_ parameter: String) throws -> Floats {
        guard let index = model.parameters.layout.index(of: parameter) else {
            throw Failure(.internal, "the model has no parameter \(parameter)")
        }
        return model.parameters.values[model.parameters.layout.entries[index].range]
    }

    /// Where the published model cuts its texts when no file says so.
    private var publishedContext: Int? {
        guard case .text(let text)? = trained.assets.origins.whole?.model.text?.plan else { return nil }
        return text.context
    }

    /// Texts are cut where training cut them.
    private mutating func setLongest(_ context: Int) throws {
        let name = "sentence_bert_config.json"
        var keys: [String: Any] = ["do_lower_case": false]
        if let data = files[name] {
            keys = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? keys
            if keys["max_seq_length"] as? Int ?? publishedContext == context { return }
        }
        keys["max_seq_length"] = context
        files[name] = try json(keys)
    }

    private func json(_ value: Any) throws -> Data {
        try JSONSerialization.data(
            withJSONObject: value, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    }

    // MARK: - A text and a picture encoder

    mutating func addPair() throws {
        guard format != .sentenceTransformers else {
            throw Failure(
                .usage,
                "sentence-transformers describes text encoders; export a text and a picture encoder as huggingface or open-clip"
            )
        }
        let sides = Side.allCases.sorted { a, _ in trained.configuration.encoder(a).kind == .text }
        try addTowers(sides)
        if let text = (model.encoder(sides[0]) as? TextTransformer)?.configuration, format == .openCLIP,
            text.context < text.positionRows
        {
            throw Failure(
                .configuration,
                "texts are cut to \(text.context) tokens, where open_clip has as many as there are positions, \(text.positionRows); export it "
                    + "as huggingface, or train with model.\(sides[0].rawValue).context \(text.positionRows)")
        }
        try setTexts(sides[0])
    }

    /// - Parameter sides: that of the texts, that of the pictures.
    private mutating func addTowers(_ sides: [Side]) throws {
        let names = (text: name(sides[0]), vision: name(sides[1]))
        if let origin = origins.whole,
            sides.allSatisfy({ origins.tower($0, trained.configuration)?.outputColumns == model.columns })
        {
            let isOpenCLIP = origin.model.family == .openCLIP
            guard (format == .openCLIP) != isOpenCLIP else {
                return try add(origin.model, names: names, origin: origin)
            }
        }
        guard let text = model.encoder(sides[0]) as? TextTransformer,
            let vision = model.encoder(sides[1]) as? VisionTransformer
        else { throw Failure(.internal, "a pair of \(names) that is no text and no pictures") }
        var configuration = text.configuration
        var beside = origins.origin(sides[0])?.model.files.contents.filter { Self.isTokenizer($0.key) } ?? [:]
        if origins.origin(sides[0]) == nil {
            beside = try tokenizerFiles(sides[0], context: configuration.context)
            configuration.end = .first(Self.endOfText)
        }
        let channels = preprocessing(sides[1])
        if format == .huggingFace {
            beside["preprocessor_config.json"] = try json(Self.imageProcessor(vision.configuration.imageSize, channels))
        }
        let form = try PublishedModel.form(
            format == .openCLIP ? .openCLIP : .clip, text: configuration, vision: vision.configuration, files: beside,
            preprocessing: channels, bias: format == .openCLIP && trained.configuration.loss.kind == .sigmoid)
        try add(form, names: names, origin: nil)
    }

    /// Of the tokenizers that are learnt here.
    private static let endOfText: Int32 = 1

    private static func isTokenizer(_ path: String) -> Bool {
        ["tokenizer", "vocab", "merges", "special_tokens", "added_tokens"].contains { path.hasPrefix($0) }
    }

    private func tokenizerFiles(_ side: Side, context: Int) throws -> [String: Data] {
        guard let tokenizer = trained.assets.tokenizers[side] else {
            throw Failure(.internal, "the \(side.rawValue) side has no tokenizer")
        }
        return [
            "tokenizer.json": tokenizer.file(contextLength: context),
            "tokenizer_config.json": try json([
                "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|startoftext|>",
                "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "model_max_length": context,
            ]),
        ]
    }

    /// Mean and deviation of each channel, of 0 … 1.
    private func preprocessing(_ side: Side) -> (mean: [Double], deviation: [Double]) {
        let preparation = side == .query ? trained.preparation.query : trained.preparation.target
        guard case .pictures(let pictures) = preparation,
            case .channels(let mean, let deviation) = pictures.normalization
        else { return ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]) }
        func numbers(_ vector: SIMD3<Float>) -> [Double] { (0..<3).map { Double("\(vector[$0])") ?? 0 } }
        return (numbers(mean), numbers(deviation))
    }

    private static func imageProcessor(_ size: Int, _ channels: (mean: [Double], deviation: [Double])) -> [String: Any]
    {
        [
            "image_processor_type": "CLIPImageProcessor", "do_resize": true, "size": ["shortest_edge": size],
            "resample": 3, "do_center_crop": true, "crop_size": ["height": size, "width": size], "do_rescale": true,
            "rescale_factor": 1 / 255.0, "do_normalize": true, "image_mean": channels.mean,
            "image_std": channels.deviation, "do_convert_rgb": true,
        ]
    }
}
