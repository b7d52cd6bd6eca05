// Fully connected layers. Not here: activations (Activation.swift), the product itself (Gemm.swift).
//
// Shapes: R rows, I inputs, O outputs; weight_OI (PyTorch's layout), bias_O.

public import Buffers
private import CVectorMath

/// `y_RO = x_RI · weightᵀ_IO + bias_O`, overwritten. 2·R·I·O FLOPs.
public func linearForward(
    _ x: Floats, weight: Floats, bias: Floats?, rows: Int, inputs: Int, outputs: Int, into y: Floats
) {
    checkShape(rows, inputs)
    check("x", x, holds: rows * inputs)
    check("weight", weight, holds: outputs * inputs)
    check("y", y, holds: rows * outputs)
    if let bias {
        check("bias", bias, holds: outputs)
        for row in 0..<rows { (y.base + row * outputs).update(from: bias.base, count: outputs) }
    }
    gemm(
        Matrix(x, rows: rows, columns: inputs), .none, Matrix(weight, rows: outputs, columns: inputs), .transposed,
        into: Matrix(y, rows: rows, columns: outputs), beta: bias == nil ? 0 : 1)
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
    if let dweight {
        check("dweight", dweight, holds: outputs * inputs)
        gemm(
            dyRO, .transposed, Matrix(x, rows: rows, columns: inputs),
            into: Matrix(dweight, rows: outputs, columns: inputs), beta: 1)
    }
    if let dbias {
        check("dbias", dbias, holds: outputs)
        fanoise_add_column_sums(dy.base, rows, outputs, dbias.base)
    }
}
