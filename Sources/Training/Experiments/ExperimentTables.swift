// Results as words, tables and CSV. Not here: charts and the report.

import Foundation

extension ExperimentResults.Measure {
    /// Digits after the point that tell values apart.
    private func digits(_ value: Double) -> Int {
        isShare || abs(value) >= 10 ? 1 : abs(value) >= 0.1 || value == 0 ? 3 : 4
    }

    /// A value as people read it: shares as per cent.
    public func text(_ value: Double) -> String {
        ProgressLine.decimal(isShare ? 100 * value : value, digits(value))
    }

    /// A difference, with its sign.
    public func difference(_ value: Double) -> String {
        let text = text(abs(value))
        return value > 0 ? "+\(text)" : value < 0 ? "−\(text)" : text
    }

    /// What differences are counted in.
    public var unit: String { isShare ? " points" : "" }
}

extension ExperimentResults.Difference {
    /// The verdict in a few words, for tables.
    func verdictWords(_ measure: ExperimentResults.Measure) -> String {
        switch verdict {
        case .none: "no difference seen (could miss \(measure.text(detectable)))"
        case .unclear: "unclear" + (seeds.map { " with \(counted($0, "seed"))" } ?? "")
        case .better, .worse, .different: verdict.rawValue
        }
    }

    func sentence(_ measure: ExperimentResults.Measure, confidence: Double) -> String {
        let percent = ProgressLine.decimal(100 * confidence, 0)
        let range =
            "\(measure.difference(mean))\(measure.unit), \(percent) % interval \(measure.difference(interval.lower)) to "
            + measure.difference(interval.upper)
        switch verdict {
        case .none:
            return
                "no difference seen: \(range); one of \(measure.text(detectable))\(measure.unit) would have been seen four times in five"
        case .unclear:
            let student =
                self.student.map {
                    "; Student's interval over the seeds, \(measure.difference($0.lower)) to \(measure.difference($0.upper)), holds 0"
                } ?? "; one seed decides nothing"
            return "\(verdictWords(measure)): \(range)\(student)"
        case .better: return "better: \(range)"
        case .worse: return "worse: \(range)"
        case .different: return "different: \(range)"
        }
    }
}

extension ExperimentResults {
    /// Settings that are the same as `--set` would have them.
    fileprivate static func settings(_ arm: Arm) -> String {
        arm.settings.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }

    /// Tables in Markdown: one of each compared measure, an arm a row.
    public var markdown: String {
        var text = ""
        for measure in measures {
            let percent = ProgressLine.decimal(100 * confidence, 0)
            text += "\(measure.label)\(measure.isShare ? ", %" : "")\n\n"
            let heads =
                ["arm", "mean [\(percent) %]"]
                + (isCompared(measure) ? ["minus \(baseline ?? "–") [\(percent) %]", "verdict"] : [])
                + ["noise / signal"]
            text += "| \(heads.joined(separator: " | ")) |\n|\(String(repeating: "---|", count: heads.count))\n"
            for arm in arms { text += row(arm, measure) }
            text += "\n"
        }
        let failures = arms.flatMap { arm in
            arm.cells.compactMap { cell in cell.failure.map { "- \(arm.name), seed \(cell.seed): \($0)\n" } }
        }
        if !failures.isEmpty { text += "Runs that ended early:\n\n" + failures.joined() + "\n" }
        let runs = arms.reduce(0) { $0 + $1.cells.count }
        return text
            + "\(counted(runs, "run")), \(counted(seeds.count, "seed")), "
            + "\(ProgressLine.decimal(seconds / 60, 0)) minutes of runs in all"
            + (missingCells == 0 ? "" : "; \(counted(missingCells, "run")) \(missingCells == 1 ? "is" : "are") missing")
            + ". `\(command)`\n"
            + (measures.contains(where: isCompared)
                ? "" : "\nNothing is compared: `baseline:` names the arm to compare with.\n")
    }

    /// Whether arms of a measure are compared, with one another or with a prediction.
    private func isCompared(_ measure: Measure) -> Bool {
        baseline != nil
            || arms.contains { arm in
                arm.summary(measure.key).map { $0.difference != nil || $0.predicted != nil } ?? false
            }
    }

    private func row(_ arm: Arm, _ measure: Measure) -> String {
        func range(_ interval: Interval?, _ text: (Double) -> String) -> String {
            interval.map { " [\(text($0.lower)), \(text($0.upper))]" } ?? ""
        }
        let isCompared = isCompared(measure)
        guard let summary = arm.summary(measure.key) else {
            return "| \(arm.label) | – |\(isCompared ? " | |" : "") |\n"
        }
        var difference = ("", "")
        if let found = summary.difference {
            difference = (
                measure.difference(found.mean) + range(found.interval, measure.difference)
                    + (arm.baseline.map { " (\($0))" } ?? ""),
                found.verdictWords(measure)
            )
        } else if let predicted = summary.predicted {
            difference = ("predicted \(measure.text(predicted))", "")
        }
        let noise = arm.summary("noise_to_signal").map { ProgressLine.decimal($0.mean, 3) } ?? ""
        let compared = isCompared ? " \(difference.0) | \(difference.1) |" : ""
        let mean = measure.text(summary.mean) + range(summary.interval, measure.text)
        return "| \(arm.label) | \(mean) |\(compared) \(noise) |\n"
    }

    /// One line for each cell, with all of its values.
    public var csv: String {
        let keys = Set(arms.flatMap { $0.cells.flatMap(\.values.keys) }).sorted()
        func field(_ text: String) -> String {
            text.contains { ",\"\n".contains($0) } ? "\"\(text.replacingOccurrences(of: "\"", with: "\"\""))\"" : text
        }
        var lines = [(["arm", "seed", "settings", "seconds", "failure"] + keys).map(field).joined(separator: ",")]
        for arm in arms {
            for cell in arm.cells {
                let head = [arm.name, "\(cell.seed)", Self.settings(arm), "\(cell.seconds)", cell.failure ?? ""]
                lines.append(
                    (head + keys.map { cell.values[$0].map { "\($0)" } ?? "" }).map(field).joined(separator: ","))
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
