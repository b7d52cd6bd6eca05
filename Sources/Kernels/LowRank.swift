// The low-rank term of an adapted linear layer. Not here: the layer itself (Linear.swift), dropout of its input (Dropout.swift).
//
// Shapes: R rows, I inputs, K rank of the term, C columns of the layer's output that the term adds to.

import Buffers

/// `h_RK = x_RI · Aᵀ_IK` (overwritten), `y_RC += scale · h_RK · Bᵀ_KC`. 2·R·K·(I + C) FLOPs; B·A is never formed.
///
/// - Parameters:
///   - down: A, [K, I]. - up: B, [C, K]. - y: C neighbouring columns of the layer's output.
/// Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685, equation 3.
public func lowRankForward(_ x: Matrix, down: Matrix, up: Matrix, scale: Float, hidden h: Matrix, into y: Matrix) {
    gemm(x, .none, down, .transposed, into: h)
    gemm(h, .none, up, .transposed, into: y, alpha: scale, beta: 1)
}

/// The gradients of `y += scale · (x · Aᵀ) · Bᵀ`; nil: not needed. 4·R·K·(I + C) FLOPs and fewer where something is not needed.
///
/// ```
/// dh_RK  = scale · dy_RC · B_CK
/// dB_CK += scale · dyᵀ_CR · h_RK      accumulated
/// dA_KI += dhᵀ_KR · x_RI              accumulated
/// dx_RI  = dh_RK · A_KI               overwritten, or added when `addsToInput`
/// ```
public func lowRankBackward(
    _ dy: Matrix, x: Matrix, hidden h: Matrix, down: Matrix, up: Matrix, scale: Float, dx: Matrix?, addsToInput: Bool,
    ddown: Matrix?, dup: Matrix?
) {
    if let dup { gemm(dy, .transposed, h, into: dup, alpha: scale, beta: 1) }
    guard dx != nil || ddown != nil else { return }
    let dh = Matrix(Floats(count: h.rows * h.columns), rows: h.rows, columns: h.columns)
    gemm(dy, .none, up, into: dh, alpha: scale)
    if let ddown { gemm(dh, .transposed, x, into: ddown, beta: 1) }
    if let dx { gemm(dh, .none, down, into: dx, beta: addsToInput ? 1 : 0) }
}
