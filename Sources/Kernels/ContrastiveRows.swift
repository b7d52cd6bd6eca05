// Rows and tiles of logits for contrastive losses. Not here: one row's softmax (RowKernels.swift), the losses (Losses).

private import CVectorMath

/// `maxima_j = max_i tile_ij` of a tile whose rows lie `stride` apart; −∞ without rows. NaN is not promised to be seen.
public func columnMaxima(
    of tile: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int, into maxima: UnsafeMutablePointer<Float>
) {
    precondition(rows >= 0 && columns >= 0 && stride >= columns, "tile \(rows)×\(columns) with row stride \(stride)")
    fanoise_column_max(tile, stride, rows, columns, maxima)
}

/// `sums_j = Σ_i e^(tile_ij − references_j)`, in float32: for tiles of some hundred rows. References are finite; logits of −∞ add 0.
public func columnSumsOfExponentials(
    _ tile: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int, minus references: UnsafePointer<Float>,
    into sums: UnsafeMutablePointer<Float>
) {
    precondition(rows >= 0 && columns >= 0 && stride >= columns, "tile \(rows)×\(columns) with row stride \(stride)")
    fanoise_column_exp_sums(tile, stride, rows, columns, references, sums)
}

/// `values_j = scale · (e^(values_j − reference) + e^(values_j − references_j))` in place: the sum of a softmax over the row and one
/// over each column.
public func exponentials(
    _ values: UnsafeMutablePointer<Float>, count: Int, minus reference: Float,
    andMinus references: UnsafePointer<Float>,
    scale: Float
) {
    precondition(count >= 0, "count \(count) is negative")
    fanoise_exp_two_way_row(values, count, reference, references, scale)
}

/// `values_j = e^values_j` in place, for logits whose exponentials float32 holds; `columnSums_j += e^values_j` where there are any.
/// Returns `Σ e^values_j`, in float64 over blocks of 1024, and the largest logit (−∞ without any). Logits of −∞ become 0.
public func exponentials(
    _ values: UnsafeMutablePointer<Float>, count: Int, addingTo columnSums: UnsafeMutablePointer<Float>?
) -> (sum: Double, maximum: Float) {
    precondition(count >= 0, "count \(count) is negative")
    var maximum = -Float.infinity
    let sum = fanoise_exp_row(values, count, columnSums, &maximum)
    return (sum, maximum)
}

/// `values_j *= factor + factors_j`, the second term where there are any.
public func scale(
    _ values: UnsafeMutablePointer<Float>, count: Int, by factor: Float, plus factors: UnsafePointer<Float>?
) {
    precondition(count >= 0, "count \(count) is negative")
    if let factors {
        fanoise_scale_two_way_row(values, count, factor, factors)
    } else {
        fanoise_scale(values, factor, count)
    }
}

/// `values_j = e^values_j · (factor + factors_j)`, the second term where there are any.
public func scaledExponentials(
    _ values: UnsafeMutablePointer<Float>, count: Int, by factor: Float, plus factors: UnsafePointer<Float>?
) {
    precondition(count >= 0, "count \(count) is negative")
    if let factors {
        fanoise_exp_scale_two_way_row(values, count, factor, factors)
    } else {
        fanoise_exp_scale_row(values, count, 0, factor)
    }
}

/// With z = values_j + bias: `values_j = scale · sigmoid(z)` in place; returns `Σ log(1 + e^z)` and `Σ sigmoid(z)`, summed in float64.
public func sigmoids(
    _ values: UnsafeMutablePointer<Float>, count: Int, bias: Float, scale: Float
) -> (loss: Double, sum: Double) {
    precondition(count >= 0, "count \(count) is negative")
    var sum = 0.0
    let loss = fanoise_sigmoid_row(values, count, bias, scale, &sum)
    return (loss, sum)
}

/// `Σ a_i b_i`; products and sum in float64.
public func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Double {
    precondition(count >= 0, "count \(count) is negative")
    return fanoise_dot(a, b, count)
}
