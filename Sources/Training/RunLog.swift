// What a run says while it goes: progress for people, records for programs, warnings. Not here: how these are written (Metrics).

import Collectives
import Datasets
import Failures
import Foundation
import Kernels
import Logging
import Reports

/// The voice of a run; rank 0 alone speaks.
final class RunLog {
    private let speaks: Bool
    private let every: Int
    private let stepsPerEpoch: Int
    private let progress: ProgressLine
    private let files: RunRecords?
    /// Whether a row that cannot be written ends the run, or is a row less.
    private let rowsMayBeLost: Bool
    private var hasLostRows = false
    private let logger: Logger
    /// Matrix-product rate of this rank, operations per second, measured once.
    private let peak: Double
    private var lastStep = ContinuousClock().now
    private var samples: [Double] = []
    /// Of the checkpoints since the last row.
    private var checkpointSeconds: (stall: Double, write: Double?) = (0, nil)

    init(
        folder: RunFolder, settings: RunConfig.Log, rowsMayBeLost: Bool, resumedStep: Int, repeatsEvaluation: Bool,
        steps: Int, stepsPerEpoch: Int,
        style: ProgressLine.Style?, communicator: any Communicator
    ) throws {
        speaks = communicator.rank == 0
        every = settings.every
        self.rowsMayBeLost = rowsMayBeLost
        self.stepsPerEpoch = stepsPerEpoch
        let line = ProgressLine(
            style: ProgressLine.style(rank: communicator.rank, requested: style), resumedStep: resumedStep,
            steps: steps, every: settings.every)
        progress = line
        logger = Logger(label: "fanoise") { _ in ProgressLogHandler { line.message($0) } }
        // All ranks measure at the same time: the rate that a rank has while the others work too.
        peak = MachineSpeed.gemmRate(threads: blasThreads(), seconds: 0.05) * 1e9
        files =
            speaks
            ? try RunRecords(
                folder: folder, settings: settings, resumedStep: resumedStep, repeatsEvaluation: repeatsEvaluation,
                steps: steps) : nil
    }

    func say(_ text: String) { if speaks { progress.message(text) } }

    func warn(_ text: String) { if speaks { logger.warning("\(text)") } }

    /// Whether a step gets a row of metrics; the same on every rank.
    func records(step: Int) -> Bool { step % every == 0 || step == 1 }

    /// One step: the progress line, and every `log.every` steps a row of metrics.
    func step(_ report: StepReport, globalRows: Int, skipped: Int) throws {
        let now = ContinuousClock().now
        let seconds = lastStep.duration(to: now).seconds
        lastStep = now
        guard speaks, let files else { return }
        samples.append(Double(globalRows) / seconds)
        progress.update(
            ProgressLine.State(
                step: report.step, loss: report.loss, precisionAt1: report.precisionAt1,
                samplesPerSecond: samples.suffix(every).reduce(0, +) / Double(min(samples.count, every))))
        guard records(step: report.step) else { return }
        var row = MetricsRow(step: report.step)
        row.epoch = Double(report.step) / Double(stepsPerEpoch)
        row.loss = report.loss
        row.precisionAt1 = report.precisionAt1
        row.temperature = report.temperature
        row.learningRate = report.learningRate
        row.gradientNorm = report.gradientNorm
        row.samplesPerSecond = samples.sorted()[samples.count / 2]
        row.seconds = report.seconds
        row.gemmUtilisation = report.floatingPointOperations / seconds / peak
        samples.removeAll(keepingCapacity: true)
        row.further.append(.init(key: "rows", value: Double(globalRows)))
        if let query = report.queryNoise, let target = report.targetNoise {
            row.noiseToSignal = (query.noiseToSignal + target.noiseToSignal) / 2
            for (side, noise) in [("query", query), ("target", target)] {
                row.further += [
                    .init(key: "\(side).noise_to_signal", value: noise.noiseToSignal),
                    .init(key: "\(side).cosine", value: noise.cosine),
                    .init(key: "\(side).row_norm", value: noise.rowNorm),
                    .init(key: "\(side).effective_rank", value: noise.effectiveRank ?? .nan),
                    .init(key: "\(side).flatness", value: noise.flatness ?? .nan),
                ]
            }
        }
        if let share = report.hiddenCommunication {
            row.further.append(.init(key: "communication_hidden_share", value: share))
        }
        row.further += checkpointMeasures()
        if let bytes = peakMemoryBytes() { row.further.append(.init(key: "peak_memory_bytes", value: Double(bytes))) }
        if skipped > 0 { row.further.append(.init(key: "skipped_rows", value: Double(skipped))) }
        try keep(from: row.step) {
            try files.write(row)
            try files.write(spectra: report)
        }
    }

    /// An evaluation in the middle of the run, or at its end; `isNew` when it is not in the metrics yet.
    /// - Parameter examples: what a few questions found.
    func evaluation(
        _ reports: [(name: String, report: EvaluationReport)], examples: [ExampleSet], step: Int, isNew: Bool
    ) throws {
        guard speaks, let files, !reports.isEmpty else { return }
        var row = MetricsRow(step: step)
        row.isOfEvaluation = true
        for (name, report) in reports {
            progress.message("step \(step)  \(name): \(report.summary)")
            row.further += report.measures(prefix: name)
        }
        if isNew {
            try keep(from: step) {
                try files.write(row)
                try files.write(examples: RetrievedExamples(step: step, sets: examples))
            }
        }
        lastStep = ContinuousClock().now
    }

    /// Writes what belongs to a step, or says once that it cannot be written where that may be.
    private func keep(from step: Int, _ body: () throws -> Void) throws {
        do { try body() } catch let failure as Failure where rowsMayBeLost {
            if !hasLostRows { warn("rows of metrics are lost from step \(step) on: \(failure.message)") }
            hasLostRows = true
        }
    }

    /// What checkpoints cost, for the next row: seconds that training stood still, and that the last one took to be written.
    func checkpoint(stall: Double, write: Double?) {
        checkpointSeconds.stall += stall
        checkpointSeconds.write = write ?? checkpointSeconds.write
        resumeTiming(by: stall)
    }

    private func checkpointMeasures() -> [MetricsRow.Measure] {
        let (stall, write) = checkpointSeconds
        checkpointSeconds = (0, nil)
        return (stall > 0 ? [.init(key: "checkpoint_stall", value: stall)] : [])
            + (write.map { [.init(key: "checkpoint_write", value: $0)] } ?? [])
    }

    /// Waits until the rows so far are on the disk.
    func flush() throws { try files?.flush() }

    /// Time that does not count for the rate: what came before the first step.
    func resumeTiming() { lastStep = ContinuousClock().now }

    /// The same for a checkpoint.
    private func resumeTiming(by stall: Double) { lastStep += .seconds(stall) }

    func finish() { progress.finish() }
}

/// swift-log's output through the progress line, so that a warning does not tear the bar.
private struct ProgressLogHandler: LogHandler, @unchecked Sendable {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    let write: (String) -> Void

    init(_ write: @escaping (String) -> Void) { self.write = write }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { write("\(event.level): \(event.message)") }
}
