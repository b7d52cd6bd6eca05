// What follows pooling: the maps from a sequence's vector to its representation. Not here: pooling (Pooling.swift).

import Autograd
public import Kernels
import Layers

/// One map of a tower's end.
public enum Projection: Sendable, Equatable {
    /// `act(x · Wᵀ + b)`; the parameters are `TOWER.NAME.weight` and, with `bias`, `TOWER.NAME.bias`.
    case linear(name: String, outputs: Int, bias: Bool, activation: Activation = .identity)
    /// Rows of unit length.
    case normalize
}

/// The maps one after the other.
struct ProjectionStack: Sendable {
    private enum Step: Sendable {
        case linear(Linear)
        case normalize
    }

    private let steps: [Step]
    /// Columns of the result.
    let outputs: Int
    /// Multiply-adds of one row.
    let products: Int

    init(_ plan: inout ParameterPlan, _ name: String, inputs: Int, _ projections: [Projection]) {
        var columns = inputs
        var products = 0
        steps = projections.map { projection in
            switch projection {
            case .normalize: return .normalize
            case .linear(let own, let outputs, let bias, let activation):
                products += columns * outputs
                defer { columns = outputs }
                return .linear(
                    Linear(
                        &plan, "\(name).\(own)", inputs: columns, outputs: outputs, bias: bias, activation: activation,
                        deviation: 1 / Float(columns).squareRoot()))
            }
        }
        outputs = columns
        self.products = products
    }

    func callAsFunction(_ x: Tensor, _ parameters: Parameters, on tape: Tape) -> Tensor {
        steps.reduce(x) { x, step in
            switch step {
            case .linear(let linear): linear(x, parameters, on: tape)
            case .normalize: tape.normalizeRows(x)
            }
        }
    }
}
