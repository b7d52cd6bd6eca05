// Intervals, tests and verdicts against known values. Not here: running experiments.

import Foundation
import Testing

@testable import Training

@Suite struct StatisticsTests {
    /// Tables of Student's distribution (Abramowitz & Stegun 26.10), and scipy 1.17's `stats.t.cdf`.
    @Test(arguments: [
        (1.0, 0.975, 12.7062), (4, 0.975, 2.77645), (4, 0.8, 0.940965), (9, 0.995, 3.24984), (100, 0.95, 1.66023),
    ])
    func quantilesOfStudent(_ freedom: Double, _ share: Double, _ expected: Double) {
        let student = StudentDistribution(freedom: freedom)
        #expect(abs(student.quantile(share) - expected) < 1e-5 * expected)
        #expect(abs(student.cumulative(student.quantile(share)) - share) < 1e-12)
        #expect(abs(student.cumulative(-expected) + student.cumulative(expected) - 1) < 1e-12)
    }

    @Test func twoSidedProbabilities() {
        // Cauchy: P(|T| > 1) = 1/2.
        #expect(abs(StudentDistribution(freedom: 1).twoSided(1) - 0.5) < 1e-12)
        #expect(abs(StudentDistribution(freedom: 4).twoSided(2.776445) - 0.05) < 1e-7)
        #expect(StudentDistribution(freedom: 4).twoSided(.infinity) == 0)
    }

    @Test func holm() {
        // The worked example: 0.01·4, 0.02·3, 0.03·2, then never less than before.
        #expect(holmAdjusted([0.03, 0.01, 0.9, 0.02]) == [0.06, 0.04, 0.9, 0.06])
        #expect(holmAdjusted([]) == [])
    }

    /// The interval of a mean of many values is that of the normal approximation, seeds alone, rows alone, and both.
    @Test func bootstrapOfMeans() {
        let seeds = 200
        let values = (0..<seeds).map { Double($0 % 2) }
        let alone = Bootstrap.interval(Bootstrap(draws: 4000, seeds: seeds).means(values), confidence: 0.95)
        // Deviation ½, so the standard error is ½/√200.
        let half = 1.96 * 0.5 / Double(seeds).squareRoot()
        #expect(abs(alone.lower - (0.5 - half)) < 0.1 * half && abs(alone.upper - (0.5 + half)) < 0.1 * half)

        // Two seeds that agree in every row: all of the spread is over rows.
        let rows = (0..<400).map { $0 % 4 == 0 ? 1.0 : 0 }
        let both = Bootstrap.interval(
            Bootstrap(draws: 4000, seeds: 2, rows: 400).means([rows, rows]), confidence: 0.95)
        let expected = 1.96 * (0.25 * 0.75 / 400).squareRoot()
        #expect(abs((both.upper - both.lower) / 2 - expected) < 0.1 * expected)

        // Rows that are all equal: all of the spread is over seeds.
        let flat = Bootstrap(draws: 4000, seeds: 2, rows: 50).means([
            Array(repeating: 0.0, count: 50), Array(repeating: 1.0, count: 50),
        ])
        #expect(Set(flat) == [0, 0.5, 1])
        #expect(abs(Double(flat.count { $0 == 0.5 }) / 4000 - 0.5) < 0.05)
    }

    @Test func theSameDrawsEveryTime() {
        let values = (0..<7).map { Double($0 * $0) }
        #expect(Bootstrap(draws: 100, seeds: 7).means(values) == Bootstrap(draws: 100, seeds: 7).means(values))
        let interval = Bootstrap.interval([0, 1, 2, 3, 4], confidence: 0.5)
        #expect(interval == .init(lower: 1, upper: 3))
    }

    private let precision = ExperimentResults.Measure(key: "s.query_to_target.precision_at_1", label: "P")

    private func samples(_ values: [[Double]]) -> [ArmSample] {
        values.map { own in
            ArmSample(values: Dictionary(uniqueKeysWithValues: own.enumerated().map { (UInt64($0 + 1), $1) }))
        }
    }

    /// Pairing: what seeds have in common does not count, and the verdict needs both intervals.
    @Test func pairedDifferences() throws {
        let base = [0.1, 0.5, 0.3, 0.9, 0.2]
        let better = zip(base, [0.05, 0.06, 0.05, 0.04, 0.05]).map { $0 + $1 }
        let noise = zip(base, [0.05, -0.06, 0.01, -0.04, 0.03]).map { $0 + $1 }
        var statistics = ExperimentStatistics(seeds: [1, 2, 3, 4, 5], draws: 1000)
        let summaries = statistics.summaries(
            samples([base, better, noise]), measure: precision, baselines: [nil, 0, 0])
        #expect(summaries[0]?.difference == nil)
        let seen = try #require(summaries[1]?.difference)
        #expect(abs(seen.mean - 0.05) < 1e-12 && seen.verdict == .better && seen.words.hasPrefix("better: +5.0 points"))
        // t = 0.05 / (0.00707/√5) = 15.8, p of 4 degrees of freedom doubled by Holm.
        let p = StudentDistribution(freedom: 4).twoSided(15.8113883)
        #expect(abs((seen.adjustedP ?? 0) - 2 * p) < 1e-3 * p)
        let missed = try #require(summaries[2]?.difference)
        #expect(missed.verdict == .none && missed.words.hasPrefix("no difference seen: "))
        #expect(missed.words.contains("would have been seen four times in five"))
        #expect(missed.detectable > abs(missed.mean))
    }

    @Test func oneSeedDecidesNothing() throws {
        var arms = samples([[0.1], [0.9]])
        arms[0].rows[1] = Array(repeating: 0, count: 40)
        arms[1].rows[1] = Array(repeating: 1, count: 40)
        var statistics = ExperimentStatistics(seeds: [1], draws: 200)
        let difference = try #require(
            statistics.summaries(arms, measure: precision, baselines: [nil, 0])[1]?.difference)
        #expect(difference.verdict == .unclear && difference.student == nil && difference.interval.lower == 1)
        #expect(difference.words.hasPrefix("unclear with 1 seed: +80.0 points"))
        #expect(difference.words.hasSuffix("one seed decides nothing"))
    }

    /// The bootstrap's interval of three seeds excludes 0 and Student's does not: neither a verdict nor its absence. What could have been
    /// missed is never more than a share can be.
    @Test func intervalsThatDisagreeAreUnclear() throws {
        var statistics = ExperimentStatistics(seeds: [1, 2, 3], draws: 400)
        let arms = samples([[1, 1, 1], [0.8, 0.6, 0]])
        let difference = try #require(
            statistics.summaries(arms, measure: precision, baselines: [nil, 0])[1]?.difference)
        #expect(difference.interval.upper < 0 && (difference.student?.upper ?? 0) > 0)
        #expect(difference.verdict == .unclear && difference.seeds == 3 && difference.detectable == 1)
        #expect(difference.words.hasPrefix("unclear with 3 seeds: −53.3 points"))
        #expect(difference.words.hasSuffix(", holds 0") && difference.verdictWords(precision) == "unclear with 3 seeds")
    }

    /// Without a baseline there are no columns of comparisons, and a line says how to have them.
    @Test func tablesWithoutABaseline() {
        let arm = ExperimentResults.Arm(
            name: "a", label: "a", settings: [], cells: [],
            summaries: [.init(measure: precision.key, mean: 0.25, interval: .init(lower: 0.2, upper: 0.3))])
        var results = ExperimentResults(
            name: "n", title: "t", question: "", method: "", expectation: "", measures: [precision], arms: [arm],
            seeds: [1], confidence: 0.95, resamples: 10, seconds: 1, missingCells: 1, command: "c")
        let table = "| arm | mean [95 %] | noise / signal |\n|---|---|---|\n| a | 25.0 [20.0, 30.0] |  |"
        #expect(results.markdown.contains(table))
        #expect(results.markdown.contains("`baseline:`") && results.markdown.contains("0 runs, 1 seed, "))
        #expect(results.markdown.contains("; 1 run is missing. `c`"))
        #expect(!ExperimentPage(results).page.html.contains("Student"))
        results.baseline = "a"
        #expect(results.markdown.contains("minus a [95 %] | verdict") && !results.markdown.contains("`baseline:`"))
    }

    /// A measure of which less is better, one of which neither is, and an arm without values.
    @Test func directions() throws {
        var statistics = ExperimentStatistics(seeds: [1, 2, 3], draws: 200)
        let arms = samples([[1, 2, 3], [2, 3.01, 4]]) + [ArmSample()]
        for (key, verdict) in [("loss", ExperimentResults.Verdict.worse), ("noise_to_signal", .different)] {
            let measure = ExperimentResults.Measure(key: key, label: key)
            let found = statistics.summaries(arms, measure: measure, baselines: [nil, 0, 0])
            #expect(found[1]?.difference?.verdict == verdict)
            #expect(found[2] == nil)
        }
    }

    @Test func resultsReadBackAsTheSameValue() throws {
        let measure = precision
        var arm = ExperimentResults.Arm(
            name: "a", label: "a, with \"quotes\"", settings: [.init(key: "noise.strength", value: "0.1")], x: 0.1,
            baseline: "b", series: "s",
            cells: [.init(seed: .max, folder: "cells/a-1", values: [measure.key: 0.25], seconds: 1.5, failure: nil)],
            summaries: [.init(measure: measure.key, mean: 0.25, interval: .init(lower: 0.2, upper: 0.3))])
        arm.summaries[0].difference = .init(
            mean: 0.1, interval: .init(lower: -1, upper: 1), detectable: 0.2, verdict: .none, words: "no")
        let results = ExperimentResults(
            name: "n", title: "t", question: "q", method: "m", expectation: "e", measures: [measure], arms: [arm],
            seeds: [.max], axis: .init(key: "noise.strength", label: "α", isLogarithmic: true), confidence: 0.95,
            resamples: 10, seconds: 1, missingCells: 0, command: "c")
        let path = NSTemporaryDirectory() + "results-\(UUID()).json"
        try results.json.write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try ExperimentResults.read(path) == results)
        #expect(
            try String(decoding: results.json, as: UTF8.self).contains("\"s.query_to_target.precision_at_1\" : 0.25"))
        #expect(results.csv.hasPrefix("arm,seed,settings,seconds,failure,s.query_to_target.precision_at_1\n"))
        #expect(results.markdown.contains("| a, with \"quotes\" | 25.0 [20.0, 30.0] | +10.0 [−100.0, +100.0] (b) |"))
    }
}
