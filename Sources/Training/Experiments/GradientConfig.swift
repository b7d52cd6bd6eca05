// Keys of experiments of kind gradient. Not here: what is computed (GradientExperiment).

/// Batches and noise of which expected gradients are measured.
public struct GradientConfig: Sendable, Equatable {
    /// Deviation of the noise of one number, for the isotropic shape; others have the same energy.
    public var deviation = 0.02
    public var temperature = 0.05
    /// Pairs of a batch.
    public var rows = 32
    /// Numbers of an embedding.
    public var columns = 24
    /// Queries of a batch whose gradients are measured.
    public var queries = 4
    /// Draws of the noise for each.
    public var samples = 20000
    /// Cosine of the two sides of a pair.
    public var cosine = 0.7
    public init() {}
}

extension GradientConfig: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "deviation", &deviation, allowed: .above(0),
            "Deviation δ of the noise on each number of an embedding; shapes that are not isotropic have the same energy."
        )
        keys.value("temperature", &temperature, allowed: .above(0), "τ.")
        keys.value("rows", &rows, allowed: .within(2...4096), "Pairs of a batch.")
        keys.value("columns", &columns, allowed: .within(2...4096), "Numbers of an embedding.")
        keys.value("queries", &queries, allowed: .within(1...4096), "Queries of a batch whose gradients are measured.")
        keys.require(queries <= rows, at: "queries", "queries \(queries) are more than the \(rows) rows of a batch")
        keys.value("samples", &samples, allowed: .within(100...1_000_000_000), "Draws of the noise.")
        keys.value("cosine", &cosine, allowed: .within(0...1), "Mean cosine of the two sides of a pair.")
    }
}
