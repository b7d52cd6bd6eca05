// Disturbed inputs in evaluation: how far a model's answers depend on small changes. Not here: augmentation and noise in training.
//
// Shapes: B rows, R token rows, D width.

import Buffers
import Encoders
import Randomness

/// Gaussian noise on what enters an encoder: features, embedded tokens or patches.
///
///     x̃_t = x_t + s · rms(x_t) · g_t        g_t standard normal, a function of (side, row of the set, place t in its sequence)
///
/// The same for every model, chunk and world size, so that models are compared on equal disturbances.
struct InputPerturbation {
    /// s.
    let deviation: Float
    let side: Side

    /// The tokens of some rows, [R, D], disturbed.
    /// - Parameter rows: their numbers in the set, B entries.
    func callAsFunction(_ tokens_RD: Floats, of input: EncoderInput, rows: [Int], _ encoder: any Encoder) -> Floats {
        let field = RandomField(seed: 0, purpose: .perturbedInputs, stream: side == .query ? 0 : 1)
        let columns = encoder.width
        let result = Floats(count: tokens_RD.count)
        let noise = Floats(count: columns)
        var token = 0
        for (index, row) in rows.enumerated() {
            for place in 0..<encoder.tokenRows(of: encoder.slice(input, index..<index + 1)) {
                let x = tokens_RD[token * columns..<(token + 1) * columns]
                let y = result[token * columns..<(token + 1) * columns]
                field.normals(step: place, row: row, into: noise)
                var squares = 0.0
                for column in 0..<columns { squares += Double(x.base[column]) * Double(x.base[column]) }
                let scale = deviation * Float((squares / Double(columns)).squareRoot())
                for column in 0..<columns { y.base[column] = x.base[column] + scale * noise.base[column] }
                token += 1
            }
        }
        return result
    }
}
