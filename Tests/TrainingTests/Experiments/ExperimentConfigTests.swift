// Experiments as configurations: the shipped ones, mistakes, arms and what they are compared with. Not here: running them (ToolTests).

import Failures
import Foundation
import Testing

@testable import Training

@Suite struct ExperimentConfigTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    private static func parse(_ text: String) throws -> ExperimentConfig {
        try ExperimentConfig.parse(
            "name: e\ntitle: t\nquestion: q\nmethod: m\nexpectation: x\n" + text, file: "e.yaml")
    }

    private static let arms = """
        base: \(root)/configs/features.yaml
        measures: {held.query_to_target.precision_at_1: Precision}

        """

    static let shipped =
        (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/configs/experiments"))?.filter {
            $0.hasSuffix(".yaml")
        }.sorted() ?? []

    /// Every shipped experiment is complete: texts, five seeds, a baseline, and arms whose runs' configurations are valid.
    @Test(arguments: shipped) func shippedExperimentsAreValid(_ name: String) throws {
        var config = try ExperimentConfig.load("\(Self.root)/configs/experiments/\(name)")
        #expect(config.name == String(name.dropLast(5)))
        #expect(config.seeds.values.count >= 5 && config.expectation.count > 20)
        guard config.kind == .runs else { return }
        #expect(config.baseline != nil)
        config.base = config.base.map { "\(Self.root)/\($0)" }
        if config.base?.hasSuffix("minilm.yaml") == true {
            // The user's own directory stands there.
            config.set.items.append(
                .init(key: "model.init", value: "\(Self.root)/Tests/EncodersTests/Golden/published/sentence"))
        }
        let plan = try ExperimentPlan(config, folder: "experiments/x")
        #expect(plan.cells.count == plan.arms.count * config.seeds.values.count)
        #expect(plan.arms.contains { $0.baseline != nil })
        for cell in plan.cells { #expect(cell.configuration.evaluate.places) }
    }

    @Test func shippedExperimentsAreThere() { #expect(Self.shipped.count >= 15) }

    static let mistakes: [(text: String, words: [String])] = [
        ("seeds: 0\narms: {a: {}}\n", ["e.yaml:8", "seeds", "found 0"]),
        ("seeds: [1, 1]\narms: {a: {}}\n", ["seeds"]),
        ("arms: {a: {}}\nbaselin: a\n", ["unknown key 'baselin'", "did you mean 'baseline'?"]),
        ("arms: {a: {}}\nbaseline: b\n", ["baseline is 'b'", "'a'"]),
        ("arms: {a: {noise.strenght: 1}}\n", ["arm 'a'", "noise.strenght", "did you mean"]),
        ("arms: {a: {noise.strength: many}}\n", ["arm 'a'", "noise.strength", "many"]),
        ("arms: {a: {seed: 3}}\n", ["arm 'a'", "seed", "experiment decides"]),
        ("arms: {a: {ranks: 0}}\n", ["arm 'a'", "ranks", "1 to 64"]),
        ("arms: {a b: {}, a-b: {}}\n", ["'a b'", "'a-b'", "rename"]),
        ("arms: [a]\n", ["arms", "mapping"]),
        ("grid: {noise.strength: 0.1}\n", ["grid", "sequences"]),
        ("seeds: 2\n", ["neither arms nor grid"]),
        ("within: [noise.strength]\narms: {a: {}}\n", ["within", "baseline"]),
    ]

    @Test(arguments: mistakes) func mistakesAreNamed(_ text: String, _ words: [String]) throws {
        do {
            let config = try Self.parse(Self.arms + text)
            _ = try ExperimentPlan(config, folder: "experiments/x")
            Issue.record("accepted: \(text)")
        } catch let failure as Failure {
            #expect(failure.kind == .configuration)
            for word in words { #expect(failure.message.contains(word), "\(failure.message)") }
        }
    }

    /// Texts may be left out; the title is the name then.
    @Test func textsMayBeLeftOut() throws {
        let config = try ExperimentConfig.parse("name: e\n" + Self.arms + "arms: {a: {}}\n", file: "e.yaml")
        #expect(config.heading == "e" && config.question.isEmpty)
        #expect(try ExperimentPlan(config, folder: "experiments/e").cells.count == 5)
    }

    /// Arms and grid; with `within` each arm is compared with the one that shares those keys.
    @Test func armsAndTheirBaselines() throws {
        let config = try Self.parse(
            Self.arms + """
                arms: {plain: {noise.scaling: none}}
                grid: {batch.global: [64, 128], noise.strength: [0, 0.5]}
                baseline: global 64, strength 0
                within: [batch.global]
                seeds: [7, 9]
                """)
        let plan = try ExperimentPlan(config, folder: "out/e")
        #expect(
            plan.arms.map(\.name) == [
                "plain", "global 64, strength 0", "global 64, strength 0.5", "global 128, strength 0",
                "global 128, strength 0.5",
            ])
        #expect(plan.arms.map(\.baseline) == [nil, nil, 1, nil, 3])
        let cell = plan.cells[7]
        #expect(cell.seed == 9 && cell.configuration.seed == 9 && cell.configuration.name == "global-64-strength-0.5-9")
        #expect(cell.configuration.folder == "out/e/cells/global-64-strength-0.5-9")
        #expect(cell.configuration.batch.global == 64 && cell.configuration.noise.strength == 0.5)
        var moved = cell.configuration
        moved.output = "elsewhere"
        #expect(cell.isEqual(to: moved, ranks: 1) && !cell.isEqual(to: moved, ranks: 2))
        moved.steps(of: 3)
        #expect(!cell.isEqual(to: moved, ranks: 1))
    }

    @Test func valuesOfARun() throws {
        let folder = RunFolder(NSTemporaryDirectory() + "values-\(UUID())")
        try folder.create()
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        var lines = (1...20).map {
            #"{"step": \#($0), "loss": \#(21 - $0), "noise_to_signal": null, "seconds": {"data": 1}, "query.cosine": 0.5}"#
        }
        lines.insert(#"{"step": 10, "loss": null, "s.query_to_target.precision_at_1": 0.25}"#, at: 10)
        lines.append(#"{"step": 20, "loss": null, "s.query_to_target.precision_at_1": 0.75}"#)
        try lines.joined(separator: "\n").write(toFile: folder.metrics, atomically: true, encoding: .utf8)
        let values = try CellRecord.values(of: folder)
        #expect(values["loss"] == 10.5 && values["early.loss"] == 19.5 && values["late.loss"] == 1.5)
        #expect(values["s.query_to_target.precision_at_1"] == 0.75 && values["query.cosine"] == 0.5)
        #expect(values["noise_to_signal"] == nil && values["step"] == nil)
    }
}

extension RunConfig {
    fileprivate mutating func steps(of count: Int) { duration = .steps(count) }
}
