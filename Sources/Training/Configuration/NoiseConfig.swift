// Keys of the section `noise`. Not here: what the words do (FANoise).

public import FANoise

extension NoiseOptions.Scaling: ConfigChoice {}
extension NoiseOptions.Energy: ConfigChoice {}
extension NoiseOptions.Spectra: ConfigChoice {}
extension NoiseOptions.Scope: ConfigChoice {}
extension NoiseOptions.Solver: ConfigChoice {}

extension RunConfig {
    public enum NoisePosition: String, ConfigChoice, Sendable { case output, input }
    public enum NoiseFeatures: String, ConfigChoice, Sendable { case unit, raw }

    /// The strength's course over training.
    public struct NoiseSchedule: Sendable, Equatable {
        public enum Kind: String, ConfigChoice, Sendable { case constant, warmup, decay }
        public var kind = Kind.constant
        /// Steps of the warm-up or decay.
        public var steps: Int?
        public init() {}
    }

    public struct Noise: Sendable, Equatable {
        public var scaling = NoiseOptions.Scaling.sublinear
        /// α.
        public var strength = 0.1
        /// p, for the scalings that take one.
        public var power: Double?
        public var position = NoisePosition.output
        public var energy = NoiseOptions.Energy.paper
        public var center = false
        public var features = NoiseFeatures.unit
        public var renormalize = true
        public var spectrum = NoiseOptions.Spectra.separate
        public var scope = NoiseOptions.Scope.global
        public var solver = NoiseOptions.Solver.auto
        /// Directions that the randomized solver resolves.
        public var sketch = 256
        /// Steps between two spectra.
        public var refresh = 1
        public var schedule = NoiseSchedule()
        public init() {}
    }
}

extension RunConfig.NoiseSchedule: ConfigSection {
    static var shorthandKey: String? { "kind" }

    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "kind", &kind,
            "constant; warmup: the strength rises from 0 within steps; decay: it falls to 0 within steps.")
        keys.value(
            "steps", &steps, allowed: .optional(.steps),
            onlyWhen: .when(kind != .constant, "kind is warmup or decay"),
            "Steps that the change takes.")
        keys.require(
            kind == .constant || steps != nil, at: "steps",
            "schedule \(kind.rawValue) needs the number of steps it takes")
    }
}

extension RunConfig.Noise: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "scaling", &scaling,
            "Amplitude along a singular direction σ: uniform 1, sublinear √σ (the method), linear σ, power σ^p, shuffled the amplitudes of "
                + "power in random order; gaussian: independent of the spectrum; none: no noise.")
        keys.value(
            "strength", &strength, allowed: .atLeast(0),
            "α: with features unit, the noise's scale relative to a row of norm 1.")
        keys.value(
            "power", &power, allowed: .optional(.atLeast(0)),
            onlyWhen: .when([.power, .shuffled].contains(scaling), "scaling is power or shuffled"),
            "The exponent p; null means 0.5 for shuffled.")
        keys.require(scaling != .power || power != nil, at: "power", "scaling power needs a power")
        keys.value(
            "position", &position, "output: on the representations; input: on the embeddings entering the first block.")
        keys.value(
            "energy", &energy,
            "paper: amplitudes have mean 1; matched: mean square 1, so that shapes compare at equal energy.")
        keys.value("center", &center, "Whether the spectrum is that of the batch without its mean.")
        keys.value("features", &features, "unit: representations are normalised before the noise; raw: they are not.")
        keys.value("renormalize", &renormalize, "Whether rows are normalised again after the noise.")
        keys.value("spectrum", &spectrum, "separate: queries and targets each have their own; joint: one of both.")
        keys.value(
            "scope", &scope,
            "global: the spectrum of the whole batch; rank: of each rank's rows alone (for experiments).")
        keys.value(
            "solver", &solver,
            """
            How the spectrum is computed; auto takes gram up to 4096 directions and randomized above; gram32 forms its matrix in float32.
            """)
        keys.value("sketch", &sketch, allowed: .within(1...65536), "Directions that the randomized solver resolves.")
        keys.value("refresh", &refresh, allowed: .steps, "Steps between two computations of the spectrum.")
        keys.require(
            position == .output || spectrum == .separate, at: "spectrum",
            "spectrum joint is of both towers' representations; with position input each tower's tokens have their own")
        keys.require(refresh == 1 || scope == .global, at: "refresh", "refresh \(refresh) needs scope global")
        keys.section("schedule", &schedule, "The strength's course over training; a word alone is its kind.")
    }
}
