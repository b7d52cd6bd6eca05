// Adapters that peft wrote, and that it can read. Not here: the term itself (LowRankTests.swift).

import ArrayFiles
import Autograd
import Buffers
import Failures
import Foundation
import Layers
import Testing

@testable import Training

@Suite struct PEFTAdapterTests {
    private static let fixture = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden/peft")
        .path

    /// The tower of Tests/Golden/peft_adapter.py: a fused layer of three parts and a projection.
    private struct Tower {
        let parameters: Parameters
        private let fused: Linear
        private let projection: Linear

        init(rank: Int = 2, alpha: Double = 6, targets: [String] = ["query", "value", "projection"]) {
            var plan = ParameterPlan(
                lowRank: LowRankOptions(rank: rank, alpha: alpha, targets: targets.map { LayerPattern($0) }))
            fused = Linear(
                &plan, "target.attention.qkv", inputs: 6, outputs: 12, parts: ["query", "key", "value"], deviation: 1)
            projection = Linear(&plan, "target.projection", inputs: 12, outputs: 5, bias: false, deviation: 1)
            parameters = Parameters(plan, seed: 1)
            for (index, name) in ["attention.qkv.weight", "attention.qkv.bias", "projection.weight"].enumerated() {
                guard let entry = parameters.layout.index(of: "target.\(name)").map({ parameters.layout.entries[$0] })
                else { continue }
                parameters.values[entry.range].copy(from: Self.formula(entry.count, index + 1))
            }
        }

        static func formula(_ count: Int, _ k: Int) -> Floats {
            Floats((0..<count).map { Float(sin(Double($0) * 0.7 + Double(k)) * 0.5) })
        }

        func callAsFunction() -> [Float] {
            let tape = Tape(.inference)
            let x = Tensor(Self.formula(18, 4), shape: [3, 6])
            return projection(fused(x, parameters, on: tape), parameters, on: tape).values.array
        }

        var adapter: PEFTAdapter { PEFTAdapter(tower: "target", of: parameters) }
        var factors: [[Float]] {
            parameters.adapters.flatMap { [parameters[$0.down].values.array, parameters[$0.up].values.array] }
        }
    }

    private static func temporaryFolder() -> String {
        FileManager.default.temporaryDirectory.appending(path: "fanoise-peft-\(UUID())").path
    }

    @Test func whatPEFTWroteGivesWhatPEFTGives() throws {
        let tower = Tower()
        let plain = tower()
        try tower.adapter.read(from: Self.fixture)
        let outputs = try JSONDecoder().decode(
            [Double].self, from: Data(contentsOf: URL(filePath: "\(Self.fixture)/outputs.json")))
        let adapted = tower()
        #expect(outputs.count == 15 && zip(plain, outputs).contains { abs(Double($0) - $1) > 0.1 })
        for (found, expected) in zip(adapted, outputs) { #expect(abs(Double(found) - expected) < 1e-5) }
        tower.parameters.mergeAdapters()
        for (found, expected) in zip(tower(), outputs) { #expect(abs(Double(found) - expected) < 1e-5) }
    }

    /// Written again, the tensors are the bytes that peft wrote, under its names; read again, the same adapter.
    @Test func whatIsWrittenIsWhatWasRead() throws {
        let folder = Self.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let tower = Tower()
        try tower.adapter.read(from: Self.fixture)
        let adapter = tower.adapter
        try ExportedDirectory.write(
            files: [PEFTAdapter.configurationFile: adapter.configuration(baseModel: "some/model")],
            tensors: [PEFTAdapter.weightsFile: adapter.tensors], to: folder)
        let (theirs, ours) = (
            try SafetensorsFile(path: "\(Self.fixture)/\(PEFTAdapter.weightsFile)"),
            try SafetensorsFile(path: "\(folder)/\(PEFTAdapter.weightsFile)")
        )
        #expect(Set(theirs.names) == Set(ours.names))
        for name in theirs.names {
            #expect(
                try theirs.floats(name).array == ours.floats(name).array
                    && theirs.entry(name)?.shape == ours.entry(name)?.shape)
        }
        let again = Tower()
        try again.adapter.read(from: folder)
        #expect(again.factors == tower.factors)
        let configuration = try #require(
            JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(filePath: "\(folder)/\(PEFTAdapter.configurationFile)")))
                as? [String: Any])
        #expect(configuration["peft_type"] as? String == "LORA" && configuration["r"] as? Int == 2)
        #expect(
            configuration["lora_alpha"] as? Double == 6
                && configuration["base_model_name_or_path"] as? String == "some/model")
        #expect(configuration["target_modules"] as? [String] == ["attention.query", "attention.value", "projection"])
    }

    /// peft adapts BERT's pooler with the other layers of its name; nothing is computed with it.
    @Test func thePoolersFactorsAreLeftOut() throws {
        let folder = Self.temporaryFolder()
        try FileManager.default.copyItem(atPath: Self.fixture, toPath: folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = "\(folder)/\(PEFTAdapter.weightsFile)"
        let file = try SafetensorsFile(path: path)
        let own: [SafetensorsTensor] = try file.entries.map {
            ($0.name, $0.shape, .bytes(try file.bytes($0.name), $0.type))
        }
        let pooler: [SafetensorsTensor] = ["A", "B"].map {
            ("base_model.model.pooler.dense.lora_\($0).weight", [1, 2], .floats(Floats([1, 2])))
        }
        try Data(SafetensorsWriter.data(tensors: own + pooler)).write(to: URL(filePath: path))
        let tower = Tower()
        try tower.adapter.read(from: folder)
        let whole = Tower()
        try whole.adapter.read(from: Self.fixture)
        #expect(tower.factors == whole.factors)
    }

    @Test func anotherModelIsRefused() throws {
        for (tower, words) in [
            (Tower(rank: 3, alpha: 9), "model.lora.rank"), (Tower(alpha: 2), "model.lora.rank"),
            (Tower(targets: ["query", "projection"]), "unexpected: base_model.model.attention.value.lora_A.weight"),
            (Tower(targets: ["*"]), "missing: base_model.model.attention.key.lora_A.weight"),
        ] {
            let before = tower.factors
            let failure = #expect(throws: Failure.self) { try tower.adapter.read(from: Self.fixture) }
            #expect(
                failure?.kind == .configuration && failure?.message.contains(words) == true, "\(failure?.message ?? "")"
            )
            #expect(tower.factors == before)
        }
        let missing = #expect(throws: Failure.self) { try Tower().adapter.read(from: "/nowhere") }
        #expect(missing?.kind == .inputMissing)
        let none = #expect(throws: Failure.self) {
            try PEFTAdapter(tower: "query", of: Tower().parameters).configuration(baseModel: nil)
        }
        #expect(none?.kind == .configuration)
    }

    @Test(arguments: [
        ("\"peft_type\": \"LORA\"", "\"peft_type\": \"IA3\""), ("\"use_dora\": false", "\"use_dora\": true"),
        ("\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa_niter_4\""),
        ("\"bias\": \"none\"", "\"bias\": \"all\""), ("\"fan_in_fan_out\": false", "\"fan_in_fan_out\": true"),
        ("\"modules_to_save\": null", "\"modules_to_save\": [\"head\"]"), ("\"r\": 2", "\"r\": 0"),
        ("\"init_lora_weights\": true", "\"init_lora_weights\": \"lora_ga\""),
        ("\"use_qalora\": false", "\"use_qalora\": true"), ("\"kasa_config\": null", "\"kasa_config\": {}"),
        ("\"layer_replication\": null", "\"layer_replication\": [[0, 1]]"),
        ("\"rank_pattern\": {}", "\"rank_pattern\": {\"query\": 4}"), ("\"r\": 2", "\"r\": \"two\""), ("{", "["),
    ]) func whatIsNoPlainLoRAIsRefused(_ old: String, _ new: String) throws {
        let folder = Self.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.copyItem(atPath: Self.fixture, toPath: folder)
        let path = "\(folder)/\(PEFTAdapter.configurationFile)"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let start = try #require(text.range(of: old))
        try text.replacingCharacters(in: start, with: new).write(toFile: path, atomically: true, encoding: .utf8)
        let failure = #expect(throws: Failure.self) { try Tower().adapter.read(from: folder) }
        #expect(failure?.kind == .data, "\(failure?.message ?? "")")
    }
}
