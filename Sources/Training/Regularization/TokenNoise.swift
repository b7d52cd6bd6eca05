// NEFTune: uniform noise on embedded tokens. Not here: FANoise on tokens (BatchNoise).
//
// Shapes: R local token rows, D width, L tokens of a sequence.

import Buffers
import Encoders
import Randomness

/// `x̃ = x + α/√(L·D) · u`, u uniform in (−1, 1) for each number, L the length of the token's own sequence; training only.
///
/// A function of seed, side, step, global token row and column. Source: Jain et al., "NEFTune: Noisy Embeddings Improve Instruction
/// Finetuning", arXiv 2310.05914, algorithm 1. A picture's tokens are its patches; a row of features is a sequence of one.
struct TokenNoise {
    /// α.
    let strength: Float
    let seed: UInt64
    /// 0 query, 1 target.
    let side: Int

    /// The tokens of a local batch, [R, D], with their noise. Local.
    /// - Parameter firstRow: global number of the first token.
    func callAsFunction(
        _ tokens_RD: Floats, of input: EncoderInput, _ encoder: any Encoder, firstRow: Int, step: Int
    ) -> Floats {
        let field = RandomField(seed: seed, purpose: .tokenNoise, stream: UInt32(side))
        let columns = encoder.width
        let result = Floats(count: tokens_RD.count)
        var token = 0
        for sequence in 0..<input.rows {
            let length = encoder.tokenRows(of: encoder.slice(input, sequence..<sequence + 1))
            let scale = strength / Float(length * columns).squareRoot()
            for _ in 0..<length {
                let (x, y) = (tokens_RD.base + token * columns, result.base + token * columns)
                for block in 0..<(columns + 3) / 4 {
                    let words = field.bits(step: step, row: firstRow + token, block: block)
                    for lane in 0..<min(4, columns - 4 * block) {
                        // 24 bits, centred: symmetric about 0 and never ±1.
                        let u = 2 * ((Float(words[lane] >> 8) + 0.5) * 0x1p-24) - 1
                        y[4 * block + lane] = x[4 * block + lane] + scale * u
                    }
                }
                token += 1
            }
        }
        return result
    }
}
