// Reading configurations: the shipped files, options, round trips, differences. Not here: mistakes (ConfigurationErrorTests.swift).

import Failures
import Foundation
import Testing

@testable import Training

/// The package's folder.
private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

@Suite struct ConfigurationTests {
    static let minimal = "name: a\nsteps: 5\ndata: {train: t.jsonl}\n"

    static func minimal(_ options: String...) throws -> RunConfig {
        try RunConfig.parse(minimal, file: "a.yaml", options: options)
    }

    /// What YAML would read as a block is a text on the command line, with its spaces.
    @Test(arguments: ["query: ", "a: b", "- x", "? "]) func prefixesNeedNoQuotes(prefix: String) throws {
        let column = try Self.minimal("data.target.kind=text", "data.target.prefix=\(prefix)").column(.target)
        #expect(column.prefix == prefix)
    }

    @Test func quickstartSaysWhatItSays() throws {
        let config = try RunConfig.load("\(root)/configs/quickstart.yaml")
        #expect(config.name == "quickstart" && config.folder == "runs/quickstart" && config.seed == 42)
        #expect(config.threads == .automatic)
        var vision = RunConfig.VisionTransformer()
        vision.imageSize = 32
        vision.patch = 8
        vision.blocks = RunConfig.Blocks(width: 128, depth: 4, heads: 4)
        #expect(config.model.query == .vit(vision))
        guard case .text(let text) = config.model.target else {
            Issue.record("the target is not text")
            return
        }
        #expect(text.vocabulary == 2048 && text.context == 24 && text.causal && text.pooling == .endOfText)
        #expect(text.blocks == RunConfig.Blocks(width: 128, depth: 2, heads: 4))
        #expect(config.optimizer.betas == RunConfig.Betas(first: 0.9, second: 0.98))
        #expect(config.optimizer.learningRate == 2e-3 && config.optimizer.epsilon == 1e-6 && config.optimizer.clip == 1)
        #expect(config.optimizer.schedule.kind == .cosine && config.optimizer.schedule.warmup == .share(0.086))
        #expect(config.evaluate.sets.items.map(\.name) == ["seen", "unseen"])
        #expect(config.data.cache.bytes == 512 * 1024 * 1024)
        var loss = RunConfig.Loss()
        loss.temperature.initial = .value(0.07)
        #expect(config.noise == RunConfig.Noise() && config.loss == loss)
    }

    @Test func shippedConfigurationsAreValid() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: "\(root)/configs").filter {
            $0.hasSuffix(".yaml")
        }
        #expect(names.contains("quickstart.yaml") && names.contains("smoke.yaml"))
        for name in names {
            // The user's own directory stands there.
            let published = "model.init=\(root)/Tests/EncodersTests/Golden/published/sentence"
            let config = try RunConfig.load(
                "\(root)/configs/\(name)",
                options: ["finetune.yaml", "reverse-dictionary.yaml"].contains(name) ? [published] : [])
            #expect(config.name == String(name.dropLast(5)))
        }
    }

    @Test(arguments: [
        "steps=9", "threads=3", "noise={scaling: power, power: 0.25, strength: 0.2}", "loss.kind=sigmoid",
        "noise.schedule.kind=constant",
        "model.query={kind: text, width: 48, heads: 3}", "evaluate.sets={a b: \"x: y#\", 'null': \"\\tz\\\"\\\\é\"}",
        "name='null'", "name='~'",
        "optimizer.clip=null", "data.cache=3 KiB", "data.cache=1000", "seed=18446744073709551615",
        "optimizer.learning_rate=1e-7",
        "optimizer.schedule=linear", "optimizer.schedule.warmup=0.25",
        "output='- x'", "noise.schedule={kind: warmup, steps: 4}", "evaluate.every=null",
        "output=\"\\x81 \\x85 \\x9f \\u2028 \\u2029 \\uFEFF \\uFFFE\"",
        "data.train=1", "data.train=[a.jsonl, \"b-{0..3}.csv\"]", "data.negatives={columns: [neg, 'a b'], maximum: 3}",
        "data={train: null, sources: [{path: a, weight: 2, query: {prefix: \"query: \"}}, {path: [b, c], format: csv, weight: 1}]}",
        "data={train: null, batches: same_source, sources: [a, {path: b, batches: mixed, id: key, negatives: neg}]}",
    ])
    func resolvedYAMLReadsBackAsTheSameValue(option: String) throws {
        var options = [option]
        if option.hasPrefix("model.query=") { options.append("data.query={column: q, kind: text}") }
        let config = try RunConfig.parse(Self.minimal, file: "a.yaml", options: options)
        let again = try RunConfig.parse(config.yaml, file: "config.yaml")
        #expect(again == config)
        #expect(again.yaml == config.yaml)
    }

    @Test func optionsCoverEveryKey() throws {
        // Every key of the resolved file, given back as an option, is accepted and changes nothing.
        let config = try Self.minimal(
            "loss.kind=sigmoid", "noise={scaling: shuffled, power: 0.5, schedule: {kind: decay, steps: 3}}")
        var path: [String] = []
        var count = 0
        for line in config.yaml.split(separator: "\n") {
            let depth = line.prefix { $0 == " " }.count / 2
            let parts = line.drop { $0 == " " }.split(separator: ":", maxSplits: 1)
            path = path.prefix(depth) + [String(parts[0])]
            guard parts.count == 2, !parts[1].isEmpty else { continue }
            let option = path.joined(separator: ".") + "=" + parts[1].dropFirst()
            #expect(try RunConfig.parse(config.yaml, file: "a.yaml", options: [option]) == config, "\(option)")
            count += 1
        }
        #expect(count > 60)
    }

    @Test func optionsOverrideInOrder() throws {
        let config = try Self.minimal(
            "seed=1", "seed=2", "noise.schedule.kind=decay", "noise.schedule.steps=8", "optimizer.schedule=linear",
            "optimizer.schedule.warmup=3")
        #expect(config.seed == 2)
        #expect(config.noise.schedule.kind == .decay && config.noise.schedule.steps == 8)
        #expect(config.optimizer.schedule.kind == .linear && config.optimizer.schedule.warmup == .steps(3))
        #expect(try Self.minimal("steps=null", "epochs=3").duration == .epochs(3))
        #expect(
            try Self.minimal("evaluate.sets.b=x/y.jsonl").evaluate.sets.items == [.init(name: "b", path: "x/y.jsonl")])
    }

    /// Keys below a section that is written as one value: the value stays, unless its own key is set.
    @Test func optionsGoBelowShorthands() throws {
        func read(_ yaml: String, _ options: String...) throws -> RunConfig {
            try RunConfig.parse("name: a\nsteps: 5\n\(yaml)\n", file: "a.yaml", options: options)
        }
        let average = try read("data: {train: t}\nema: 0.999", "ema.warmup=false").ema
        #expect(average.decay == 0.999 && !average.warmup)
        #expect(try read("data: {train: t}\nema: 0.999", "ema.decay=0.5", "ema.warmup=false").ema.decay == 0.5)
        let sources = try read("data: {sources: [a.jsonl]}", "data.sources.0.weight=2").data.sources
        #expect(sources.map(\.path.patterns) == [["a.jsonl"]] && sources.map(\.weight) == [2])
        let nested = try read("data: {train: t}\nloss: {matryoshka: [8, 16]}", "loss.matryoshka.weights=[1, 2]").loss
        #expect(nested.matryoshka.dimensions.values == [8, 16] && nested.matryoshka.weights.values == [1, 2])
        let schedule = try read(
            "data: {train: t}\noptimizer: {schedule: constant}", "optimizer.schedule.warmup=3",
            "optimizer.schedule.kind=linear"
        ).optimizer.schedule
        #expect(schedule.kind == .linear && schedule.warmup == .steps(3))
    }

    /// A warm-up is a number of steps, or a share of all of them; the files' shares are the steps that their runs have always had.
    @Test func warmUpsAreStepsOrShares() throws {
        func warmUp(_ text: String) throws -> RunConfig.WarmUp {
            try Self.minimal("optimizer.schedule.warmup=\(text)").optimizer.schedule.warmup
        }
        for (text, expected) in [
            ("0", RunConfig.WarmUp.steps(0)), ("0.0", .steps(0)), ("5", .steps(5)), ("0.1", .share(0.1)),
            ("1e-3", .share(1e-3)),
        ] {
            #expect(try warmUp(text) == expected)
        }
        #expect(RunConfig.WarmUp.share(0.1).steps(of: 14) == 1 && RunConfig.WarmUp.share(0.99).steps(of: 10) == 10)
        for (name, count) in [("quickstart", 60), ("features", 30)] {
            let config = try RunConfig.load("\(root)/configs/\(name).yaml")
            guard case .steps(let steps) = config.duration else { preconditionFailure("\(name) has epochs") }
            #expect(config.optimizer.schedule.warmup.steps(of: steps) == count)
            // A run of before, whose file has a number, goes on.
            let before = try RunConfig.load(
                "\(root)/configs/\(name).yaml", options: ["optimizer.schedule.warmup=\(count)"])
            #expect(before != config && config.differences(from: before).isEmpty)
            let short = try RunConfig.load("\(root)/configs/\(name).yaml", options: ["steps=20"])
            #expect(short.differences(from: config).map(\.key) == ["steps", "optimizer.schedule.warmup"])
        }
    }

    /// With a share, the number of steps decides the course of a constant schedule too.
    @Test func aShareTiesTheCourseToTheSteps() throws {
        func epochs(_ count: Int, _ warmUp: String) throws -> RunConfig {
            try Self.minimal(
                "steps=null", "epochs=\(count)", "optimizer.schedule=constant", "optimizer.schedule.warmup=\(warmUp)")
        }
        #expect(try epochs(3, "2").differences(from: epochs(2, "2")).map(\.effect) == [.bookkeeping])
        #expect(try epochs(3, "0.1").differences(from: epochs(2, "0.1")).map(\.effect) == [.trajectory])
    }

    @Test func oneSourceOfSeveralCanBeChanged() throws {
        let config = try Self.minimal(
            "data={train: null, sources: [{path: a, weight: 2}, {path: b, weight: 1}]}", "data.sources.1.weight=5")
        #expect(config.data.sources.map(\.weight) == [2, 5] && config.data.sources[1].path.patterns == ["b"])
    }

    @Test func anchorsAreResolved() throws {
        let text = "name: a\nsteps: &n 5\ndata: {train: t}\nlog: {every: *n}\nevaluate: {every: *n}\n"
        let config = try RunConfig.parse(text, file: "a.yaml")
        #expect(config.log.every == 5 && config.evaluate.every == 5)
    }

    @Test func differencesNameKeyValuesAndEffect() throws {
        let old = try Self.minimal()
        let new = try Self.minimal(
            "log.every=20", "seed=7", "loss.kind=sigmoid", "data.cache=1 GiB", "evaluate.sets={x: y}", "threads=2")
        let differences = new.differences(from: old)
        typealias Row = RunConfig.Difference
        #expect(
            differences == [
                Row(key: "seed", old: "42", new: "7", effect: .trajectory),
                Row(key: "threads", old: "auto", new: "2", effect: .bookkeeping),
                Row(key: "data.cache", old: "512 MiB", new: "1 GiB", effect: .bookkeeping),
                Row(key: "loss.kind", old: "symmetric", new: "sigmoid", effect: .trajectory),
                Row(key: "loss.bias.initial", old: nil, new: "auto", effect: .trajectory),
                Row(key: "loss.bias.learned", old: nil, new: "true", effect: .trajectory),
                Row(key: "evaluate.sets", old: "{}", new: "{x: y}", effect: .bookkeeping),
                Row(key: "log.every", old: "10", new: "20", effect: .bookkeeping),
            ])
        #expect(new.differences(from: new).isEmpty)
        #expect(
            old.differences(from: new).filter { $0.new == nil }.map(\.key) == [
                "loss.bias.initial", "loss.bias.learned",
            ])
    }

    @Test(arguments: [("constant", KeyEffect.bookkeeping), ("cosine", .trajectory), ("linear", .trajectory)])
    func moreStepsAreHarmlessUnderAConstantRate(schedule: String, effect: KeyEffect) throws {
        let old = try Self.minimal("optimizer.schedule=\(schedule)")
        let new = try Self.minimal("optimizer.schedule=\(schedule)", "steps=10")
        #expect(new.differences(from: old).map(\.effect) == [effect])
    }

    @Test func documentationIsThatOfTheKeys() throws {
        let file = URL(filePath: "\(root)/docs/configuration.md")
        if ProcessInfo.processInfo.environment["FANOISE_WRITE_DOCUMENTATION"] != nil {
            try RunConfig.documentation.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == RunConfig.documentation)
        for path in RunConfig.allPaths {
            #expect(RunConfig.documentation.contains(path) && RunConfig.helpText.contains(path))
        }
    }
}
