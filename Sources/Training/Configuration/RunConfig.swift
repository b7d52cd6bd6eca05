// The configuration of a run: the top-level keys, and reading it from YAML. Not here: the sections' keys (files named after them),
// the strict reader (ConfigReader.swift), what is derived from the keys (ConfigWriter.swift).

import Failures
import Foundation

/// Everything that decides a run. A value of this type that was read is complete and consistent.
public struct RunConfig: Sendable, Equatable {
    /// How long to train.
    public enum Duration: Sendable, Equatable {
        case steps(Int)
        case epochs(Int)
    }

    public var name = ""
    public var output = "runs"
    public var seed: UInt64 = 42
    private var steps: Int?
    private var epochs: Int?
    /// Threads of one rank.
    public var threads = Automatic<Int>.automatic
    public var model = Model()
    public var data = Data()
    public var batch = Batch()
    public var noise = Noise()
    public var loss = Loss()
    public var regularize = Regularize()
    public var optimizer = Optimizer()
    public var ema = EMA()
    public var evaluate = Evaluate()
    public var checkpoint = Checkpoint()
    public var agreement = Agreement()
    public var log = Log()

    /// Defaults; `name`, `data.train` and the duration have none and must be set.
    public init() {}

    /// Exactly one of steps and epochs.
    public var duration: Duration {
        get {
            precondition(
                (steps == nil) != (epochs == nil),
                "duration of a configuration with steps \(steps as Any), epochs \(epochs as Any)")
            return steps.map { .steps($0) } ?? .epochs(epochs ?? 0)
        }
        set {
            switch newValue {
            case .steps(let count): (steps, epochs) = (count, nil)
            case .epochs(let count): (steps, epochs) = (nil, count)
            }
        }
    }

    /// The run's folder, `output/name`.
    public var folder: String { output.hasSuffix("/") ? output + name : "\(output)/\(name)" }

    /// Reads a configuration file and lays `--set` options over it, later ones over earlier ones.
    /// - Parameter options: the arguments of `--set`, each `a.b=value`.
    /// - Throws: `Failure(.inputMissing)` when the file cannot be opened; `Failure(.configuration)` with one line for each mistake,
    ///   each with file and line (or the option), key, what was found and what was expected.
    public static func load(_ path: String, options: [String] = []) throws -> RunConfig {
        // A byte more than is allowed is enough to tell, whatever the file is: it may have no end.
        let data = try ConfigFile.read(path, upToCount: ConfigTree.maximumBytes + 1)
        guard data.count <= ConfigTree.maximumBytes else {
            throw Failure(
                .configuration, "\(path): the file has more than \(ConfigTree.maximumBytes) bytes: not a configuration?"
            )
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw Failure(.configuration, "\(path): the file is not UTF-8 text")
        }
        return try parse(text, file: path, options: options)
    }

    /// Reads a configuration from text.
    /// - Parameter file: the name that messages show.
    public static func parse(_ text: String, file: String, options: [String] = []) throws -> RunConfig {
        var tree = try ConfigTree.parse(text, file: file)
        for option in options { try tree.apply(option: option) }
        var config: RunConfig = try ConfigReader.read(tree, knownPaths: allPaths)
        let read = config
        try config.resolvePublished()
        guard config != read else { return config }
        // The rules between sections again, now that it is known what the sides are.
        let complete = try ConfigTree.parse(config.yaml, file: "\(file) with the kinds of its published models")
        return try ConfigReader.read(complete, knownPaths: allPaths)
    }
}

extension RunConfig {
    /// Decides what was left to the directories of published models.
    /// - Throws: what reading them throws.
    mutating func resolvePublished() throws {
        try model.resolveKinds()
        try data.query.resolvePrefix(model.directory(model.query)) { $0.query }
        try data.target.resolvePrefix(model.directory(model.target)) { $0.document }
    }
}

extension RunConfig: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        // The learning rate's course depends on the number of steps, unless it is constant behind so many steps.
        var isConstant = optimizer.schedule.kind == .constant
        if case .share = optimizer.schedule.warmup { isConstant = false }
        let durationEffect: KeyEffect = isConstant ? .bookkeeping : .trajectory
        keys.value(
            "name", &name, allowed: .fileName, required: true, effect: .bookkeeping,
            "Name of the run; its folder is OUTPUT/NAME.")
        keys.value("output", &output, effect: .bookkeeping, "Folder that holds the folders of runs.")
        keys.value("seed", &seed, "Key of all randomness: weights, order, augmentation, dropout, noise.")
        keys.value(
            "steps", &steps, allowed: .optional(.within(1...1_000_000_000_000)), effect: durationEffect,
            "Updates to make. Exactly one of steps and epochs is given.")
        keys.value(
            "epochs", &epochs, allowed: .optional(.within(1...1_000_000_000)), effect: durationEffect,
            "Passes over the training data to make, instead of steps.")
        keys.require(
            steps == nil || epochs == nil, at: "epochs", "steps and epochs exclude each other; set one of them to null")
        keys.require(
            steps != nil || epochs != nil, at: "steps",
            "neither steps nor epochs is given; one of them says how long to train")
        keys.value(
            "threads", &threads, allowed: .automatic(.within(1...1024)), effect: .bookkeeping,
            "Threads of one rank; auto divides the machine's cores among its ranks.")
        keys.section("model", &model, "The two encoders. Query and target are the two sides of a pair.")
        keys.section("data", &data, "Training data and its preparation.")
        keys.section("batch", &batch, "The global batch: the rows of all ranks that one update sees.")
        keys.section("noise", &noise, "Feature-adaptive noise on representations during training (FANoise).")
        keys.section("loss", &loss, "The contrastive loss over the global batch.")
        keys.section("regularize", &regularize, "Other methods against overfitting, to compare noise with.")
        keys.section("optimizer", &optimizer, "The update of the parameters.")
        keys.section("ema", &ema, "A moving average of the parameters; a number alone is its decay.")
        keys.section("evaluate", &evaluate, "Retrieval measured during training.")
        keys.section("checkpoint", &checkpoint, "Saved states, from which a run resumes.")
        keys.section("agreement", &agreement, "Whether the ranks still hold the same model.")
        keys.section("log", &log, "Metrics and progress.")
        requireConsistency(&keys)
    }

    /// Rules between sections.
    private func requireConsistency<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        for side in Side.allCases {
            let encoder = encoder(side)
            for (place, kind) in data.statedKinds(side) where encoder.isResolved && kind != encoder.inputKind {
                keys.require(
                    false, at: "data",
                    "\(place).kind is \(kind.rawValue), but model.\(side.rawValue).kind \(encoder.kind.rawValue) encodes \(encoder.inputKind.rawValue)"
                )
            }
        }
        if let set = checkpoint.best.set {
            let names = evaluate.sets.items.map(\.name)
            keys.require(
                names.contains(set), at: "checkpoint",
                "checkpoint.best.set is '\(set)', but evaluate.sets has \(names.isEmpty ? "none" : names.joined(separator: ", "))"
            )
        }
        keys.require(
            regularize.gaussianNegatives == 0 || noise.normalizesEmbeddings, at: "regularize",
            "regularize.gaussian_negatives needs unit embeddings: noise.features unit or noise.renormalize true")
        keys.require(
            loss.kind != .sigmoid || (regularize.mixup == 0 && regularize.labelSmoothing == 0), at: "regularize",
            "regularize.mixup and regularize.label_smoothing are of losses with a softmax; loss.kind is sigmoid")
        // The width of published encoders is known when they are read.
        if let widest = loss.matryoshka.dimensions.values.max(), case .value(let columns) = model.embedding {
            keys.require(
                widest <= columns, at: "loss",
                "loss.matryoshka.dimensions has \(widest), more than model.embedding, \(columns)")
        }
        if let steps {
            let excess = warmUpExcess(steps: steps)
            keys.require(excess == nil, at: "optimizer", excess ?? "")
        }
    }

    /// What is wrong with a warm-up that would never end; nil when it does.
    private func warmUpExcess(steps: Int) -> String? {
        let warmUp = optimizer.schedule.warmup.steps(of: steps)
        guard warmUp > steps else { return nil }
        return
            "optimizer.schedule.warmup is \(warmUp), more than all \(steps) steps: the learning rate would never be "
            + "reached; give fewer, or a share of all steps such as 0.1"
    }

    /// The same rule for a run whose steps follow from its epochs.
    /// - Parameter steps: of the whole run.
    /// - Throws: `Failure(.configuration)`.
    func requireWarmUp(within steps: Int) throws {
        if let excess = warmUpExcess(steps: steps) { throw Failure(.configuration, excess) }
    }

    /// The same with its warm-up in steps, where the number of all steps is known: 0.1 and 30 of 300 are one course.
    var withWholeWarmUp: RunConfig {
        guard let steps else { return self }
        var result = self
        result.optimizer.schedule.warmup = .steps(optimizer.schedule.warmup.steps(of: steps))
        return result
    }
}
