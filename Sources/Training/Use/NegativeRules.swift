// Which of the texts near a query may stand as its negatives. Not here: finding them (HardNegatives).

import Failures
import Kernels
import Randomness

/// What makes a text near a query a hard negative, and not a positive that nobody has marked.
///
/// As `mine_hard_negatives` of sentence-transformers has it, in this order: the nearest texts, as many as `rangeMax` and the query's
/// positives; without the positives; without those whose score is above a bound,
///
/// ```
/// s + absoluteMargin > p      s > p − relativeMargin · |p|      s > maxScore      s < minScore
/// ```
///
/// p the smallest score of the query's positives; of the rest the first `rangeMax` without the first `rangeMin`; of these the best, or
/// some at random. Relative margin: Moreira et al., "NV-Retriever", arXiv 2407.15831 (TopK-PercPos).
public struct NegativeRules: Sendable {
    public enum Sampling: String, Sendable, CaseIterable { case top, random }

    /// Negatives of a row at most.
    public var count = 3
    public var rangeMin = 0
    /// Nil: `rangeMin` and `count`, or ten times `count` where texts may be excluded by their score.
    public var rangeMax: Int?
    public var maxScore: Float?
    public var minScore: Float?
    public var absoluteMargin: Float?
    public var relativeMargin: Float?
    public var sampling = Sampling.top
    public var seed: UInt64 = 42

    public init() {}

    /// Texts that are looked at, for queries with at most so many positives.
    func range(positives: Int) -> Int {
        let excludes = absoluteMargin != nil || relativeMargin != nil || maxScore != nil
        return rangeMax ?? rangeMin + count * (excludes ? 10 : 1) + positives
    }

    /// What was excluded, and why.
    public struct Exclusions: Sendable, Equatable, Encodable {
        public var positives = 0
        public var equalToQuery = 0
        public var absoluteMargin = 0
        public var relativeMargin = 0
        public var maxScore = 0
        public var minScore = 0
        /// Queries with fewer negatives than were asked for, and with none.
        public var shortQueries = 0
        public var emptyQueries = 0

        enum CodingKeys: String, CodingKey {
            case positives
            case equalToQuery = "equal_to_query"
            case absoluteMargin = "absolute_margin"
            case relativeMargin = "relative_margin"
            case maxScore = "max_score"
            case minScore = "min_score"
            case shortQueries = "short_queries"
            case emptyQueries = "empty_queries"
        }

        /// For people: what is not zero.
        public var summary: String {
            let all = [
                ("positives", positives), ("equal to the query", equalToQuery), ("absolute margin", absoluteMargin),
                ("relative margin", relativeMargin), ("maximum score", maxScore), ("minimum score", minScore),
            ]
            let words = all.filter { $0.1 > 0 }.map { "\($0.1) \($0.0)" }
            return "excluded: " + (words.isEmpty ? "none" : words.joined(separator: ", "))
                + "; \(counted(shortQueries, "query", plural: "queries")) with fewer than asked for, \(emptyQueries) of them with none"
        }
    }

    /// The negatives of a query, best first.
    /// - Parameters:
    ///   - candidates: the nearest texts, best first.
    ///   - query: its number, for random sampling.
    ///   - lowest: p.
    ///   - range: `range(positives:)`.
    func choose(
        _ candidates: [BestRows.Entry], query: Int, positives: Set<Int>, own: Int?, lowest: Float, range: Int,
        _ exclusions: inout Exclusions
    ) -> [BestRows.Entry] {
        var left = candidates.filter { !positives.contains($0.row) }
        exclusions.positives += candidates.count - left.count
        func exclude(_ count: WritableKeyPath<Exclusions, Int>, where isExcluded: (BestRows.Entry) -> Bool) {
            let before = left.count
            left.removeAll(where: isExcluded)
            exclusions[keyPath: count] += before - left.count
        }
        exclude(\.equalToQuery) { $0.row == own }
        if let absoluteMargin { exclude(\.absoluteMargin) { $0.score + absoluteMargin > lowest } }
        if let relativeMargin { exclude(\.relativeMargin) { $0.score > lowest - abs(lowest) * relativeMargin } }
        if let maxScore { exclude(\.maxScore) { $0.score > maxScore } }
        if let minScore { exclude(\.minScore) { $0.score < minScore } }
        var chosen = Array(left.prefix(range).dropFirst(rangeMin))
        if sampling == .random, chosen.count > count {
            // The first `count` of a random order, put back in the order of scores.
            let field = RandomField(seed: seed, purpose: .mining)
            var places = Array(chosen.indices)
            for place in 0..<count {
                places.swapAt(place, place + field.integer(below: places.count - place, row: query, column: place))
            }
            chosen = places.prefix(count).sorted().map { chosen[$0] }
        }
        chosen = Array(chosen.prefix(count))
        if chosen.count < count { exclusions.shortQueries += 1 }
        if chosen.isEmpty { exclusions.emptyQueries += 1 }
        return chosen
    }
}
