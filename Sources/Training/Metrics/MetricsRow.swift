// One row of metrics.jsonl. Not here: the file (MetricsWriter.swift).

import ArrayFiles

/// The parts of a training step that are timed. `communication` has the waits for slower ranks, too: before noise and loss, and after backward.
public enum StepPhase: String, Sendable, CaseIterable {
    case data, forward, spectrum, noise, loss, backward, communication, optimizer
}

/// Seconds of one step by phase.
public struct PhaseSeconds: Sendable, Equatable {
    private var seconds = [Double](repeating: 0, count: StepPhase.allCases.count)

    public init() {}

    public subscript(phase: StepPhase) -> Double {
        get { seconds[PhaseSeconds.index(of: phase)] }
        set { seconds[PhaseSeconds.index(of: phase)] = newValue }
    }

    /// Seconds of all phases together.
    public var total: Double { seconds.reduce(0, +) }

    private static func index(of phase: StepPhase) -> Int {
        switch phase {
        case .data: 0
        case .forward: 1
        case .spectrum: 2
        case .noise: 3
        case .loss: 4
        case .backward: 5
        case .communication: 6
        case .optimizer: 7
        }
    }
}

/// What is known about one training step, or about the evaluations behind it. Values that could not be measured are NaN, in the file
/// `null`.
public struct MetricsRow: Sendable, Equatable {
    /// A further number of the row, behind the fixed ones: `unseen.precision_at_1` of an evaluation.
    public struct Measure: Sendable, Equatable {
        public var key: String
        public var value: Double

        public init(key: String, value: Double) {
            self.key = key
            self.value = value
        }
    }

    /// From 1.
    public var step: Int
    /// Whether the row is one of evaluations: it has the step and the further numbers alone.
    public var isOfEvaluation = false
    /// Passes over the data, with fraction.
    public var epoch = Double.nan
    public var loss = Double.nan
    /// Share of the batch's queries whose best target is theirs.
    public var precisionAt1 = Double.nan
    public var temperature = Double.nan
    public var learningRate = Double.nan
    /// Before clipping.
    public var gradientNorm = Double.nan
    /// ‖noise‖ / ‖x‖ as realised.
    public var noiseToSignal = Double.nan
    public var samplesPerSecond = Double.nan
    public var seconds = PhaseSeconds()
    /// Floating-point operations of the step over what the machine's matrix products could do in its time.
    public var gemmUtilisation = Double.nan
    public var further: [Measure] = []

    public init(step: Int) { self.step = step }

    /// One line of JSON without its newline: keys in fixed order, numbers as the shortest decimals that read back equal.
    public var json: String {
        let phases = StepPhase.allCases.map { "\(StrictJSON.quoted($0.rawValue)): \(Self.number(seconds[$0]))" }.joined(
            separator: ", ")
        var fields = [("step", String(step))]
        if !isOfEvaluation {
            fields += [
                ("epoch", epoch), ("loss", loss), ("precision_at_1", precisionAt1), ("temperature", temperature),
                ("learning_rate", learningRate), ("gradient_norm", gradientNorm), ("noise_to_signal", noiseToSignal),
                ("samples_per_second", samplesPerSecond),
            ].map { ($0.0, Self.number($0.1)) }
            fields += [("seconds", "{\(phases)}"), ("gemm_utilisation", Self.number(gemmUtilisation))]
        }
        fields += further.map { ($0.key, Self.number($0.value)) }
        return "{" + fields.map { "\(StrictJSON.quoted($0.0)): \($0.1)" }.joined(separator: ", ") + "}"
    }

    /// JSON has neither NaN nor infinity.
    private static func number(_ value: Double) -> String { value.isFinite ? "\(value)" : "null" }
}
