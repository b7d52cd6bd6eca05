// Attention of one query over each sequence of a packed batch. Not here: attention among the rows of a sequence (Attention.swift).
//
// Shapes: B sequences, T rows of all of them; H heads, K head width, D = H·K; keyValue_T(2D): keys and values side by side, heads side
// by side within each; probabilities_TH, in an order of the kernel's own.

public import Buffers
private import CVectorMath

/// What one query for each sequence sees.
public struct QueryPacking: Sendable, Equatable {
    /// Sequence b is rows `offsets[b] ..< offsets[b + 1]`.
    public let offsets: [Int]
    /// Its query sees rows `offsets[b] ..< ends[b]`.
    public let ends: [Int]

    /// - Parameter ends: nil: a query sees its whole sequence.
    /// - Precondition: `offsets` begins with 0 and rises strictly; every query sees a row at least, and none of another sequence.
    public init(offsets: [Int], ends: [Int]? = nil) {
        precondition(offsets.first == 0, "offsets begin with \(offsets.first.map(String.init) ?? "nothing"), not 0")
        self.offsets = offsets
        self.ends = ends ?? Array(offsets.dropFirst())
        precondition(self.ends.count == sequences, "\(self.ends.count) ends of \(sequences) sequences")
        for (start, (end, next)) in zip(offsets, zip(self.ends, offsets.dropFirst())) {
            precondition(start < end && end <= next, "rows \(start) ..< \(end) of a sequence that ends at \(next)")
        }
    }

    /// B.
    public var sequences: Int { offsets.count - 1 }
    /// T.
    public var rows: Int { offsets[offsets.count - 1] }
}

/// For every sequence b and head, j over what b's query sees:
///
/// ```
/// p_j = softmax_j (q_b · k_j / √K)        y_b = Σ_j p_j v_j
/// ```
/// Overwrites `y_BD` and `probabilities_TH`. 4·T·D FLOPs.
/// - Parameter query: [B, D], or [1, D]: the same for every sequence.
public func queryAttentionForward(
    query: Floats, keyValue: Floats, packing: QueryPacking, heads: Int, width: Int, into y: Floats,
    probabilities: Floats
) {
    checkQueries(query, keyValue, packing, heads: heads, width: width)
    check("y", y, holds: packing.sequences * width)
    check("probabilities", probabilities, holds: packing.rows * heads)
    forSequences(query, packing, heads: heads, width: width) { shape, first in
        fanoise_query_attention_forward(
            shape, query.base + first * shape.query_stride, keyValue.base, y.base + first * width, probabilities.base)
    }
}

/// The gradient of `queryAttentionForward`. Overwrites `dquery` and `dkeyValue_T(2D)`.
///
/// ```
/// dv_j = p_j dy_b        ds_j = p_j dy_b · (v_j − y_b)        dk_j = ds_j q_b / √K        dq_b = Σ_j ds_j k_j / √K
/// ```
/// - Parameter dquery: as `query`; of one query for all sequences, the sum.
public func queryAttentionBackward(
    dy: Floats, query: Floats, keyValue: Floats, y: Floats, probabilities: Floats, packing: QueryPacking, heads: Int,
    width: Int, into dquery: Floats, dkeyValue: Floats
) {
    checkQueries(query, keyValue, packing, heads: heads, width: width)
    check("dy", dy, holds: packing.sequences * width)
    check("y", y, holds: packing.sequences * width)
    check("probabilities", probabilities, holds: packing.rows * heads)
    check("dquery", dquery, holds: query.count)
    check("dkeyValue", dkeyValue, holds: packing.rows * 2 * width)
    let shared = query.count != packing.sequences * width
    let each = shared ? Floats(count: packing.sequences * width) : dquery
    forSequences(query, packing, heads: heads, width: width) { shape, first in
        fanoise_query_attention_backward(
            shape, dy.base + first * width, query.base + first * shape.query_stride, keyValue.base,
            y.base + first * width, probabilities.base, each.base + first * width, dkeyValue.base)
    }
    guard shared else { return }
    dquery.fill(0)
    fanoise_add_column_sums(each.base, width, packing.sequences, width, dquery.base)
}

private func checkQueries(_ query: Floats, _ keyValue: Floats, _ packing: QueryPacking, heads: Int, width: Int) {
    precondition(
        heads > 0 && width > 0 && width % heads == 0, "width \(width) is not a positive multiple of \(heads) heads")
    check("query", query, holds: query.count == width ? width : packing.sequences * width)
    check("keyValue", keyValue, holds: packing.rows * 2 * width)
}

/// Calls `body` with some of the sequences, and the number of the first of them.
private func forSequences(
    _ query: Floats, _ packing: QueryPacking, heads: Int, width: Int,
    _ body: @Sendable (fanoise_query_attention_shape, Int) -> Void
) {
    let stride = query.count == width ? 0 : width
    parallel(packing.sequences, elements: 4 * packing.rows * width) { part in
        packing.offsets.withUnsafeBufferPointer { offsets in
            packing.ends.withUnsafeBufferPointer { ends in
                guard let offsets = offsets.baseAddress, let ends = ends.baseAddress else { return }
                let shape = fanoise_query_attention_shape(
                    offsets: offsets + part.lowerBound, ends: ends + part.lowerBound, sequences: part.count,
                    heads: heads, head_width: width / heads, query_stride: stride)
                body(shape, part.lowerBound)
            }
        }
    }
}
