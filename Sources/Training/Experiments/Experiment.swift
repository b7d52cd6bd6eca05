// An experiment of either kind: what the command line starts, and the files it leaves. Not here: the kinds themselves
// (ExperimentRunner, GradientExperiment), the report.

import Failures
import Foundation
import Reports

/// An experiment and its folder.
public struct Experiment {
    private enum Kind {
        case runs(ExperimentRunner)
        case gradient(GradientExperiment)
        /// Of an experiment that has no cells to take up, when nothing is to be computed.
        case kept(path: String)
    }

    public let folder: String
    private let kind: Kind

    /// - Parameters:
    ///   - program: the executable whose `train` is run.
    ///   - command: what the user typed, for the results.
    public init(
        _ config: ExperimentConfig, options: ExperimentRunner.Options, program: String, command: String
    ) throws {
        folder = "\(options.output)/\(config.name)"
        switch config.kind {
        case .runs:
            kind = .runs(try ExperimentRunner(config, options: options, program: program, command: command))
        case .gradient where options.limit == 0: kind = .kept(path: "\(folder)/results.json")
        case .gradient: kind = .gradient(GradientExperiment(config: config, command: command))
        }
    }

    /// Whether a run that is stopped leaves what the next one takes up.
    public var keepsCells: Bool { if case .runs = kind { true } else { false } }

    /// Computes what is missing and writes `results.json`, `results.csv` and `report.html`: nothing when it is stopped and there are no
    /// cells to take up, for those of another run may be whole.
    public func run(say: (String) -> Void, isStopped: () -> Bool) throws -> ExperimentResults {
        let results =
            switch kind {
            case .runs(let runner): try runner.run(say: say, isStopped: isStopped)
            case .gradient(let gradient): try gradient.run(say: say, isStopped: isStopped)
            case .kept(let path): try ExperimentResults.read(path)
            }
        guard keepsCells || results.missingCells == 0 else { return results }
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
            throw Failure(.cannotCreate, "\(folder) cannot be created; choose another folder with --output")
        }
        try RunFolder.write(results.json, to: "\(folder)/results.json")
        try RunFolder.write(Data(results.csv.utf8), to: "\(folder)/results.csv")
        try RunFolder.write(Data(ExperimentPage(results).page.html.utf8), to: "\(folder)/report.html")
        return results
    }
}

extension ExperimentResults {
    /// Question and tables, for a terminal.
    public var text: String {
        let words = [title, question, expectation, markdown] + (conclusion.map { [$0] } ?? [])
        return words.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.filter { !$0.isEmpty }
            .joined(separator: "\n\n")
    }
}
