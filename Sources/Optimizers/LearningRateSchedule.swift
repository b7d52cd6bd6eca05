// The learning rate as a function of the step. Not here: where the number of steps comes from.

import Foundation

/// A learning rate that rises in a warm-up and then stays or falls. A pure function: resuming needs no state.
///
///     step ≤ warmup:  peak · step / warmup
///     step > warmup:  peak · (floor + (1 − floor) · f(x)),   x = (step − 1 − warmup) / (steps − warmup)
///     f(x) = 1 (constant),  1 − x (linear),  (1 + cos πx) / 2 (cosine)
///
/// Steps count from 1. The first step learns (rate peak / warmup, not 0) and so does the last (x < 1). Behind the warm-up this is the
/// formula of Hugging Face's `get_*_schedule_with_warmup` at their step − 1; within it, theirs is one step behind (0 at the first).
public struct LearningRateSchedule: Sendable, Equatable {
    public enum Kind: Sendable { case constant, linear, cosine }

    public var kind: Kind
    /// Highest rate.
    public var peak: Double
    /// Steps of the warm-up.
    public var warmup: Int
    /// Steps of the whole training.
    public var steps: Int
    /// Last rate as a share of the highest, 0 … 1.
    public var floor: Double

    public init(_ kind: Kind, peak: Double, warmup: Int = 0, steps: Int, floor: Double = 0) {
        precondition(warmup >= 0 && steps >= 0, "warm-up of \(warmup) in \(steps) steps")
        precondition((0...1).contains(floor), "floor \(floor) is not in 0 … 1")
        self.kind = kind
        self.peak = peak
        self.warmup = warmup
        self.steps = steps
        self.floor = floor
    }

    /// The rate of a step, from 1. Steps behind the last have the floor's rate.
    public func rate(at step: Int) -> Double {
        precondition(step >= 1, "step \(step): steps count from 1")
        if step <= warmup { return peak * Double(step) / Double(warmup) }
        let x = min(1, Double(step - 1 - warmup) / Double(max(1, steps - warmup)))
        let share: Double
        switch kind {
        case .constant: return peak
        case .linear: share = 1 - x
        case .cosine: share = (1 + cos(Double.pi * x)) / 2
        }
        return peak * (floor + (1 - floor) * share)
    }
}
