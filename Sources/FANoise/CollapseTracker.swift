// Whether representations collapse over the steps of a run. Not here: one step's spectrum (NoiseReport.swift).

/// Watches effective rank and row norm of one side; a pure diagnostic that changes nothing and is no part of a checkpoint.
///
/// A resumed run starts watching afresh: a warning may come later, a result never differs.
public struct CollapseTracker: Sendable {
    /// The largest effective rank seen.
    private var best = 0.0
    private var firstNorm: Double?

    public init() {}

    /// Takes in a step's report; returns what is wrong now, an empty list most of the time.
    ///
    /// Collapse: the effective rank is under a quarter of its best value, or under 1.5 although it was above 2; in a batch of fewer rows
    /// or directions than that, such as an epoch's last, their number stands in the best value's place. Growth: row norm more than ten
    /// times the first one.
    public mutating func observe(_ report: NoiseReport) -> [Advice] {
        var advice: [Advice] = []
        if let spectrum = report.spectrum {
            let effectiveRank = spectrum.effectiveRank
            best = max(best, effectiveRank)
            let possible = min(best, Double(spectrum.singularValues.count))
            if effectiveRank < possible / 4 || (effectiveRank < 1.5 && possible > 2) {
                advice.append(.collapsing(effectiveRank: effectiveRank, best: best))
            }
        }
        if report.rowNorm > 0 {
            let first = firstNorm ?? report.rowNorm
            firstNorm = first
            if report.rowNorm > 10 * first { advice.append(.normGrowing(norm: report.rowNorm, first: first)) }
        }
        return advice
    }
}
