// Adapters of published models: what their layers are called for `peft`, merging, and the way out and back. Not here: what peft itself makes
// of the folders (Tests/Interop/adapters.py), the format (PEFTAdapterTests).

import ArrayFiles
import Collectives
import Failures
import Foundation
import Testing

@testable import Training

@Suite(.serialized) struct PublishedAdapterTests {
    private static let texts = ["data.query={column: text}", "data.target={column: text}"]
    private static let pictures = [
        "model.query.kind=vit", "model.target.kind=vit", "data.query={column: image}", "data.target={column: image}",
    ]

    private func trained(_ copy: PublishedCopy, _ targets: String, _ options: [String]) throws -> RunConfig {
        let configuration = try TinyRun.shared.get().configuration(
            [
                "model={init: \(copy.path), lora: {rank: 2, alpha: 6, targets: \(targets)}}", "steps=3",
                "optimizer.learning_rate=1e-2",
            ] + options)
        try train(configuration)
        return configuration
    }

    private func open(_ configuration: RunConfig) throws -> TrainedModel {
        try TrainedModel(.run(configuration.folder), communicator: SoloWorld())
    }

    /// The names that peft gives the factors of a module, and their shapes; a convolution's have its kernel's dimensions.
    static let families: [(name: String, targets: String, side: Side?, options: [String], expected: [String: [Int]])] =
        [
            (
                "bert", "[query, intermediate.dense]", nil, texts,
                [
                    "encoder.layer.0.attention.self.query.lora_A": [2, 12],
                    "encoder.layer.1.intermediate.dense.lora_B": [20, 2],
                ]
            ),
            ("mpnet", "[q, o]", nil, texts, ["encoder.layer.1.attention.attn.o.lora_B": [12, 2]]),
            (
                "vit", "[q_proj, projection]", .query, pictures,
                [
                    "layers.1.attention.q_proj.lora_A": [2, 12],
                    "embeddings.patch_embeddings.projection.lora_A": [2, 3, 4, 4],
                    "embeddings.patch_embeddings.projection.lora_B": [12, 2, 1, 1],
                ]
            ),
            (
                "clip", "[v_proj, text_projection]", nil, [],
                ["vision_model.encoder.layers.0.self_attn.v_proj.lora_A": [2, 10], "text_projection.lora_B": [6, 2]]
            ),
            (
                "siglip", "[query, fc1]", nil, [],
                [
                    "text_model.encoder.layers.0.self_attn.q_proj.lora_A": [2, 12],
                    "vision_model.head.mlp.fc1.lora_A": [2, 12],
                ]
            ),
        ]

    @Test(arguments: families.indices) func layersHaveTheirPublishersNames(_ index: Int) throws {
        let family = Self.families[index]
        let copy = try PublishedCopy(family.name)
        let configuration = try trained(copy, family.targets, family.options)
        let (separate, merged) = (copy.path + "-separate", copy.path + "-merged")
        defer { for path in [separate, merged] { try? FileManager.default.removeItem(atPath: path) } }
        let model = try open(configuration)
        try model.exportAdapters(side: family.side, to: separate + "/")
        let file = try SafetensorsFile(path: "\(separate)/\(PEFTAdapter.weightsFile)")
        for (name, shape) in family.expected {
            #expect(file.entry("base_model.model.\(name).weight")?.shape == shape, "\(name) of \(file.names)")
        }
        // Where training begins with the folder, it begins with these factors, and a step that changes no bit leaves them.
        let folders = Side.allCases.map { "model.lora.\($0.rawValue)=\(separate)" }
        let again = try TinyRun.shared.get().configuration(
            [
                "model={init: \(copy.path), lora: {rank: 2, alpha: 6, targets: \(family.targets)}}", "steps=1",
                "optimizer.learning_rate=1e-30",
            ] + family.options + (configuration.isShared ? [folders[0]] : folders))
        if family.side == nil {
            try train(again)
            let read = try open(again)
            #expect(read.embedder.model.parameters.adapters.count == model.embedder.model.parameters.adapters.count)
            for (ours, theirs) in zip(
                read.embedder.model.parameters.adapters, model.embedder.model.parameters.adapters)
            {
                for (a, b) in [(ours.down, theirs.down), (ours.up, theirs.up)] {
                    #expect(
                        read.embedder.model.parameters[a].values.array
                            == model.embedder.model.parameters[b].values.array,
                        "\(ours.layer)")
                }
            }
        }
        // Merged, the directory by itself is the model.
        let isPicture = family.options == Self.pictures
        let picture = try TinyRun.shared.get().folder + "/3.png"
        let rows = isPicture ? TrainedModel.Question.picture(path: picture) : .text("red disc")
        let side: Side = isPicture ? .query : .target
        let before = try model.embeddings(
            of: model.row(of: rows, side: side), side: side, chunk: 4, communicator: SoloWorld()
        ).array
        _ = try model.export(.huggingFace, side: family.side, to: merged)
        let alone = try TrainedModel(.published(merged), communicator: SoloWorld())
        let after = try alone.embeddings(
            of: alone.row(of: rows, side: side), side: side, chunk: 4, communicator: SoloWorld()
        ).array
        let plain = try TrainedModel(.published(copy.path), communicator: SoloWorld())
        let first = try plain.embeddings(
            of: plain.row(of: rows, side: side), side: side, chunk: 4, communicator: SoloWorld()
        ).array
        #expect(zip(before, after).allSatisfy { abs($0 - $1) < 1e-5 })
        #expect(zip(before, first).contains { abs($0 - $1) > 1e-3 })
    }

    /// A projection behind a published tower is new: it is trained beside the adapters, which alone are not the model then.
    @Test func aNewProjectionIsTrainedBesideAdapters() throws {
        let copy = try PublishedCopy("bert")
        let configuration = try trained(copy, "[all-linear]", Self.texts + ["model.embedding=5"])
        let model = try open(configuration)
        let names = model.embedder.model.parameters.trainable.entries.map(\.name)
        #expect(names.contains("shared.embedding.weight") && !names.contains { $0.hasPrefix("shared.embedding.lora") })
        let refused = #expect(throws: Failure.self) { try model.exportAdapters(side: nil, to: copy.path + "-none") }
        #expect(refused?.kind == .configuration && refused?.message.contains("shared.embedding.weight") == true)
    }

    /// open_clip's programs have one product for query, key and value: peft has nothing to adapt there.
    @Test func fusedLayersHaveNoAdapterElsewhere() throws {
        let copy = try PublishedCopy("open-clip")
        let configuration = try trained(copy, "[query]", [])
        let model = try open(configuration)
        let refused = #expect(throws: Failure.self) { try model.exportAdapters(side: nil, to: copy.path + "-none") }
        #expect(refused?.message.contains("is no linear layer by itself") == true, "\(refused?.message ?? "")")
        let merged = copy.path + "-merged"
        defer { try? FileManager.default.removeItem(atPath: merged) }
        #expect(try model.export(.openCLIP, side: nil, to: merged).isEmpty)
    }
}
