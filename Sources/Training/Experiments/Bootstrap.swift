// Intervals by resampling. Not here: which samples (ExperimentStatistics), Student's distribution.
//
// Shapes: D draws, S seeds, R rows.

import Foundation
import Randomness

/// Draws of seeds and of test rows, with replacement, the same for every sample that is summarised: differences stay paired.
///
/// A draw of a mean is `Σ_s c_s Σ_r w_r x_sr / (S R)`, with c and w the numbers of times that seed s and row r were drawn. Resampling both
/// is the two-way bootstrap of crossed random factors, which errs on the wide side. Source: Owen, "The pigeonhole bootstrap", Annals of
/// Applied Statistics 1 (2007). Seeds come from Philox: equal inputs give equal intervals.
struct Bootstrap {
    let draws: Int
    let seeds: Int
    /// c, [D, S].
    private let seedCounts: [Double]
    /// w, [D, R]; empty where rows are not resampled.
    private let rowCounts: [UInt8]
    private let rows: Int

    /// - Parameter rows: R; 0 resamples seeds alone.
    init(draws: Int, seeds: Int, rows: Int = 0) {
        precondition(draws > 0 && seeds > 0 && rows >= 0, "\(draws) draws of \(seeds) seeds and \(rows) rows")
        (self.draws, self.seeds, self.rows) = (draws, seeds, rows)
        var seedCounts = [Double](repeating: 0, count: draws * seeds)
        var rowCounts = [UInt8](repeating: 0, count: draws * rows)
        let seedField = RandomField(seed: 0, purpose: .bootstrap)
        let rowField = RandomField(seed: 0, purpose: .bootstrap, stream: 1)
        for draw in 0..<draws {
            for place in 0..<seeds {
                seedCounts[draw * seeds + seedField.integer(below: seeds, step: draw, row: place)] += 1
            }
            for place in 0..<rows {
                let index = draw * rows + rowField.integer(below: rows, step: draw, row: place / 4, column: place % 4)
                if rowCounts[index] < .max { rowCounts[index] += 1 }
            }
        }
        (self.seedCounts, self.rowCounts) = (seedCounts, rowCounts)
    }

    /// Draws of the mean of one value a seed.
    func means(_ values: [Double]) -> [Double] {
        precondition(values.count == seeds, "\(values.count) values for \(seeds) seeds")
        return (0..<draws).map { draw in
            (0..<seeds).reduce(0.0) { $0 + seedCounts[draw * seeds + $1] * values[$1] } / Double(seeds)
        }
    }

    /// Draws of the mean of one value a seed and row.
    func means(_ values: [[Double]]) -> [Double] {
        precondition(
            values.count == seeds && values.allSatisfy { $0.count == rows }, "values of \(values.count) seeds")
        guard rows > 0 else { return [] }
        return (0..<draws).map { draw in
            var sum = 0.0
            for seed in 0..<seeds where seedCounts[draw * seeds + seed] > 0 {
                var own = 0.0
                for row in 0..<rows { own += Double(rowCounts[draw * rows + row]) * values[seed][row] }
                sum += seedCounts[draw * seeds + seed] * own
            }
            return sum / Double(seeds * rows)
        }
    }

    /// The middle `confidence` of some draws, by linear interpolation between order statistics.
    static func interval(_ draws: [Double], confidence: Double) -> ExperimentResults.Interval {
        precondition(!draws.isEmpty, "an interval of no draws")
        let sorted = draws.sorted()
        func quantile(_ share: Double) -> Double {
            let place = share * Double(sorted.count - 1)
            let below = Int(place)
            let above = min(below + 1, sorted.count - 1)
            return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
        }
        return ExperimentResults.Interval(
            lower: quantile((1 - confidence) / 2), upper: quantile((1 + confidence) / 2))
    }
}

/// Standard deviation of a sample, divided by n − 1; nil of fewer than two.
func sampleDeviation(_ values: [Double]) -> Double? {
    guard values.count > 1 else { return nil }
    let mean = values.reduce(0, +) / Double(values.count)
    return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
}
