// When embeddings have collapsed, and what helps: one rule for a run's warnings and for its page. Not here: the effective rank (FANoise),
// trends over the steps of training (FANoise, Diagnostics.swift).

/// Whether held-out embeddings lie in so few directions that hardly any of them differ.
public enum CollapseRule {
    /// Effective ranks under this share of what is possible, or under `fewest`, mean collapse.
    static let share = 0.05
    static let fewest = 1.5
    /// Of fewer rows or dimensions nothing is said.
    static let leastPossible = 8

    /// - Parameter possible: the least of rows and dimensions.
    public static func holds(_ effectiveRank: Double, of possible: Int) -> Bool {
        possible >= leastPossible && effectiveRank < max(fewest, share * Double(possible))
    }

    /// What to do about it.
    public static let remedy =
        "lower optimizer.learning_rate or lengthen optimizer.schedule.warmup; where there is noise, also lower noise.strength, "
        + "or set noise.center: true or noise.energy: matched"
}
