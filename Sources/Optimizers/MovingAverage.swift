// An exponential moving average of the parameters. Not here: who reads it (Training).

public import Buffers
import Kernels

/// `e ← e + (1 − d) (p − e)` after every update, on the ranges that one rank owns.
///
///     d_t = min(decay, (1 + t) / (10 + t)) with warm-up, else decay
///
/// The warm-up, of TensorFlow's `ExponentialMovingAverage`, keeps the first parameters from weighing on the average for 1/(1 − decay)
/// steps. Source of the method: Polyak and Juditsky, SIAM J. Control Optim. 30 (1992), 838–855.
public struct MovingAverage: Sendable {
    public let decay: Double
    public let warmsUp: Bool
    /// `average`, packed like an optimizer's state.
    public let state: OptimizerState

    public init(decay: Double, warmsUp: Bool, ranges: [Range<Int>]) {
        precondition((0..<1).contains(decay), "decay \(decay) is not in 0 ..< 1")
        self.decay = decay
        self.warmsUp = warmsUp
        state = OptimizerState(["average"], ranges: ranges)
    }

    /// The average becomes the parameters: before the first update.
    public func begin(_ parameters: Floats) {
        for (index, range) in state.ranges.enumerated() {
            state.buffers[0][state.packed(range, inRangeAt: index)].copy(from: parameters[range])
        }
    }

    /// After the update of step t, 1 for the first.
    public func update(_ parameters: Floats, step: Int) {
        let d = warmsUp ? min(decay, Double(1 + step) / Double(10 + step)) : decay
        for (index, range) in state.ranges.enumerated() {
            averageUpdate(state.buffers[0][state.packed(range, inRangeAt: index)], parameters[range], decay: d)
        }
    }

    /// Overwrites the owned parameters with their averages.
    public func write(to parameters: Floats) {
        for (index, range) in state.ranges.enumerated() {
            parameters[range].copy(from: state.buffers[0][state.packed(range, inRangeAt: index)])
        }
    }
}
