// A dual encoder before it has parameters: what is declared, and how much memory it takes. Not here: the model (DualEncoder.swift).

import Autograd
import Collectives
import Encoders
import Failures
import RealModule

/// Two encoders, or one for both sides, and the loss's own parameters, declared and counted; the same on every rank.
struct DualEncoderDraft {
    let query: any Encoder
    let target: any Encoder
    let isShared: Bool
    let logTemperature: ParameterReference
    let bias: ParameterReference
    /// Index of the first parameter that belongs to no encoder.
    let firstOfLoss: Int
    let plan: ParameterPlan
    let frozen: Set<Int>
    /// Elements of all parameters, and of those that are trained.
    let valueCount: Int
    let gradientCount: Int
    let use: ParameterUse

    /// - Parameters:
    ///   - query, target: declare an encoder under the given name; without a target both sides are the first.
    ///   - temperature: initial τ > 0.
    ///   - bias: initial b.
    ///   - lowRank: which linear layers get adapters.
    ///   - freeze: patterns over the names of parameters that are not to be trained.
    ///   - use: whether the model is to be trained.
    /// - Throws: `Failure(.configuration)` when memory does not suffice, a pattern means nothing, or nothing is left to train.
    init(
        query: (inout ParameterPlan, String) -> any Encoder, target: ((inout ParameterPlan, String) -> any Encoder)?,
        temperature: Float, bias: Float, lowRank: LowRankOptions? = nil, freeze: [NamePattern] = [],
        use: ParameterUse = .training
    ) throws {
        var plan = ParameterPlan(lowRank: lowRank)
        isShared = target == nil
        self.query = query(&plan, isShared ? "shared" : "query")
        self.target = target?(&plan, "target") ?? self.query
        firstOfLoss = plan.layout.entries.count
        logTemperature = plan.declare("loss.log_temperature", [1], .constant(Float.log(temperature)))
        self.bias = plan.declare("loss.bias", [1], .constant(bias))
        frozen = try plan.frozenParameters(freeze)
        let ofLoss: Set = [logTemperature.index, self.bias.index]
        guard frozen.union(ofLoss).count < plan.layout.entries.count else {
            throw Failure(
                .configuration,
                "model.freeze: every parameter of both encoders is frozen, nothing is left to train; take some out with "
                    + "a pattern after '!', such as '!*.projection'")
        }
        self.plan = plan
        self.use = use
        (valueCount, gradientCount) = (plan.layout.count, plan.layout.movingBehind(frozen).front.count)
        let (needed, memory) = (neededBytes, Machine.current().memoryBytes)
        guard needed <= memory else {
            throw Failure(
                .configuration,
                "a model of \(plan.layout.parameterCount) parameters needs \(needed) bytes\(use == .training ? " to train" : ""), this "
                    + "machine has \(memory): "
                    + (use == .training
                        ? "lower model.*.width, depth, vocabulary or context" : "use it on a machine with more"))
        }
        precondition(
            self.query.outputColumns == self.target.outputColumns,
            "embedding widths \(self.query.outputColumns) and \(self.target.outputColumns) differ")
    }

    /// Bytes of values, and, of what is trained, of gradients and two moments.
    var neededBytes: Int { 4 * valueCount + (use == .training ? 12 * gradientCount : 0) }

    /// Memory as the world lays it out: one copy of the parameters a node, gradients that neighbours can read. *Collective.*
    func memory(_ communicator: any Communicator) throws -> ParameterMemory {
        let bytes = MemoryLayout<Float>.stride
        let values = try communicator.nodeMemory(.common, byteCount: bytes * valueCount)
        let gradients = try communicator.nodeMemory(.own, byteCount: bytes * gradientCount)
        return ParameterMemory(values: values.memory, gradients: gradients.memory, isFilledHere: values.isFirst)
    }
}
