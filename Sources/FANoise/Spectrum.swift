// The singular values of a batch, and what follows from them alone. Not here: how they are found (the solvers), noise.

private import Foundation

/// The singular values of an m × n matrix of representations, all r = min(m, n) of them, and their summaries.
public struct Spectrum: Sendable, Equatable {
    /// σ, descending; r values. Values at or under the tolerance are kept here; `dimension` says how many are above it.
    public let singularValues: [Double]
    /// m, rows of the global batch.
    public let rows: Int
    /// n, dimensions.
    public let columns: Int
    /// Number of σ above the tolerance: the numerical dimension of the span of the rows.
    public let dimension: Int
    /// Whether values past the sketch were replaced by their root mean square (randomized solver).
    public let isApproximate: Bool

    /// - Parameters:
    ///   - scale: the σ that the tolerance is relative to; the largest one unless the batch was centred.
    ///   - tolerance: under which a σ counts as zero, by rows, columns and scale.
    public init(
        singularValues: [Double], rows: Int, columns: Int, scale: Double? = nil, isApproximate: Bool = false,
        tolerance: (Int, Int, Double) -> Double = Spectrum.tolerance
    ) {
        precondition(
            singularValues.count == min(rows, columns),
            "\(singularValues.count) singular values of a \(rows)×\(columns) matrix")
        self.singularValues = singularValues
        self.rows = rows
        self.columns = columns
        self.isApproximate = isApproximate
        let floor = tolerance(rows, columns, scale ?? singularValues.first ?? 0)
        dimension = singularValues.firstIndex { $0 <= floor } ?? singularValues.count
    }

    init(singularValues: [Double], rows: Int, columns: Int, dimension: Int, isApproximate: Bool) {
        self.singularValues = singularValues
        self.rows = rows
        self.columns = columns
        self.dimension = dimension
        self.isApproximate = isApproximate
    }

    /// Singular values at or under this are zero.
    ///
    /// ```
    /// σ_1 · max(m, n) · 2⁻²³
    /// ```
    /// The rule of numpy's `matrix_rank` for float32 data: what rounding the representations to float32 can produce.
    /// For a centred batch the scale is the larger of σ_1 and √m ‖μ‖, the singular value that centring removed: the rounding is
    /// that of the values as they were.
    public static func tolerance(rows: Int, columns: Int, scale: Double) -> Double {
        scale * Double(max(rows, columns)) * Double(Float.ulpOfOne)
    }

    /// The same where the squares of the singular values come from float32 products, which may be off by 2⁻¹⁸ σ_1² where all rows are
    /// alike: no less than 2⁻⁹ σ_1.
    public static func singleTolerance(rows: Int, columns: Int, scale: Double) -> Double {
        max(tolerance(rows: rows, columns: columns, scale: scale), scale * 0x1p-9)
    }

    /// Number of directions that share the spectrum evenly, 1 … r; 0 for a zero matrix.
    ///
    /// ```
    /// exp(−Σ p_j ln p_j),  p_j = σ_j / Σ σ
    /// ```
    /// Roy and Vetterli, "The effective rank", EUSIPCO 2007.
    public var effectiveRank: Double {
        let sum = singularValues.reduce(0, +)
        guard sum > 0 else { return 0 }
        let entropy = singularValues.reduce(0.0) { $1 > 0 ? $0 - $1 / sum * log($1 / sum) : $0 }
        return exp(entropy)
    }

    /// 1 when all σ are equal, 1/r when only one is not zero; 0 for a zero matrix.
    ///
    /// ```
    /// (mean_r σ)² / mean_r(σ²)
    /// ```
    /// Its inverse is the noise energy of linear scaling relative to uniform scaling at equal α.
    public var flatness: Double {
        let squares = squaredNorm
        guard squares > 0 else { return 0 }
        let sum = singularValues.reduce(0, +)
        return sum * sum / (squares * Double(singularValues.count))
    }

    /// Share of the energy that lies in the first direction, σ_1² / Σ σ²; 0 for a zero matrix.
    public var topShare: Double {
        let squares = squaredNorm
        guard squares > 0, let first = singularValues.first else { return 0 }
        return first * first / squares
    }

    /// ‖X‖_F² = Σ σ².
    public var squaredNorm: Double { singularValues.reduce(0) { $0 + $1 * $1 } }

    /// Where the singular values of pure isotropic noise of strength α lie, for the same m and n.
    ///
    /// ```
    /// α |1 − √(m/n)|  …  α (1 + √(m/n))        (entries α/√n · N(0, 1))
    /// ```
    /// Marchenko and Pastur 1967, in the limit of large m and n.
    public func bulk(strength: Double) -> (lower: Double, upper: Double) {
        let ratio = aspect.squareRoot()
        return (strength * abs(1 - ratio), strength * (1 + ratio))
    }

    /// The σ under which isotropic noise of strength α hides a direction: its noisy singular vector carries no trace of it.
    ///
    /// ```
    /// (m/n)^(1/4) α
    /// ```
    /// Benaych-Georges and Nadakuditi, J. Multivariate Analysis 111, 2012, section 3.1, with variance α²/n.
    public func detectionThreshold(strength: Double) -> Double { strength * aspect.squareRoot().squareRoot() }

    /// Share of the r directions with σ at or under the detection threshold; 0 when r = 0.
    public func shareBelowThreshold(strength: Double) -> Double {
        guard !singularValues.isEmpty else { return 0 }
        let threshold = detectionThreshold(strength: strength)
        return Double(singularValues.count { $0 <= threshold }) / Double(singularValues.count)
    }

    private var aspect: Double { columns == 0 ? 0 : Double(rows) / Double(columns) }
}
