// The trained model: two encoders and the loss's own parameters in one flat layout. Not here: how it is configured or trained.

public import Autograd
public import Encoders
import Failures
import Optimizers
import RealModule

/// A query encoder, a target encoder (or one encoder for both sides), a temperature and (sigmoid loss) a bias.
///
/// The layout begins with the query tower, or the shared one, and ends with the loss's parameters, in the order of the forward pass: gradients are
/// complete from its end to its start.
public final class DualEncoder {
    public let query: any Encoder
    public let target: any Encoder
    /// Whether both sides are one encoder, whose parameters are named `shared.…`.
    public let isShared: Bool
    /// ln τ, [1].
    public let logTemperature: ParameterReference
    /// b of the sigmoid loss, [1].
    public let bias: ParameterReference
    public let parameters: Parameters
    /// Index of the first parameter that belongs to no encoder.
    private let firstOfLoss: Int
    /// What declared the parameters.
    private let plan: ParameterPlan

    /// Gives a draft its parameters, with their initial weights.
    /// - Parameters:
    ///   - seed: initial weights are a function of it.
    ///   - memory: where they lie; nil for memory of this rank's own.
    init(_ draft: DualEncoderDraft, seed: UInt64, memory: ParameterMemory? = nil) {
        (query, target, isShared) = (draft.query, draft.target, draft.isShared)
        (logTemperature, bias, firstOfLoss) = (draft.logTemperature, draft.bias, draft.firstOfLoss)
        plan = draft.plan
        parameters = Parameters(plan, seed: seed, frozen: draft.frozen, memory: memory, use: draft.use)
    }

    /// One side's encoder.
    public func encoder(_ side: Side) -> any Encoder { side == .query ? query : target }

    /// Indices of the parameters that other patterns than the present ones would freeze.
    func frozenParameters(_ freeze: [NamePattern]) throws -> Set<Int> { try plan.frozenParameters(freeze) }

    /// E.
    public var columns: Int { query.outputColumns }

    /// How many passes of a step add to a parameter's gradient: each side's pass tells when it is done with it.
    func passes(addingTo parameter: Int) -> Int { isShared && parameter < firstOfLoss ? 2 : 1 }

    /// τ.
    public var temperature: Float { Float.exp(parameters[logTemperature].values[0]) }
}

extension DualEncoder {
    /// The limits of τ as limits of the parameter ln τ.
    /// - Parameter published: ln τ of the weights that training begins with, which widens limits that exclude it.
    func temperatureBound(_ temperature: RunConfig.Temperature, published: Float? = nil) -> ParameterBound {
        let (least, greatest) = (Float(Double.log(temperature.minimum)), Float(Double.log(temperature.maximum)))
        return ParameterBound(
            range: parameters.layout.entries[logTemperature.index].range,
            limits: min(least, published ?? least)...max(greatest, published ?? greatest))
    }
}
