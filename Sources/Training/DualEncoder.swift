// The trained model: two encoders and the loss's own parameters in one flat layout. Not here: how it is configured or trained.

public import Autograd
public import Encoders
import Failures
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

    /// - Parameters:
    ///   - query, target: declare an encoder under the given name; without a target both sides are the first.
    ///   - temperature: initial τ > 0.
    ///   - bias: initial b.
    ///   - seed: initial weights are a function of it.
    ///   - lowRank: which linear layers get adapters.
    ///   - freeze: patterns over the names of parameters that are not to be trained.
    /// - Throws: `Failure(.configuration)` when memory does not suffice, a pattern means nothing, or nothing is left to train.
    public init(
        query: (inout ParameterPlan, String) -> any Encoder, target: ((inout ParameterPlan, String) -> any Encoder)?,
        temperature: Float,
        bias: Float, seed: UInt64, lowRank: LowRankOptions? = nil, freeze: [NamePattern] = []
    ) throws {
        var plan = ParameterPlan(lowRank: lowRank)
        isShared = target == nil
        self.query = query(&plan, isShared ? "shared" : "query")
        self.target = target?(&plan, "target") ?? self.query
        firstOfLoss = plan.layout.entries.count
        logTemperature = plan.declare("loss.log_temperature", [1], .constant(Float.log(temperature)))
        self.bias = plan.declare("loss.bias", [1], .constant(bias))
        let frozen = try plan.frozenParameters(freeze)
        let ofLoss: Set = [logTemperature.index, self.bias.index]
        guard frozen.union(ofLoss).count < plan.layout.entries.count else {
            throw Failure(
                .configuration,
                "model.freeze: every parameter of both encoders is frozen, nothing is left to train; take some out with "
                    + "a pattern after '!', such as '!*.projection'")
        }
        // Values, and of what is trained also gradients and two moments, four bytes each.
        let trainable = plan.layout.movingBehind(frozen).front.count
        let (needed, memory) = (4 * plan.layout.count + 12 * trainable, Machine.current().memoryBytes)
        guard needed <= memory else {
            throw Failure(
                .configuration,
                "a model of \(plan.layout.parameterCount) parameters needs \(needed) bytes to train, this machine has \(memory): lower "
                    + "model.*.width, depth, vocabulary or context")
        }
        self.plan = plan
        parameters = Parameters(plan, seed: seed, frozen: frozen)
        precondition(
            self.query.outputColumns == self.target.outputColumns,
            "embedding widths \(self.query.outputColumns) and \(self.target.outputColumns) differ")
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
