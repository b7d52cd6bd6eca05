// Fully connected layers, with what follows them in one pass. Not here: the product itself (Gemm.swift).
//
// Shapes: R rows, I inputs, O outputs; weight_OI (PyTorch's layout), bias_O.

public import Buffers
private import CVectorMath

/// `y_RO = x_RI · weightᵀ_IO + bias_O + residual_RO`, overwritten; then `activated_RO = act(y)`. 2·R·I·O FLOPs.
/// - Parameters:
///   - residual: what the result is added to; not `y`.
///   - activated: may be `y`, where no backward will need what is before the activation.
public func linearForward(
    _ x: Floats, weight: Floats, bias: Floats?, residual: Floats? = nil, rows: Int, inputs: Int, outputs: Int,
    into y: Floats, activation: Activation = .identity, activated: Floats? = nil
) {
    checkShape(rows, inputs)
    check("x", x, holds: rows * inputs)
    check("weight", weight, holds: outputs * inputs)
    check("y", y, holds: rows * outputs)
    if let bias { check("bias", bias, holds: outputs) }
    if let residual { check("residual", residual, holds: rows * outputs) }
    if let activated { check("activated", activated, holds: rows * outputs) }
    guard rows > 0 && inputs > 0 && outputs > 0 else {
        precondition(rows == 0 || outputs == 0, "a linear layer of no inputs")
        return
    }
    product(
        Matrix(x, rows: rows, columns: inputs), .none, Matrix(weight, rows: outputs, columns: inputs), .transposed,
        into: Matrix(y, rows: rows, columns: outputs),
        epilogue: Epilogue(bias: bias, residual: residual, activation: activation, activated: activated))
}

/// The gradients of `y = x · weightᵀ + bias`; nil: not needed. 4·R·I·O FLOPs.
///
/// ```
/// dx_RI       = dy_RO · weight_OI        overwritten
/// dweight_OI += dyᵀ_OR · x_RI            accumulated
/// dbias_O    += Σ_r dy_rO                accumulated
/// ```
public func linearBackward(
    _ dy: Floats, x: Floats, weight: Floats, rows: Int, inputs: Int, outputs: Int, dx: Floats?, dweight: Floats?,
    dbias: Floats?
) {
    checkShape(rows, inputs)
    check("dy", dy, holds: rows * outputs)
    check("x", x, holds: rows * inputs)
    check("weight", weight, holds: outputs * inputs)
    let dyRO = Matrix(dy, rows: rows, columns: outputs)
    if let dx {
        check("dx", dx, holds: rows * inputs)
        gemm(dyRO, .none, Matrix(weight, rows: outputs, columns: inputs), into: Matrix(dx, rows: rows, columns: inputs))
    }
    if let dbias { check("dbias", dbias, holds: outputs) }
    guard let dweight, rows > 0, inputs > 0, outputs > 0 else {
        if let dbias { addColumnSums(of: dy, rows: rows, columns: outputs, to: dbias) }
        return
    }
    check("dweight", dweight, holds: outputs * inputs)
    // In vector registers, the biases' gradients are summed while dy is copied for the product.
    product(
        dyRO, .transposed, Matrix(x, rows: rows, columns: inputs), .none,
        into: Matrix(dweight, rows: outputs, columns: inputs), accumulates: true, rowSums: dbias)
}

/// `sums_C += Σ_r x_rC`.
private func addColumnSums(of x: Floats, rows: Int, columns: Int, to sums: Floats) {
    sumRows(rows, columns: columns, into: [sums]) { block, sums in
        guard let sum = sums[0] else { return }
        fanoise_add_column_sums(x.base + block.lowerBound * columns, columns, block.count, columns, sum.base)
    }
}

/// Backwards through `y = act(p) · weightᵀ`, activation and product in one pass. 2·R·I·O FLOPs.
///
/// ```
/// dp_RI = (dy_RO · weight_OI) ⊙ act′(p_RI)    overwritten
/// p_RI  = act(p_RI)                           in its place: what the gradient of weight is formed of
/// ```
public func activatedLinearBackward(
    _ dy: Floats, weight: Floats, rows: Int, inputs: Int, outputs: Int, activation: Activation, preactivation p: Floats,
    into dp: Floats
) {
    checkShape(rows, inputs)
    check("dy", dy, holds: rows * outputs)
    check("weight", weight, holds: outputs * inputs)
    check("preactivation", p, holds: rows * inputs)
    check("dp", dp, holds: rows * inputs)
    guard rows > 0 && inputs > 0 else { return }
    precondition(outputs > 0, "a linear layer of no outputs")
    product(
        Matrix(dy, rows: rows, columns: outputs), .none, Matrix(weight, rows: outputs, columns: inputs), .none,
        into: Matrix(dp, rows: rows, columns: inputs),
        epilogue: Epilogue(activation: activation, differentiated: p))
}
