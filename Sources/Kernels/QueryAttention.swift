// Attention of one query over every sequence of a packed batch. Not here: attention among the rows of a sequence (Attention.swift).
//
// Shapes: B sequences, T rows of all of them; H heads, K head width, D = H·K; keyValue_T(2D): keys and values side by side, heads side
// by side within each; probabilities_TH.

public import Buffers
import Foundation

/// For every sequence b (rows `offsets[b] ..< offsets[b + 1]`) and head:
///
/// ```
/// p_j = softmax_j (q · k_j / √K)        y_b = Σ_j p_j v_j
/// ```
/// Overwrites `y_BD` and `probabilities_TH`. 4·T·D FLOPs.
/// - Precondition: `offsets` begins with 0, rises strictly, and ends with T.
public func queryAttentionForward(
    query: Floats, keyValue: Floats, offsets: [Int], heads: Int, width: Int, into y: Floats, probabilities: Floats
) {
    let shape = QueryAttentionShape(offsets, heads: heads, width: width)
    check("query", query, holds: width)
    check("keyValue", keyValue, holds: shape.rows * 2 * width)
    check("y", y, holds: shape.sequences * width)
    check("probabilities", probabilities, holds: shape.rows * heads)
    y.fill(0)
    shape.forEach { sequence, rows, head, columns in
        var top = -Float.infinity
        for row in rows {
            var score: Float = 0
            for column in columns { score += query.base[column] * keyValue.base[row * 2 * width + column] }
            probabilities.base[row * heads + head] = score * shape.scale
            top = max(top, score * shape.scale)
        }
        var sum = 0.0
        for row in rows {
            let weight = exp(probabilities.base[row * heads + head] - top)
            probabilities.base[row * heads + head] = weight
            sum += Double(weight)
        }
        for row in rows {
            let p = Float(Double(probabilities.base[row * heads + head]) / sum)
            probabilities.base[row * heads + head] = p
            let values = keyValue.base + (row * 2 + 1) * width
            for column in columns { y.base[sequence * width + column] += p * values[column] }
        }
    }
}

/// The gradient of `queryAttentionForward`. Overwrites `dquery_D` and `dkeyValue_T(2D)`.
///
/// ```
/// dv_j = p_j dy_b        ds_j = p_j (dy_b · v_j − Σ_i p_i dy_b · v_i)        dk_j = ds_j q / √K        dq = Σ_b Σ_j ds_j k_j / √K
/// ```
public func queryAttentionBackward(
    dy: Floats, query: Floats, keyValue: Floats, probabilities: Floats, offsets: [Int], heads: Int, width: Int,
    into dquery: Floats, dkeyValue: Floats
) {
    let shape = QueryAttentionShape(offsets, heads: heads, width: width)
    check("dy", dy, holds: shape.sequences * width)
    check("query", query, holds: width)
    check("keyValue", keyValue, holds: shape.rows * 2 * width)
    check("probabilities", probabilities, holds: shape.rows * heads)
    check("dquery", dquery, holds: width)
    check("dkeyValue", dkeyValue, holds: shape.rows * 2 * width)
    dquery.fill(0)
    shape.forEach { sequence, rows, head, columns in
        let dyRow = dy.base + sequence * width
        var mean: Float = 0
        for row in rows {
            let values = keyValue.base + (row * 2 + 1) * width
            var dp: Float = 0
            for column in columns { dp += dyRow[column] * values[column] }
            mean += probabilities.base[row * heads + head] * dp
        }
        for row in rows {
            let p = probabilities.base[row * heads + head]
            let (keys, dkeys) = (keyValue.base + row * 2 * width, dkeyValue.base + row * 2 * width)
            var dp: Float = 0
            for column in columns { dp += dyRow[column] * keys[width + column] }
            let dscore = p * (dp - mean) * shape.scale
            for column in columns {
                dkeys[width + column] = p * dyRow[column]
                dkeys[column] = dscore * query.base[column]
                dquery.base[column] += dscore * keys[column]
            }
        }
    }
}

private struct QueryAttentionShape {
    let offsets: [Int]
    let heads: Int
    let headWidth: Int

    init(_ offsets: [Int], heads: Int, width: Int) {
        precondition(
            heads > 0 && width > 0 && width % heads == 0, "width \(width) is not a positive multiple of \(heads) heads")
        precondition(offsets.first == 0, "offsets begin with \(offsets.first.map(String.init) ?? "nothing"), not 0")
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            precondition(start < end, "sequence of rows \(start) ..< \(end)")
        }
        self.offsets = offsets
        self.heads = heads
        headWidth = width / heads
    }

    var sequences: Int { offsets.count - 1 }
    var rows: Int { offsets[offsets.count - 1] }
    var scale: Float { 1 / Float(headWidth).squareRoot() }

    /// Calls `body` with every sequence, its rows, every head, its columns.
    func forEach(_ body: (Int, Range<Int>, Int, Range<Int>) -> Void) {
        for sequence in 0..<sequences {
            for head in 0..<heads {
                body(
                    sequence, offsets[sequence]..<offsets[sequence + 1], head, head * headWidth..<(head + 1) * headWidth
                )
            }
        }
    }
}
