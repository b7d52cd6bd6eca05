// Every way a configuration can be wrong: its message names place, key, found and expected. Not here: valid ones.

import Failures
import Foundation
import Testing

@testable import Training

/// A mistake, and what the message must contain.
struct ConfigMistake: CustomTestStringConvertible, Sendable {
    let yaml: String
    let options: [String]
    let expected: [String]
    var testDescription: String { options.first ?? yaml }

    /// The yaml is laid behind the three lines of a valid configuration, so it begins at line 4.
    init(_ yaml: String, _ expected: String...) { (self.yaml, options, self.expected) = (yaml, [], expected) }
    init(set options: [String], _ expected: String...) { (yaml, self.options, self.expected) = ("", options, expected) }
}

@Suite struct ConfigurationErrorTests {
    static func failure(_ yaml: String, options: [String] = []) -> Failure? {
        do {
            _ = try RunConfig.parse(yaml, file: "a.yaml", options: options)
            return nil
        } catch { return error as? Failure }
    }

    static let mistakes: [ConfigMistake] = [
        ConfigMistake(
            "sede: 1", "a.yaml:4", "unknown key 'sede'", "did you mean 'seed'?",
            "Valid keys here: name, output, seed, steps"),
        ConfigMistake("noise: {strenght: 1}", "a.yaml:4", "'noise.strenght'", "did you mean 'noise.strength'?"),
        ConfigMistake(
            "noise:\n  center: true\n  xyzzy: 1", "a.yaml:6", "'noise.xyzzy'. Valid keys here: scaling, strength"),
        ConfigMistake("learning_rate: 1", "a.yaml:4", "did you mean 'optimizer.learning_rate'?"),
        ConfigMistake("noise: {strength: abc}", "a.yaml:4: noise.strength: found abc, expected number ≥ 0"),
        ConfigMistake("noise: {strength: \"0.1\"}", "found \"0.1\", expected number"),
        ConfigMistake("noise: {strength: -1}", "found -1, expected number ≥ 0"),
        ConfigMistake("noise: {strength: .nan}", "found .nan, expected number"),
        ConfigMistake("noise: {strength: 0x1p3}", "found 0x1p3, expected number"),
        ConfigMistake("noise: {strength: inf}", "found inf"),
        ConfigMistake("noise: {strength: 1e999}", "found 1e999"),
        ConfigMistake("noise: {strength: null}", "found null, expected number"),
        ConfigMistake("noise: {center: yes}", "found yes, expected true or false"),
        ConfigMistake(
            "noise: {scaling: cubic}",
            "found cubic, expected one of: none, gaussian, uniform, linear, sublinear, power, shuffled"),
        ConfigMistake("noise: 3", "a.yaml:4: noise: found 3, expected a mapping"),
        ConfigMistake("noise:", "noise: found null, expected a mapping"),
        ConfigMistake(set: ["noise=none"], "found none, expected a mapping; did you mean 'noise.scaling'?"),
        ConfigMistake(set: ["optimizer.lr=1"], "unknown key 'optimizer.lr'; did you mean 'optimizer.learning_rate'?"),
        // What the key is not is no advice; among its namesakes that of the nearest place is.
        ConfigMistake(set: ["model.target.prefix=x"], "did you mean 'data.target.prefix'?"),
        ConfigMistake(set: ["model.query={init: x, width: 3}"], "did you mean 'model.target.width'?"),
        ConfigMistake("batch_size: 1", "did you mean 'batch.global'?"),
        ConfigMistake(set: ["model.lora.r=1"], "did you mean 'model.lora.rank'?"),
        ConfigMistake("noise: [1]", "found a sequence of 1, expected a mapping"),
        ConfigMistake("noise: {power: 0.5}", "noise.power applies only when scaling is power or shuffled"),
        ConfigMistake("noise: {scaling: power}", "noise.power: scaling power needs a power"),
        ConfigMistake("noise: {schedule: warmup}", "noise.schedule.steps: schedule warmup needs the number of steps"),
        ConfigMistake(
            "noise: {schedule: {steps: 3}}", "noise.schedule.steps applies only when kind is warmup or decay"),
        ConfigMistake(
            "noise: {schedule: sometimes}",
            "noise.schedule.kind: found sometimes, expected one of: constant, warmup, decay"),
        ConfigMistake("seed: -1", "seed: found -1, expected unsigned integer"),
        ConfigMistake("seed: 1.5", "found 1.5, expected unsigned integer"),
        ConfigMistake("threads: many", "found many, expected integer from 1 to 1024, or auto"),
        ConfigMistake("epochs: 3", "a.yaml:4: epochs: steps and epochs exclude each other"),
        ConfigMistake("batch: {global: 0}", "batch.global: found 0, expected integer from 1 to 1073741824"),
        ConfigMistake(
            "batch: {cache_chunk: 0}", "batch.cache_chunk: found 0, expected integer from 1 to 1073741824, or null"),
        ConfigMistake(
            "model: {query: {width: 130}}", "a.yaml:4: model.query.width: width 130 is not divisible by heads 4"),
        ConfigMistake(
            "model: {query: {patch: 7}}", "model.query.image_size: image_size 32 is not divisible by patch 7"),
        ConfigMistake(
            "model: {target: {kind: text, patch: 7}}", "unknown key 'model.target.patch'",
            "did you mean 'model.query.patch'?"),
        ConfigMistake("model: {query: {kind: resnet, layers: 7}}", "found resnet, expected one of: vit, text"),
        ConfigMistake(
            set: ["model.query.kind=text", "data.query.kind=picture"],
            "data.query.kind is picture, but model.query.kind text encodes text"),
        ConfigMistake(
            set: ["data.train=null", "data.sources=[{path: a}, {path: b, target: {kind: picture}}]"],
            "data.sources[1].target.kind is picture, but model.target.kind text encodes text"),
        ConfigMistake(set: ["data.sources=[{path: a}]"], "train and sources exclude each other"),
        ConfigMistake(
            set: ["data.train=null", "data.sources=[{path: a, weight: 1}, {path: b}]"], "1 of 2 sources have a weight"),
        ConfigMistake(
            set: ["data.train=null", "data.sources=[{path: a, wieght: 1}]"],
            "unknown key 'data.sources[0].wieght'; did you mean 'data.sources[0].weight'?"),
        ConfigMistake(set: ["data.sources=[{weight: 0}]"], "data.sources[0].path", "data.sources[0].weight: found 0"),
        ConfigMistake(set: ["data.sources={path: a}"], "expected a sequence of mappings"),
        ConfigMistake(set: ["data.train=[]"], "data.train: found a sequence of 0, expected path, or sequence of paths"),
        ConfigMistake("loss: {bias: {initial: 1}}", "loss.bias applies only when loss.kind is sigmoid"),
        ConfigMistake("loss: {temperature: {initial: 2}}", "initial 2.0 is outside minimum 0.01 … maximum 1.0"),
        ConfigMistake("loss: {temperature: {initial: 0}}", "found 0, expected number > 0"),
        ConfigMistake(
            "loss: {temperature: {initial: 1e-46, minimum: 1e-46}}",
            "initial 1e-46 is a number that float32 does not hold"),
        ConfigMistake("loss: {temperature: {minimum: 1e-39}}", "minimum 1e-39 is a number that float32 does not hold"),
        ConfigMistake("loss: {temperature: {maximum: 1e39}}", "maximum 1e+39 is a number that float32 does not hold"),
        ConfigMistake("optimizer: {betas: [0.9]}", "optimizer.betas: found a sequence of 1, expected [β₁, β₂]"),
        ConfigMistake("optimizer: {betas: [0.9, 1]}", "optimizer.betas"),
        ConfigMistake("optimizer: {schedule: {warmup: 6}}", "optimizer.schedule.warmup is 6, more than all 5 steps"),
        ConfigMistake("optimizer: {schedule: {warmup: 1.5}}", "warmup: found 1.5, expected integer from 0 to"),
        ConfigMistake("optimizer: {schedule: {warmup: -0.1}}", "warmup: found -0.1, expected integer from 0 to"),
        ConfigMistake(
            "evaluate: {sets: [a]}", "evaluate.sets: found a sequence of 1, expected mapping of names to paths"),
        ConfigMistake("output: {a: b}", "output: found a mapping of 1 keys, expected text"),
        ConfigMistake("seed: 1\nseed: 2", "a.yaml:4", "key 'seed' appears twice"),
        ConfigMistake("seed: 1\n\"seed\": 2", "key 'seed' appears twice"),
        ConfigMistake("noise: {center: true, center: true}", "a.yaml:4", "key 'center' appears twice"),
        ConfigMistake("noise: {", "a.yaml:", "YAML syntax"),
        ConfigMistake("a: b: c", "a.yaml:4", "YAML syntax"),
        ConfigMistake("\tseed: 1", "a.yaml:4", "YAML syntax"),
        ConfigMistake("[1]: 2", "a.yaml:4", "a key must be plain text"),
        ConfigMistake("seed: *nothing", "a.yaml:4", "undefined alias"),
        ConfigMistake(set: ["seed"], "--set seed: expected key=value"),
        ConfigMistake(set: ["=1"], "expected key=value"),
        ConfigMistake(set: ["noise..strength=1"], "empty part"),
        ConfigMistake(set: ["noise.strength=x"], "--set noise.strength=x: noise.strength: found x, expected number"),
        ConfigMistake(
            set: ["noise.streng=1"], "--set noise.streng=1: unknown key 'noise.streng'; did you mean 'noise.strength'?"),
        ConfigMistake(set: ["noise={scaling: "], "--set noise={scaling: : the value is not YAML"),
        ConfigMistake(set: ["noise.schedule.steps=3"], "noise.schedule.steps applies only when"),
        ConfigMistake(set: ["seed="], "found null, expected unsigned integer"),
        ConfigMistake(set: ["seed.deep=1"], "seed: found a mapping of 1 keys"),
        ConfigMistake(set: ["noise=3", "noise.strength=1"], "--set noise=3: noise: found 3, expected a mapping"),
        ConfigMistake(set: ["evaluate.sets=x", "evaluate.sets.a=b"], "evaluate.sets: found a mapping of 2 keys"),
        ConfigMistake(
            "evaluate: {sets: {a: x, a_perturbed: y}, perturbation: 0.1}",
            "a.yaml:4: evaluate.sets: a with perturbation is a_perturbed, which is a set of its own"),
        ConfigMistake(set: ["data.augment.zoom=0.99999999"], "found 0.99999999, expected number from 0.0 to 0.999"),
        ConfigMistake(set: ["data.augment.colour=0.99999999"], "data.augment.colour: found 0.99999999"),
        ConfigMistake(set: ["model.lora={rank: 2, dropout: 0.99999999}"], "model.lora.dropout: found 0.99999999"),
        ConfigMistake(set: ["name=a/b"], "name: found a/b, expected text without '/'"),
        ConfigMistake(set: ["name=\(String(repeating: "n", count: 129))"], "of 1 to 128 bytes"),
        ConfigMistake(
            "evaluate: {sets: {a: x, ../b: y}}", "a.yaml:4: evaluate.sets: found the name '../b'", "without '/'"),
        ConfigMistake(#"evaluate: {sets: {"a\nb": x}}"#, #"evaluate.sets: found the name 'a\nb'"#),
        ConfigMistake(
            set: ["evaluate.sets={\(String(repeating: "s", count: 200)): x}"], "evaluate.sets", "of 1 to 128 bytes"),
        ConfigMistake(#"output: "a\0b""#, #"a.yaml:4: found "a\x00b", which has a NUL character"#),
        ConfigMistake(#"evaluate: {sets: {"a\0b": x}}"#, "a.yaml:4", "NUL"),
        ConfigMistake(set: [#"data.train=["a\0b"]"#], "NUL"),
        ConfigMistake(set: ["steps=null"], "neither steps nor epochs is given"),
    ]

    @Test(arguments: mistakes)
    func eachMistakeIsNamed(mistake: ConfigMistake) throws {
        let failure = Self.failure(
            "name: a\nsteps: 5\ndata: {train: t.jsonl}\n" + mistake.yaml, options: mistake.options)
        let found = try #require(failure, "accepted")
        #expect(found.exitCode == 78)
        for part in mistake.expected { #expect(found.message.contains(part), "message: \(found.message)") }
    }

    @Test func allMistakesAreReportedAtOnce() throws {
        let found = try #require(Self.failure("name: a\nsede: 2\nsteps: 1\nnoise:\n  strength: x\nlog: {evry: 1}\n"))
        let lines = found.message.split(separator: "\n").map(String.init)
        #expect(lines.count == 4, "\(lines)")
        #expect(lines.contains { $0.hasPrefix("a.yaml:1: key 'data.train' is missing") })
        #expect(lines.contains { $0.hasPrefix("a.yaml:5: noise.strength") })
        #expect(lines.contains { $0.hasPrefix("a.yaml:6: unknown key 'log.evry'") })
        #expect(lines.contains { $0.hasPrefix("a.yaml:2: unknown key 'sede'") })
    }

    @Test(arguments: [
        ("", "key 'name' is missing"), ("name: a\nsteps: 1\n", "key 'data.train' is missing"),
        ("name: a\nsteps: 1\ndata: {}\n", "key 'data.train' is missing"), ("3", "expected a mapping"),
    ])
    func requiredKeys(yaml: String, expected: String) throws {
        #expect(try #require(Self.failure(yaml)).message.contains(expected))
    }

    @Test func aMissingFileIsAMissingInput() throws {
        let path = FileManager.default.temporaryDirectory.path + "/no-such-\(UUID()).yaml"
        let failure = #expect(throws: Failure.self) { try RunConfig.load(path) }
        #expect(failure?.exitCode == 66 && failure?.message.contains(path) == true)
    }

    @Test(arguments: [
        ("", "", 0), ("abc", "", 3), ("abc", "abc", 0), ("seed", "sede", 1), ("kitten", "sitting", 3), ("ab", "ba", 1),
    ])
    func editDistance(a: String, b: String, expected: Int) {
        #expect(ConfigReader.editDistance(a, b) == expected)
        #expect(ConfigReader.editDistance(b, a) == expected)
    }

    /// Aliases of aliases, tenfold at each of nine levels, as a value and as a key.
    static let bombs: [String] = {
        let levels = (1...9).map { level in
            "l\(level): &l\(level) [\(Array(repeating: "*l\(level - 1)", count: 10).joined(separator: ", "))]"
        }
        let bomb = "l0: &l0 [a, a]\n" + levels.joined(separator: "\n") + "\n"
        return ["", "? *l9\n: 1", "*l9 : 1", "{*l9: 1}", "? [*l9]\n: 1", "? {a: *l9}\n: 1"].map { bomb + $0 }
    }()

    @Test(.timeLimit(.minutes(1)), arguments: bombs) func aliasBombsAreRefusedAtOnce(bomb: String) {
        let start = ContinuousClock.now
        let failure = Self.failure(bomb)
        #expect(failure?.kind == .configuration)
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect((failure?.message.utf8.count ?? 0) < 1000)
    }

    /// An alias that is a value, or text that only looks like one, is as good as any other value.
    @Test func ordinaryAliasesAndAsterisksAreRead() throws {
        let yaml = """
            name: &n "*x"
            steps: 1
            output: *n
            data: {train: a*b}
            evaluate: {sets: {"*odd": 'c *d'}}
            """
        let configuration = try RunConfig.parse(yaml, file: "a.yaml")
        #expect(configuration.output == "*x" && configuration.data.train?.patterns == ["a*b"])
        #expect(configuration.evaluate.sets.items.map(\.name) == ["*odd"])
        #expect(configuration.evaluate.sets.items.map(\.path) == ["c *d"])
    }

    /// What is deep or long, by what it is of.
    static let excess: [(what: String, yaml: String)] = [
        ("sequences", String(repeating: "[", count: 100_000)), ("mappings", String(repeating: "{a: ", count: 50_000)),
        ("block sequences", String(repeating: "- ", count: 100_000)), ("keys", String(repeating: "? ", count: 100_000)),
        ("digits", "seed: " + String(repeating: "1", count: 200_000)),
        ("a key", String(repeating: "k", count: 200_000) + ": 1"),
        ("closed sequences", "seed: " + String(repeating: "[", count: 900) + String(repeating: "]", count: 900)),
        ("text", String(repeating: "a", count: 300_000)),
        ("escapes", "name: \"" + String(repeating: "\\x41", count: 50_000) + "/\""),
        ("unknown keys", (0..<20_000).map { "k\($0): 1" }.joined(separator: "\n")),
    ]

    /// It is refused with a message that can be read.
    @Test(.timeLimit(.minutes(1)), arguments: excess.map(\.what)) func excessIsRefused(what: String) throws {
        let yaml = try #require(Self.excess.first { $0.what == what }?.yaml)
        let failure = Self.failure(yaml)
        #expect(failure?.kind == .configuration)
        #expect((failure?.message.utf8.count ?? .max) < 20_000)
    }

    @Test func aDeepOptionIsRefused() {
        let failure = Self.failure("", options: [String(repeating: "a.", count: 50_000) + "a=1"])
        #expect(failure?.kind == .configuration && failure?.message.contains("50001 parts") == true)
    }

    @Test(arguments: ["/dev/zero", "/dev/full"]) func aFileWithoutEndIsRefused(path: String) {
        let failure = #expect(throws: Failure.self) { try RunConfig.load(path) }
        #expect(failure?.kind == .configuration && failure?.message.contains("more than") == true)
    }

    /// For which a writer may never come.
    @Test(.timeLimit(.minutes(1))) func aPipeWithANameIsRefused() {
        let path = FileManager.default.temporaryDirectory.path + "/pipe-\(UUID()).yaml"
        #expect(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        let failure = #expect(throws: Failure.self) { try RunConfig.load(path) }
        #expect(failure?.kind == .inputMissing && failure?.message.contains("\(path) cannot be read") == true)
    }

    /// As a shell's `<(…)` makes one.
    @Test func aPipeWithoutANameIsRead() throws {
        let pipe = Pipe()
        try pipe.fileHandleForWriting.write(contentsOf: Data("name: a\nsteps: 1\ndata: {train: t}\n".utf8))
        try pipe.fileHandleForWriting.close()
        #expect(try RunConfig.load("/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)").name == "a")
    }

    @Test func anEmptyFileHasNoKeys() {
        let failure = #expect(throws: Failure.self) { try RunConfig.load("/dev/null") }
        #expect(failure?.kind == .configuration && failure?.message.contains("key 'name' is missing") == true)
    }

    /// Numbers that nobody means and that would overflow later.
    @Test(arguments: [
        "data.augment.shift=5000", "evaluate.every=9223372036854775807", "checkpoint.every=0",
        "checkpoint.keep=9223372036854775807", "log.every=9223372036854775807",
        "agreement.every=9223372036854775807", "noise.refresh=9223372036854775807",
        "noise.schedule={kind: warmup, steps: 9223372036854775807}", "batch.cache_chunk=9223372036854775807",
        "optimizer.schedule.warmup=9223372036854775807",
    ]) func numbersAreBounded(option: String) {
        let failure = Self.failure("name: x\ndata: {train: a}\nsteps: 1\n", options: [option])
        let isRange = failure?.message.contains("expected integer from ") == true
        #expect(failure?.kind == .configuration && isRange, "\(failure?.message ?? "none")")
    }
}
