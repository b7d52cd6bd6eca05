// From the values of cells to means, intervals, differences and verdicts. Not here: resampling itself (Bootstrap), words (Verdicts).

import Foundation

/// The values of one measure in one arm.
struct ArmSample {
    /// By seed.
    var values: [UInt64: Double] = [:]
    /// Of every test row, by seed; empty where they are not known.
    var rows: [UInt64: [Double]] = [:]

    /// Rows of some seeds, if all have them and as many.
    func rows(_ seeds: [UInt64]) -> [[Double]]? {
        let found = seeds.compactMap { rows[$0] }
        guard found.count == seeds.count, let count = found.first?.count, count > 0,
            found.allSatisfy({ $0.count == count })
        else { return nil }
        return found
    }
}

/// Summaries of an experiment's arms.
struct ExperimentStatistics {
    let seeds: [UInt64]
    let draws: Int
    let confidence: Double
    private var cache: [String: Bootstrap] = [:]

    init(seeds: [UInt64], draws: Int, confidence: Double = 0.95) {
        (self.seeds, self.draws, self.confidence) = (seeds, draws, confidence)
    }

    /// One summary for each arm, nil for arms without values.
    /// - Parameter baselines: for each arm the place of the one that it is compared with, if any.
    mutating func summaries(
        _ arms: [ArmSample], measure: ExperimentResults.Measure, baselines: [Int?]
    ) -> [ExperimentResults.Summary?] {
        var results: [ExperimentResults.Summary?] = []
        var pairs: [(Int, Pairing?)] = []
        for (index, arm) in arms.enumerated() {
            results.append(summary(arm, measure))
            if let baseline = baselines[index] { pairs.append((index, pairing(arm, arms[baseline]))) }
        }
        let tested = pairs.compactMap { index, pairing in pairing?.p.map { (index, $0) } }
        let adjusted = Dictionary(uniqueKeysWithValues: zip(tested.map(\.0), holmAdjusted(tested.map(\.1))))
        for (index, pairing) in pairs {
            results[index]?.difference = pairing?.difference(measure, adjustedP: adjusted[index])
        }
        return results
    }

    private mutating func summary(
        _ arm: ArmSample, _ measure: ExperimentResults.Measure
    ) -> ExperimentResults.Summary? {
        let present = seeds.filter { arm.values[$0] != nil }
        let values = present.compactMap { arm.values[$0] }
        guard !values.isEmpty else { return nil }
        let draws = draws(values: values, rows: arm.rows(present))
        return ExperimentResults.Summary(
            measure: measure.key, mean: values.reduce(0, +) / Double(values.count), deviation: sampleDeviation(values),
            interval: draws.map { Bootstrap.interval($0, confidence: confidence) })
    }

    /// Draws of the mean; nil where there is nothing to resample: one seed, rows unknown.
    private mutating func draws(values: [Double], rows: [[Double]]?) -> [Double]? {
        guard values.count > 1 || rows != nil else { return nil }
        let count = rows?.first?.count ?? 0
        let key = "\(values.count) \(count)"
        let bootstrap = cache[key] ?? Bootstrap(draws: draws, seeds: values.count, rows: count)
        cache[key] = bootstrap
        return rows.map { bootstrap.means($0) } ?? bootstrap.means(values)
    }

    private mutating func pairing(_ arm: ArmSample, _ baseline: ArmSample) -> Pairing? {
        let common = seeds.filter { arm.values[$0] != nil && baseline.values[$0] != nil }
        let differences = common.map { (arm.values[$0] ?? 0) - (baseline.values[$0] ?? 0) }
        var rows: [[Double]]?
        if let own = arm.rows(common), let other = baseline.rows(common), own[0].count == other[0].count {
            rows = zip(own, other).map { zip($0, $1).map { $0 - $1 } }
        }
        guard !common.isEmpty, let draws = draws(values: differences, rows: rows) else { return nil }
        return Pairing(differences: differences, draws: draws, confidence: confidence)
    }
}

/// Differences of two arms, seed by seed.
private struct Pairing {
    let differences: [Double]
    let draws: [Double]
    let confidence: Double

    private var mean: Double { differences.reduce(0, +) / Double(differences.count) }
    private var student: StudentDistribution? {
        differences.count > 1 ? StudentDistribution(freedom: Double(differences.count - 1)) : nil
    }
    private var standardError: Double? {
        sampleDeviation(differences).map { $0 / Double(differences.count).squareRoot() }
    }

    /// Of the paired t test.
    var p: Double? {
        guard let student, let standardError else { return nil }
        guard standardError > 0 else { return mean == 0 ? 1 : 0 }
        return student.twoSided(mean / standardError)
    }

    func difference(
        _ measure: ExperimentResults.Measure, adjustedP: Double?
    ) -> ExperimentResults.Difference {
        let interval = Bootstrap.interval(draws, confidence: confidence)
        var studentInterval: ExperimentResults.Interval?
        // A normal difference is seen in four of five repetitions when it is 1.960 + 0.842 standard errors.
        var detectable = 2.802 * (sampleDeviation(draws) ?? 0)
        if let student, let standardError {
            let half = student.quantile((1 + confidence) / 2) * standardError
            studentInterval = ExperimentResults.Interval(lower: mean - half, upper: mean + half)
            detectable = max(detectable, half + student.quantile(0.8) * standardError)
        }
        // Shares differ by 1 at most.
        if measure.isShare { detectable = min(detectable, 1) }
        let verdict = ExperimentResults.Verdict(
            interval, student: studentInterval, greaterIsBetter: measure.greaterIsBetter)
        var difference = ExperimentResults.Difference(
            mean: mean, interval: interval, student: studentInterval, adjustedP: adjustedP, detectable: detectable,
            verdict: verdict, seeds: differences.count, words: "")
        difference.words = difference.sentence(measure, confidence: confidence)
        return difference
    }
}

extension ExperimentResults.Verdict {
    /// A difference is seen when both intervals lie on one side of 0; one seed, which has no Student's interval, decides nothing.
    init(
        _ interval: ExperimentResults.Interval, student: ExperimentResults.Interval?, greaterIsBetter: Bool?
    ) {
        guard interval.lower > 0 || interval.upper < 0 else {
            self = .none
            return
        }
        let isAbove = interval.lower > 0
        guard let student, isAbove ? student.lower > 0 : student.upper < 0 else {
            self = .unclear
            return
        }
        guard let greaterIsBetter else {
            self = .different
            return
        }
        self = isAbove == greaterIsBetter ? .better : .worse
    }
}
