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
    /// A checkpoint's folder.
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
    /// `JSONLDataset.fingerprint` of the training data, in hexadecimal.
    var data: String
    /// Noise shapes that outlive a step (`noise.refresh` > 1).
    var noiseShapes: [[[Double]]]

    enum CodingKeys: String, CodingKey {
        case step, data
        case evaluatedStep = "evaluated_step"
        case noiseShapes = "noise_shapes"
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
            checkpoint = try store.open(path: path, communicator: communicator)
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
        let refused = changes.filter { $0.effect == .trajectory && !allowed.contains($0.key) }
        for change in changes where change.effect == .trajectory && allowed.contains(change.key) {
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
    private let communicator: any Communicator

    init(
        configuration: RunConfig, folder: RunFolder, data: JSONLDataset, model: DualEncoder,
        optimizer: ShardedOptimizer, noise: BatchNoise,
        extraFiles: [String: Data], communicator: any Communicator
    ) {
        self.configuration = configuration
        store = CheckpointStore(directory: folder.checkpoints, keep: configuration.checkpoint.keep)
        self.model = model
        self.optimizer = optimizer
        self.noise = noise
        self.extraFiles = extraFiles
        dataFingerprint = String(data.fingerprint, radix: 16)
        self.communicator = communicator
    }

    /// *Collective.*
    func save(step: Int, evaluatedStep: Int, warn: (String) -> Void) throws {
        let state = TrainingState(
            step: step, evaluatedStep: evaluatedStep, data: dataFingerprint,
            noiseShapes: noise.state.map { $0.map(\.array) })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let moments = optimizer.state
        try store.save(
            step: step, layout: model.parameters.layout, parameters: model.parameters.values,
            optimizer: [
                OptimizerShard(name: "first_moment", ranges: moments.ranges, values: moments.firstMoment),
                OptimizerShard(name: "second_moment", ranges: moments.ranges, values: moments.secondMoment),
            ],
            state: encoder.encode(state), config: configuration.yaml, extraFiles: extraFiles,
            communicator: communicator, warn: warn)
    }

    /// Puts the state back, whatever the world size was. *Collective.*
    /// - Parameter allowsOtherData: whether the training data may have changed since.
    /// - Throws: `Failure(.data)` when `state.json` is not what `save` writes, `Failure(.configuration)` when the data has changed.
    func restore(_ checkpoint: Checkpoint, allowsOtherData: Bool) throws -> TrainingState {
        try agreed(communicator) {
            let layout = model.parameters.layout
            let file = "\(checkpoint.path)/state.json"
            guard let state = try? JSONDecoder().decode(TrainingState.self, from: checkpoint.stateData) else {
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
            guard allowsOtherData || state.data == dataFingerprint else {
                throw Failure(
                    .configuration,
                    "\(configuration.data.train) has changed since \(checkpoint.path) was saved: the run would go on on other data. Allow it "
                        + "with --allow-change data.train, or start another run with --set name=NAME")
            }
            try checkpoint.loadParameters(layout: layout, into: model.parameters.values)
            let moments = optimizer.state
            try checkpoint.loadMoments(
                name: "first_moment", layout: layout, ranges: moments.ranges, into: moments.firstMoment)
            try checkpoint.loadMoments(
                name: "second_moment", layout: layout, ranges: moments.ranges, into: moments.secondMoment)
            try noise.restore(state.noiseShapes.map { $0.map { Doubles($0) } })
            return state
        }
    }
}
