// The figures of a run's page. Not here: their order (RunPage.swift), conclusions (Diagnostics.swift).

/// Charts of one run or several over each other.
struct RunFigures {
    let runs: [RunRecord]

    private var isOne: Bool { runs.count == 1 }
    private static let steps = Axis("step", style: .whole)

    /// Curves over steps of one number, one for each run that has it.
    /// - Parameters:
    ///   - sides: further numbers of the same kind, drawn as broken lines.
    ///   - scale: logarithmic where all values are positive and span more than a factor of 20.
    ///   - fullBatches: leaves out what short batches have, which is not comparable, and says so.
    func curves(
        _ heading: String, caption: String = "", _ names: [(key: String, name: String)], axis: Axis,
        spreads: Bool = false, fullBatches: Bool = false,
        marks: [LineChart.Mark] = []
    ) -> [Figure] {
        var axis = axis
        var hasShortBatches = false
        let series = runs.enumerated().flatMap { index, run in
            names.enumerated().compactMap { number, name -> LineChart.Series? in
                var values = run.metrics.curve(name.key)
                if fullBatches {
                    let full = run.metrics.fullBatchCurve(name.key)
                    if full.count < values.count { hasShortBatches = true }
                    values = full
                }
                guard !values.isEmpty else { return nil }
                let label = isOne ? name.name : names.count > 1 ? "\(run.name), \(name.name)" : run.name
                let slot = isOne ? number : index
                return .curve(label, values, slot: slot, form: number > 0 && !isOne ? .brokenLine : .line)
            }
        }
        let values = series.flatMap { $0.points.map(\.y) }
        if spreads, let least = values.min(), let greatest = values.max(), least > 0, greatest / least > 20 {
            axis.scale = .logarithmic
        }
        let chart = LineChart(x: Self.steps, y: axis, series: series, marks: marks)
        guard !chart.isEmpty else { return [] }
        let isThinned = series.contains { $0.points.contains { $0.low != nil } }
        let note = isThinned ? "Lines are means of neighbouring steps, bands their range." : ""
        let short = hasShortBatches ? "Short batches, at the ends of epochs, are left out." : ""
        return [Figure(heading, caption: [caption, short, note].filter { !$0.isEmpty }.joined(separator: " "), chart)]
    }

    var learning: [Figure] {
        let one = { (key: String) in [(key: key, name: "")] }
        return curves(
            "Loss", caption: "Training loss of the global batch.", one("loss"), axis: Axis("loss"), spreads: true,
            fullBatches: true)
            + curves(
                "Precision in the batch", caption: "Share of the batch's queries whose own target scores highest.",
                one("precision_at_1"), axis: Axis("Precision@1", style: .percent, includesZero: true, limits: 0...1),
                fullBatches: true)
            + curves("Temperature", one("temperature"), axis: Axis("temperature τ"))
            + curves("Learning rate", one("learning_rate"), axis: Axis("learning rate", includesZero: true))
            + curves(
                "Gradient norm", caption: "Of the global gradient, before clipping.", one("gradient_norm"),
                axis: Axis("norm"), spreads: true, marks: clip)
    }

    private var clip: [LineChart.Mark] {
        let limits = Set(runs.compactMap { $0.setting("optimizer.clip").flatMap(Double.init) })
        return limits.count == 1 ? limits.map { .line($0, name: "clipped above") } : []
    }

    // MARK: Evaluation

    /// Names of the held-out sets that the metrics know.
    var evaluationSets: [String] {
        let suffix = ".query_to_target.precision_at_1"
        var seen: Set<String> = []
        return runs.flatMap(\.metrics.names).filter { $0.hasSuffix(suffix) }.map { String($0.dropLast(suffix.count)) }
            .filter {
                seen.insert($0).inserted
            }
    }

    func evaluation(_ set: String) -> [Figure] {
        let share = Axis("Precision@1", style: .percent, includesZero: true, limits: 0...1)
        let both = { (measure: String) in
            [
                (key: "\(set).query_to_target.\(measure)", name: "query → target"),
                (key: "\(set).target_to_query.\(measure)", name: "target → query"),
            ]
        }
        return curves(
            "\(set): Precision@1", caption: "Share of held-out queries whose best-scored candidate is theirs.",
            both("precision_at_1"), axis: share)
            + curves(
                "\(set): Recall@5", both("recall_at_5"),
                axis: Axis("Recall@5", style: .percent, includesZero: true, limits: 0...1))
            + plane(set)
            + curves(
                "\(set): effective rank", caption: "Of the held-out query embeddings.",
                [(key: "\(set).effective_rank", name: "")], axis: Axis("effective rank", includesZero: true))
    }

    /// Alignment and uniformity of each evaluation, joined in their order.
    private func plane(_ set: String) -> [Figure] {
        let series = runs.enumerated().compactMap { index, run -> LineChart.Series? in
            let points = run.metrics.rows.compactMap { row -> LineChart.Point? in
                guard let x = row.values["\(set).uniformity"], let y = row.values["\(set).alignment"] else {
                    return nil
                }
                return LineChart.Point(x, y, label: "step \(NumberStyle.whole.text(Double(row.step)))")
            }
            guard points.count > 0 else { return nil }
            // Only the ends are named: the others follow the line.
            let named = points.enumerated().map { place, point -> LineChart.Point in
                let isEnd = place == points.count - 1 || (place == 0 && isOne)
                return isEnd ? point : LineChart.Point(point.x, point.y)
            }
            return LineChart.Series(isOne ? "evaluations" : run.name, named, slot: index, form: .points)
        }
        let chart = LineChart(x: Axis("uniformity"), y: Axis("alignment"), series: series)
        guard !chart.isEmpty else { return [] }
        return [
            Figure(
                "\(set): alignment and uniformity",
                caption:
                    "Alignment is the mean squared distance of positive pairs, uniformity how evenly the embeddings fill the sphere. "
                    + "Both are better when lower: good models move down and left.", chart)
        ]
    }

    // MARK: Noise

    var noise: [Figure] {
        let sides = { (measure: String) in
            [(key: "query.\(measure)", name: "queries"), (key: "target.\(measure)", name: "targets")]
        }
        return curves(
            "Noise to signal", caption: "‖noise‖ / ‖x‖ as realised over the global batch.", sides("noise_to_signal"),
            axis: Axis("‖noise‖ / ‖x‖", style: .percent, includesZero: true))
            + curves(
                "Direction kept", caption: "Mean cosine of representations before and after the noise.",
                sides("cosine"),
                axis: Axis("cos(x, x̃)", limits: -1...1))
            + curves(
                "Effective rank of the batch",
                caption: "Number of directions that share the spectrum evenly; a fall to near 1 is collapse.",
                sides("effective_rank"), axis: Axis("effective rank", includesZero: true), fullBatches: true)
            + curves(
                "Row norm", caption: "Root mean square length of representations where the noise is added.",
                sides("row_norm"), axis: Axis("‖x‖", includesZero: true))
    }

    // MARK: Speed

    static let phases = ["data", "forward", "spectrum", "noise", "loss", "backward", "communication", "optimizer"]

    /// Median seconds of each phase, over the rows that were timed; without the first, a cold start, where there are others.
    static func phaseMedians(_ run: RunRecord) -> [Double] {
        phases.map { phase in
            let seconds = run.metrics.curve("seconds.\(phase)").map(\.value)
            return median(seconds.count > 1 ? Array(seconds.dropFirst()) : seconds) ?? .nan
        }
    }

    static func median(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.sorted()[values.count / 2]
    }

    var speed: [Figure] {
        let bars = StackedBars(
            parts: Self.phases, bars: runs.map { .init($0.name, Self.phaseMedians($0)) }, style: .seconds)
        let time =
            bars.isEmpty
            ? []
            : [
                Figure(
                    "Where a step's time goes",
                    caption:
                        "Median seconds by phase on rank 0. Communication that other work hides is in that work's time.",
                    bars)
            ]
        let one = { (key: String) in [(key: key, name: "")] }
        return time
            + curves("Throughput", one("samples_per_second"), axis: Axis("pairs per second", includesZero: true))
            + curves(
                "Use of the matrix-product peak",
                caption:
                    "Floating-point operations of a step over what the machine's matrix products could do in its time.",
                one("gemm_utilisation"), axis: Axis("share of peak", style: .percent, includesZero: true))
            + curves(
                "Memory", caption: "Largest so far, of rank 0's process.", one("peak_memory_bytes"),
                axis: Axis("memory", style: .bytes, includesZero: true))
            + curves(
                "Seconds by phase", caption: "The phases that take most of a step.", longestPhases,
                axis: Axis("seconds", style: .seconds, includesZero: true))
    }

    /// For one run, phases of at least 2 % of the step.
    private var longestPhases: [(key: String, name: String)] {
        guard isOne else { return [] }
        let medians = Self.phaseMedians(runs[0]).map(StackedBars.amount)
        let total = medians.reduce(0, +)
        return zip(Self.phases, medians).filter { $0.1 >= total * 0.02 && $0.1 > 0 }.map {
            (key: "seconds.\($0.0)", name: $0.0)
        }
    }
}
