// Pieces of a softmax over one long row, for losses that stream over tiles of columns. Not here: attention's softmax.

private import CVectorMath

/// The largest of `count` logits; −∞ of none. A NaN among them may go unseen here; it comes back from `sumOfExponentials`.
public func maximum(of logits: UnsafePointer<Float>, count: Int) -> Float {
    precondition(count >= 0, "count \(count) is negative")
    return fanoise_row_max(logits, count)
}

/// `Σ e^(logits_i − maximum)`, in float64 over runs of 1024; 0 when `maximum` is −∞ (a row of masked logits). Logits of −∞ add exactly 0.
public func sumOfExponentials(_ logits: UnsafePointer<Float>, count: Int, minus maximum: Float) -> Double {
    precondition(count >= 0, "count \(count) is negative")
    return fanoise_exp_sum_row(logits, count, maximum)
}

/// `values_i = scale · e^(values_i − shift)` in place: with shift = log-sum-exp, a row of probabilities times a weight.
public func exponentials(_ values: UnsafeMutablePointer<Float>, count: Int, minus shift: Float, scale: Float) {
    precondition(count >= 0, "count \(count) is negative")
    fanoise_exp_scale_row(values, count, shift, scale)
}
