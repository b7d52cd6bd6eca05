// Training that begins with published weights: one encoder for both sides, mixed pairs, checkpoints that need no directory, and the way
// out again. Not here: what published models compute (EncodersTests).

import ArrayFiles
import Buffers
import Collectives
import Datasets
import Encoders
import Failures
import Foundation
import Testing

@testable import Training

/// A copy of one of the encoders' golden directories, with a tokenizer where it has none.
final class PublishedCopy {
    let path: String

    init(_ name: String) throws {
        path = FileManager.default.temporaryDirectory.appending(path: "fanoise-model-\(UUID())").path
        let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "EncodersTests/Golden/published/\(name)").path
        try FileManager.default.copyItem(atPath: golden, toPath: path)
        try FileManager.default.removeItem(atPath: "\(path)/expected.safetensors")
        guard !FileManager.default.fileExists(atPath: "\(path)/tokenizer.json") else { return }
        let size =
            try PublishedModel(directory: path).vision.flatMap {
                if case .vision(let plan) = $0.plan { plan.imageSize } else { nil }
            } ?? 0
        let processor = """
            {"image_processor_type": "SiglipImageProcessor", "size": {"height": \(size), "width": \(size)},
             "image_mean": [0.5, 0.4, 0.3], "image_std": [0.25, 0.5, 0.75]}
            """
        try Data(processor.utf8).write(to: URL(fileURLWithPath: "\(path)/preprocessor_config.json"))
        let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "disc", "square", "in", "red", "green", "blue", "paint"]
        let vocabulary = words.enumerated().map { "\"\($1)\": \($0)" }.joined(separator: ", ")
        let tokenizer = """
            {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
             "pre_tokenizer": {"type": "BertPreTokenizer"},
             "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}, "decoder": null,
             "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                       "max_input_chars_per_word": 100, "vocab": {\(vocabulary)}}}
            """
        try Data(tokenizer.utf8).write(to: URL(fileURLWithPath: "\(path)/tokenizer.json"))
    }

    func remove() throws { try FileManager.default.removeItem(atPath: path) }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Every file of a directory and of those below it.
private func contents(_ directory: String) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: directory) {
        files[name] = FileManager.default.contents(atPath: "\(directory)/\(name)")
    }
    return files
}

private func openCheckpoint(_ configuration: RunConfig) throws -> TrainedModel {
    try TrainedModel(.run(configuration.folder), communicator: SoloWorld())
}

@Suite(.serialized) struct PublishedTrainingTests {
    private static let texts = ["data.query={column: text}", "data.target={column: text}"]

    private func siamese(_ copy: PublishedCopy, _ options: [String] = []) throws -> RunConfig {
        try TinyRun.shared.get().configuration(["model={init: \(copy.path)}"] + Self.texts + options)
    }

    @Test func oneEncoderServesBothSides() throws {
        let copy = try PublishedCopy("sentence")
        let configuration = try siamese(copy)
        #expect(configuration.isShared && configuration.model.query.kind == .text)
        #expect(try RunConfig.parse(configuration.yaml, file: "again") == configuration)
        let stepper = try Stepper(configuration, steps: 3, communicator: SoloWorld())
        #expect(stepper.model.isShared && stepper.model.columns == 7)
        #expect(
            stepper.model.parameters.layout.entries.allSatisfy {
                $0.name.hasPrefix("shared.") || $0.name.hasPrefix("loss.")
            })
    }

    /// The published curve, whatever the number of ranks and the chunk.
    @Test(arguments: ["null", "2"]) func theCurveIsOne(_ chunk: String) throws {
        let copy = try PublishedCopy("sentence")
        let curves = try (1...4).map { ranks in
            let configuration = try siamese(copy, ["batch.cache_chunk=\(chunk)", "steps=12"])
            try train(configuration, ranks: ranks)
            return try curve(configuration)
        }
        #expect(abs(curves[0][11] - curves[0][0]) > 1e-3)
        for (ranks, other) in zip(2..., curves.dropFirst()) {
            #expect(zip(curves[0], other).allSatisfy { abs($0 - $1) <= 1e-4 * max(1, abs($0)) }, "\(ranks) ranks")
        }
    }

    /// 10 = 5 + save + load + 5, bit for bit, and the directory is gone when the run goes on.
    @Test(arguments: [1, 2]) func resumingNeedsNoDirectory(ranks: Int) throws {
        let (copy, other) = (try PublishedCopy("sentence"), try PublishedCopy("sentence"))
        let options = ["steps=10", "checkpoint.every=5"]
        let whole = try train(siamese(other, options), ranks: ranks)
        let configuration = try siamese(copy, options)
        try train(configuration, ranks: ranks, stopAfter: 5)
        try copy.remove()
        let resumed = try train(configuration, ranks: ranks)
        #expect(resumed.summary.step == 10 && resumed.parameters == whole.parameters)
        let model = try openCheckpoint(configuration)
        #expect(model.columns == 7)
    }

    /// Updates that change no bit: what goes in comes out, from a checkpoint alone.
    @Test(arguments: ["sentence", "clip-gelu", "siglip"]) func theDirectoryComesBack(_ name: String) throws {
        let copy = try PublishedCopy(name)
        let original = try contents(copy.path)
        let isPair = name != "sentence"
        let configuration = try TinyRun.shared.get().configuration(
            ["model={init: \(copy.path)}", "steps=1", "optimizer.learning_rate=1e-30"] + (isPair ? [] : Self.texts))
        try train(configuration)
        try copy.remove()
        let target = copy.path + "-exported"
        defer { try? FileManager.default.removeItem(atPath: target) }
        let model = try openCheckpoint(configuration)
        // A slash at the end, as shells complete names, makes no difference.
        #expect(try model.export(isPair ? .huggingFace : .sentenceTransformers, side: nil, to: target + "/").isEmpty)
        let exported = try contents(target)
        #expect(Set(exported.keys).isSuperset(of: original.keys.filter { $0.contains(".") }))
        for (path, data) in exported {
            if path == ModelCard.file {
                #expect(data != original[path] && String(decoding: data, as: UTF8.self).contains("\n# run-"))
                continue
            }
            guard path.hasSuffix(".safetensors") else {
                #expect(data == original[path], "\(path)")
                continue
            }
            let again = try PublishedModel(directory: target)
            _ = try PublishedWeights(directory: target, of: again)
        }
        let refused = #expect(throws: Failure.self) {
            try model.export(.huggingFace, side: nil, to: target)
        }
        #expect(refused?.kind == .cannotCreate)
    }

    /// A published text tower, frozen, with a picture tower from scratch, at a width of its own.
    @Test func aLockedTowerStaysAsItIs() throws {
        let copy = try PublishedCopy("sentence")
        let configuration = try TinyRun.shared.get().configuration([
            "model.target={init: \(copy.path)}", "model.embedding=12", "model.freeze=[target, '!target.embedding']",
            "steps=4", "loss.temperature.initial=0.5",
        ])
        #expect(!configuration.isShared && configuration.model.target.kind == .text)
        let before = try Stepper(configuration, steps: 1, communicator: SoloWorld()).model
        let trained = try train(configuration).parameters
        let layout = before.parameters.layout
        #expect(layout.index(of: "target.embedding.weight") != nil)
        for entry in layout.entries where entry.name.hasPrefix("target.") || entry.name.hasPrefix("query.") {
            let isTrained = entry.name.hasPrefix("query.") || entry.name == "target.embedding.weight"
            let changed = Array(trained[entry.range]) != before.parameters.values[entry.range].array
            #expect(changed == isTrained, "\(entry.name)")
        }
    }

    /// What the Hub reads, what was done, and the licence that the published card names; a published model as it is keeps its card.
    @Test func trainedModelsHaveACardOfTheirOwn() throws {
        let copy = try PublishedCopy("sentence")
        let target = copy.path + "-exported"
        defer { try? FileManager.default.removeItem(atPath: target) }
        try Data("---\nlicense: mit\n---\n# Theirs\n".utf8).write(to: URL(fileURLWithPath: "\(copy.path)/README.md"))
        _ = try TrainedModel(.published(copy.path), communicator: SoloWorld()).export(
            .sentenceTransformers, side: nil, to: target)
        #expect(try contents(target)["README.md"] == contents(copy.path)["README.md"])
        try FileManager.default.removeItem(atPath: target)
        let configuration = try siamese(copy, ["steps=2", "noise.strength=0.25"])
        try train(configuration)
        _ = try openCheckpoint(configuration).export(.sentenceTransformers, side: nil, to: target)
        let card = try String(contentsOfFile: "\(target)/README.md", encoding: .utf8)
        #expect(card.hasPrefix("---\nlibrary_name: sentence-transformers\n"))
        for words in [
            "- sentence-transformers\n", "- feature-extraction\n", "license: mit\n---\n", "# \(configuration.name)\n",
            "| data | train.jsonl |", "| steps | 2, of 10 rows each |", "| loss | symmetric |",
            "| noise in training | sublinear, strength 0.25 |", "| pooling | cls |", "vectors of 7 numbers",
            "SentenceTransformer(\"PATH\")",
        ] {
            #expect(card.contains(words), "\(words) in \(card)")
        }
        #expect(!card.contains("Theirs") && !card.contains("base_model"))
    }

    /// The Hub's name of a model in its cache.
    @Test func namesOfTheHub() {
        let path = "/home/a/.cache/huggingface/hub/models--sentence-transformers--all-MiniLM-L6-v2/snapshots/0123"
        #expect(ModelCard.hubName(path) == "sentence-transformers/all-MiniLM-L6-v2")
        #expect(ModelCard.hubName("/models/all-MiniLM-L6-v2") == nil)
    }

    @Test func aProjectionIsADenseModule() throws {
        let copy = try PublishedCopy("sentence")
        let configuration = try siamese(copy, ["model.embedding=5", "steps=1"])
        try train(configuration)
        let target = copy.path + "-exported"
        defer { try? FileManager.default.removeItem(atPath: target) }
        let model = try openCheckpoint(configuration)
        let refused = #expect(throws: Failure.self) { try model.export(.huggingFace, side: nil, to: target) }
        #expect(refused?.message.contains("projection to 5 columns") == true)
        _ = try model.export(.sentenceTransformers, side: nil, to: target)
        let again = try PublishedModel(directory: target)
        #expect(again.text?.outputColumns == 5)
        _ = try PublishedWeights(directory: target, of: again)
    }

    /// Prompts of the directory are put before texts, explicit ones win, and the export has those that training had.
    @Test func promptsComeAndGo() throws {
        let copy = try PublishedCopy("sentence-pooled")
        let configuration = try siamese(copy, ["steps=1"])
        #expect(configuration.column(.query).prefix == "w1 ")
        // The file's `document` is empty, and decides: neither `passage` nor the default prompt takes its place, as in the package.
        #expect(configuration.column(.target).prefix.isEmpty)
        let own = try siamese(copy, ["steps=1", "data.target.prefix='w4 '", "data.query.prefix=''"])
        #expect(own.column(.query).prefix.isEmpty && own.column(.target).prefix == "w4 ")
        try train(own)
        let target = copy.path + "-exported"
        defer { try? FileManager.default.removeItem(atPath: target) }
        let model = try openCheckpoint(own)
        _ = try model.export(.sentenceTransformers, side: nil, to: target)
        let prompts = try SentencePrompts(ModelFiles(directory: target))
        #expect(prompts.document == "w4 " && prompts.query.isEmpty)
        // The prefix takes part: the same text with it written out.
        let published = try TrainedModel(.published(copy.path), communicator: SoloWorld())
        func embedding(_ text: String, prefix: String) throws -> [Float] {
            let rows = EmbeddableRows(
                InlineSource([(.text(text, alternatives: []), "row")], kind: .text, prefix: prefix))
            return try published.embeddings(of: rows, side: .query, chunk: 1, communicator: SoloWorld()).array
        }
        let asked = try published.embeddings(
            of: published.row(of: .text("w7 w8"), side: .query), side: .query, chunk: 1, communicator: SoloWorld())
        #expect(try asked.array == embedding("w1 w7 w8", prefix: "") && asked.array != embedding("w7 w8", prefix: ""))
    }

    @Test func poolingCanBeChosen() throws {
        let copy = try PublishedCopy("bert")
        let options = ["steps=1", "model.query={pooling: max}", "model.target={pooling: max}"]
        let configuration = try siamese(copy, options)
        #expect(configuration.isShared)
        try train(configuration)
        let target = copy.path + "-exported"
        defer { try? FileManager.default.removeItem(atPath: target) }
        _ = try openCheckpoint(configuration).export(.sentenceTransformers, side: nil, to: target)
        guard case .text(let text)? = try PublishedModel(directory: target).text?.plan else {
            Issue.record("no text tower")
            return
        }
        #expect(text.pooling == [.maximum])
        let pair = try PublishedCopy("clip-gelu")
        let refused = #expect(throws: Failure.self) {
            try train(TinyRun.shared.get().configuration(["model={init: \(pair.path), target: {pooling: mean}}"]))
        }
        #expect(refused?.message.contains("leave it auto") == true, "\(refused?.message ?? "")")
    }

    /// The quick start's kind of model is a CLIP of open_clip, and of transformers where pictures have a norm in front.
    @Test func aPairFromScratchIsACLIP() throws {
        for (norm, formats) in [("false", [ExportFormat.openCLIP]), ("true", [.openCLIP, .huggingFace])] {
            let configuration = try TinyRun.shared.get().configuration(
                ["steps=1", "model.query.input_norm=\(norm)", "model.target.causal=true"])
            try train(configuration)
            let model = try openCheckpoint(configuration)
            for format in [ExportFormat.openCLIP, .huggingFace] {
                let target = "\(configuration.folder)-\(format.rawValue)"
                guard formats.contains(format) else {
                    let refused = #expect(throws: Failure.self) { try model.export(format, side: nil, to: target) }
                    #expect(refused?.message.contains("inputNorm is false, where the form has true") == true)
                    continue
                }
                _ = try model.export(format, side: nil, to: target)
                let again = try PublishedModel(directory: target)
                _ = try PublishedWeights(directory: target, of: again)
            }
        }
    }

    @Test func publishedTemperaturesAreTaken() throws {
        let copy = try PublishedCopy("siglip")
        let model = { (options: [String]) in
            let configuration = try TinyRun.shared.get().configuration(["model={init: \(copy.path)}"] + options)
            let assets = try ModelAssets(trainedOn: configuration.trainingSource(), configuration)
            let model = try DualEncoder(configuration, assets)
            try assets.origins.fill(model, configuration)
            return model
        }
        let published = try model([])
        #expect(abs(published.temperature - Float(exp(-1.5))) < 1e-6)
        #expect(published.parameters[published.bias].values[0] == -2)
        let own = try model(["loss.temperature.initial=0.3", "loss.kind=sigmoid", "loss.bias.initial=-7"])
        #expect(abs(own.temperature - 0.3) < 1e-6)
        #expect(own.parameters[own.bias].values[0] == -7)
    }

    @Test(arguments: [
        (["model.target={init: DIR, width: 16}"], "unknown key 'model.target.width'"),
        (
            ["model.target={init: DIR, kind: vit}", "data.target.kind=picture", "data.target.column=image"],
            "without such an encoder"
        ),
        (["model.target={init: DIR, context: 12}"], "at most 11 tokens"),
        (["model={init: DIR}", "data.query.kind=picture"], "data.query.kind is picture"),
        (
            ["model={init: DIR, query: {init: DIR}}", "data.query={column: text, kind: text}"],
            "set one of them to null"
        ),
        (["model.query.kind=auto"], "no init names one"),
        (["model.shared=true"], "equal keys"),
    ])
    func whatContradictsIsRefused(options: [String], words: String) throws {
        let copy = try PublishedCopy("sentence")
        let failure = #expect(throws: Failure.self) {
            let configuration = try TinyRun.shared.get().configuration(
                options.map { $0.replacingOccurrences(of: "DIR", with: copy.path) })
            try train(configuration)
        }
        #expect(
            failure?.kind == .configuration && failure?.message.contains(words) == true, "\(failure?.message ?? "")")
    }

    /// An export cuts texts where training did, and says which text it cannot say comes before them.
    @Test func textsGoOutAsTheyWereTrained() throws {
        let copy = try PublishedCopy("clip-gelu")
        let configuration = try TinyRun.shared.get().configuration(
            ["model={init: \(copy.path), target: {context: 5}}", "data.target.prefix='a '", "steps=1"])
        try train(configuration)
        let target = copy.path + "-exported"
        defer { try? FileManager.default.removeItem(atPath: target) }
        let failure = #expect(throws: Failure.self) {
            try openCheckpoint(configuration).export(.openCLIP, side: nil, to: target)
        }
        #expect(failure?.message.contains("cut to 5 tokens") == true, "\(failure as Any)")
        let remarks = try openCheckpoint(configuration).export(.huggingFace, side: nil, to: target)
        #expect(remarks == ["the directory does not say that texts begin with 'a ': put it before them"])
        guard case .text(let text)? = try PublishedModel(directory: target).text?.plan else {
            Issue.record("no text")
            return
        }
        #expect(text.context == 5)
        let alone = #expect(throws: Failure.self) {
            try openCheckpoint(configuration).export(.huggingFace, side: .query, to: target + "-alone")
        }
        #expect(alone?.message.contains("one of the two towers") == true, "\(alone as Any)")
    }

    /// Weights that nothing good can come of are named before a step is made.
    @Test func weightsAreFinite() throws {
        let copy = try PublishedCopy("sentence")
        let path = "\(copy.path)/model.safetensors"
        let name = "embeddings.word_embeddings.weight"
        let tensors: [SafetensorsTensor] = try {
            let file = try SafetensorsFile(path: path)
            return try file.entries.map { entry in
                let values = Floats(try file.floats(entry.name).array)
                if entry.name.hasSuffix(name) { values[3] = .nan }
                return (entry.name, entry.shape, .floats(values))
            }
        }()
        try FileManager.default.removeItem(atPath: path)
        try Data(SafetensorsWriter.data(tensors: tensors)).write(to: URL(fileURLWithPath: path))
        let configuration = try siamese(copy)
        let failure = #expect(throws: Failure.self) { try train(configuration) }
        #expect(
            failure?.kind == .data
                && failure?.message.hasPrefix("\(copy.path): tensor '\(name)', element 3 is") == true,
            "\(failure as Any)")
    }

    /// The package would cut embeddings, which is not done here.
    @Test func shortenedEmbeddingsAreRefused() throws {
        let copy = try PublishedCopy("sentence")
        let file = "\(copy.path)/\(SentencePrompts.file)"
        for (dimensions, isRefused) in [(3, true), (7, false)] {
            try Data(#"{"truncate_dim": \#(dimensions)}"#.utf8).write(to: URL(fileURLWithPath: file))
            var message = ""
            do { _ = try PublishedModel(directory: copy.path) } catch let failure as Failure {
                message = failure.message
            }
            #expect(message.contains("truncate_dim is 3") == isRefused, "\(message)")
        }
    }

    /// Keys that would change nothing.
    @Test func whatHasNoMeaningIsRefused() throws {
        let (pair, text) = (try PublishedCopy("clip-gelu"), try PublishedCopy("sentence"))
        let mistakes = [
            (["model={init: \(pair.path), query: {context: 5}}"], "reads no tokens"),
            (
                ["model={init: \(text.path)}", "model.lora={rank: 2, query: /a, target: /b}"] + Self.texts,
                "both sides are one encoder"
            ),
        ]
        for (options, words) in mistakes {
            let failure = #expect(throws: Failure.self) { try train(TinyRun.shared.get().configuration(options)) }
            #expect(failure?.kind == .configuration && failure?.message.contains(words) == true, "\(failure as Any)")
        }
    }

    @Test func aMissingDirectoryIsNamed() throws {
        let failure = #expect(throws: Failure.self) {
            try TinyRun.shared.get().configuration(["model={init: /nowhere/model}"] + Self.texts)
        }
        #expect(failure?.kind == .inputMissing && failure?.message.contains("/nowhere/model") == true)
    }
}
