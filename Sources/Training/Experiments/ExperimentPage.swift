// An experiment's results as a page: what was asked, what came out in words, charts with intervals, all numbers. Not here: the results
// (ExperimentResults), charts and pages (Reports).

public import Reports

/// Draws the results of one experiment.
public struct ExperimentPage {
    let results: ExperimentResults

    public init(_ results: ExperimentResults) { self.results = results }

    public var page: Page {
        var page = Page(title: results.title, subtitle: subtitle)
        page.add("In short", paragraphs(results.conclusion ?? "") + [.list(verdicts)])
        page.add("Question", paragraphs(results.question))
        page.add("Method", paragraphs(results.method) + paragraphs(howMany))
        page.add("Expectation", paragraphs(results.expectation))
        for measure in results.measures {
            page.add(measure.label, [.figures(ExperimentFigures(results: results, measure: measure).figures)])
        }
        let tables = ExperimentNumbers(results: results)
        page.add(
            "All numbers",
            results.measures.map { .table(tables.summary($0), summary: "\($0.label), by arm") } + [
                .table(tables.others, summary: "Other quantities, by arm"), .table(tables.cells, summary: "Every run"),
                .table(tables.settings, summary: "What each arm changes"),
            ])
        page.add("To make this again", [.markup("<pre class=\"scroll\">\(results.command)</pre>\n")])
        return page
    }

    private var subtitle: String {
        [results.name, counted(results.arms.count, "arm"), counted(results.seeds.count, "seed")].joined(
            separator: " · ")
    }

    /// Text as paragraphs, which empty lines part.
    private func paragraphs(_ text: String) -> [Page.Item] {
        text.split(separator: /\n[ \t]*\n\s*/).map { paragraph in
            .words(String(paragraph.trimmingPrefix(/\s+/)).replacing(/\s*\n\s*/, with: " "))
        }
    }

    private func counted(_ count: Int, _ noun: String) -> String {
        "\(NumberStyle.whole.text(Double(count))) \(noun)\(count == 1 ? "" : "s")"
    }

    private var howMany: String {
        let share = NumberStyle.percent.text(results.confidence, digits: 3)
        let compared = results.arms.contains { arm in arm.summaries.contains { $0.difference != nil } }
        let verdicts =
            "A verdict needs two intervals on one side of 0, the bootstrap's and Student's over the seeds; where Student's holds 0 it is "
            + "unclear with so few seeds. "
        return
            "\(counted(results.arms.count, "arm")), each run with the same \(counted(results.seeds.count, "seed")): in one seed all arms "
            + "start from the same weights and see the same data in the same order. Intervals are \(share) intervals by "
            + "\(NumberStyle.whole.text(Double(results.resamples))) bootstrap resamples; differences are paired by seed. "
            + (compared ? verdicts : "") + "All runs together took "
            + "\(NumberStyle.seconds.text(results.seconds, digits: 3))."
    }

    /// What the differences of the deciding measure come to.
    private var verdicts: [Page.Remark] {
        var remarks: [Page.Remark] = []
        if results.missingCells > 0 {
            remarks.append(
                .init(
                    .warning,
                    "\(counted(results.missingCells, "run")) of this experiment \(results.missingCells == 1 ? "is" : "are") missing: these "
                        + "results are of an unfinished experiment."))
        }
        let failed = results.arms.flatMap(\.cells).count { $0.failure != nil }
        if failed > 0 {
            remarks.append(
                .init(
                    .warning,
                    "\(counted(failed, "run")) ended with a failure and \(failed == 1 ? "has" : "have") no values."))
        }
        guard let measure = results.measures.first else { return remarks }
        for arm in results.arms {
            guard let difference = arm.summary(measure.key)?.difference else { continue }
            let weight: Page.Remark.Weight
            switch difference.verdict {
            case .better: weight = .good
            case .worse: weight = .bad
            case .different, .unclear, .none: weight = .note
            }
            remarks.append(.init(weight, "\(arm.label): \(difference.words)"))
        }
        return remarks
    }
}
