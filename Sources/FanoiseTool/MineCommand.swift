// `fanoise mine`: parsing and printing only. Not here: mining (Training/Use).

public import ArgumentParser
import Datasets
import Failures
public import Training

extension NegativeRules.Sampling: ExpressibleByArgument {}

/// Finds hard negatives with a trained model.
struct MineCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mine",
        abstract: "Hard negatives: pairs with the texts that a model wrongly places near their queries.",
        discussion: """
            For each query of the pairs the nearest texts among their targets (and --corpus) are found; its positives, texts with equal \
            words and those excluded by a rule are left out, and the rest are written as `negatives` beside the pair, in JSONL that \
            training reads. s is the score of a text and p the lowest of the query's positives. The same file on any number of ranks.
            """)

    @OptionGroup var source: CheckpointOptions
    @OptionGroup var columns: ColumnOptions
    @Option(help: "Pairs like the training data.") var data: String
    @Option(help: "More texts to look among: one a line, or data with the target's field.") var corpus: String?
    @Option(help: "JSONL to write.") var output: String
    @Option(help: "Negatives of a pair at most.") var negatives = 3
    @Option(help: "A:B looks at the nearest B texts that are left, without the first A.") var range: String?
    @Option(help: "Leaves out texts with s + MARGIN > p.") var margin: Float?
    @Option(help: "Leaves out texts with s > p − SHARE · |p|: 0.05 is a good choice.") var relativeMargin: Float?
    @Option(help: "Leaves out texts with a higher score.") var maxScore: Float?
    @Option(help: "Leaves out texts with a lower score.") var minScore: Float?
    @Option(help: "top: the nearest; random: any of the range, by --seed.") var sampling = NegativeRules.Sampling.top
    @Option(help: "Of random sampling.") var seed: UInt64 = 42
    @Option(help: "Rows encoded at a time.") var chunk = 256
    @OptionGroup var world: WorldOptions
    @Flag(help: "Print one JSON object on standard output.") var json = false

    func validate() throws {
        try requireCount("--chunk", chunk)
        try requireCount("--negatives", negatives, atMost: Negative.mostOfRow)
        for (option, value) in [
            ("--margin", margin), ("--relative-margin", relativeMargin), ("--max-score", maxScore),
            ("--min-score", minScore),
        ] {
            guard value?.isFinite != false else { throw ValidationError("\(option) must be a finite number") }
        }
        if let minScore, let maxScore, minScore > maxScore {
            throw ValidationError(
                "--min-score \(minScore) is above --max-score \(maxScore): no text has such a score; exchange them")
        }
        _ = try bounds()
    }

    /// A and B of `--range`.
    private func bounds() throws -> (Int, Int)? {
        guard let range else { return nil }
        let parts = range.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let first = parts[0], let last = parts[1], first >= 0, last <= largestCount,
            first <= last - negatives
        else {
            throw ValidationError(
                "--range \(range) must be A:B with 0 ≤ A and A + \(negatives) ≤ B ≤ \(largestCount)")
        }
        return (first, last)
    }

    func run() throws {
        let (source, columns, data, corpus, output) = (source, columns, data, corpus, output)
        let (chunk, json) = (chunk, json)
        var rules = NegativeRules()
        (rules.count, rules.sampling, rules.seed) = (negatives, sampling, seed)
        (rules.absoluteMargin, rules.relativeMargin) = (margin, relativeMargin)
        (rules.maxScore, rules.minScore) = (maxScore, minScore)
        if let (first, last) = try bounds() { (rules.rangeMin, rules.rangeMax) = (first, last) }
        try requireNoInput(output, among: [data, corpus])
        try world.run { [rules] communicator in
            let model = try source.model(communicator, columns: columns)
            let report = try model.mineNegatives(
                data, corpus: corpus, rules: rules, to: output, chunk: chunk,
                say: { if communicator.rank == 0 { tell($0) } }, communicator: communicator)
            guard communicator.rank == 0 else { return }
            tell("\(output): \(report.summary)")
            if json { try printJSON(report) }
        }
    }
}
