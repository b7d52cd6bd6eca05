// What a run's numbers mean, in words. Not here: the numbers (MetricsTable.swift), charts.

/// Remarks on one run, the most important ones first in each group.
struct Diagnostics {
    let run: RunRecord

    private var metrics: MetricsTable { run.metrics }

    var remarks: [Page.Remark] {
        run.remarks.map { Page.Remark(.warning, $0) } + progress + quality + noise + stability + time
    }

    private func curve(_ name: String) -> [(step: Int, value: Double)] { metrics.curve(name) }
    private func whole(_ value: Int) -> String { NumberStyle.whole.text(Double(value)) }
    private func percent(_ value: Double) -> String { NumberStyle.percent.text(value, digits: 3) }
    private func plain(_ value: Double) -> String { NumberStyle.plain.text(value, digits: 3) }

    // MARK: Progress

    private var progress: [Page.Remark] {
        guard let step = metrics.rows.last?.step else { return [] }
        var result: [Page.Remark] = []
        let planned = run.setting("steps").flatMap { Int($0) }
        if run.isDone {
            result.append(.init(.good, "All \(whole(planned ?? step)) steps are done."))
        } else if let planned, step < planned {
            result.append(
                .init(
                    .note,
                    "The metrics end at step \(whole(step)) of \(whole(planned)): the run is going on, or was stopped.")
            )
        }
        if let skipped = metrics.last("skipped_rows"), skipped > 0 {
            result.append(
                .init(
                    .warning,
                    "\(NumberStyle.whole.text(skipped)) rows of the training data could not be read and were left out.")
            )
        }
        return result
    }

    // MARK: Quality

    private var quality: [Page.Remark] {
        let sets = RunFigures(runs: [run]).evaluationSets
        return sets.flatMap { set -> [Page.Remark] in
            let curve = curve("\(set).query_to_target.precision_at_1")
            guard let last = curve.last, let first = curve.first else { return [] }
            // The first of equals, as best.json has it.
            let best = curve.dropFirst().reduce(first) { $1.value > $0.value ? $1 : $0 }
            var result: [Page.Remark] = []
            let isBest = last.step == best.step
            let words = isBest ? "its best so far" : "its best was \(percent(best.value)) at step \(whole(best.step))"
            result.append(
                .init(
                    isBest ? .good : .note,
                    "\(set): Precision@1 \(percent(last.value)) at step \(whole(last.step)), \(words)."))
            if let overfitting = overfitting(set, best: best, last: last) { result.append(overfitting) }
            if let collapse = collapse(set) { result.append(collapse) }
            return result
        }
    }

    /// The held-out score fell by more than a tenth of its best while the training loss went on falling.
    private func overfitting(_ set: String, best: (step: Int, value: Double), last: (step: Int, value: Double)) -> Page
        .Remark?
    {
        let losses = metrics.fullBatchCurve("loss")
        let then = losses.filter { $0.step <= best.step }.suffix(10).map(\.value)
        let now = losses.suffix(10).map(\.value)
        guard last.step > best.step, last.value < best.value * 0.9, let before = RunFigures.median(then),
            let after = RunFigures.median(now), after < before
        else { return nil }
        return .init(
            .warning,
            "\(set): sign of overfitting. Since step \(whole(best.step)) the training loss fell from \(plain(before)) to \(plain(after)) "
                + "while Precision@1 fell from \(percent(best.value)) to \(percent(last.value)); stop earlier, or regularise more."
        )
    }

    /// The held-out queries lie in few of the directions that there are. Rows and dimensions are those that the run's files tell.
    private func collapse(_ set: String) -> Page.Remark? {
        guard let rank = metrics.last("\(set).effective_rank") else { return nil }
        let rows = run.examples?.sets.first { $0.name == set }?.examples.map(\.candidates).max()
        let columns = run.setting("model.embedding").flatMap { Int($0) } ?? run.spectra.last?.columns
        let known = [rows, columns].compactMap { $0 }
        let possible = known.count == 2 ? min(known[0], known[1]) : CollapseRule.leastPossible
        guard CollapseRule.holds(rank, of: possible) else { return nil }
        return .init(
            .warning,
            "\(set): the embeddings of the queries have collapsed: effective rank \(plain(rank)); \(CollapseRule.remedy)."
        )
    }

    // MARK: Noise

    private var noise: [Page.Remark] {
        var result: [Page.Remark] = []
        if let ratio = metrics.last("noise_to_signal") {
            let size = "The noise has \(percent(ratio)) of the representations' length"
            let cosines = ["query", "target"].compactMap { metrics.last("\($0).cosine") }
            let kept =
                cosines.isEmpty
                ? "" : "; the mean cosine to the clean ones is \(plain(cosines.reduce(0, +) / Double(cosines.count)))"
            result.append(.init(.note, "\(size)\(kept)."))
            if ratio < 0.01 {
                result.append(.init(.note, "Noise this weak is unlikely to change anything measurable."))
            } else if ratio > 0.5 {
                result.append(
                    .init(
                        .warning,
                        "Noise this strong hides much of the signal: lower the strength unless that is the experiment.")
                )
            }
        } else if let scaling = run.setting("noise.scaling") {
            let reason = scaling == "none" ? "noise.scaling is none" : "no row tells of any"
            result.append(.init(.note, "There was no noise: \(reason)."))
        }
        for (side, name) in [("query", "queries"), ("target", "targets")] { result += spectrum(side, name) }
        return result
    }

    private func spectrum(_ side: String, _ name: String) -> [Page.Remark] {
        var result: [Page.Remark] = []
        let ranks = metrics.fullBatchCurve("\(side).effective_rank")
        if let last = ranks.last, let best = ranks.max(by: { $0.value < $1.value }) {
            let hasCollapsed = last.value < best.value / 4 || (last.value < 1.5 && best.value > 2)
            if hasCollapsed {
                result.append(
                    .init(
                        .warning,
                        "Collapse: the effective rank of the \(name) is \(plain(last.value)), it was \(plain(best.value)) at step "
                            + "\(whole(best.step)). Lower optimizer.learning_rate or lengthen "
                            + "optimizer.schedule.warmup; then lower noise.strength, or set noise.center: true or noise.energy: matched."
                    ))
            } else {
                result.append(
                    .init(.note, "The effective rank of the \(name) is \(plain(last.value)) in the last batch."))
            }
        }
        if let record = run.spectra.last(where: { $0.side == side }), record.strength > 0 {
            let hidden = record.singularValues.count { $0 <= record.threshold }
            // Of thinned spectra only the last direction above the threshold is known.
            let above =
                zip(record.directions, record.singularValues).filter { $0.1 > record.threshold }.map(\.0).max() ?? 0
            let order = min(record.rows, record.columns)
            if hidden > 0 {
                result.append(
                    .init(
                        2 * above < order ? .warning : .note,
                        "About \(percent(1 - Double(above) / Double(order))) of the directions of the \(name) lie under the detection "
                            + "threshold \(plain(record.threshold))."))
            }
        }
        let norms = curve("\(side).row_norm")
        if let first = norms.first?.value, let last = norms.last?.value, first > 0, last > 10 * first {
            result.append(
                .init(
                    .warning,
                    "The representations of the \(name) have grown from \(plain(first)) to \(plain(last)): a fixed strength means ever less; "
                        + "use noise.features: unit."))
        }
        return result
    }

    // MARK: Stability

    private var stability: [Page.Remark] {
        var result: [Page.Remark] = []
        let norms = curve("gradient_norm")
        if let median = RunFigures.median(norms.map(\.value)), let worst = norms.max(by: { $0.value < $1.value }),
            median > 0,
            norms.count >= 20, worst.value > 10 * median
        {
            result.append(
                .init(
                    .note,
                    "The gradient's norm reached \(plain(worst.value)) at step \(whole(worst.step)), \(plain(worst.value / median)) times its median."
                ))
        }
        if let last = metrics.last("temperature"),
            let least = run.setting("loss.temperature.minimum").flatMap(Double.init),
            let greatest = run.setting("loss.temperature.maximum").flatMap(Double.init),
            run.setting("loss.temperature.learned") == "true"
        {
            let bound = last <= least * 1.001 ? "lower" : last >= greatest * 0.999 ? "upper" : nil
            if let bound {
                result.append(.init(.warning, "The temperature, \(plain(last)), is at its \(bound) bound."))
            }
        }
        return result
    }

    // MARK: Time

    private var time: [Page.Remark] {
        var result: [Page.Remark] = []
        let medians = RunFigures.phaseMedians(run).map(StackedBars.amount)
        let total = medians.reduce(0, +)
        if total > 0 {
            let shares = Dictionary(zip(RunFigures.phases, medians.map { $0 / total })) { $1 }
            let noise = shares["spectrum", default: 0] + shares["noise", default: 0]
            result.append(
                .init(
                    .note,
                    "A step takes \(NumberStyle.seconds.text(total, digits: 3)): \(percent(noise)) of it for spectrum and noise, "
                        + "\(percent(shares["communication", default: 0])) waiting for communication and slower ranks, "
                        + "\(percent(shares["data", default: 0])) waiting for data."))
            // The first step's rows come from cold files.
            if shares["data", default: 0] > 0.1, curve("seconds.data").count > 3 {
                result.append(
                    .init(
                        .warning,
                        "Steps wait for data: raise data.prefetch or data.cache, or make the pictures smaller."))
            }
        }
        let rates = curve("samples_per_second").map(\.value)
        if let median = RunFigures.median(rates) {
            let use = RunFigures.median(curve("gemm_utilisation").map(\.value)).map {
                ", \(percent($0)) of the matrix-product peak in use"
            }
            result.append(.init(.note, "\(plain(median)) pairs a second\(use ?? "") (medians)."))
            let quarter = rates.count / 4
            if quarter >= 5, let early = RunFigures.median(Array(rates.prefix(quarter))),
                let late = RunFigures.median(Array(rates.suffix(quarter))), late < 0.7 * early
            {
                result.append(
                    .init(
                        .warning,
                        "The run became slower: \(plain(early)) pairs a second in its first quarter, \(plain(late)) in its last."
                    ))
            }
        }
        return result
    }
}
