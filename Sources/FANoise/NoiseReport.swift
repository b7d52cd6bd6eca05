// What one perturbation did, in numbers and words. Not here: the perturbation (NoiseShaper.swift), trends over steps (CollapseTracker.swift).

/// The figures of one side of one step. Those of the noise are over the global batch and the same on every rank.
public struct NoiseReport: Sendable {
    /// α of this step, after the schedule.
    public var strength: Float
    /// ‖noise‖_F / ‖X‖_F; 0 when X is zero.
    public var noiseToSignal: Double
    /// Mean over the rows of cos(x, x̃), rows that are zero before or after left out; 1 when all are.
    public var cosine: Double
    /// Root mean square over the rows of ‖x‖₂ before the noise.
    public var rowNorm: Double
    /// The spectrum in use, `spectrumStep` telling of which step; nil where no spectrum was needed (none, gaussian, α = 0).
    public var spectrum: Spectrum?
    public var spectrumStep: Int?
    /// Which solver found it; never `auto`.
    public var solver: NoiseOptions.Solver?
    /// S of the directions that have a vector, in the order of the spectrum, and of every other one; nil without a spectrum.
    public var gains: (resolved: [Double], rest: Double)?
    /// What a person should know about this spectrum at this strength.
    public var advice: [Advice]
    /// Seconds this rank spent on the spectrum, communication included, and on noise and its statistics. When sides are perturbed
    /// together, the seconds of the whole call stand in the first side's report, 0 in the others.
    public var seconds: (spectrum: Double, noise: Double)

    public init(
        strength: Float, noiseToSignal: Double, cosine: Double, rowNorm: Double, spectrum: Spectrum?,
        spectrumStep: Int?,
        solver: NoiseOptions.Solver?, gains: (resolved: [Double], rest: Double)? = nil, advice: [Advice],
        seconds: (spectrum: Double, noise: Double)
    ) {
        self.strength = strength
        self.noiseToSignal = noiseToSignal
        self.cosine = cosine
        self.rowNorm = rowNorm
        self.spectrum = spectrum
        self.spectrumStep = spectrumStep
        self.solver = solver
        self.gains = gains
        self.advice = advice
        self.seconds = seconds
    }

    public var effectiveRank: Double? { spectrum?.effectiveRank }
    public var flatness: Double? { spectrum?.flatness }
    public var topShare: Double? { spectrum?.topShare }
}

/// A remark on a spectrum that a person can act on. `description` is the sentence to show.
public enum Advice: Sendable, Equatable, CustomStringConvertible {
    /// A share of the non-zero directions lies under the detection threshold of isotropic noise of this strength.
    case strengthTooLarge(share: Double, threshold: Double)
    /// All singular values are nearly equal.
    case flatSpectrum(flatness: Double)
    /// One direction carries nearly all the energy of an uncentred batch.
    case dominantDirection(share: Double)
    /// The batch spans fewer directions than min(m, n).
    case rankDeficient(dimension: Int, order: Int)
    /// All representations are zero, or there are none.
    case empty
    /// The solver left directions unresolved.
    case approximate(resolved: Int, order: Int)
    /// The effective rank has fallen, and is near 1 or a small part of what it was.
    case collapsing(effectiveRank: Double, best: Double)
    /// Representations have grown many times over.
    case normGrowing(norm: Double, first: Double)

    public var description: String {
        switch self {
        case .strengthTooLarge(let share, let threshold):
            "strength too large for this spectrum: \(percent(share)) of the non-zero directions have singular values under the "
                + "detection threshold \(short(threshold)) = (m/n)^(1/4) α of isotropic noise, for representations scaled as given; "
                + "lower the strength"
        case .flatSpectrum(let flatness):
            "flat spectrum (flatness \(short(flatness))): every scaling gives nearly the same noise, adaptive scaling can add nothing"
        case .dominantDirection(let share):
            "one direction carries \(percent(share)) of the energy, usually the common mean: linear and sublinear noise feed it; "
                + "consider center: true"
        case .rankDeficient(let dimension, let order):
            "the batch spans \(dimension) of \(order) possible directions: the others get no noise"
        case .empty: "all representations are zero: there is no spectrum and no noise"
        case .approximate(let resolved, let order):
            "\(resolved) of \(order) directions were resolved, the others share one mean gain: raise sketch or use solver gram"
        case .collapsing(let effectiveRank, let best):
            "representations are collapsing: effective rank \(short(effectiveRank)), it was \(short(best)); lower "
                + "optimizer.learning_rate or lengthen optimizer.schedule.warmup, then lower noise.strength, or set noise.center: true "
                + "or noise.energy: matched"
        case .normGrowing(let norm, let first):
            "representations are growing: row norm \(short(norm)), it was \(short(first)); normalise before the noise "
                + "(noise.features: unit)"
        }
    }

    /// Remarks on one spectrum; `strength` nil leaves out those that depend on α.
    public static func on(_ spectrum: Spectrum, strength: Double?, centered: Bool, resolved: Int? = nil) -> [Advice] {
        let order = spectrum.singularValues.count
        guard spectrum.dimension > 0 else { return [.empty] }
        var advice: [Advice] = []
        if let strength, strength > 0 {
            let threshold = spectrum.detectionThreshold(strength: strength)
            let hidden = spectrum.singularValues[..<spectrum.dimension].count { $0 <= threshold }
            let share = Double(hidden) / Double(spectrum.dimension)
            if share > 0.5 { advice.append(.strengthTooLarge(share: share, threshold: threshold)) }
        }
        // mean(σ)²/mean(σ²) > 0.95 means a relative spread of σ under 23 %, S within a tenth of 1 for the square root.
        if order > 1, spectrum.flatness > 0.95 { advice.append(.flatSpectrum(flatness: spectrum.flatness)) }
        if order > 1, !centered, spectrum.topShare > 0.8 { advice.append(.dominantDirection(share: spectrum.topShare)) }
        if spectrum.dimension < order { advice.append(.rankDeficient(dimension: spectrum.dimension, order: order)) }
        if spectrum.isApproximate, let resolved { advice.append(.approximate(resolved: resolved, order: order)) }
        return advice
    }
}

private func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }

/// Four significant digits.
private func short(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return "\(value)" }
    var unit = 1.0
    while abs(value) / unit >= 10_000 { unit *= 10 }
    while abs(value) / unit < 1_000 { unit /= 10 }
    // Divide by the inverse, an exact power of ten, where there is one: 0.095 prints as that.
    return unit < 1 ? "\((value / unit).rounded() / (1 / unit).rounded())" : "\((value / unit).rounded() * unit)"
}
