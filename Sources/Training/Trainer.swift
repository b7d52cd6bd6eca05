// The loop around the step: data, progress, evaluation, checkpoints, the end. Not here: a step (TrainingStep), what is saved and
// how a run resumes (RunCheckpoints).

import Buffers
public import Collectives
import Datasets
import Failures
import Foundation
import Kernels
import Reports

/// A training run on one rank. *Collective*: every rank makes one with equal arguments and runs it.
public final class Trainer {
    /// How a run ended.
    public struct Summary: Sendable {
        /// Steps done, all runs of this folder together.
        public var step: Int
        /// Whether a signal stopped the run before its end.
        public var wasStopped: Bool
        /// Of the last step; nil when there was none to do.
        public var loss: Double?
        /// The last evaluation.
        public var evaluation: [(name: String, report: EvaluationReport)]
    }

    public let folder: RunFolder
    /// Steps of the whole run.
    public let steps: Int
    let configuration: RunConfig
    let communicator: any Communicator
    let model: DualEncoder
    let log: RunLog
    private let source: any PairSource
    private let sampler: GlobalSampler
    private let assets: ModelAssets
    private let step: TrainingStep
    private let checkpoints: RunCheckpoints
    private let agreement: ParameterAgreement
    private let cores: CoreShare
    private let evaluationSets: [(name: String, set: EvaluationSet)]
    /// Whether this rank has been asked to stop; tests ask without a signal.
    var stopRequested: () -> Bool = { StopSignals.request != 0 }
    /// Held by rank 0.
    private let lock: RunLock?
    private let heartbeat: Heartbeat
    private let watchdog: Watchdog
    /// Steps that have been done.
    private var done: Int
    /// The last step whose evaluation is in the metrics.
    private var evaluatedStep: Int
    private var remarks = SpectrumRemarks()
    private var skipped: SkippedRows

    /// Loads the data, builds the model, and puts back the state of an earlier run.
    /// - Parameters:
    ///   - allowedChanges: configuration keys that may differ from the resumed run's although they change its course.
    ///   - progress: how to show progress; nil chooses.
    /// - Throws: on every rank alike, `Failure` when configuration, data or checkpoint are wrong or differ between ranks.
    public init(
        configuration: RunConfig, resume: Resume = .automatic, allowedChanges: Set<String> = [],
        progress: ProgressLine.Style? = nil,
        communicator: any Communicator
    ) throws {
        self.configuration = configuration
        self.communicator = communicator
        folder = RunFolder(configuration.folder)
        heartbeat = Heartbeat(ranks: communicator.size)
        watchdog = Watchdog(heartbeat, communicator: communicator)
        if communicator.rank == 0 { heartbeat.announce(at: folder.heartbeat) }
        var warnings: [String] = []
        if let layout = try agreeOnWorld(communicator: communicator) { warnings.append(layout) }
        cores = try CoreShare.agree(on: .value(blasThreads()), communicator: communicator)
        cores.remark.map { warnings.append($0) }
        try communicator.requireAgreement(
            on: configuration.yaml, what: "configuration",
            remedy: "give every rank the same file and the same --set options")
        try configuration.requireBestMeasure()

        let source = try agreedPatiently(communicator, heartbeat) { try configuration.trainingSource() }
        try communicator.requireAgreement(
            on: "\(source.fingerprint)", what: "training data in \(source.name)",
            remedy: "all hosts must see the same files")
        let sampler = try agreed(communicator) { try configuration.sampler(source) }
        switch configuration.duration {
        case .steps(let count): steps = count
        case .epochs(let count): steps = count * sampler.stepsPerEpoch
        }
        let total = steps
        try agreed(communicator) {
            try configuration.requireWarmUp(within: total)
            try configuration.requireNegatives(source)
        }
        let (ranks, rows) = (communicator.size, configuration.batch.global)
        if ranks > rows {
            warnings.append(
                "batch.global is \(rows), fewer than the \(ranks) ranks; those without a row (\(ranks - rows)) only wait in every "
                    + "step; raise batch.global or start fewer ranks")
        }
        let folder = folder
        // Before the newest checkpoint is looked for: nobody saves a newer one after that. A run that is not there yet gets its folder only
        // when nothing is wrong with it.
        let early = try agreed(communicator) { communicator.rank == 0 ? try folder.lockIfPresent() : nil }
        let point = try ResumePoint(
            resume, configuration: configuration, allowedChanges: allowedChanges, warn: { warnings.append($0) },
            communicator: communicator)
        let assets = try agreed(communicator) {
            try point.checkpoint.map { try ModelAssets(configuration, checkpoint: $0) }
                ?? ModelAssets(trainedOn: source, configuration)
        }
        let draft = try agreed(communicator) { try DualEncoderDraft(configuration, assets) }
        let memory = try draft.memory(communicator)
        communicator.sharingRefusal.map { warnings.append($0) }
        let isNew = point.checkpoint == nil
        model = try agreed(communicator) {
            let model = DualEncoder(draft, seed: configuration.seed, memory: memory)
            guard memory.isFilledHere else { return model }
            try assets.origins.fill(model, configuration)
            if isNew { try model.readAdapters(configuration, assets.origins) }
            return model
        }
        let (steps, model) = (steps, model)
        let optimizer = try agreed(communicator) {
            try ShardedOptimizer(
                configuration, steps: steps, model: model,
                publishedLogTemperature: assets.origins.publishedLogTemperature(configuration),
                rank: communicator.rank, worldSize: communicator.size)
        }
        step = try TrainingStep(
            configuration: configuration, model: model, optimizer: optimizer, communicator: communicator)
        let checkpoints = RunCheckpoints(
            configuration: configuration, folder: folder, data: source, model: model, optimizer: optimizer,
            noise: step.noise,
            extraFiles: assets.files(configuration), communicator: communicator)
        let state = try point.checkpoint.map {
            try checkpoints.restore($0, allowedChanges: allowedChanges, loadsParameters: memory.isFilledHere) {
                warnings.append($0)
            }
        }
        let done = state?.step ?? 0
        let preparation = configuration.preparation(assets, augments: false)
        evaluationSets = try agreedPatiently(communicator, heartbeat) {
            try configuration.evaluate.sets.items.map { item in
                (
                    item.name,
                    try EvaluationSet(source: configuration.evaluationSource(item.path), preparation: preparation)
                )
            }
        }
        let (held, abandoned): (RunLock?, String?) = try agreed(communicator) {
            guard communicator.rank == 0 else { return (nil, nil) }
            try folder.create()
            let lock = try early ?? folder.lock()
            var abandoned: String?
            if case .path = resume, let start = point.checkpoint { abandoned = try checkpoints.abandon(for: start) }
            try RunFolder.write(Data(configuration.yaml.utf8), to: folder.configuration)
            return (lock, abandoned)
        }
        lock = held
        if lock != nil {
            if done < steps { folder.unmarkDone() }
            heartbeat.write(to: folder.heartbeat, steps: steps)
        }
        let isEvaluatedAgain =
            state.map { $0.evaluatedStep < done } == true
            && (done >= steps || configuration.evaluate.every.map { done % $0 == 0 } == true)
        log = try agreed(communicator) {
            try RunLog(
                folder: folder, settings: configuration.log,
                rowsMayBeLost: configuration.checkpoint.onError == .continue, resumedStep: done,
                repeatsEvaluation: isEvaluatedAgain, steps: steps, stepsPerEpoch: sampler.stepsPerEpoch,
                style: progress, communicator: communicator)
        }
        (self.source, self.sampler, self.assets) = (source, sampler, assets)
        (self.checkpoints, self.done, evaluatedStep) = (checkpoints, done, state?.evaluatedStep ?? 0)
        skipped = SkippedRows(source, replaced: state?.replacedRows ?? [])
        agreement = ParameterAgreement(model.parameters, communicator)
        checkpoints.warn = { [log] in log.warn($0) }
        checkpoints.whileWaiting = { [heartbeat] in heartbeat.beat(.checkpoint, step: heartbeat.state.step) }
        step.placeOfRow = { [source] in try? source.row($0, alternatives: false).place }
        for warning in warnings { log.warn(warning) }
        abandoned.map { log.say($0) }
    }

    /// Trains to the end, or to a signal.
    /// - Throws: whatever ends the run early; the last checkpoint stays valid.
    public func run() throws -> Summary {
        StopSignals.endAtOnce(false)
        defer { watchdog.stop() }
        sayOpening()
        defer { log.finish() }
        guard done < steps else {
            log.say("nothing to do: all \(steps) steps are done")
            if done > steps { log.warn("the run has gone on to step \(done) already: steps \(steps) is less") }
            let isNew = evaluatedStep < done
            guard let evaluation = try evaluate() else { return summary(stopped: true) }
            // A run that was stopped in its last evaluation.
            if isNew, !evaluation.isEmpty { try save(best: bestValue(of: evaluation), waits: true) }
            try markDone()
            return summary(evaluation: evaluation)
        }
        let loader = try BatchLoader(
            source: source, sampler: sampler, preparation: configuration.preparation(assets, augments: true),
            seed: configuration.seed,
            rank: communicator.rank, worldSize: communicator.size, steps: done + 1...steps,
            maximumNegatives: configuration.data.negatives.maximum, prefetch: configuration.data.prefetch,
            cacheBytes: configuration.data.cache.bytes)
        defer { loader.stop() }
        // A run that was stopped at a step that was due for evaluation makes up for it.
        if done > 0, isDue(configuration.evaluate.every), evaluatedStep < done {
            guard let evaluation = try evaluate() else { return summary(stopped: true) }
            if let best = bestValue(of: evaluation) { try save(best: best, waits: false) }
        }
        log.resumeTiming()
        while true {
            let waited = loader.statistics.secondsWaited
            heartbeat.beat(.data, step: done)
            let batch = try loader.next()
            heartbeat.beat(.step, step: done)
            var report = try finishingSave { try step(batch, step: done + 1, stopRequested: stopRequested()) }
            report.seconds[.data] += loader.statistics.secondsWaited - waited
            done += 1
            for remark in remarks.remarks(on: report) { log.warn(remark) }
            skipped.note(batch.replacedRows)
            if log.records(step: done) { try skipped.update(communicator) }
            try log.step(report, globalRows: batch.globalRows, skipped: skipped.count)
            if checkpoints.isSaving { try stalling { try checkpoints.poll() } }
            let isLast = done == steps
            var stops = report.stopRequested && !isLast
            // Evaluation before the checkpoint, so that a checkpoint knows what the metrics hold; a stop is not made to wait for it.
            let evaluates = !stops && (isLast || isDue(configuration.evaluate.every))
            let evaluation = evaluates ? try evaluate() : []
            stops = stops || evaluation == nil
            let best = bestValue(of: evaluation ?? [])
            if isLast || stops || best != nil || isDue(configuration.checkpoint.every) {
                try save(best: best, waits: isLast || stops)
                // Asked to stop meanwhile: the step to come would only have to be saved again.
                if !isLast, !stops { stops = try communicator.allReduce(stopRequested() ? 1 : 0, .maximum) > 0 }
                if stops { try stalling { try checkpoints.finish() } }
            } else if isDue(configuration.agreement.every) {
                try finishingSave { try agreement.check(step: done) }
            }
            if isLast, !stops { try markDone() }
            if isLast || stops { return summary(stopped: stops, loss: report.loss, evaluation: evaluation ?? []) }
        }
    }

    private func summary(stopped: Bool = false, loss: Double? = nil, evaluation: [Evaluation] = []) -> Summary {
        Summary(step: done, wasStopped: stopped, loss: loss, evaluation: evaluation.map { ($0.name, $0.report) })
    }

    private func isDue(_ every: Int?) -> Bool { every.map { done % $0 == 0 } ?? false }

    private func markDone() throws {
        try agreed(communicator) {
            guard let lock else { return }
            try lock.requireFolder()
            try folder.markDone(step: done)
        }
    }

    private func save(best: Double?, waits: Bool) throws {
        heartbeat.beat(.checkpoint, step: done)
        try stalling {
            if configuration.agreement.every != nil { try finishingSave { try agreement.check(step: done) } }
            try skipped.update(communicator)
            try agreed(communicator) { try lock?.requireFolder() }
            try checkpoints.save(
                step: done, evaluatedStep: evaluatedStep, best: best, replacedRows: skipped.replaced, waits: waits
            ) { try log.flush() }
        }
    }

    /// Charges the time that training waits for checkpoints.
    private func stalling(_ body: () throws -> Void) throws {
        let start = ContinuousClock.now
        try body()
        log.checkpoint(stall: (ContinuousClock.now - start).seconds, write: checkpoints.takeWriteSeconds())
    }

    /// What ends the run on every rank alike (values that are not finite, parameters that differ) does not take the checkpoint under
    /// way with it.
    private func finishingSave<Value>(_ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let failure as Failure {
            // In a step, ranks that do nothing wait for each other; here it may be for a disk that does not answer.
            heartbeat.beat(.checkpoint, step: done)
            // The step's failure is the one to tell of.
            try? checkpoints.finish()
            throw failure
        }
    }

    /// The deciding measure of an evaluation when it is the best so far, else nil.
    private func bestValue(of evaluation: [Evaluation]) -> Double? {
        guard let measure = configuration.checkpoint.best.measure else { return nil }
        // Whether there is such a measure was asked before training (`requireBestMeasure`).
        let measures = evaluation.flatMap { $0.report.measures(prefix: $0.name) }
        guard let found = measures.first(where: { $0.key == measure }) else { return nil }
        return checkpoints.isBest(found.value) ? found.value : nil
    }

    /// Every evaluation set of the configuration; nil, on all ranks, when one was asked to stop meanwhile. *Collective.*
    private func evaluate() throws -> [Evaluation]? {
        let embedder = Embedder(model: model, normalizes: configuration.noise.normalizesEmbeddings)
        let options = configuration.evaluate
        var evaluator = Evaluator(
            embedder: embedder, chunk: options.chunk, communicator: communicator,
            dimensions: configuration.loss.matryoshka.dimensions.values, examples: 8,
            keepsPlaces: options.places && done == steps,
            beforeChunk: {
                self.heartbeat.beat(.evaluation, step: self.done)
                if self.stopRequested() { throw Failure(.resumable, "asked to stop") }
            })
        do {
            let evaluations = try step.optimizer.withAverages(step.exchange, communicator) {
                let plain = try evaluationSets.map { Evaluation(name: $0.name, report: try evaluator.evaluate($0.set)) }
                guard options.perturbation > 0 else { return plain }
                evaluator.perturbation = options.perturbation
                return try plain
                    + evaluationSets.map {
                        Evaluation(
                            name: RunConfig.Evaluate.perturbed($0.name), report: try evaluator.evaluate($0.set))
                    }
            }
            try agreed(communicator) {
                guard let lock else { return }
                try lock.requireFolder()
                try folder.writePlaces(evaluations.map { ($0.name, $0.report) })
            }
            let examples = zip(evaluations, evaluationSets).map {
                ExampleSet(name: $0.name, $0.report.examples, of: $1.set)
            }
            try log.evaluation(
                evaluations.map { ($0.name, $0.report) }, examples: examples, step: done, isNew: evaluatedStep < done)
            evaluatedStep = done
            for evaluation in evaluations {
                let remark = remarks.remark(
                    on: evaluation.report, name: evaluation.name, columns: model.columns, step: done)
                if let remark { log.warn(remark) }
            }
            return evaluations
        } catch let failure as Failure where failure.kind == .resumable {
            return nil
        }
    }

    private struct Evaluation {
        let name: String
        let report: EvaluationReport
    }

    private func sayOpening() {
        let (layout, trained) = (model.parameters.layout, model.parameters.trainable.parameterCount)
        let training = trained == layout.parameterCount ? "" : " (\(trained) trained)"
        let concepts = Set(source.ids).count
        log.say(
            "\(configuration.name): \(source.count) rows of \(concepts) concepts, \(layout.parameterCount) parameters\(training), "
                + "\(communicator.size) rank\(communicator.size == 1 ? "" : "s"), global batch \(configuration.batch.global), "
                + "noise \(configuration.noise.scaling.rawValue); \(cores.words) of each machine")
        if source.count < configuration.batch.global {
            log.warn(
                "batch.global is \(configuration.batch.global), but there are \(source.count) rows: no batch has more")
        }
        if concepts == 1, source.count > 1 {
            log.warn("all rows have the same id: none is a negative of another, and there is nothing to learn from")
        } else if concepts < min(configuration.batch.global, source.count) {
            log.warn(
                "batch.global is \(configuration.batch.global), but there are \(concepts) concepts (different ids): rows of one concept meet "
                    + "in a batch, and are not each other's negatives")
        }
        if done > 0 { log.say("resumed after step \(done) of \(steps)") }
        for fields in source.takenFields {
            log.say(source.takenFields.count == 1 ? fields.summary : "\(fields.source): \(fields.summary)")
        }
        if source.skipped > 0 {
            log.warn(
                "\(source.name): \(counted(source.skipped, "row")) \(source.skipped == 1 ? "is" : "are") skipped: "
                    + (source.skippedReasons.first ?? ""))
        }
    }
}
