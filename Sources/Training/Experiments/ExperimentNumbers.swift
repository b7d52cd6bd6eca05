// All numbers of an experiment as tables. Not here: charts (ExperimentFigures.swift).

import Reports

struct ExperimentNumbers {
    let results: ExperimentResults

    /// A row for each arm.
    func summary(_ measure: ExperimentResults.Measure) -> Table {
        let (plain, signed) = (measure.style, measure.differenceStyle)
        let hasPrediction = results.arms.contains { $0.summary(measure.key)?.predicted != nil }
        let isCompared = results.arms.contains { $0.summary(measure.key)?.difference != nil }
        let compared = ["difference", "interval", "Student's interval", "adjusted p", "detectable", "verdict"]
        let rows = results.arms.compactMap { arm -> [String]? in
            guard let summary = arm.summary(measure.key) else { return nil }
            var row = [
                arm.label, plain.text(summary.mean), deviation(summary.deviation, measure),
                interval(summary.interval, plain),
                "\(arm.cells.count { $0.values[measure.key] != nil })",
            ]
            if hasPrediction { row.append(summary.predicted.map { plain.text($0) } ?? "") }
            guard isCompared else { return row }
            guard let difference = summary.difference else { return row + Array(repeating: "", count: compared.count) }
            row += [signed.text(difference.mean), interval(difference.interval, signed)]
            row += [
                interval(difference.student, signed), NumberStyle.plain.text(difference.adjustedP ?? .nan, digits: 3),
            ]
            row += [plain.text(difference.detectable, digits: 3), difference.verdict.rawValue]
            return row
        }
        let heads =
            ["arm", "mean", "deviation", "interval", "seeds"] + (hasPrediction ? ["predicted"] : [])
            + (isCompared ? compared : [])
        return Table(
            heads, rows,
            note:
                "Deviation: standard deviation over seeds."
                + (isCompared
                    ? " Adjusted p: paired t test over seeds, Holm's adjustment over the arms. "
                        + "Detectable: the difference that four of five repetitions would have found. "
                        + "Verdict: better or worse where both intervals exclude 0; unclear where Student's alone does not."
                    : " Nothing is compared: the experiment names no baseline."))
    }

    /// Means of what was recorded beside the measures.
    var others: Table {
        var keys: [String] = []
        let known = Set(results.measures.map(\.key))
        for key in results.arms.flatMap({ $0.summaries.map(\.measure) })
        where !known.contains(key) && !keys.contains(key) {
            keys.append(key)
        }
        guard !keys.isEmpty else { return Table([], []) }
        return Table(
            ["arm"] + keys,
            results.arms.map { arm in
                [arm.label] + keys.map { arm.summary($0).map { NumberStyle.plain.text($0.mean) } ?? "" }
            })
    }

    /// A row for each run.
    var cells: Table {
        let rows = results.arms.flatMap { arm in
            arm.cells.map { cell in
                [arm.label, "\(cell.seed)"]
                    + results.measures.map { measure in cell.values[measure.key].map { measure.style.text($0) } ?? "" }
                    + [NumberStyle.seconds.text(cell.seconds, digits: 3), cell.folder, cell.failure ?? ""]
            }
        }
        return Table(["arm", "seed"] + results.measures.map(\.label) + ["time", "folder", "failure"], rows)
    }

    var settings: Table {
        Table(
            ["arm", "name", "settings"],
            results.arms.map { arm in
                [arm.label, arm.name, arm.settings.map { "\($0.key)=\($0.value)" }.joined(separator: "  ")]
            })
    }

    private func interval(_ interval: ExperimentResults.Interval?, _ style: NumberStyle) -> String {
        interval.map { "\(style.text($0.lower)) to \(style.text($0.upper))" } ?? ""
    }

    private func deviation(_ value: Double?, _ measure: ExperimentResults.Measure) -> String {
        value.map { measure.style.text($0, digits: 3) } ?? ""
    }
}
