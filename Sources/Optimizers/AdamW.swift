// AdamW on ranges of flat buffers. Not here: the learning rate (LearningRateSchedule.swift), who owns which range
// (ParameterShards.swift), the innermost loop (Kernels).

public import Buffers
import Kernels

/// Adam with decoupled weight decay: constants, and a pure update of given buffers.
///
///     g ← scale · g
///     p ← p − lr · λ · p                      (only where the layout says that decay applies)
///     m ← β₁ m + (1 − β₁) g
///     v ← β₂ v + (1 − β₂) g²
///     p ← p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
///
/// Source: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2, in the form of
/// `torch.optim.AdamW`: λ is multiplied by the learning rate, ε is added after the bias correction of the second moment.
public struct AdamW: Sendable, Equatable {
    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double
    /// λ.
    public var weightDecay: Double

    public init(beta1: Double = 0.9, beta2: Double = 0.98, epsilon: Double = 1e-6, weightDecay: Double = 0.1) {
        precondition((0..<1).contains(beta1) && (0..<1).contains(beta2), "betas \(beta1), \(beta2) are not in 0 ..< 1")
        precondition(epsilon > 0 && weightDecay >= 0, "epsilon \(epsilon), weight decay \(weightDecay)")
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
    }

    /// The moments of the ranges that one rank owns, packed in the order of `ranges`.
    public struct State: Sendable {
        /// Ranges of the flat parameters.
        public let ranges: [Range<Int>]
        /// m of the first range, then of the second, …
        public let firstMoment: Floats
        /// v, likewise.
        public let secondMoment: Floats
        /// Where each range begins in the moments.
        public let offsets: [Int]

        /// Moments of zero, as before the first step.
        public init(ranges: [Range<Int>]) {
            self.ranges = ranges
            var total = 0
            offsets = ranges.map { range in
                defer { total += range.count }
                return total
            }
            firstMoment = Floats(repeating: 0, count: total)
            secondMoment = Floats(repeating: 0, count: total)
        }
    }

    /// Updates the parameters in `state.ranges`, and the state, in place. Local.
    ///
    /// - Parameters:
    ///   - parameters: flat, of the layout's count; only the owned ranges are read and written.
    ///   - gradients: flat, of the layout's count; only the owned ranges are read.
    ///   - step: t, 1 at the first update.
    ///   - gradientScale: factor of the gradient: the clipping coefficient.
    ///   - bounds: limits applied to the owned ranges after the update.
    public func update(
        _ state: State, parameters: Floats, gradients: Floats, decay: WeightDecayMap, learningRate: Double, step: Int,
        gradientScale: Float = 1, bounds: [ParameterBound] = []
    ) {
        for index in state.ranges.indices {
            update(
                rangeAt: index, of: state, parameters: parameters, gradients: gradients, decay: decay,
                learningRate: learningRate,
                step: step, gradientScale: gradientScale, bounds: bounds)
        }
    }

    /// The same for one of the ranges: one bucket's piece.
    public func update(
        rangeAt index: Int, of state: State, parameters: Floats, gradients: Floats, decay: WeightDecayMap,
        learningRate: Double,
        step: Int, gradientScale: Float = 1, bounds: [ParameterBound] = []
    ) {
        precondition(
            parameters.count == decay.count && gradients.count == decay.count,
            "\(parameters.count) parameters and \(gradients.count) gradients of a layout of \(decay.count)")
        precondition(
            step >= 1 && learningRate.isFinite && gradientScale.isFinite,
            "step \(step), rate \(learningRate), scale \(gradientScale)")
        let range = state.ranges[index]
        decay.forEachSegment(in: range) { segment, decays in
            let packed = state.offsets[index] + segment.lowerBound - range.lowerBound
            let moments = packed..<packed + segment.count
            adamWUpdate(
                parameters: parameters[segment], gradients: gradients[segment], firstMoment: state.firstMoment[moments],
                secondMoment: state.secondMoment[moments], learningRate: Float(learningRate), beta1: Float(beta1),
                beta2: Float(beta2),
                epsilon: Float(epsilon), weightDecay: decays ? Float(weightDecay) : 0, step: step,
                gradientScale: gradientScale)
        }
        for bound in bounds { bound.apply(to: parameters, within: range) }
    }
}

/// Where weight decay applies, as few long segments: neighbours that agree are one, and padding belongs to the parameter before it
/// (it is zero, and an update of zeros by zeros leaves zeros).
public struct WeightDecayMap: Sendable, Equatable {
    private let segments: [Segment]
    /// Elements of the layout.
    public let count: Int

    private struct Segment: Equatable {
        let range: Range<Int>
        let decays: Bool
    }

    public init(_ layout: ParameterLayout) {
        var segments: [Segment] = []
        for (index, entry) in layout.entries.enumerated() {
            let end = index + 1 < layout.entries.count ? layout.entries[index + 1].offset : layout.count
            if let last = segments.last, last.decays == entry.decays {
                segments[segments.count - 1] = Segment(range: last.range.lowerBound..<end, decays: entry.decays)
            } else {
                segments.append(Segment(range: entry.offset..<end, decays: entry.decays))
            }
        }
        self.segments = segments.filter { !$0.range.isEmpty }
        count = layout.count
    }

    /// Calls `body` with each non-empty part of `range` over which the answer is one, in order.
    public func forEachSegment(in range: Range<Int>, _ body: (_ segment: Range<Int>, _ decays: Bool) -> Void) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "range \(range) exceeds a layout of \(count)")
        // The first segment that ends behind the range's start.
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].range.upperBound <= range.lowerBound { low = middle + 1 } else { high = middle }
        }
        while low < segments.count, segments[low].range.lowerBound < range.upperBound {
            let part = segments[low].range.clamped(to: range)
            if !part.isEmpty { body(part, segments[low].decays) }
            low += 1
        }
    }
}

/// Limits of some parameters: a learned temperature stays within them.
public struct ParameterBound: Sendable, Equatable {
    /// Elements of the flat buffer.
    public var range: Range<Int>
    public var limits: ClosedRange<Float>

    public init(range: Range<Int>, limits: ClosedRange<Float>) {
        self.range = range
        self.limits = limits
    }

    /// Clamps the elements that lie in both ranges.
    public func apply(to parameters: Floats, within owned: Range<Int>) {
        for index in range.clamped(to: owned) {
            parameters[index] = min(max(parameters[index], limits.lowerBound), limits.upperBound)
        }
    }
}
