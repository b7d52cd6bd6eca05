// What an experiment found: the contents of results.json, from which tables, charts and the report are made. Not here: how the
// numbers are computed (ExperimentStatistics), running (ExperimentRunner), drawing.

import Failures
public import Foundation

/// The results of one experiment: arms × seeds, summarised and compared with a baseline.
///
/// Everything that a reader sees is in this value: a table or a chart needs no other file. Shares (Precision@1 and the like) are
/// stored as shares, 0.25 and not 25; `Measure.isShare` says which to show as per cent, and their differences as points.
public struct ExperimentResults: Codable, Sendable, Equatable {
    /// Name of the experiment: of its folder, and of its configuration.
    public var name: String
    /// One line, for a heading.
    public var title: String
    /// What is asked, how it is asked, what the paper or common sense lets one expect. Plain text, paragraphs parted by empty lines.
    public var question: String
    public var method: String
    public var expectation: String
    /// What a person concluded; nil until someone has.
    public var conclusion: String?
    /// The measures that are compared, the deciding one first. Never empty.
    public var measures: [Measure]
    /// Name of the arm that the others are compared with; nil where there is none.
    public var baseline: String?
    /// In the order of the configuration. Never empty.
    public var arms: [Arm]
    public var seeds: [UInt64]
    /// How results are best drawn; nil: as one interval for each arm.
    public var axis: Axis?
    /// Of the intervals: 0.95.
    public var confidence: Double
    /// Draws of the bootstrap behind each interval.
    public var resamples: Int
    /// Seconds of all cells together, those of earlier attempts included.
    public var seconds: Double
    /// Cells that are missing: the results are of an unfinished experiment when this is not 0.
    public var missingCells: Int
    /// The command that makes these results.
    public var command: String

    /// One measured quantity.
    public struct Measure: Codable, Sendable, Equatable {
        /// As metrics.jsonl has it: "held.query_to_target.precision_at_1", "noise_to_signal".
        public var key: String
        /// For people: "Precision@1, held-out".
        public var label: String
        /// Whether values are shares, shown as per cent.
        public var isShare: Bool
        /// Whether more is better; nil where neither is.
        public var greaterIsBetter: Bool?
    }

    /// What the abscissa of a chart is, where arms lie along one.
    public struct Axis: Codable, Sendable, Equatable {
        /// A configuration key ("noise.strength") or a measure ("noise_to_signal").
        public var key: String
        public var label: String
        public var isLogarithmic: Bool
    }

    /// Runs of equal settings, one for each seed.
    public struct Arm: Codable, Sendable, Equatable {
        public var name: String
        /// For people; the name where the configuration gives no other.
        public var label: String
        /// What the arm changes of the base configuration, as `--set` takes it: key and value.
        public var settings: [Setting]
        /// Place on `axis`; nil where the arm has none (a baseline of another kind: draw it as a horizontal band).
        public var x: Double?
        /// The arm that this one is compared with, where that is not the experiment's baseline.
        public var baseline: String?
        /// Arms of one series belong to one line of a chart; nil where there are no series.
        public var series: String?
        /// In the order of `seeds`; a missing cell is absent.
        public var cells: [Cell]
        /// One for each of `measures` that the arm has values of, in their order; then those of other recorded quantities.
        public var summaries: [Summary]
    }

    public struct Setting: Codable, Sendable, Equatable {
        public var key: String
        public var value: String
    }

    /// One run.
    public struct Cell: Codable, Sendable, Equatable {
        public var seed: UInt64
        /// The run's folder, relative to the experiment's.
        public var folder: String
        /// By measure key.
        public var values: [String: Double]
        public var seconds: Double
        /// Why the run has no values: it ended with a message; nil for one that finished.
        public var failure: String?
    }

    /// One measure of one arm.
    public struct Summary: Codable, Sendable, Equatable {
        /// Key of the measure.
        public var measure: String
        /// Over seeds.
        public var mean: Double
        /// Standard deviation over seeds; nil with one seed.
        public var deviation: Double?
        /// Of the mean: bootstrap over seeds and, where the rows' values are known, over the rows of the test set.
        public var interval: Interval?
        /// The value that theory predicts; nil where it predicts none.
        public var predicted: Double?
        /// Against the baseline, seed by seed; nil for the baseline itself and where no arm is one.
        public var difference: Difference?
    }

    public struct Interval: Codable, Sendable, Equatable {
        public var lower: Double
        public var upper: Double
    }

    /// Arm minus baseline, paired by seed and by test row.
    public struct Difference: Codable, Sendable, Equatable {
        public var mean: Double
        /// Bootstrap over seeds and, where known, test rows.
        public var interval: Interval
        /// Student's interval over the paired seeds; nil with fewer than two.
        public var student: Interval?
        /// Two-sided p of the paired t test over seeds, adjusted for all arms of the measure (Holm); nil as above.
        public var adjustedP: Double?
        /// The difference that would have been seen in four of five repetitions; of shares at most 1.
        public var detectable: Double
        public var verdict: Verdict
        /// Paired seeds; nil in results of before this was recorded.
        public var seeds: Int?
        /// The verdict as a sentence.
        public var words: String
    }

    /// What a difference comes to.
    public enum Verdict: String, Codable, Sendable {
        /// Both intervals are above 0 (greater is better), or below 0 (less is).
        case better
        case worse
        /// Both intervals exclude 0, and neither direction is better.
        case different
        /// The bootstrap's interval excludes 0, but Student's contains it, or one seed has none.
        case unclear
        /// The bootstrap's interval contains 0.
        case none
    }
}

extension ExperimentResults {
    /// Reads results.json.
    /// - Throws: `Failure(.inputMissing)` or `Failure(.data)` naming the file.
    public static func read(_ path: String) throws -> ExperimentResults {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(
                .inputMissing,
                "\(path) cannot be read; fanoise experiment --config FILE makes the results of an experiment")
        }
        do { return try decoder.decode(ExperimentResults.self, from: data) } catch {
            throw Failure(.data, "\(path) does not hold results of an experiment: \(error)")
        }
    }

    /// The contents of results.json. Numbers that are not finite have no place in it: they are left out before.
    public var json: Data { get throws { try encoded([.prettyPrinted]) + Data("\n".utf8) } }

    /// The same on one line.
    public var compactJSON: Data { get throws { try encoded([]) } }

    private func encoded(_ formatting: JSONEncoder.OutputFormatting) throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
        return try encoder.encode(self)
    }

    private static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }

    /// The arm with this name.
    public func arm(_ name: String) -> Arm? { arms.first { $0.name == name } }
}

extension ExperimentResults.Arm {
    /// The summary of one measure.
    public func summary(_ measure: String) -> ExperimentResults.Summary? { summaries.first { $0.measure == measure } }
}
