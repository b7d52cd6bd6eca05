// `fanoise experiment`: parsing and printing only. Not here: running experiments and their statistics (Training/Experiments).

import ArgumentParser
import Collectives
import Failures
import Foundation
import Training

/// Runs an experiment and compares its arms.
struct ExperimentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "experiment",
        abstract: "Run arms x seeds of training runs, and compare them with intervals.",
        discussion: """
            The experiment's folder is DIR/NAME. Every cell is an ordinary run in cells/ of it, in a process of its own, several at a \
            time; seeds are paired: with one seed, all arms have the same initial weights and the same order of data. Stopped or killed \
            in any way, the same command goes on: finished cells are not repeated; an experiment of kind gradient has none and \
            begins anew. Results are results.json, results.csv and report.html of the folder; a table \
            goes to standard output. Relative paths in configurations are relative to the working directory.
            """)

    @Option(name: .shortAndLong, help: "The experiment, YAML (configs/experiments/).") var config: String
    @Option(help: "Folder that holds the folders of experiments.") var output = "experiments"
    @Option(help: "Runs at a time.") var jobs: Int?
    @Option(help: "Ranks of each run, where an arm does not say.") var ranks: Int?
    @Option(help: "Run so many cells at most, then stop.") var limit: Int?
    @Flag(help: "Keep the checkpoints of finished runs.") var keepCheckpoints = false
    @Flag(help: "Run nothing: make tables of the cells that are done.") var resultsOnly = false
    @Flag(help: "Print tables in Markdown alone, without the question.") var markdown = false
    @Flag(help: "Print the results as one JSON object.") var json = false

    func validate() throws {
        for (name, value, most) in [("jobs", jobs, 1024), ("ranks", ranks, 64)] {
            guard let value, !(1...most).contains(value) else { continue }
            throw ValidationError("--\(name) \(value) must be from 1 to \(most)")
        }
        if let limit, limit < 0 { throw ValidationError("--limit \(limit) must be 0 or more") }
    }

    func run() throws {
        guard !World.isLaunchedByMPI else {
            throw Failure(.usage, "fanoise experiment starts its runs itself: call it without mpirun or srun")
        }
        let config = try ExperimentConfig.load(config)
        StopSignals.install()
        var options = ExperimentRunner.Options()
        (options.output, options.jobs, options.ranks) = (output, jobs, ranks)
        (options.keepsCheckpoints, options.limit) = (keepCheckpoints, resultsOnly ? 0 : limit)
        let command = "fanoise experiment --config \(self.config)"
        let experiment = try Experiment(config, options: options, program: Self.program, command: command)
        let results = try experiment.run(say: { tell($0) }, isStopped: { StopSignals.request != 0 })
        if StopSignals.request != 0, results.missingCells > 0 {
            tell(
                experiment.keepsCells
                    ? "stopped by a signal, \(results.missingCells) runs are missing; the same command goes on"
                    : "stopped by a signal before all was computed: nothing is written, and the same command begins anew"
            )
            throw ExitCode(Failure.Kind.resumable.rawValue)
        }
        if json {
            try printLine(String(decoding: results.compactJSON, as: UTF8.self))
        } else {
            try printLine(markdown ? results.markdown : results.text)
        }
    }

    /// This program.
    private static var program: String {
        let link = "/proc/self/exe"
        return (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) ?? CommandLine.arguments[0]
    }
}
