// Activations with their bias, forward and backward. Not here: the product before them (Linear.swift).
//
// Shapes: R rows, C columns.

public import Buffers
private import CVectorMath

/// A function applied to every element. Raw values are the names in configurations and published weights.
///
/// ```
/// identity    x
/// geluTanh    x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))
/// geluErf     x · Φ(x) = x/2 · (1 + erf(x/√2))
/// quickGelu   x · 1/(1 + e^(−1.702 x))
/// relu        max(x, 0); its derivative at 0 is 0
/// silu        x · 1/(1 + e^(−x))
/// tanh        tanh x
/// ```
/// Source: Hendrycks and Gimpel, arXiv 1606.08415; `quickGelu` as in CLIP's published code. All with an absolute error below
/// 3e-7 · max(1, |x|).
public enum Activation: String, Sendable, CaseIterable {
    case identity
    case geluTanh = "gelu_tanh"
    case geluErf = "gelu"
    case quickGelu = "quick_gelu"
    case relu
    case silu
    case tanh

    /// As CVectorMath numbers them.
    var code: Int32 {
        switch self {
        case .identity: Int32(FANOISE_IDENTITY)
        case .geluTanh: Int32(FANOISE_GELU_TANH)
        case .geluErf: Int32(FANOISE_GELU_ERF)
        case .quickGelu: Int32(FANOISE_QUICK_GELU)
        case .relu: Int32(FANOISE_RELU)
        case .silu: Int32(FANOISE_SILU)
        case .tanh: Int32(FANOISE_TANH)
        }
    }
}

/// `preactivation_RC += bias_C` in place, then `y_RC = act(preactivation_RC)`, overwritten. `y` may be `preactivation` only if no
/// backward will need the latter.
public func biasActivationForward(
    _ preactivation: Floats, bias: Floats?, activation: Activation, rows: Int, columns: Int, into y: Floats
) {
    checkShape(rows, columns)
    check("preactivation", preactivation, holds: rows * columns)
    check("y", y, holds: rows * columns)
    if let bias { check("bias", bias, holds: columns) }
    parallel(rows, elements: 2 * rows * columns) { part in
        let offset = part.lowerBound * columns
        fanoise_bias_activation(
            preactivation.base + offset, bias?.base, part.count, columns, activation.code, y.base + offset)
    }
}

/// `dx_RC = dy_RC · act′(preactivation_RC)` (overwritten; may be `dy`), `dbias_C += Σ_r dx_rC` (accumulated).
public func activationBackward(
    _ dy: Floats, preactivation: Floats, activation: Activation, rows: Int, columns: Int, into dx: Floats,
    dbias: Floats?
) {
    checkShape(rows, columns)
    check("dy", dy, holds: rows * columns)
    check("preactivation", preactivation, holds: rows * columns)
    check("dx", dx, holds: rows * columns)
    if let dbias { check("dbias", dbias, holds: columns) }
    // A slice of rows at a time, so that the column sums find dx in cache.
    let slice = max(1, 16384 / max(1, columns))
    sumRows(rows, columns: columns, into: [dbias]) { block, sums in
        for row in stride(from: block.lowerBound, to: block.upperBound, by: slice) {
            let (height, offset) = (min(slice, block.upperBound - row), row * columns)
            fanoise_activation_backward(
                dy.base + offset, preactivation.base + offset, height * columns, activation.code, dx.base + offset)
            if let sum = sums[0] { fanoise_add_column_sums(dx.base + offset, columns, height, columns, sum.base) }
        }
    }
}
