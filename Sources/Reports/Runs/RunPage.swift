// The page of one run, or of several over each other: what stands where. Not here: figures, conclusions, markup.

public import Foundation

/// Makes a report of runs.
public struct RunPage {
    private var runs: [RunRecord]
    private let thumbnail: Thumbnail

    /// - Parameters:
    ///   - runs: at least one.
    ///   - thumbnail: gives small pictures of examples.
    public init(_ runs: [RunRecord], thumbnail: @escaping Thumbnail = { _ in nil }) {
        precondition(!runs.isEmpty, "a report of no runs")
        self.runs = runs
        self.runs.distinguishNames()
        self.thumbnail = thumbnail
    }

    private var isOne: Bool { runs.count == 1 }

    public var page: Page {
        var page = Page(title: isOne ? runs[0].name : "\(runs.count) runs", subtitle: subtitle)
        page.add("In short", summary)
        page.add("In words", runs.flatMap(words))
        let figures = RunFigures(runs: runs)
        page.add("Learning", [.figures(figures.learning)])
        page.add("Held-out sets", [.figures(figures.evaluationSets.flatMap(figures.evaluation))])
        page.add("Noise", [.figures(figures.noise)])
        for run in runs {
            page.add(heading("Spectrum", run), [.figures(SpectrumFigures(spectra: run.spectra).figures)])
        }
        for run in runs { page.add(heading("What it finds", run), examples(run)) }
        page.add("Time and memory", [.figures(figures.speed)])
        page.add("Settings", settings)
        return page
    }

    private func heading(_ words: String, _ run: RunRecord) -> String { isOne ? words : "\(words): \(run.name)" }

    private var subtitle: String {
        guard isOne else { return runs.map(\.name).joined(separator: " · ") }
        let run = runs[0]
        let parts = [
            run.setting("noise.scaling").map { scaling in
                scaling == "none" ? "no noise" : "\(scaling) noise, α = \(run.setting("noise.strength") ?? "?")"
            }, run.setting("batch.global").map { "global batch \($0)" }, run.setting("seed").map { "seed \($0)" },
            run.path,
        ]
        return parts.compactMap { $0 }.joined(separator: " · ")
    }

    // MARK: Summary

    private var summary: [Page.Item] {
        guard isOne else { return [.table(comparison, summary: nil)] }
        let facts = facts(of: runs[0]).map { fact -> HTML in
            "<div><dt>\(fact.name)</dt><dd>\(fact.value)<small>\(fact.detail)</small></dd></div>\n"
        }
        return [.markup(facts.isEmpty ? "" : "<dl class=\"facts\">\(facts)</dl>\n")]
    }

    private struct Fact {
        var name: String
        var value: String
        var detail = ""
    }

    private func facts(of run: RunRecord) -> [Fact] {
        let metrics = run.metrics
        var facts: [Fact] = []
        if let step = metrics.rows.last?.step {
            let steps = run.setting("steps").flatMap { Double($0) }
            facts.append(
                Fact(
                    name: "Steps", value: NumberStyle.whole.text(Double(step)),
                    detail: steps.map { "of \(NumberStyle.whole.text($0))" } ?? ""))
        }
        if let last = metrics.fullBatchCurve("loss").last {
            let isLast = last.step == metrics.curve("loss").last?.step
            facts.append(
                Fact(
                    name: "Training loss", value: NumberStyle.plain.text(last.value),
                    detail: isLast ? "last row" : "last full batch"))
        }
        for set in RunFigures(runs: [run]).evaluationSets {
            let measure = { (direction: String) in
                metrics.last("\(set).\(direction).precision_at_1").map { NumberStyle.percent.text($0, digits: 3) }
                    ?? "–"
            }
            facts.append(
                Fact(
                    name: "\(set): Precision@1", value: measure("query_to_target"),
                    detail: "other way \(measure("target_to_query"))"))
        }
        if let ratio = metrics.last("noise_to_signal") {
            facts.append(
                Fact(name: "Noise to signal", value: NumberStyle.percent.text(ratio, digits: 3), detail: "last row"))
        }
        if let rate = RunFigures.median(metrics.curve("samples_per_second").map(\.value)) {
            facts.append(
                Fact(name: "Pairs per second", value: NumberStyle.plain.text(rate, digits: 3), detail: "median"))
        }
        return facts
    }

    /// The facts of all runs side by side.
    private var comparison: Table {
        let all = runs.map(facts)
        var names: [String] = []
        for name in all.flatMap({ $0.map(\.name) }) where !names.contains(name) { names.append(name) }
        let rows = zip(runs, all).map { run, facts in
            [run.name] + names.map { name in facts.first { $0.name == name }?.value ?? "–" }
        }
        return Table(["run"] + names, rows)
    }

    private func words(_ run: RunRecord) -> [Page.Item] {
        let remarks = Page.Item.list(Diagnostics(run: run).remarks)
        return isOne ? [remarks] : [.markup("<h3>\(run.name)</h3>\n"), remarks]
    }

    // MARK: Examples and settings

    private func examples(_ run: RunRecord) -> [Page.Item] {
        guard let examples = run.examples else { return [] }
        return examples.sets.filter { !$0.examples.isEmpty }.flatMap { set -> [Page.Item] in
            [
                .markup("<h3>\(set.name), step \(NumberStyle.whole.text(Double(examples.step)))</h3>\n"),
                .words(
                    "Questions evenly spaced over the set, each with its best-scored candidates; what belongs to it is marked ✓."
                ),
                .markup(set.markup(thumbnail)),
            ]
        }
    }

    private var settings: [Page.Item] {
        let tables = runs.map { run in
            Page.Item.table(
                Table(["key", "value"], run.settings.map { [$0.key, $0.value] }),
                summary: isOne ? "All settings" : "All settings of \(run.name)")
        }
        guard !isOne else { return tables }
        let differences = runs.differences
        let heading =
            differences.isEmpty ? "The runs have equal settings." : "Settings in which the runs differ:"
        return [
            .words(heading),
            .table(Table(["key"] + runs.map(\.name), differences.map { [$0.key] + $0.values }), summary: nil),
        ]
            + tables
    }
}
