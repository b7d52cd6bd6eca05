// The optimizer's state from a checkpoint, also when what is trained has changed since. Not here: the files (Checkpoints), the rest
// of the training state (RunCheckpoints).

import Buffers
import Checkpoints
import Failures
import Optimizers

/// Puts moments and averages back by the names of the parameters that they belong to.
struct OptimizerRestoration {
    private let checkpoint: Checkpoint
    private let model: DualEncoder
    /// How the model lay in the flat buffers when the checkpoint was made.
    private let before: (whole: ParameterLayout, trainable: ParameterLayout)
    private let isUnchanged: Bool

    init(_ checkpoint: Checkpoint, _ configuration: RunConfig, _ model: DualEncoder) throws {
        self.checkpoint = checkpoint
        self.model = model
        let old = try RunConfig.parse(checkpoint.config, file: "\(checkpoint.path)/config.yaml")
        isUnchanged = old.model.freeze == configuration.model.freeze
        let parameters = model.parameters
        if isUnchanged {
            before = (parameters.layout, parameters.trainable)
        } else {
            let (whole, front) = parameters.layout.movingBehind(try model.frozenParameters(old.model.freeze.patterns))
            before = (whole, front)
        }
    }

    /// Overwrites the state. Parameters that were frozen have no moments: theirs begin at zero, their average at their values.
    /// - Parameter warn: receives a sentence with how many those are.
    func restore(_ optimizer: ShardedOptimizer, allowed: Set<String>, warn: (String) -> Void) throws {
        let trainable = model.parameters.trainable
        optimizer.average?.begin(model.parameters.trainableValues)
        for state in [optimizer.state] + (optimizer.average.map { [$0.state] } ?? []) {
            for (name, buffer) in zip(state.names, state.buffers) { try load(name, state, into: buffer) }
        }
        let new = trainable.entries.filter { before.trainable.index(of: $0.name) == nil }
        let gone = before.trainable.entries.filter { trainable.index(of: $0.name) == nil }
        if !isUnchanged {
            warn(
                "model.freeze has changed: \(new.count) parameters are trained that were not, their moments begin at zero; "
                    + "\(gone.count) are trained no more, their moments are dropped")
        }
    }

    private func load(_ name: String, _ state: OptimizerState, into buffer: Floats) throws {
        guard !isUnchanged else {
            return try checkpoint.loadMoments(name: name, layout: before.whole, ranges: state.ranges, into: buffer)
        }
        for (index, range) in state.ranges.enumerated() {
            for entry in model.parameters.trainable.entries {
                let part = entry.range.clamped(to: range)
                guard !part.isEmpty, let old = before.trainable.index(of: entry.name) else { continue }
                let start = before.trainable.entries[old].offset + part.lowerBound - entry.offset
                let target = state.offsets[index] + part.lowerBound - range.lowerBound
                try checkpoint.loadMoments(
                    name: name, layout: before.whole, ranges: [start..<start + part.count],
                    into: buffer[target..<target + part.count])
            }
        }
    }
}
