// Softmax attention of packed sequences, forward and backward. Not here: the projections before and after it (Linear.swift).
//
// Shapes: T rows of all sequences, one behind the other; H heads, K head width, D = H·K; qkv_T(3D) = queries, keys, values side by
// side, heads side by side within each; logSumExp_TH.

public import Buffers
private import CVectorMath

/// What is added to the scores of attention by distance: `bias_h(i − j)`, for distances up to the longest sequence's.
///
/// Element `h · stride + i − j + longest − 1` is head h's bias for query i and key j; the last 16 elements of a row are zeros that are
/// never used.
public struct AttentionBias: Sendable {
    public let values: Floats
    /// The longest sequence's length.
    public let longest: Int

    public init(values: Floats, longest: Int) {
        self.values = values
        self.longest = longest
    }

    /// Elements of one head's row.
    public static func stride(longest: Int) -> Int { 2 * longest + 15 }
}

/// For every sequence s (rows `offsets[s] ..< offsets[s + 1]`) and head:
///
/// ```
/// scores_ij = q_i · k_j / √K + bias_h(i − j)        j ≤ i only, if causal
/// y_i = Σ_j e^(scores_ij − logSumExp_i) v_j,    logSumExp_i = ln Σ_j e^scores_ij
/// ```
/// Overwrites `y_TD` and `logSumExp_TH`. Sequences may be empty. 4·Σ S²·D FLOPs (about half if causal); memory O(S·K), never S².
/// Source: Vaswani et al., arXiv 1706.03762, equation 1; the kept log-sum-exp as in Dao et al., arXiv 2205.14135.
/// - Precondition: `offsets` begins with 0, never falls, and ends with T.
public func attentionForward(
    qkv: Floats, offsets: [Int], heads: Int, width: Int, causal: Bool, bias: AttentionBias? = nil, into y: Floats,
    logSumExp: Floats
) {
    let (rows, longest) = checkPacking(offsets, heads: heads, width: width)
    check("qkv", qkv, holds: rows * 3 * width)
    check("y", y, holds: rows * width)
    check("logSumExp", logSumExp, holds: rows * heads)
    let shape = AttentionShape(heads: heads, width: width, longest: longest, causal: causal, bias: bias)
    parallel(offsets.count - 1, elements: 4 * rows * width) { part in
        shape.withSequences(part, of: offsets) { shape in
            let scratch = Floats(count: fanoise_attention_forward_scratch(shape))
            withExtendedLifetime(scratch) {
                fanoise_attention_forward(shape, qkv.base, y.base, logSumExp.base, scratch.base)
            }
        }
    }
}

/// The gradient of `attentionForward` by its input; probabilities P are computed again from `logSumExp`.
///
/// ```
/// dv_j = Σ_i P_ij dy_i        dP_ij = dy_i · v_j        dscores_ij = P_ij (dP_ij − dy_i · y_i)
/// dq_i = Σ_j dscores_ij k_j / √K                        dk_j = Σ_i dscores_ij q_i / √K
/// dbias_h(d) += Σ_(i − j = d) dscores_ij
/// ```
/// Overwrites `dqkv_T(3D)`, which must not be `qkv`; accumulates into `dbias`. 10·Σ S²·D FLOPs; memory
/// O(S·(K + 64)), S² up to 32 positions alone.
public func attentionBackward(
    dy: Floats, qkv: Floats, y: Floats, logSumExp: Floats, offsets: [Int], heads: Int, width: Int, causal: Bool,
    bias: AttentionBias? = nil, into dqkv: Floats, dbias: Floats? = nil
) {
    let (rows, longest) = checkPacking(offsets, heads: heads, width: width)
    check("dy", dy, holds: rows * width)
    check("qkv", qkv, holds: rows * 3 * width)
    check("y", y, holds: rows * width)
    check("logSumExp", logSumExp, holds: rows * heads)
    check("dqkv", dqkv, holds: rows * 3 * width)
    if let dbias { check("dbias", dbias, holds: bias?.values.count ?? 0) }
    let shape = AttentionShape(heads: heads, width: width, longest: longest, causal: causal, bias: bias)
    // The sequences' gradients of the biases are added one behind the other.
    parallel(offsets.count - 1, elements: dbias == nil ? 8 * rows * width : 0) { part in
        shape.withSequences(part, of: offsets) { shape in
            let scratch = Floats(count: fanoise_attention_backward_scratch(shape))
            withExtendedLifetime(scratch) {
                fanoise_attention_backward(
                    shape, dy.base, qkv.base, y.base, logSumExp.base, dqkv.base, dbias?.base, scratch.base)
            }
        }
    }
}

/// Checks the packing; returns the number of rows and the length of the longest sequence.
private func checkPacking(_ offsets: [Int], heads: Int, width: Int) -> (rows: Int, longest: Int) {
    precondition(
        heads > 0 && width > 0 && width % heads == 0, "width \(width) is not a positive multiple of \(heads) heads")
    precondition(offsets.first == 0, "offsets begin with \(offsets.first.map(String.init) ?? "nothing"), not 0")
    var longest = 0
    for (start, end) in zip(offsets, offsets.dropFirst()) {
        precondition(start <= end, "offset \(end) follows \(start)")
        longest = max(longest, end - start)
    }
    return (offsets[offsets.count - 1], longest)
}

private struct AttentionShape: Sendable {
    let heads: Int
    let headWidth: Int
    let longest: Int
    let causal: Bool
    let bias: AttentionBias?

    init(heads: Int, width: Int, longest: Int, causal: Bool, bias: AttentionBias?) {
        if let bias {
            precondition(longest <= bias.longest, "a sequence of \(longest) with biases for \(bias.longest)")
            check("bias", bias.values, holds: heads * AttentionBias.stride(longest: bias.longest))
        }
        (self.heads, self.causal, self.bias) = (heads, causal, bias)
        headWidth = width / heads
        // Distances are counted from the longest sequence that the bias was made for.
        self.longest = bias?.longest ?? longest
    }

    /// Some of the sequences, as CVectorMath has it.
    func withSequences(_ part: Range<Int>, of offsets: [Int], _ body: (fanoise_attention_shape) -> Void) {
        offsets.withUnsafeBufferPointer { pointer in
            guard let base = pointer.baseAddress else { return }
            body(
                fanoise_attention_shape(
                    offsets: base + part.lowerBound, sequences: part.count, heads: heads, head_width: headWidth,
                    longest: longest, causal: causal ? 1 : 0, bias: bias?.values.base))
        }
    }
}
