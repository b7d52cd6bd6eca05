// Times the parts of a step. Not here: the parts (StepPhase), what they do.

/// Adds up seconds by phase since the last `reset`.
public struct PhaseClock: Sendable {
    public private(set) var seconds = PhaseSeconds()
    private let clock = ContinuousClock()

    public init() {}

    /// Runs `body` and charges its duration to `phase`.
    public mutating func measure<Result>(_ phase: StepPhase, _ body: () throws -> Result) rethrows -> Result {
        let start = clock.now
        defer { add(start.duration(to: clock.now).seconds, to: phase) }
        return try body()
    }

    /// Charges time that was measured elsewhere.
    public mutating func add(_ amount: Double, to phase: StepPhase) { seconds[phase] += amount }

    public mutating func reset() { seconds = PhaseSeconds() }
}

extension Duration {
    /// The duration in seconds.
    public var seconds: Double {
        let (whole, fraction) = components
        return Double(whole) + Double(fraction) * 1e-18
    }
}
