// The training state of a run on disk: what is saved, and how a run goes on from it. Not here: the files (Checkpoints).

import Buffers
import Checkpoints
import Collectives
import Datasets
import FANoise
import Failures
import Foundation
import Optimizers

/// Where a run goes on from.
public enum Resume: Sendable, Equatable {
    /// The newest valid checkpoint of the run's folder; from the start when there is none.
    case automatic
    /// From the start; refused when the folder holds checkpoints.
    case never
    /// A checkpoint's folder; the run's later ones are set aside.
    case path(String)

    /// From the word or path of `--resume`.
    public init(_ argument: String) {
        switch argument {
        case "auto": self = .automatic
        case "never": self = .never
        default: self = .path(argument)
        }
    }
}

/// `state.json`: all of the training state that is no tensor. Random generators have none.
struct TrainingState: Codable {
    /// Updates that have been made; the sampler's position follows from it.
    var step: Int
    /// The last step whose evaluation is in the metrics; 0 when there is none.
    var evaluatedStep: Int
    /// `PairSource.fingerprint` of the training data, in hexadecimal.
    var data: String
    /// Noise shapes that outlive a step (`noise.refresh` > 1).
    var noiseShapes: [[[Double]]]
    /// The best evaluation so far; nil without one, and in the checkpoints of earlier versions.
    var best: BestCheckpoint?
    /// Rows of the training data that could not be read and were replaced, on any rank, in order; nil for none.
    var replacedRows: [Int]?

    enum CodingKeys: String, CodingKey {
        case step, data, best
        case evaluatedStep = "evaluated_step"
        case noiseShapes = "noise_shapes"
        case replacedRows = "replaced_rows"
    }
}

/// Finds the checkpoint to go on from, and compares its configuration with the present one. *Collective.*
struct ResumePoint {
    let checkpoint: Checkpoint?

    init(
        _ resume: Resume, configuration: RunConfig, allowedChanges: Set<String>, warn: (String) -> Void,
        communicator: any Communicator
    ) throws {
        let folder = RunFolder(configuration.folder)
        let store = CheckpointStore(directory: folder.checkpoints, keep: configuration.checkpoint.keep)
        switch resume {
        case .automatic:
            var damage: [String] = []
            checkpoint = try store.latest(communicator: communicator) { damage.append($0) }
            damage.forEach(warn)
            // Starting afresh would replace what a person may still want to rescue.
            if checkpoint == nil, !damage.isEmpty {
                throw Failure(
                    .data,
                    "no checkpoint in \(folder.checkpoints) can be used: \(damage.joined(separator: "; ")); repair one, or start "
                        + "another run with --set name=NAME")
            }
        case .path(let path):
            guard !FileManager.default.fileExists(atPath: "\(path)/checkpoints") else {
                throw Failure(
                    .usage,
                    "\(path) is a run's folder; --resume takes one of \(path)/checkpoints/step-…, or auto for the run's own"
                )
            }
            let named = try agreed(communicator) { try BestCheckpoint.resolve(path) }
            checkpoint = try store.open(path: named, communicator: communicator)
        case .never:
            checkpoint = nil
            try agreed(communicator) {
                guard !folder.hasCheckpoints else {
                    throw Failure(
                        .cannotCreate,
                        "\(folder.checkpoints) holds checkpoints of an earlier run, which --resume never would overwrite; go on with "
                            + "--resume auto, choose another name with --set name=NAME, or remove the folder")
                }
            }
        }
        if let unknown = allowedChanges.first(where: { !RunConfig.allPaths.contains($0) }) {
            throw Failure(
                .usage, "--allow-change \(unknown): there is no such key; fanoise train --help-config lists them")
        }
        if let checkpoint { try Self.compare(checkpoint, configuration, allowedChanges, warn) }
    }

    /// Keys that shape the course of training must not change unnoticed.
    private static func compare(
        _ checkpoint: Checkpoint, _ configuration: RunConfig, _ allowed: Set<String>, _ warn: (String) -> Void
    ) throws {
        let old = try RunConfig.parse(checkpoint.config, file: "\(checkpoint.path)/config.yaml")
        let changes = configuration.differences(from: old)
        let refused = changes.filter { $0.effect == .trajectory && !allowed.allowsChange(of: $0.key) }
        for change in changes where change.effect == .trajectory && allowed.allowsChange(of: change.key) {
            warn("resuming with \(words(change))")
        }
        guard !refused.isEmpty else { return }
        throw Failure(
            .configuration,
            "the run in \(checkpoint.path) was trained with another configuration: "
                + refused.map(words).joined(separator: "; ")
                + ". Allow a change with --allow-change KEY, or start another run with --set name=NAME")
    }

    private static func words(_ change: RunConfig.Difference) -> String {
        "\(change.key) \(change.old ?? "absent") → \(change.new ?? "absent")"
    }
}

/// Saves and restores everything that makes the next step what it would have been.
final class RunCheckpoints {
    private let configuration: RunConfig
    private let store: CheckpointStore
    private let model: DualEncoder
    private let optimizer: ShardedOptimizer
    private let noise: BatchNoise
    private let extraFiles: [String: Data]
    private let dataFingerprint: String
    private let dataName: String
    private let communicator: any Communicator
    /// Receives a sentence for what went wrong without ending the run; called alike on every rank.
    var warn: (String) -> Void = { _ in }
    /// Called now and then on a rank that has written its part of a checkpoint and waits for the others'.
    var whileWaiting: () -> Void = {}
    private var writeSeconds: Double?
    /// The save under way, and the best step once it has ended well.
    private var pending: (save: PendingSave, best: BestCheckpoint?)?
    private var best: BestCheckpoint?
    /// What a save under way reads while training goes on: parameters (rank 0), what the optimizer keeps.
    private lazy var copies: [Floats] = {
        [Floats(count: communicator.rank == 0 ? model.parameters.values.count : 0)]
            + optimizer.kept.map { Floats(count: $0.values.count) }
    }()

    init(
        configuration: RunConfig, folder: RunFolder, data: any PairSource, model: DualEncoder,
        optimizer: ShardedOptimizer, noise: BatchNoise,
        extraFiles: [String: Data], communicator: any Communicator
    ) {
        self.configuration = configuration
        store = CheckpointStore(directory: folder.checkpoints, keep: configuration.checkpoint.keep)
        self.model = model
        self.optimizer = optimizer
        self.noise = noise
        self.extraFiles = extraFiles
        dataName = data.name
        dataFingerprint = String(data.fingerprint, radix: 16)
        self.communicator = communicator
    }

    /// Makes the checkpoint that a run goes on from the newest of its folder, and sets aside what lies on another course. Local, to rank 0,
    /// which holds the run's lock.
    /// - Returns: what to say of it; nil when nothing is set aside.
    func abandon(for start: Checkpoint) throws -> String? {
        let names = try store.abandon(for: start.path, step: start.step, best: best)
        guard !names.isEmpty else { return nil }
        return "checkpoints of the course that is left here are set aside: \(names.joined(separator: ", ")) in "
            + "\(store.directory); remove them when nobody wants them"
    }

    /// Whether `value` is better than every evaluation that a checkpoint was kept for.
    func isBest(_ value: Double) -> Bool {
        guard let best, best.measure == configuration.checkpoint.best.measure else { return !value.isNaN }
        return configuration.checkpoint.best.goal == .maximum ? value > best.value : value < best.value
    }

    /// Saves a step: waits for the save under way, takes a copy, and returns while it is written. *Collective.*
    ///
    /// - Parameters:
    ///   - best: the value of this step's evaluation, when it is the best so far.
    ///   - replacedRows: rows that could not be read until now, on any rank.
    ///   - waits: whether to return only once the checkpoint is there: at the end of a run.
    ///   - flush: local; makes durable what belongs to the checkpoint but lies elsewhere: the metrics up to this step.
    /// - Throws: on every rank alike, what kept this save or the one under way from being made, unless `checkpoint.on_error` lets
    ///   the run go on; where there is no next save to hope for (`waits`), always.
    func save(
        step: Int, evaluatedStep: Int, best value: Double?, replacedRows: Set<Int> = [], waits: Bool,
        flush: () throws -> Void = {}
    ) throws {
        try tolerating(unless: false) { try pending?.save.finish(whileWaiting: whileWaiting) }
        settle()
        let candidate = value.flatMap { value in
            configuration.checkpoint.best.measure.map { BestCheckpoint(step: step, measure: $0, value: value) }
        }
        try tolerating(unless: waits) {
            try agreed(communicator) { try flush() }
            let state = TrainingState(
                step: step, evaluatedStep: evaluatedStep, data: dataFingerprint,
                noiseShapes: noise.state.map { $0.map(\.array) }, best: candidate ?? best,
                replacedRows: replacedRows.isEmpty ? nil : replacedRows.sorted())
            pending = (try begin(state, copies: !waits), candidate)
            if waits || !configuration.checkpoint.asynchronous { try pending?.save.finish(whileWaiting: whileWaiting) }
        }
        settle()
    }

    /// Whether a save is under way; the same on every rank.
    var isSaving: Bool { pending != nil }

    /// Moves the save under way on. *Collective.* - Throws: as `save`.
    func poll() throws {
        try tolerating(unless: false) { _ = try pending?.save.poll() }
        settle()
    }

    /// Waits for the save under way. *Collective.* - Throws: as `save`.
    func finish() throws {
        try tolerating(unless: false) { try pending?.save.finish(whileWaiting: whileWaiting) }
        settle()
    }

    /// Seconds that a checkpoint took from its beginning until it was there; told once.
    func takeWriteSeconds() -> Double? {
        defer { writeSeconds = nil }
        return writeSeconds
    }

    /// Runs a part of a save; its failure is a warning when the configuration says so and not `isLast`.
    private func tolerating(unless isLast: Bool, _ body: () throws -> Void) throws {
        do { try body() } catch let failure as Failure {
            pending = nil
            guard configuration.checkpoint.onError == .continue, !isLast,
                [.cannotCreate, .inputOutput].contains(failure.kind)
            else { throw failure }
            warn("no checkpoint was written, training goes on and tries again at the next: \(failure.message)")
        }
    }

    /// Takes note of a save that has ended well.
    private func settle() {
        guard let ended = pending, let seconds = ended.save.seconds else { return }
        pending = nil
        writeSeconds = seconds
        if let best = ended.best { self.best = best }
    }

    private func begin(_ state: TrainingState, copies: Bool) throws -> PendingSave {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let kept = optimizer.kept
        var sources = [model.parameters.values] + kept.map(\.values)
        if copies, configuration.checkpoint.asynchronous {
            for (copy, source) in zip(self.copies, sources) where copy.count > 0 { copy.copy(from: source) }
            // Only rank 0's parameters are written.
            sources = communicator.rank == 0 ? self.copies : [sources[0]] + self.copies.dropFirst()
        }
        return try store.begin(
            step: state.step, layout: model.parameters.layout, parameters: sources[0],
            optimizer: zip(kept, sources.dropFirst()).map { shard, values in
                OptimizerShard(name: shard.name, ranges: shard.ranges, values: values)
            },
            state: encoder.encode(state), config: configuration.yaml, extraFiles: extraFiles, best: state.best,
            communicator: communicator, warn: warn)
    }

    /// Puts the state back, whatever the world size was. *Collective.*
    /// - Parameters:
    ///   - allowedChanges: keys that may differ from those the checkpoint was made with: `data.train` allows other data, the keys that
    ///     choose what is trained allow moments to begin anew where there are none.
    ///   - loadsParameters: whether this rank reads the parameters; another of its node does, where they are common.
    ///   - warn: receives a sentence when moments do.
    /// - Throws: `Failure(.data)` when `state.json` is not what `save` writes, `Failure(.configuration)` when the data has changed.
    func restore(
        _ checkpoint: Checkpoint, allowedChanges: Set<String>, loadsParameters: Bool = true, warn: (String) -> Void
    ) throws -> TrainingState {
        let state = try agreed(communicator) {
            let layout = model.parameters.layout
            let file = "\(checkpoint.path)/state.json"
            guard var state = try? JSONDecoder().decode(TrainingState.self, from: checkpoint.stateData) else {
                throw Failure(
                    .data,
                    "\(file): expected the keys step, evaluated_step, data and noise_shapes; resume from another checkpoint"
                )
            }
            guard state.step == checkpoint.step, state.step >= 0 else {
                throw Failure(
                    .data,
                    "\(file): found step \(state.step), expected \(checkpoint.step); resume from another checkpoint")
            }
            guard allowedChanges.allowsChange(of: "data.train") || state.data == dataFingerprint else {
                throw Failure(
                    .configuration,
                    "the training data (\(dataName)) has changed since \(checkpoint.path) was saved: the run would go on on other data. Allow it "
                        + "with --allow-change data.train, or start another run with --set name=NAME")
            }
            if state.data != dataFingerprint { state.replacedRows = nil }
            if loadsParameters { try checkpoint.loadParameters(layout: layout, into: model.parameters.values) }
            return state
        }
        return try agreed(communicator) {
            try OptimizerRestoration(checkpoint, configuration, model).restore(
                optimizer, allowed: allowedChanges, warn: warn)
            try noise.restore(state.noiseShapes.map { $0.map { Doubles($0) } })
            best = state.best
            return state
        }
    }
}

extension RunConfig.Best {
    /// The deciding measure's name in metrics.jsonl; nil when no evaluation decides.
    var measure: String? { self.set.map { "\($0).\(metric)" } }
}

extension RunConfig {
    /// - Throws: `Failure(.configuration)` when the measure that is to decide is none that an evaluation gives.
    func requireBestMeasure() throws {
        guard let set = checkpoint.best.set, let measure = checkpoint.best.measure else { return }
        let known = EvaluationReport.measureKeys(prefix: set, dimensions: loss.matryoshka.dimensions.values.sorted())
        guard known.contains(measure) else {
            throw Failure(
                .configuration,
                "checkpoint.best: no measure is called '\(measure)'; there are \(known.joined(separator: ", "))")
        }
    }
}

extension Set<String> {
    /// Whether a key, or a section that it lies in, is among these.
    func allowsChange(of key: String) -> Bool { contains { key == $0 || key.hasPrefix($0 + ".") } }
}
