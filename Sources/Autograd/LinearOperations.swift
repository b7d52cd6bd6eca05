// Linear layers, and two with an activation between them, on the tape. Not here: products (Kernels), what layers are made of (Layers).
//
// Shapes: R rows (all tokens of all sequences, one behind the other), I inputs, F features between two layers, O outputs.

import Buffers
public import Kernels

/// What a linear layer applies: `x_RI · Wᵀ_IO + b_O + adapters`, W stored [O, I].
public struct LinearOperands {
    let weight: Tensor
    let bias: Tensor?
    let adapters: [LowRankAdapter]
    let parameters: Parameters?

    /// - Parameters:
    ///   - adapters: each adds `α/K · dropout(x) · Aᵀ · Bᵀ` to its columns.
    ///   - parameters: those that hold the adapters' A and B.
    public init(
        weight: Tensor, bias: Tensor? = nil, adapters: [LowRankAdapter] = [], of parameters: Parameters? = nil
    ) {
        (self.weight, self.bias, self.adapters, self.parameters) = (weight, bias, adapters, parameters)
    }

    var outputs: Int { weight.shape[0] }
    var inputs: Int { weight.shape[1] }

    func terms(for x: Tensor, _ context: ForwardContext) -> [LowRankTerm] {
        precondition(x.columns == inputs, "linear layer \(weight.shape) applied to \(x.shape)")
        return adapters.compactMap { adapter in
            parameters.map { LowRankTerm(adapter, $0, x: x, outputs: outputs, context: context) }
        }
    }

    func tensors(_ terms: [LowRankTerm]) -> [Tensor?] { [weight, bias] + terms.map(\.down) + terms.map(\.up) }
}

extension Tape {
    /// `y_RO = act(layer(x_RI)) + residual_RO`.
    /// - Parameter residual: only without an activation.
    public func linear(
        _ x: Tensor, _ layer: LinearOperands, activation: Activation = .identity, residual: Tensor? = nil
    ) -> Tensor {
        precondition(residual == nil || activation == .identity, "a residual beside the activation \(activation)")
        let (rows, terms) = (x.rows, layer.terms(for: x, context))
        let shape = x.shape.dropLast() + [layer.outputs]
        let inputs = [x, residual] + layer.tensors(terms)
        let y = Floats(count: rows * layer.outputs)
        guard activation != .identity else {
            linear(x.values, rows: rows, layer, terms, residual: residual, into: y)
            return record(y, shape: Array(shape), inputs: inputs) { [unowned self] dy in
                if let residual { pass(dy, to: residual) }
                linearGradients(dy, x, layer, layer.bias?.parameterGradient, terms)
            }
        }
        let preactivation = mode == .recording ? Floats(count: rows * layer.outputs) : y
        linear(x.values, rows: rows, layer, terms, into: preactivation, activation: activation, activated: y)
        return record(y, shape: Array(shape), inputs: inputs) { [unowned self] dy in
            let dpreactivation = Floats(count: dy.count)
            activationBackward(
                dy, preactivation: preactivation, activation: activation, rows: rows, columns: layer.outputs,
                into: dpreactivation, dbias: layer.bias?.parameterGradient)
            linearGradients(dpreactivation, x, layer, nil, terms)
        }
    }

    /// `y_RO = output(act(hidden(x_RI))) + residual_RO`: a feed-forward part. Of what is between the two layers, `hidden(x)_RF` alone is
    /// kept for the backward pass, which computes `act` of it again.
    public func feedForward(
        _ x: Tensor, hidden: LinearOperands, activation: Activation, output: LinearOperands, residual: Tensor? = nil
    ) -> Tensor {
        let (rows, features) = (x.rows, hidden.outputs)
        let hiddenTerms = hidden.terms(for: x, context)
        let preactivation = Floats(count: rows * features)
        let activated = mode == .recording ? Floats(count: rows * features) : preactivation
        linear(
            x.values, rows: rows, hidden, hiddenTerms, into: preactivation, activation: activation,
            activated: activated)
        let h = between(activated, features, x)
        let outputTerms = output.terms(for: h, context)
        let y = Floats(count: rows * output.outputs)
        linear(h.values, rows: rows, output, outputTerms, residual: residual, into: y)
        let inputs = [x, residual] + hidden.tensors(hiddenTerms) + output.tensors(outputTerms)
        let shape = x.shape.dropLast() + [output.outputs]
        return record(y, shape: Array(shape), inputs: inputs) { [unowned self] dy in
            if let residual { pass(dy, to: residual) }
            let isWanted = x.requiresGradient || hidden.tensors(hiddenTerms).contains { $0?.requiresGradient == true }
            let dh = isWanted ? Floats(count: preactivation.count) : nil
            if let dh, outputTerms.isEmpty {
                activatedLinearBackward(
                    dy, weight: output.weight.values, rows: rows, inputs: features, outputs: output.outputs,
                    activation: activation, preactivation: preactivation, into: dh)
                countProducts(of: output, rows: rows, 1)
                parameterGradients(
                    dy, between(preactivation, features, x), output, output.bias?.parameterGradient, outputTerms,
                    dx: nil)
            } else {
                let h = between(Floats(count: preactivation.count), features, x)
                biasActivationForward(
                    preactivation, bias: nil, activation: activation, rows: rows, columns: features, into: h.values)
                parameterGradients(dy, h, output, output.bias?.parameterGradient, outputTerms, dx: dh)
                if let dh {
                    activationBackward(
                        dh, preactivation: preactivation, activation: activation, rows: rows, columns: features,
                        into: dh, dbias: nil)
                }
            }
            if let dh { linearGradients(dh, x, hidden, hidden.bias?.parameterGradient, hiddenTerms) }
        }
    }

    /// What is between two layers, in the place of x.
    private func between(_ values: Floats, _ features: Int, _ x: Tensor) -> Tensor {
        let h = Tensor(values, shape: x.shape.dropLast() + [features])
        h.isPooled = x.isPooled
        return h
    }

    /// `y = layer(x) + residual`, and `activated = act(y)`, which may be y.
    private func linear(
        _ x: Floats, rows: Int, _ layer: LinearOperands, _ terms: [LowRankTerm], residual: Tensor? = nil,
        into y: Floats, activation: Activation = .identity, activated: Floats? = nil
    ) {
        countProducts(of: layer, rows: rows, 1)
        let inOnePass = terms.isEmpty
        linearForward(
            x, weight: layer.weight.values, bias: layer.bias?.values, residual: residual?.values, rows: rows,
            inputs: layer.inputs, outputs: layer.outputs, into: y, activation: activation,
            activated: inOnePass ? activated : nil)
        for term in terms {
            linearOperations += term.forwardOperations
            term.add(x: x, to: y)
        }
        guard !inOnePass, let activated else { return }
        biasActivationForward(
            y, bias: nil, activation: activation, rows: rows, columns: layer.outputs, into: activated)
    }

    /// The gradients of a layer, x's among them.
    private func linearGradients(
        _ dy: Floats, _ x: Tensor, _ layer: LinearOperands, _ dbias: Floats?, _ terms: [LowRankTerm]
    ) {
        let dx = x.requiresGradient ? Floats(count: x.values.count) : nil
        parameterGradients(dy, x, layer, dbias, terms, dx: dx)
        if let dx { pass(dx, to: x) }
    }

    /// The gradients of a layer's parameters, and of x where `dx` is wanted.
    private func parameterGradients(
        _ dy: Floats, _ x: Tensor, _ layer: LinearOperands, _ dbias: Floats?, _ terms: [LowRankTerm], dx: Floats?
    ) {
        let rows = x.rows
        countProducts(of: layer, rows: rows, (dx == nil ? 0 : 1) + (layer.weight.requiresGradient ? 1 : 0))
        linearBackward(
            dy, x: x.values, weight: layer.weight.values, rows: rows, inputs: layer.inputs, outputs: layer.outputs,
            dx: dx, dweight: layer.weight.parameterGradient, dbias: dbias)
        for term in terms {
            linearOperations += 2 * term.forwardOperations
            term.backward(dy, x: x.values, addingTo: dx)
        }
    }

    private func countProducts(of layer: LinearOperands, rows: Int, _ count: Double) {
        linearOperations += count * 2 * Double(layer.weight.values.count) * Double(rows)
    }
}
