// The trained model: two encoders and the loss's own parameters in one flat layout. Not here: how it is configured or trained.

public import Autograd
public import Encoders
import Failures
import RealModule

/// A query encoder, a target encoder, a temperature and (sigmoid loss) a bias.
///
/// The layout begins with the query tower and ends with the loss's parameters, in the order of the forward pass: gradients are
/// complete from its end to its start.
public final class DualEncoder {
    public let query: any Encoder
    public let target: any Encoder
    /// ln τ, [1].
    public let logTemperature: ParameterReference
    /// b of the sigmoid loss, [1].
    public let bias: ParameterReference
    public let parameters: Parameters

    /// - Parameters:
    ///   - query, target: declare an encoder under the given name.
    ///   - temperature: initial τ > 0.
    ///   - bias: initial b.
    ///   - seed: initial weights are a function of it.
    ///   - freeze: patterns over the names of parameters that are not to be trained.
    /// - Throws: `Failure(.configuration)` when memory does not suffice, a pattern means nothing, or nothing is left to train.
    public init(
        query: (inout ParameterPlan, String) -> any Encoder, target: (inout ParameterPlan, String) -> any Encoder,
        temperature: Float,
        bias: Float, seed: UInt64, freeze: [NamePattern] = []
    ) throws {
        var plan = ParameterPlan()
        self.query = query(&plan, "query")
        self.target = target(&plan, "target")
        logTemperature = plan.declare("loss.log_temperature", [1], .constant(Float.log(temperature)))
        self.bias = plan.declare("loss.bias", [1], .constant(bias))
        let frozen = try ParameterSelection(key: "model.freeze", patterns: freeze).indices(in: plan.layout)
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
        parameters = Parameters(plan, seed: seed, frozen: frozen)
        precondition(
            self.query.outputColumns == self.target.outputColumns,
            "embedding widths \(self.query.outputColumns) and \(self.target.outputColumns) differ")
    }

    /// E.
    public var columns: Int { query.outputColumns }

    /// τ.
    public var temperature: Float { Float.exp(parameters[logTemperature].values[0]) }
}
