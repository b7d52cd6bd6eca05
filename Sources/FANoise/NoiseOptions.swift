// What noise is wanted, in the words of the configuration. Not here: parsing (Training, FanoiseTool), making it (NoiseShaper.swift).

import Failures

/// The settings of FANoise. The raw values of the enums are the words of the configuration and of the command line.
public struct NoiseOptions: Sendable, Equatable {
    /// How the noise of a direction follows from its singular value: S_j = σ_j^p / mean_r(σ^p).
    public enum Scaling: String, Sendable, CaseIterable {
        /// No noise.
        case none
        /// The same in all n directions, of the data's span or not: M = I. Needs no spectrum.
        case gaussian
        /// p = 0: the same in every direction of the data's span.
        case uniform
        /// p = 1.
        case linear
        /// p = 1/2 unless `power` says otherwise: the method of the paper.
        case sublinear
        /// p = `power`, which must be given.
        case power
        /// The values of p = 1/2 (or of `power`) dealt to the non-zero directions at random: a control with the same energies.
        case shuffled
    }

    /// What α fixes.
    public enum Energy: String, Sendable, CaseIterable {
        /// As published: the noise energy of a row is α²/n · Σ_j S_j², whatever Σ S² is.
        case paper
        /// S rescaled so that Σ S_j² = n: the expected noise energy of a row is α² for every scaling, m and n.
        case matched
    }

    /// How the spectrum is found.
    public enum Solver: String, Sendable, CaseIterable {
        /// `gram` up to min(m, n) = 4096, `randomized` above.
        case auto
        /// Eigenvalues of the smaller Gram matrix in float64. Exact to rounding.
        case gram
        /// The same with the matrix's products in float32, for batches so large that forming it takes longer than solving it, on a
        /// processor with a matrix unit. σ² may be off by 2⁻¹⁸ σ_1², and singular values up to 2⁻⁹ σ_1 count as zero.
        case gram32
        /// Singular value decomposition in float64 of the rows, compressed rank by rank. Exact; slower; the reference.
        case svd
        /// The leading `sketch` directions by subspace iteration; the others are taken to be equal. Approximate.
        case randomized
    }

    /// Whose rows the spectrum is taken of.
    public enum Scope: String, Sendable, CaseIterable {
        /// The global batch: α means one thing at every world size.
        case global
        /// Each rank's own rows, as a naive port does: for experiments.
        case rank
    }

    /// Whether sides perturbed together have a spectrum each.
    public enum Spectra: String, Sendable, CaseIterable {
        case separate
        /// One spectrum, of the rows of all sides stacked.
        case joint
    }

    /// How α changes over training: a pure function of the step.
    public enum Schedule: Sendable, Equatable {
        case constant
        /// Linear from α / steps at step 1, the first of training, to α at step `steps`.
        case warmup(steps: Int)
        /// α before step `from`, linear to 0 at step `to`, 0 afterwards.
        case decay(from: Int, to: Int)
    }

    public var scaling: Scaling
    /// α ≥ 0, dimensionless: relative to unit rows when the representations are normalised before the noise.
    public var strength: Float
    /// The exponent p; nil means the scaling's own.
    public var power: Double?
    public var energy: Energy
    /// Take the spectrum of X minus its global mean row.
    public var center: Bool
    public var solver: Solver
    /// Directions that the randomized solver resolves.
    public var sketch: Int
    /// Steps for which one spectrum is used; 1 takes a new one every step.
    public var refresh: Int
    public var schedule: Schedule
    public var scope: Scope
    public var spectrum: Spectra

    public init(
        scaling: Scaling = .sublinear, strength: Float = 0.1, power: Double? = nil, energy: Energy = .paper,
        center: Bool = false,
        solver: Solver = .auto, sketch: Int = 256, refresh: Int = 1, schedule: Schedule = .constant,
        scope: Scope = .global,
        spectrum: Spectra = .separate
    ) {
        self.scaling = scaling
        self.strength = strength
        self.power = power
        self.energy = energy
        self.center = center
        self.solver = solver
        self.sketch = sketch
        self.refresh = refresh
        self.schedule = schedule
        self.scope = scope
        self.spectrum = spectrum
    }

    /// p, or nil where no spectrum is used.
    public var exponent: Double? {
        switch scaling {
        case .none, .gaussian: nil
        case .uniform: 0
        case .linear: 1
        case .sublinear, .shuffled, .power: power ?? 0.5
        }
    }

    /// α at `step`.
    public func strength(at step: Int) -> Float {
        switch schedule {
        case .constant: strength
        case .warmup(let steps): step >= steps ? strength : strength * Float(step) / Float(steps)
        case .decay(let from, let to):
            step < from ? strength : step >= to ? 0 : strength * Float(to - step) / Float(to - from)
        }
    }

    /// Says what is wrong with the combination of settings, if anything.
    /// - Throws: `Failure(.configuration)` naming the key, the value found and what is allowed.
    public func validate() throws {
        guard strength.isFinite, strength >= 0 else {
            throw wrong("strength", "\(strength)", "a finite number, 0 or more")
        }
        if let power {
            guard power.isFinite, abs(power) <= 16 else { throw wrong("power", "\(power)", "between -16 and 16") }
            guard [.sublinear, .power, .shuffled].contains(scaling) else {
                throw wrong(
                    "power", "\(power)",
                    "null with scaling \(scaling.rawValue), whose exponent is fixed; use scaling power")
            }
        } else if scaling == .power {
            throw wrong("power", "null", "given with scaling power")
        }
        guard refresh >= 1 else { throw wrong("refresh", "\(refresh)", "1 or more") }
        guard sketch >= 1 else { throw wrong("sketch", "\(sketch)", "1 or more") }
        guard refresh == 1 || scope == .global else {
            throw wrong("refresh", "\(refresh)", "1 with scope rank, whose spectra are no part of a checkpoint")
        }
        switch schedule {
        case .constant: break
        case .warmup(let steps):
            guard steps >= 1 else { throw wrong("schedule", "a warm-up of \(steps) steps", "at least 1 step") }
        case .decay(let from, let to):
            guard 0 <= from, from < to else {
                throw wrong("schedule", "a decay from step \(from) to \(to)", "0 ≤ from < to")
            }
        }
    }

    private func wrong(_ key: String, _ found: String, _ expected: String) -> Failure {
        Failure(.configuration, "noise.\(key) is \(found); it must be \(expected)")
    }
}
