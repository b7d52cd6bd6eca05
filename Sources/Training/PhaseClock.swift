// Where the time of a step goes. Not here: what the phases do.

/// The parts of a step whose seconds are metrics.
public enum Phase: String, Sendable, CaseIterable {
    case data, forward, spectrum, noise, loss, backward, communication, optimizer
}

/// Adds up seconds by phase since the last `reset`.
public struct PhaseClock: Sendable {
    public private(set) var seconds: [Phase: Double] = [:]
    private let clock = ContinuousClock()

    public init() {}

    /// Runs `body` and charges its duration to `phase`.
    public mutating func measure<Result>(_ phase: Phase, _ body: () throws -> Result) rethrows -> Result {
        let start = clock.now
        defer { add(start.duration(to: clock.now).seconds, to: phase) }
        return try body()
    }

    /// Charges time that was measured elsewhere.
    public mutating func add(_ amount: Double, to phase: Phase) { seconds[phase, default: 0] += amount }

    public mutating func reset() { seconds = [:] }
}

extension Duration {
    /// The duration in seconds.
    public var seconds: Double {
        let (whole, fraction) = components
        return Double(whole) + Double(fraction) * 1e-18
    }
}
