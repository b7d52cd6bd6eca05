// What one step has to say for itself. Not here: where it is written (Metrics).

public import FANoise

/// The figures of one step, the same on every rank but for `seconds` and `floatingPointOperations`, which are this rank's.
public struct StepReport: Sendable {
    /// 1 for the first.
    public var step: Int
    /// Mean over the N rows of the global batch.
    public var loss: Double
    /// Share of the batch's queries whose own target scores highest.
    public var precisionAt1: Double
    /// τ after the update.
    public var temperature: Double
    public var learningRate: Double
    /// Global norm of the summed gradient, before clipping.
    public var gradientNorm: Double
    public var queryNoise: NoiseReport?
    public var targetNoise: NoiseReport?
    /// By phase, on this rank.
    public var seconds: PhaseSeconds
    /// Share of the gradient's exchange that was over when backward ended; nil with one rank.
    public var hiddenCommunication: Double?
    /// Whether some rank was asked to stop, so that all do after this step.
    public var stopRequested: Bool
    /// Operations of this rank's matrix products, two per multiply-add.
    public var floatingPointOperations: Double
}
