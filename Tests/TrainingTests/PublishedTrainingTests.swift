// Training that begins with published weights: one encoder for both sides, mixed pairs, checkpoints that need no directory. Not here: the way
// out again (PublishedExportTests), what published models compute (EncodersTests).

import ArrayFiles
import Buffers
import Collectives
import Datasets
import Encoders
import Failures
import Foundation
import Testing

@testable import Training

@Suite(.serialized) struct PublishedTrainingTests {
    @Test func oneEncoderServesBothSides() throws {
        let copy = try PublishedCopy("sentence")
        let configuration = try copy.siamese()
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
            let configuration = try copy.siamese(["batch.cache_chunk=\(chunk)", "steps=12"])
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
        let whole = try train(other.siamese(options), ranks: ranks)
        let configuration = try copy.siamese(options)
        try train(configuration, ranks: ranks, stopAfter: 5)
        try copy.remove()
        let resumed = try train(configuration, ranks: ranks)
        #expect(resumed.summary.step == 10 && resumed.parameters == whole.parameters)
        let model = try openCheckpoint(configuration)
        #expect(model.columns == 7)
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

    @Test func poolingCanBeChosen() throws {
        let copy = try PublishedCopy("bert")
        let options = ["steps=1", "model.query={pooling: max}", "model.target={pooling: max}"]
        let configuration = try copy.siamese(options)
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
        let configuration = try copy.siamese()
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
                ["model={init: \(text.path)}", "model.lora={rank: 2, query: /a, target: /b}"] + PublishedCopy.texts,
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
            try TinyRun.shared.get().configuration(["model={init: /nowhere/model}"] + PublishedCopy.texts)
        }
        #expect(failure?.kind == .inputMissing && failure?.message.contains("/nowhere/model") == true)
    }
}
