// The files that a run's numbers go to: metrics.jsonl, spectra.jsonl, examples.json, and the event file for TensorBoard. Not here: when
// they are written (RunLog), the formats.

import Datasets
import FANoise
import Foundation
import Pictures
import Reports
import TensorBoard

/// What a run leaves for those who look at it. Used by rank 0 alone.
final class RunRecords {
    private let folder: RunFolder
    private let metrics: MetricsWriter
    private let spectra: MetricsWriter
    private let events: EventWriter?
    /// Steps between the spectra that are kept.
    private let spectraEvery: Int

    /// Spectra of about this many steps are kept of a run, however long.
    private static let keptSpectra = 400

    /// - Parameter resumedStep: the step that training continues from; what the files say of later ones is dropped, or superseded.
    /// - Parameter repeatsEvaluation: whether that step is evaluated again.
    init(folder: RunFolder, settings: RunConfig.Log, resumedStep: Int, repeatsEvaluation: Bool, steps: Int) throws {
        self.folder = folder
        metrics = try MetricsWriter(
            path: folder.metrics, resumedStep: resumedStep, repeatsEvaluation: repeatsEvaluation)
        spectra = try MetricsWriter(path: folder.spectra, resumedStep: resumedStep)
        events = settings.tensorboard ? try EventWriter(folder: folder.path, firstStep: resumedStep + 1) : nil
        spectraEvery = Self.spectraEvery(logEvery: settings.every, steps: steps)
        // Of another run that was here; none is no mistake.
        if resumedStep == 0 { unlink(folder.examples) }
    }

    /// A multiple of the steps between rows.
    static func spectraEvery(logEvery: Int, steps: Int) -> Int {
        logEvery * max(1, (steps / logEvery + keptSpectra - 1) / keptSpectra)
    }

    /// A row of metrics.
    func write(_ row: MetricsRow) throws {
        try metrics.write(row)
        try events?.write(row.summaries, step: row.step)
    }

    /// The spectra of a step's batch, every so many steps.
    func write(spectra report: StepReport) throws {
        guard report.step % spectraEvery == 0 || report.step == 1 else { return }
        var summaries: [Summary] = []
        for (side, noise) in [("query", report.queryNoise), ("target", report.targetNoise)] {
            guard let noise, let spectrum = noise.spectrum,
                let record = SpectrumRecord(noise, side: side, step: report.step)
            else { continue }
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            try spectra.write(line: String(decoding: try encoder.encode(record), as: UTF8.self))
            let logarithms = spectrum.singularValues.prefix(spectrum.dimension).map { log10($0) }
            summaries += Histogram(logarithms).map { [Summary("\(side)/log10_singular_value", .histogram($0))] } ?? []
        }
        try events?.write(summaries, step: report.step)
    }

    /// What the questions of an evaluation found, in place of what earlier ones did.
    func write(examples: RetrievedExamples) throws {
        guard examples.sets.contains(where: { !$0.examples.isEmpty }) else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try RunFolder.write(try encoder.encode(examples), to: folder.examples)
        guard let events else { return }
        let pictures = examples.sets.compactMap { set -> Summary? in
            guard let sheet = set.contactSheet, let png = try? sheet.pngData() else { return nil }
            return Summary("\(set.name)/found", .picture(png: Array(png), width: sheet.width, height: sheet.height))
        }
        try events.write(pictures, step: examples.step)
    }

    /// Waits until all is on the disk.
    func flush() throws {
        try metrics.flush()
        try spectra.flush()
        try events?.flush()
    }
}

extension MetricsRow {
    /// Every number of the row that is known: `train/loss`, `seconds/forward`, `unseen/query_to_target.mrr`.
    var summaries: [Summary] {
        let fixed = [
            ("epoch", epoch), ("loss", loss), ("precision_at_1", precisionAt1), ("temperature", temperature),
            ("learning_rate", learningRate), ("gradient_norm", gradientNorm), ("noise_to_signal", noiseToSignal),
            ("samples_per_second", samplesPerSecond), ("gemm_utilisation", gemmUtilisation),
        ]
        let phases = seconds.total == 0 ? [] : StepPhase.allCases.map { ("seconds/\($0.rawValue)", seconds[$0]) }
        let others = further.map { measure in
            let parts = measure.key.split(separator: ".", maxSplits: 1)
            return (parts.count == 2 ? "\(parts[0])/\(parts[1])" : "train/\(measure.key)", measure.value)
        }
        return (fixed.map { ("train/\($0.0)", $0.1) } + phases + others).filter { $0.1.isFinite }.map {
            Summary($0.0, .scalar($0.1))
        }
    }
}

extension SpectrumRecord {
    /// Nil without a spectrum.
    init?(_ noise: NoiseReport, side: String, step: Int) {
        guard let spectrum = noise.spectrum, let gains = noise.gains, !spectrum.singularValues.isEmpty else {
            return nil
        }
        self.init(
            step: step, side: side, rows: spectrum.rows, columns: spectrum.columns, strength: Double(noise.strength),
            effectiveRank: spectrum.effectiveRank, singularValues: spectrum.singularValues, gains: gains.resolved,
            rest: gains.rest)
    }
}

extension ExampleSet {
    /// Texts with the pictures they find; nil where no text asks for pictures, or none can be drawn on this machine.
    var contactSheet: Picture? {
        let rows = examples.compactMap { example -> ContactSheet.Row? in
            guard case .text(let caption) = example.question else { return nil }
            let cells = example.results.compactMap { result in
                PictureLocation(result.content).flatMap { try? Picture.read($0) }.map {
                    ContactSheet.Cell($0, result.isRight ? .right : .wrong)
                }
            }
            guard !cells.isEmpty else { return nil }
            let detail = example.place == 1 ? "found" : "its picture is number \(example.place)"
            return ContactSheet.Row(caption: caption, detail: detail, cells: cells)
        }
        guard !rows.isEmpty else { return nil }
        return try? ContactSheet(title: name, rows: rows).picture()
    }
}
