// The configuration of an experiment: its keys, and reading it from YAML. Not here: the strict reader (Configuration), the cells that
// follow from it (ExperimentPlan).

import Failures
import Foundation

/// What an experiment asks, and which runs answer it.
public struct ExperimentConfig: Sendable, Equatable {
    public enum Kind: String, ConfigChoice, Sendable {
        /// Arms × seeds, each a training run.
        case runs
        /// Expected gradients by Monte-Carlo; see `GradientConfig`.
        case gradient
    }

    /// Keys of runs and their values, as `--set` takes them.
    public struct Settings: Sendable, Equatable, ConfigValue {
        public var items: [ExperimentResults.Setting] = []
        public init() {}
    }

    /// Arms by name, in the order written.
    public struct Arms: Sendable, Equatable, ConfigValue {
        struct Item: Sendable, Equatable {
            var name: String
            var settings: Settings
        }
        var items: [Item] = []
        public init() {}
    }

    /// Values by key, in the order written: every combination is an arm.
    public struct Grid: Sendable, Equatable, ConfigValue {
        struct Item: Sendable, Equatable {
            var key: String
            var values: [String]
        }
        var items: [Item] = []
        public init() {}
    }

    /// A number of seeds, 1, 2, …, or the seeds.
    public struct Seeds: Sendable, Equatable, ConfigValue {
        public var values: [UInt64] = Array(1...5)
        public init() {}
    }

    /// Labels by measure key.
    public struct Measures: Sendable, Equatable, ConfigValue {
        struct Item: Sendable, Equatable {
            var key: String
            var label: String
        }
        var items: [Item] = []
        public init() {}
    }

    public struct Axis: Sendable, Equatable {
        public var key: String?
        public var label: String?
        public var logarithmic = false
        public init() {}
    }

    public var name = ""
    public var title = ""
    public var kind = Kind.runs
    public var question = ""
    public var method = ""
    public var expectation = ""
    public var conclusion: String?
    /// A run's configuration file.
    public var base: String?
    public var set = Settings()
    public var arms = Arms()
    public var grid = Grid()
    public var baseline: String?
    /// Keys in which an arm and what it is compared with are equal.
    public var within = RunConfig.FieldNames([])
    public var seeds = Seeds()
    public var measures = Measures()
    public var axis = Axis()
    /// The key whose values make the lines of a chart.
    public var series: String?
    public var gradient = GradientConfig()
    /// Of each run, as threads of one process.
    public var ranks = 1
    /// Runs at a time.
    public var jobs = Automatic<Int>.automatic
    public var resamples = 2000

    public init() {}

    /// The title; without one, the name.
    var heading: String { title.isEmpty ? name : title }

    /// Reads a configuration file.
    /// - Throws: `Failure(.inputMissing)` when it cannot be read; `Failure(.configuration)` with a line for each mistake.
    public static func load(_ path: String) throws -> ExperimentConfig {
        guard let data = FileManager.default.contents(atPath: path), data.count <= ConfigTree.maximumBytes else {
            throw Failure(.inputMissing, "experiment \(path) cannot be read; see configs/experiments/ for examples")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw Failure(.configuration, "\(path): the file is not UTF-8 text")
        }
        return try parse(text, file: path)
    }

    /// Reads a configuration from text.
    public static func parse(_ text: String, file: String) throws -> ExperimentConfig {
        let known = ConfigLister.rows(of: ExperimentConfig(), includesInapplicable: true).map {
            $0.path.joined(separator: ".")
        }
        return try ConfigReader.read(ConfigTree.parse(text, file: file), knownPaths: known)
    }
}

extension ExperimentConfig: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value("name", &name, allowed: .fileName, required: true, "Name of the experiment, and of its folder.")
        keys.value("title", &title, "One line for headings; without one, the name.")
        keys.value("kind", &kind, "runs: arms × seeds of training runs; gradient: expected gradients by Monte-Carlo.")
        keys.value("question", &question, "What is asked.")
        keys.value("method", &method, "How.")
        keys.value("expectation", &expectation, "What the paper, or common sense, lets one expect.")
        keys.value("conclusion", &conclusion, "What was concluded from the results.")
        let isRuns = Applicability.when(kind == .runs, "kind is runs")
        keys.value("base", &base, required: kind == .runs, onlyWhen: isRuns, "Configuration file of a run.")
        keys.value("set", &set, onlyWhen: isRuns, "Keys that all arms change of it.")
        keys.value(
            "arms", &arms, onlyWhen: isRuns, "Named arms and the keys that each changes; `ranks` is one of them.")
        keys.value("grid", &grid, onlyWhen: isRuns, "Keys with lists of values; every combination is an arm, too.")
        keys.require(
            kind != .runs || !arms.items.isEmpty || !grid.items.isEmpty, at: "arms",
            "neither arms nor grid is given; they say what is compared")
        keys.value("baseline", &baseline, onlyWhen: isRuns, "Name of the arm that the others are compared with.")
        keys.value(
            "within", &within, onlyWhen: .when(baseline != nil, "a baseline is given"),
            "Keys that do not differ between an arm and its baseline: each arm is compared with the one that has the baseline's settings "
                + "but, of these keys, its own values.")
        keys.value("seeds", &seeds, "How many seeds, or which.")
        keys.value(
            "measures", &measures, required: kind == .runs, onlyWhen: isRuns,
            "What is compared: keys of metrics.jsonl with a label each, the deciding one first.")
        keys.section("axis", &axis, onlyWhen: isRuns, "What arms lie along in charts; a word alone is its key.")
        keys.value("series", &series, onlyWhen: isRuns, "The key whose values make the lines of a chart.")
        keys.section(
            "gradient", &gradient, onlyWhen: .when(kind == .gradient, "kind is gradient"),
            "Batches and noise of kind gradient.")
        keys.value("ranks", &ranks, allowed: .within(1...64), onlyWhen: isRuns, "Ranks of each run, in one process.")
        keys.value(
            "jobs", &jobs, allowed: .automatic(.within(1...1024)), onlyWhen: isRuns,
            "Runs at a time; auto: as many as the machine has cores for.")
        keys.value("resamples", &resamples, allowed: .within(100...1_000_000), "Draws of the bootstrap.")
    }
}

extension ExperimentConfig.Axis: ConfigSection {
    static var shorthandKey: String? { "key" }

    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value("key", &key, "A key that arms set, or a measure.")
        keys.value("label", &label, "What the axis is called; null: the key.")
        keys.value("logarithmic", &logarithmic, "Whether the axis is logarithmic.")
    }
}
