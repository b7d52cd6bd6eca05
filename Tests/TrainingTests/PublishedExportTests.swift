// The way out again: a model that began with published weights, or is of a published form, as a directory of another tool. Not here:
// training it (PublishedTrainingTests), adapters by themselves (PublishedAdapterTests).

import ArrayFiles
import Buffers
import Collectives
import Datasets
import Encoders
import Failures
import Foundation
import Testing

@testable import Training

/// Every file of a directory and of those below it.
private func contents(_ directory: String) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: directory) {
        files[name] = FileManager.default.contents(atPath: "\(directory)/\(name)")
    }
    return files
}

@Suite(.serialized) struct PublishedExportTests {
    /// Updates that change no bit: what goes in comes out, from a checkpoint alone.
    @Test(arguments: ["sentence", "clip-gelu", "siglip"]) func theDirectoryComesBack(_ name: String) throws {
        let copy = try PublishedCopy(name)
        let original = try contents(copy.path)
        let isPair = name != "sentence"
        let configuration = try TinyRun.shared.get().configuration(
            ["model={init: \(copy.path)}", "steps=1", "optimizer.learning_rate=1e-30"]
                + (isPair ? [] : PublishedCopy.texts))
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
        let configuration = try copy.siamese(["steps=2", "noise.strength=0.25"])
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
        let configuration = try copy.siamese(["model.embedding=5", "steps=1"])
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
        let configuration = try copy.siamese(["steps=1"])
        #expect(configuration.column(.query).prefix == "w1 ")
        // The file's `document` is empty, and decides: neither `passage` nor the default prompt takes its place, as in the package.
        #expect(configuration.column(.target).prefix.isEmpty)
        let own = try copy.siamese(["steps=1", "data.target.prefix='w4 '", "data.query.prefix=''"])
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
}
