// The loop around the step: data, progress, evaluation, checkpoints, the end. Not here: a step (TrainingStep), what is saved and
// how a run resumes (TrainingState).

public import Collectives
import Datasets
import FANoise
import Failures
import Foundation
import Kernels

/// A training run on one rank. *Collective*: every rank makes one with equal arguments and runs it.
public final class Trainer {
    /// How a run ended.
    public struct Summary: Sendable {
        /// Steps done, all runs of this folder together.
        public var step: Int
        /// The signal that stopped the run before its end; nil when it is finished.
        public var stopSignal: Int32?
        /// The last evaluation, by set.
        public var evaluation: [String: EvaluationReport]
    }

    public let configuration: RunConfig
    public let folder: RunFolder
    /// Steps of the whole run.
    public let steps: Int
    let communicator: any Communicator
    let model: DualEncoder
    let data: TrainingData
    let optimizer: ShardedOptimizer
    let step: TrainingStep
    let checkpoints: RunCheckpoints
    let log: RunLog
    private var collapse = [CollapseTracker(), CollapseTracker()]
    private var told: Set<String> = []

    /// Loads data, builds the model, and puts back the state of an earlier run.
    /// - Parameters:
    ///   - resume: where to go on from.
    ///   - allowedChanges: configuration keys that may differ from the resumed run's although they change its course.
    public init(
        configuration: RunConfig, resume: Resume, allowedChanges: Set<String> = [], progress: ProgressLine.Style? = nil,
        communicator: any Communicator
    ) throws {
        self.configuration = configuration
        self.communicator = communicator
        folder = RunFolder(configuration.folder)
        try requireAgreement(on: configuration, communicator)
        let launch = try Launch(configuration: configuration, folder: folder, resume: resume, allowedChanges: allowedChanges, communicator)
        data = try TrainingData(configuration, tokenizers: launch.tokenizers, communicator: communicator)
        try requireAgreement(on: data, communicator)
        model = DualEncoder(configuration, queryVocabulary: data.queryVocabulary, targetVocabulary: data.targetVocabulary)
        switch configuration.duration {
        case .steps(let count): steps = count
        case .epochs(let count): steps = count * data.sampler.stepsPerEpoch
        }
        optimizer = ShardedOptimizer(
            configuration.optimizer, steps: steps, model: model, bounds: [model.temperatureBound(configuration.loss.temperature)],
            rank: communicator.rank, worldSize: communicator.size)
        step = try TrainingStep(configuration: configuration, model: model, optimizer: optimizer, communicator: communicator)
        checkpoints = RunCheckpoints(
            configuration: configuration, folder: folder, model: model, optimizer: optimizer, noise: step.noise,
            tokenizers: data.tokenizerFiles, communicator: communicator)
        let done = try launch.restore(into: checkpoints)
        log = try RunLog(
            folder: folder, configuration: configuration, resumedStep: done, steps: steps, style: progress, communicator: communicator)
        self.done = done
        if launch.isNew, communicator.rank == 0 { try RunFolder.write(Data(configuration.yaml.utf8), to: folder.configuration) }
        log.opening(model: model, data: data, done: done)
    }

    /// Steps that have been done.
    private var done: Int

    /// Trains to the end, or to a signal.
    /// - Throws: whatever ends the run early; the last checkpoint stays valid.
    public func run() throws -> Summary {
        var evaluation: [String: EvaluationReport] = [:]
        let loader = try data.loader(firstStep: done + 1, lastStep: steps, communicator: communicator)
        defer { loader.stop() }
        while done < steps {
            let waited = ContinuousClock().now
            let batch = try loader.next()
            let seconds = waited.duration(to: ContinuousClock().now).seconds
            var report = try step(batch, step: done + 1)
            report.seconds[.data] += seconds
            done += 1
            watch(report)
            try log.step(report, batch: batch, skipped: loader.skippedRows)
            let stop = report.stopSignal
            if configuration.evaluate.every.map({ done % $0 == 0 }) ?? false, done < steps, stop == nil { evaluation = try evaluate() }
            if stop != nil || done == steps || configuration.checkpoint.every.map({ done % $0 == 0 }) ?? false {
                try log.flush()
                try checkpoints.save(step: done)
            }
            if let stop {
                log.stopped(signal: stop, step: done)
                return Summary(step: done, stopSignal: stop, evaluation: evaluation)
            }
        }
        evaluation = try evaluate()
        try log.finished(evaluation)
        return Summary(step: done, stopSignal: nil, evaluation: evaluation)
    }

    /// Every evaluation set of the configuration. *Collective.*
    private func evaluate() throws -> [String: EvaluationReport] {
        let evaluator = Evaluator(
            model: model, normalizes: configuration.noise.normalizesEmbeddings, chunk: configuration.evaluate.chunk, communicator: communicator)
        var reports: [String: EvaluationReport] = [:]
        for set in try data.evaluationSets() { reports[set.name] = try evaluator.evaluate(set) }
        try log.evaluation(reports, step: done)
        return reports
    }

    /// Tells once in words what the spectra of a step give reason to tell.
    private func watch(_ report: StepReport) {
        for (side, noise) in [report.queryNoise, report.targetNoise].enumerated() {
            guard let noise else { continue }
            for advice in noise.advice + collapse[side].observe(noise) {
                let kind = "\(side) \(String(describing: advice).prefix(24))"
                if told.insert(kind).inserted { log.warn("step \(report.step), \(side == 0 ? "queries" : "targets"): \(advice)") }
            }
        }
    }
}
