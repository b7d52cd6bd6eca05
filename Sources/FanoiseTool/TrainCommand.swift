// `fanoise train`: parsing and printing only. Not here: training (Training).

import ArgumentParser
import Collectives
import Failures
import Foundation
import Synchronization
import Training

/// Trains a model as a configuration says, or goes on with a run that was interrupted.
struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a dual encoder, or go on with an interrupted run.",
        discussion: """
            The run's folder is OUTPUT/NAME of the configuration; it gets config.yaml, metrics.jsonl and checkpoints/. With --resume \
            auto, the newest valid checkpoint there is where training goes on; the number of ranks may differ. SIGTERM, SIGINT and \
            SIGUSR1 end the run with exit code 75: before its first step at once, later after the current step, or piece of an \
            evaluation, with a checkpoint. A second SIGINT ends it at once, with 130. A rank that gets nowhere for --deadline seconds, \
            for example because a file cannot be read, says so and ends the job with 75, as does one that waits that long for others.
            """)

    @Option(name: .shortAndLong, help: "The configuration, YAML.") var config: String?
    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: "Override a key of the configuration: a.b=value. Repeatable.")
    var overrides: [String] = []
    @Option(
        help: """
            auto: from the newest valid checkpoint, if any; never: a fresh start; PATH: from that checkpoint; later ones of the run \
            (all, if it is none of the run's own) are set aside as step-N.abandoned, so that --resume auto goes on from there.
            """)
    var resume = "auto"
    @Option(
        name: .customLong("allow-change"), parsing: .singleValue,
        help: "Resume although this key, or keys of this section, which shape the training, have changed. Repeatable.")
    var allowedChanges: [String] = []
    @OptionGroup var world: WorldOptions
    @Flag(help: "Print one JSON object on standard output at the end.") var json = false
    @Flag(help: "Draw a progress bar even under mpirun.") var bar = false
    @Flag(help: "Explain every key of the configuration, and do nothing else.") var helpConfig = false
    @Flag(help: "Print the folder of the run, and do nothing else.") var showFolder = false

    func run() throws {
        if helpConfig { return try printLine(RunConfig.helpText) }
        guard let config else {
            throw Failure(.usage, "no configuration given: fanoise train --config FILE (configs/ has examples)")
        }
        // Read once here, so that a mistake is one message from every launcher's point of view and no rank starts.
        let configuration = try RunConfig.load(config, options: overrides)
        if showFolder { return try printLine(configuration.folder) }
        StopSignals.install()
        StopSignals.endAtOnce(true)
        let (resume, allowed, json, style) = (
            Resume(resume), Set(allowedChanges), json, bar ? ProgressLine.Style.bar : nil
        )
        let stoppedStep = Mutex<Int?>(nil)
        try world.run(threads: configuration.threads) { communicator in
            let trainer = try Trainer(
                configuration: configuration, resume: resume, allowedChanges: allowed, progress: style,
                communicator: communicator)
            let summary = try trainer.run()
            if summary.wasStopped { stoppedStep.withLock { $0 = summary.step } }
            guard communicator.rank == 0 else { return }
            if summary.wasStopped {
                let how = resume == .automatic ? "the same command goes on" : "go on with --resume auto"
                tell("stopped by a signal after step \(summary.step); \(how) from there")
            }
            if json { try printJSON(TrainResult(summary, trainer)) }
        }
        if stoppedStep.withLock({ $0 }) != nil { throw ExitCode(Failure.Kind.resumable.rawValue) }
    }
}

/// The JSON of `fanoise train`.
private struct TrainResult: Encodable {
    let step: Int
    let finished: Bool
    let folder: String
    let loss: Double?
    let evaluation: [String: EvaluationReport]

    init(_ summary: Trainer.Summary, _ trainer: Trainer) {
        step = summary.step
        finished = !summary.wasStopped
        folder = trainer.folder.path
        loss = summary.loss
        evaluation = Dictionary(uniqueKeysWithValues: summary.evaluation.map { ($0.name, $0.report) })
    }
}
