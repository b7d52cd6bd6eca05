// The page of an experiment. Not here: how results come about, browsers (ReportsTests).

import Foundation
import Reports
import Testing

@testable import Training

@Suite struct ExperimentPageTests {
    /// Arms along α with a baseline, one arm apart from the axis, one run that failed.
    private func results(_ change: (inout ExperimentResults) -> Void = { _ in }) -> ExperimentResults {
        let measure = ExperimentResults.Measure(
            key: "held.query_to_target.precision_at_1", label: "Precision@1, held-out", isShare: true,
            greaterIsBetter: true)
        let seeds: [UInt64] = [1, 2, 3]
        func arm(_ name: String, _ mean: Double, x: Double?, noise: Double?, series: String?) -> ExperimentResults.Arm {
            let difference = ExperimentResults.Difference(
                mean: mean - 0.06, interval: .init(lower: mean - 0.08, upper: mean - 0.04), student: nil,
                adjustedP: 0.5,
                detectable: 0.02, verdict: mean > 0.1 ? .better : .none,
                words: mean > 0.1 ? "better" : "no difference seen <yet>")
            var summaries = [
                ExperimentResults.Summary(
                    measure: measure.key, mean: mean, deviation: 0.01,
                    interval: .init(lower: mean - 0.01, upper: mean + 0.01),
                    predicted: x.map { $0 / 10 }, difference: name == "none" ? nil : difference)
            ]
            if let noise {
                summaries.append(
                    .init(
                        measure: "noise_to_signal", mean: noise, deviation: nil, interval: nil, predicted: nil,
                        difference: nil))
            }
            let cells = seeds.map { seed in
                ExperimentResults.Cell(
                    seed: seed, folder: "\(name)-\(seed)",
                    values: seed == 3 && name == "dropout" ? [:] : [measure.key: mean + Double(seed) / 1000],
                    seconds: 60, failure: seed == 3 && name == "dropout" ? "collapsed & stopped" : nil)
            }
            return .init(
                name: name, label: "\(name) <arm>", settings: [.init(key: "noise.strength", value: "\(x ?? 0)")], x: x,
                series: series,
                cells: cells, summaries: summaries)
        }
        var results = ExperimentResults(
            name: "strength", title: "Does <noise> help?", question: "First.\n\nSecond\nline.", method: "As said.",
            expectation: "None.",
            conclusion: nil, measures: [measure], baseline: "none",
            arms: [
                arm("none", 0.06, x: 0, noise: 0, series: "sublinear"),
                arm("0.1", 0.062, x: 0.1, noise: 0.1, series: "sublinear"),
                arm("5", 0.12, x: 5, noise: 3, series: "sublinear"),
                arm("dropout", 0.05, x: nil, noise: nil, series: nil),
            ], seeds: seeds, axis: .init(key: "noise.strength", label: "strength α", isLogarithmic: true),
            confidence: 0.95, resamples: 2000,
            seconds: 720, missingCells: 1, command: "fanoise experiment --config a.yaml")
        change(&results)
        return results
    }

    @Test func everythingIsShown() {
        let html = ExperimentPage(results()).page.html
        for words in [
            "Does &lt;noise&gt; help?", "<p>First.</p>", "<p>Second line.</p>", "no difference seen &lt;yet&gt;",
            "against strength α",
            "against realised noise", "difference to none &lt;arm&gt;", "predicted", "collapsed &amp; stopped",
            "unfinished experiment",
            "1 run ended with a failure", "95\u{202F}%", "2,000 bootstrap", "12\u{202F}min",
            "fanoise experiment --config a.yaml", "A verdict needs two intervals",
            "Precision@1, held-out",
        ] {
            #expect(html.contains(words), "\(words)")
        }
        #expect(!html.contains("<arm>") && !html.contains("<yet>"))
    }

    /// Results of any completeness have a page.
    @Test(arguments: 0..<6) func partialResults(_ which: Int) {
        let partial = results { results in
            switch which {
            case 0: results.arms = []
            case 1: results.baseline = "no such arm"
            case 2: results.axis = nil
            case 3: for index in results.arms.indices { results.arms[index].cells = [] }
            case 4: for index in results.arms.indices { results.arms[index].summaries = [] }
            default: results.measures = []
            }
        }
        #expect(ExperimentPage(partial).page.html.hasSuffix("</html>\n"))
    }
}
