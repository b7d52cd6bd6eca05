// Differentiable operations: thin wrappers that pair a forward kernel with its backward. Not here: linear layers (LinearOperations.swift),
// loops (Kernels).
//
// Shapes: R rows (all tokens of all sequences, one behind the other), I inputs, O outputs, D width, H heads, B sequences.

public import Buffers
public import Kernels
import Randomness

extension Tape {
    /// `y = x + r`, equal shapes.
    public func add(_ x: Tensor, _ r: Tensor) -> Tensor {
        precondition(x.shape == r.shape, "adding \(x.shape) and \(r.shape)")
        return record(sum(x.values, r.values), shape: x.shape, inputs: [x, r]) { [unowned self] dy in
            pass(dy, to: x)
            pass(dy, to: r)
        }
    }

    /// The given values in place of x's, gradients passing straight through: x plus a noise that is a constant.
    public func replaceValues(of x: Tensor, with values: Floats) -> Tensor {
        record(values, shape: x.shape, inputs: [x]) { [unowned self] dy in pass(dy, to: x) }
    }

    /// `y_r = gain ⊙ (x_r − mean(x_r)) / √(var(x_r) + ε) + shift`, row by row.
    public func layerNorm(_ x: Tensor, gain: Tensor, shift: Tensor, epsilon: Float) -> Tensor {
        let (rows, columns) = (x.rows, x.columns)
        let y = Floats(count: x.values.count)
        let mean = Floats(count: rows)
        let inverseDeviation = Floats(count: rows)
        layerNormForward(
            x.values, gain: gain.values, shift: shift.values, epsilon: epsilon, rows: rows, columns: columns, into: y,
            mean: mean,
            inverseDeviation: inverseDeviation)
        return record(y, shape: x.shape, inputs: [x, gain, shift]) { [unowned self] dy in
            // What the residual stream has brought past the norm is added in the same pass.
            let dx = Floats(count: dy.count)
            layerNormBackward(
                dy, x: x.values, gain: gain.values, mean: mean, inverseDeviation: inverseDeviation, rows: rows,
                columns: columns, adding: takeGradient(of: x), into: dx, dgain: gain.parameterGradient,
                dshift: shift.parameterGradient)
            pass(dx, to: x)
        }
    }

    /// Softmax attention of packed sequences: rows `offsets[s] ..< offsets[s + 1]` of `qkv_R3D` see each other only
    /// (`causal`: and only backwards). Returns y_RD, heads side by side.
    /// - Parameter bias: what `relativeBias` gives, added to the scores.
    public func attention(qkv: Tensor, offsets: [Int], heads: Int, causal: Bool, bias: Tensor? = nil) -> Tensor {
        let (rows, width) = (qkv.rows, qkv.columns / 3)
        let y = Floats(count: rows * width)
        let logSumExp = Floats(count: rows * heads)
        let added = bias.map { AttentionBias(values: $0.values, longest: ($0.columns - 15) / 2) }
        attentionForward(
            qkv: qkv.values, offsets: offsets, heads: heads, width: width, causal: causal, bias: added,
            into: y, logSumExp: logSumExp)
        return record(y, shape: [rows, width], inputs: [qkv, bias]) { [unowned self] dy in
            let dqkv = Floats(count: qkv.values.count)
            let dbias = bias.flatMap { $0.requiresGradient ? Floats(repeating: 0, count: $0.values.count) : nil }
            attentionBackward(
                dy: dy, qkv: qkv.values, y: y, logSumExp: logSumExp, offsets: offsets, heads: heads, width: width,
                causal: causal, bias: added, into: dqkv, dbias: dbias)
            pass(dqkv, to: qkv)
            if let bias, let dbias { pass(dbias, to: bias) }
        }
    }

    /// Attention of one query over each sequence: y_BD; `query` is [B, D], or [1, D] for all sequences, `keyValue` [R, 2D].
    public func queryAttention(_ query: Tensor, keyValue: Tensor, packing: QueryPacking, heads: Int) -> Tensor {
        let width = query.columns
        let y = Floats(count: packing.sequences * width)
        let probabilities = Floats(count: keyValue.rows * heads)
        queryAttentionForward(
            query: query.values, keyValue: keyValue.values, packing: packing, heads: heads, width: width, into: y,
            probabilities: probabilities)
        let output = record(y, shape: [packing.sequences, width], inputs: [query, keyValue]) { [unowned self] dy in
            let (dquery, dkeyValue) = (Floats(count: query.values.count), Floats(count: keyValue.values.count))
            queryAttentionBackward(
                dy: dy, query: query.values, keyValue: keyValue.values, y: y, probabilities: probabilities,
                packing: packing, heads: heads, width: width, into: dquery, dkeyValue: dkeyValue)
            pass(dquery, to: query)
            pass(dkeyValue, to: keyValue)
        }
        output.isPooled = true
        return output
    }

    /// Biases of every head by distance, from a table by bucket: `y_h(d) = table[bucket(d), h]`, table_[buckets, H].
    /// - Parameters:
    ///   - buckets: those of the distances 1 − T … T − 1, query minus key, for sequences up to T.
    /// - Returns: [H, 2 T + 15], for `attention`.
    public func relativeBias(table: Tensor, buckets: [Int]) -> Tensor {
        let (heads, stride) = (table.columns, buckets.count + 16)
        let y = Floats(repeating: 0, count: heads * stride)
        for (place, bucket) in buckets.enumerated() {
            for head in 0..<heads { y.base[head * stride + place] = table.values[bucket * heads + head] }
        }
        return record(y, shape: [heads, stride], inputs: [table]) { dy in
            guard let dtable = table.parameterGradient else { return }
            for (place, bucket) in buckets.enumerated() {
                for head in 0..<heads { dtable[bucket * heads + head] += dy.base[head * stride + place] }
            }
        }
    }

    /// Rows of a table: `y_RD = table[ids]`.
    public func embedding(_ ids: [Int32], table: Tensor) -> Tensor {
        let y = Floats(count: ids.count * table.columns)
        embeddingForward(ids: ids, table: table.values, width: table.columns, into: y)
        return record(y, shape: [ids.count, table.columns], inputs: [table]) { dy in
            if let dtable = table.parameterGradient {
                embeddingBackward(dy: dy, ids: ids, width: table.columns, dtable: dtable)
            }
        }
    }

    /// A vision transformer's tokens: x_(B·P)D behind the class token_D of each picture, if there is one, plus positions_TD; y_(B·T)D.
    public func patchTokens(_ x: Tensor, classToken: Tensor?, positions: Tensor) -> Tensor {
        let (columns, tokens) = (x.columns, positions.rows)
        let pictures = x.rows / (tokens - (classToken == nil ? 0 : 1))
        let y = Floats(count: pictures * tokens * columns)
        patchTokensForward(x.values, token: classToken?.values, positions: positions.values, columns: columns, into: y)
        let inputs = [x, positions] + (classToken.map { [$0] } ?? [])
        return record(y, shape: [pictures * tokens, columns], inputs: inputs) { [unowned self] dy in
            let dx = x.requiresGradient ? Floats(count: x.values.count) : nil
            patchTokensBackward(
                dy, hasToken: classToken != nil, columns: columns, tokens: tokens, into: dx,
                dtoken: classToken?.parameterGradient, dpositions: positions.parameterGradient)
            if let dx { pass(dx, to: x) }
        }
    }

    /// The named rows, one of each sequence: `y_BD = x[indices]` (class token, end of text).
    public func gather(_ x: Tensor, rows indices: [Int]) -> Tensor {
        let y = Floats(count: indices.count * x.columns)
        gatherRows(x.values, rows: indices, columns: x.columns, into: y)
        let output = record(y, shape: [indices.count, x.columns], inputs: [x]) { [unowned self] dy in
            accumulate(sparsely: x) { scatterAddRows(dy, rows: indices, columns: x.columns, into: $0) }
        }
        output.isPooled = true
        return output
    }

    /// The mean row of every sequence: y_BD.
    public func meanPool(_ x: Tensor, offsets: [Int]) -> Tensor {
        let y = Floats(count: (offsets.count - 1) * x.columns)
        meanPoolForward(x.values, offsets: offsets, columns: x.columns, into: y)
        let output = record(y, shape: [offsets.count - 1, x.columns], inputs: [x]) { [unowned self] dy in
            accumulate(into: x) { dx in meanPoolBackward(dy, offsets: offsets, columns: x.columns, into: dx) }
        }
        output.isPooled = true
        return output
    }

    /// The first `columns` of every row: y_Rc of x_RD.
    public func prefix(_ x: Tensor, columns: Int) -> Tensor {
        precondition(columns >= 1 && columns <= x.columns, "the first \(columns) of \(x.columns) columns")
        guard columns < x.columns else { return x }
        let (rows, width) = (x.rows, x.columns)
        let y = Floats(count: rows * columns)
        copyColumns(x.values, stride: width, into: y, stride: columns, rows: rows, columns: columns)
        return record(y, shape: [rows, columns], inputs: [x]) { [unowned self] dy in
            accumulate(into: x) { dx in
                dx.fill(0)
                copyColumns(dy, stride: columns, into: dx, stride: width, rows: rows, columns: columns)
            }
        }
    }

    /// `y_r = x_r / max(‖x_r‖₂, ε)`.
    public func normalizeRows(_ x: Tensor, epsilon: Float = 1e-12) -> Tensor {
        let y = Floats(count: x.values.count)
        let inverseNorms = Floats(count: x.rows)
        normalizeRowsForward(
            x.values, rows: x.rows, columns: x.columns, epsilon: epsilon, into: y, inverseNorms: inverseNorms)
        return record(y, shape: x.shape, inputs: [x]) { [unowned self] dy in
            accumulate(into: x) { dx in
                normalizeRowsBackward(
                    dy: dy, y: y, inverseNorms: inverseNorms, rows: x.rows, columns: x.columns, into: dx)
            }
        }
    }

    /// Inverted dropout: an element survives with probability 1 − p and is scaled by 1/(1 − p). The mask is a function of
    /// (seed, stream, step, global row, column); off without a seed in the tape's context.
    public func dropout(_ x: Tensor, probability: Float, stream: UInt32) -> Tensor {
        guard probability > 0, let seed = context.dropoutSeed else { return x }
        let field = RandomField(seed: seed, purpose: .dropout, stream: stream)
        let (step, firstRow, columns) = (context.step, context.firstRow(of: x), x.columns)
        let y = Floats(count: x.values.count)
        dropoutForward(
            x.values, keep: 1 - probability, field: field, step: step, firstRow: firstRow, columns: columns, into: y)
        return record(y, shape: x.shape, inputs: [x]) { [unowned self] dy in
            accumulate(into: x) { dx in
                dropoutForward(
                    dy, keep: 1 - probability, field: field, step: step, firstRow: firstRow, columns: columns, into: dx)
            }
        }
    }
}
