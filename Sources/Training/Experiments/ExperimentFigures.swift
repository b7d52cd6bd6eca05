// The charts of one measure of an experiment. Not here: their page (ExperimentPage.swift), tables (ExperimentNumbers.swift).

import Reports

extension ExperimentResults.Measure {
    var style: NumberStyle { isShare ? .percent : .plain }
    var differenceStyle: NumberStyle { isShare ? .points : .signed }
}

/// Arms with their intervals, against the baseline, and along what they vary in.
struct ExperimentFigures {
    let results: ExperimentResults
    let measure: ExperimentResults.Measure

    private typealias Arm = ExperimentResults.Arm
    private static let noise = "noise_to_signal"

    var figures: [Figure] { byArm + differences + alongAxis + alongNoise }

    private var baseline: ExperimentResults.Arm? { results.baseline.flatMap(results.arm) }

    /// Colours tell series apart; without series the baseline from the others.
    private var seriesNames: [String] {
        var names: [String] = []
        for name in results.arms.compactMap(\.series) where !names.contains(name) { names.append(name) }
        return names
    }

    private func slot(_ arm: Arm) -> Int {
        if arm.name == results.baseline { return 7 }
        return arm.series.flatMap { seriesNames.firstIndex(of: $0) }.map { $0 % 7 } ?? 0
    }

    private var direction: String {
        switch measure.greaterIsBetter {
        case true?: " More is better."
        case false?: " Less is better."
        case nil: ""
        }
    }

    private var byArm: [Figure] {
        let rows = results.arms.compactMap { arm -> DotChart.Row? in
            guard let summary = arm.summary(measure.key) else { return nil }
            return DotChart.Row(
                arm.label, summary.mean, low: summary.interval?.lower, high: summary.interval?.upper,
                observations: arm.cells.compactMap { $0.values[measure.key] }, slot: slot(arm))
        }
        let reference = baseline.flatMap { arm in
            arm.summary(measure.key).map { ($0.mean, "\(arm.label), the baseline") }
        }
        let chart = DotChart(axis: Axis(measure.label, style: measure.style), rows: rows, reference: reference)
        guard !chart.isEmpty else { return [] }
        return [
            Figure(
                "\(measure.label) by arm",
                caption: "Means with their intervals; each small dot is one seed.\(direction)", chart)
        ]
    }

    private var differences: [Figure] {
        guard let baseline else { return [] }
        let rows = results.arms.compactMap { arm -> DotChart.Row? in
            guard let difference = arm.summary(measure.key)?.difference else { return nil }
            let paired = arm.cells.compactMap { cell -> Double? in
                guard let value = cell.values[measure.key],
                    let other = baseline.cells.first(where: { $0.seed == cell.seed })?.values[measure.key]
                else { return nil }
                return value - other
            }
            return DotChart.Row(
                arm.label, difference.mean, low: difference.interval.lower, high: difference.interval.upper,
                observations: paired, slot: slot(arm))
        }
        let chart = DotChart(
            axis: Axis("difference to \(baseline.label)", style: measure.differenceStyle), rows: rows,
            reference: (0, "no difference"))
        guard !chart.isEmpty else { return [] }
        return [
            Figure(
                "\(measure.label): difference to \(baseline.label)",
                caption:
                    "Paired seed by seed. An interval that holds 0 shows no difference; one that does not shows one where the verdict, "
                    + "which asks Student's interval too, is not \u{201c}unclear\u{201d}.\(direction)", chart)
        ]
    }

    // MARK: Along an axis

    private var alongAxis: [Figure] {
        guard let axis = results.axis else { return [] }
        let places = results.arms.compactMap(\.x)
        let scale: ScaleKind
        if axis.isLogarithmic {
            let least = places.map(abs).filter { $0 > 0 }.min() ?? 1
            scale = places.contains { $0 <= 0 } ? .symmetricLogarithmic(threshold: least) : .logarithmic
        } else {
            scale = .linear
        }
        // What has no place on the axis is a level to compare with.
        let levels = results.arms.filter { $0.x == nil }.compactMap { arm -> LineChart.Mark? in
            guard let summary = arm.summary(measure.key) else { return nil }
            guard let interval = summary.interval else { return .line(summary.mean, name: arm.label) }
            return .zone(interval.lower, interval.upper, name: arm.label)
        }
        return chart(
            "\(measure.label) against \(axis.label)", caption: "Means with their intervals over seeds.\(direction)",
            Axis(axis.label, scale: scale), marks: levels
        ) { $0.x }
    }

    /// Against the noise as it turned out: equal strengths of different shapes are not equal noise.
    private var alongNoise: [Figure] {
        guard measure.key != Self.noise, results.axis?.key != Self.noise else { return [] }
        let levels = baseline.flatMap { arm -> [LineChart.Mark]? in
            guard arm.summary(Self.noise) == nil, let summary = arm.summary(measure.key) else { return nil }
            return [
                summary.interval.map { .zone($0.lower, $0.upper, name: arm.label) }
                    ?? .line(summary.mean, name: arm.label)
            ]
        }
        let values = results.arms.compactMap { $0.summary(Self.noise)?.mean }
        guard let greatest = values.max(), let least = values.filter({ $0 > 0 }).min(), values.count > 1 else {
            return []
        }
        let isWide = greatest / least > 20
        let scale: ScaleKind =
            !isWide ? .linear : values.contains { $0 <= 0 } ? .symmetricLogarithmic(threshold: least) : .logarithmic
        return chart(
            "\(measure.label) against realised noise",
            caption: "Each arm at the ‖noise‖ / ‖x‖ that it came to.\(direction)",
            Axis("‖noise‖ / ‖x‖", scale: scale, style: .percent), marks: levels ?? []
        ) { $0.summary(Self.noise)?.mean }
    }

    private func chart(
        _ heading: String, caption: String, _ axis: Axis, marks: [LineChart.Mark], _ place: (Arm) -> Double?
    ) -> [Figure] {
        let names: [String?] = seriesNames.isEmpty ? [nil] : seriesNames.map { $0 } + [nil]
        var series: [LineChart.Series] = []
        for (index, name) in names.enumerated() {
            let arms = results.arms.filter { $0.series == name }
            let known = arms.compactMap { arm in
                place(arm).flatMap { x in arm.summary(measure.key).map { (x, $0, arm) } }
            }
            .sorted { $0.0 < $1.0 }
            guard !known.isEmpty else { continue }
            let label = name ?? (seriesNames.isEmpty ? measure.label : "others")
            let points = known.map { x, summary, _ in
                LineChart.Point(x, summary.mean, low: summary.interval?.lower, high: summary.interval?.upper)
            }
            series.append(.init(label, points, slot: index % 7, form: .points))
            let predicted = known.compactMap { x, summary, _ in summary.predicted.map { LineChart.Point(x, $0) } }
            if !predicted.isEmpty {
                series.append(.init("\(label), predicted", predicted, slot: index % 7, form: .brokenLine))
            }
        }
        let chart = LineChart(x: axis, y: Axis(measure.label, style: measure.style), series: series, marks: marks)
        guard !chart.isEmpty else { return [] }
        return [Figure(heading, caption: caption, chart)]
    }
}
