// Runs the cells of an experiment, several at a time, and puts their results together. Not here: one cell (CellProcess), statistics.

import Failures
import Foundation

/// An experiment on its way: cells that are done are taken as they are, others are run, in processes of their own.
///
/// Killed at any moment, it repeats no finished cell, and goes on in the middle of one that has a checkpoint.
public struct ExperimentRunner {
    public struct Options: Sendable {
        /// Holds the experiment's folder.
        public var output = "experiments"
        /// Runs at a time; nil: what the configuration says.
        public var jobs: Int?
        public var ranks: Int?
        /// Whether the runs' checkpoints are kept; they are only needed while a run is under way.
        public var keepsCheckpoints = false
        /// Cells to run at most; nil for all.
        public var limit: Int?
        public init() {}
    }

    public let config: ExperimentConfig
    public let folder: String
    private let plan: ExperimentPlan
    private let options: Options
    private let program: String
    private let command: String

    /// Reads and checks the configuration of every cell.
    /// - Parameters:
    ///   - program: the executable whose `train` is run.
    ///   - command: what the user typed, for the results.
    public init(_ config: ExperimentConfig, options: Options, program: String, command: String) throws {
        (self.config, self.options, self.program, self.command) = (config, options, program, command)
        folder = "\(options.output)/\(config.name)"
        plan = try ExperimentPlan(config, folder: folder, ranks: options.ranks)
    }

    /// Runs what is missing.
    /// - Parameters:
    ///   - say: told of progress.
    ///   - isStopped: whether the runs are to save and end.
    /// - Returns: the results, those of some cells alone when it was stopped.
    public func run(say: (String) -> Void, isStopped: () -> Bool) throws -> ExperimentResults {
        var records: [CellRecord?] = plan.cells.map { CellRecord.read($0) }
        var waiting = Array(plan.cells.indices.filter { records[$0] == nil }.prefix(options.limit ?? .max))
        var running: [(index: Int, process: CellProcess)] = []
        say(
            "\(config.name): \(counted(plan.arms.count, "arm")) × \(counted(config.seeds.values.count, "seed")), "
                + "\(counted(waiting.count, "run")) to do")
        let (total, clock) = (waiting.count, ContinuousClock.now)
        var (done, problem): (Int, Failure?) = (0, nil)
        var stops: [Int: Int] = [:]
        defer { running.forEach { $0.process.stop() } }
        while !waiting.isEmpty || !running.isEmpty {
            let ends = isStopped() || problem != nil
            if ends {
                waiting = []
                running.forEach { $0.process.stop() }
            }
            while let index = waiting.first, running.isEmpty || cost(running.map(\.index) + [index]) <= capacity {
                waiting.removeFirst()
                running.append((index, try CellProcess(plan.cells[index], program: program)))
            }
            Thread.sleep(forTimeInterval: 0.02)
            for (index, process) in running where !process.isRunning {
                running.removeAll { $0.index == index }
                switch try process.outcome() {
                case .done(let record):
                    try finish(record, plan.cells[index])
                    records[index] = record
                    done += 1
                    let seconds = (ContinuousClock.now - clock).seconds
                    say(
                        "\(done)/\(total)  \(plan.arms[plan.cells[index].arm].name), seed \(plan.cells[index].seed): \(summary(record))"
                            + "  \(ProgressLine.duration(seconds / Double(done) * Double(total - done))) left")
                case .stopped:
                    guard !ends, !isStopped() else { continue }
                    stops[index, default: 0] += 1
                    if stops[index] == Self.attempts {
                        problem = Failure(
                            .resumable,
                            "the run in \(plan.cells[index].folder.path) was stopped \(Self.attempts) times from outside: out of memory? "
                                + "Fewer --jobs need less")
                    } else {
                        waiting.append(index)
                    }
                case .busy:
                    Thread.sleep(forTimeInterval: 0.5)
                    waiting.append(index)
                case .impossible(let failure): problem = problem ?? failure
                }
            }
        }
        if let problem { throw problem }
        let whole = records.compactMap { $0 }
        if whole.count == records.count, whole.contains(where: { $0.failure == nil }) {
            try requireMeasures(config.measures.items.map(\.key), of: whole)
        }
        return try results(records)
    }

    /// How often a run is started that others stop.
    private static let attempts = 3

    /// Cores that runs may take together.
    private var capacity: Int {
        let cores = Machine.current().cores
        return options.jobs ?? config.jobs.resolved(cores)
    }

    /// A run counts for its ranks where jobs are the program's choice, else for one.
    private func cost(_ cells: [Int]) -> Int {
        let isChosen = options.jobs != nil || config.jobs != .automatic
        return isChosen ? cells.count : cells.reduce(0) { $0 + plan.cells[$1].ranks }
    }

    private func finish(_ record: CellRecord, _ cell: ExperimentPlan.Cell) throws {
        // Others may be of some arms alone: runs without noise have no spectrum.
        if record.failure == nil { try requireMeasures(config.measures.items.prefix(1).map(\.key), of: [record]) }
        try record.write(to: cell.folder)
        if !options.keepsCheckpoints { try? FileManager.default.removeItem(atPath: cell.folder.checkpoints) }
    }

    /// Throws when a measure is in none of the records: its name is mistaken.
    private func requireMeasures(_ measures: [String], of records: [CellRecord]) throws {
        let missing = measures.first { key in !records.contains { $0.values[key] != nil } }
        guard let missing else { return }
        let known = Set(records.flatMap(\.values.keys)).filter { !$0.hasPrefix("early.") && !$0.hasPrefix("late.") }
        throw Failure(
            .configuration,
            "measures: no measure is called '\(missing)'; a run of this experiment has \(known.sorted().joined(separator: ", "))"
        )
    }

    private func summary(_ record: CellRecord) -> String {
        guard let item = config.measures.items.first, let value = record.values[item.key] else {
            return record.failure ?? "done"
        }
        return "\(item.label) \(ExperimentResults.Measure(key: item.key, label: item.label).text(value))"
    }

    // MARK: Results

    private func results(_ records: [CellRecord?]) throws -> ExperimentResults {
        let measures = config.measures.items.map { ExperimentResults.Measure(key: $0.key, label: $0.label) }
        var others = measures
        if !measures.contains(where: { $0.key == "noise_to_signal" }) {
            others.append(ExperimentResults.Measure(key: "noise_to_signal", label: "Noise to signal"))
        }
        var arms = plan.arms.enumerated().map { index, arm in
            let found = zip(plan.cells, records).filter { $0.0.arm == index }
            let cells = found.compactMap { cell, record in
                record.map {
                    ExperimentResults.Cell(
                        seed: cell.seed, folder: "cells/\(cell.configuration.name)", values: $0.values,
                        seconds: $0.seconds, failure: $0.failure)
                }
            }
            return ExperimentResults.Arm(
                name: arm.name, label: arm.name, settings: arm.settings.items, x: nil,
                baseline: arm.baseline.map { plan.arms[$0].name }.flatMap { $0 == config.baseline ? nil : $0 },
                series: config.series.flatMap { arm.settings($0) }, cells: cells, summaries: [])
        }
        var statistics = ExperimentStatistics(seeds: config.seeds.values, draws: config.resamples)
        let baselines = plan.arms.map(\.baseline)
        for measure in others {
            let samples = try plan.arms.indices.map { try sample($0, measure.key, records) }
            for (index, summary) in statistics.summaries(samples, measure: measure, baselines: baselines).enumerated() {
                summary.map { arms[index].summaries.append($0) }
            }
        }
        for index in arms.indices { arms[index].x = abscissa(arms[index]) }
        return ExperimentResults(
            name: config.name, title: config.heading, question: config.question, method: config.method,
            expectation: config.expectation, conclusion: config.conclusion, measures: measures,
            baseline: config.baseline,
            arms: arms, seeds: config.seeds.values, axis: axis, confidence: statistics.confidence,
            resamples: config.resamples, seconds: records.reduce(0) { $0 + ($1?.seconds ?? 0) },
            missingCells: records.count { $0 == nil }, command: command)
    }

    private func sample(_ arm: Int, _ measure: String, _ records: [CellRecord?]) throws -> ArmSample {
        var sample = ArmSample()
        for (cell, record) in zip(plan.cells, records) where cell.arm == arm {
            guard let value = record?.values[measure] else { continue }
            sample.values[cell.seed] = value
            sample.rows[cell.seed] = try CellRecord.rows(of: cell.folder, measure: measure)
        }
        return sample
    }

    private var axis: ExperimentResults.Axis? {
        config.axis.key.map {
            ExperimentResults.Axis(key: $0, label: config.axis.label ?? $0, isLogarithmic: config.axis.logarithmic)
        }
    }

    /// The value of the axis's key, or the mean of the measure it names.
    private func abscissa(_ arm: ExperimentResults.Arm) -> Double? {
        guard let key = config.axis.key else { return nil }
        if let setting = arm.settings.last(where: { $0.key == key }) { return Double(setting.value) }
        let values = arm.cells.compactMap { $0.values[key] }
        return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
}
