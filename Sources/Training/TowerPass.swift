// One tower over one local batch, whole or in chunks. Not here: the loss, the other tower.
//
// Shapes: B local rows, R token rows, D width, E embedding width.

import Autograd
import Buffers
import Encoders

/// The forward and backward pass of one tower over the local batch.
///
/// With a chunk size this is gradient caching (Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited
/// Setup", arXiv 2101.06983): representations are computed without a graph, and each chunk is encoded again, now recorded, when its
/// gradient is known. Dropout and noise are functions of the global row, so both passes see the same; the result differs from the
/// whole pass by the rounding of a sum.
struct TowerPass {
    let encoder: any Encoder
    let input: EncoderInput
    let parameters: Parameters
    let context: ForwardContext
    /// Rows encoded at a time; nil encodes the local batch at once.
    let chunk: Int?
    /// Whether the backward pass computes each block again.
    let checkpoints: Bool
    /// What enters the first block in place of the embedded tokens, [R, D]: they and their noise; nil without input noise.
    let perturbedTokens: Floats?

    private var recorded: (tape: Tape, output: Tensor)?
    /// Whether the forward pass met a parameter that is trained: else there is nothing to go back for.
    private var isTrained = false
    /// Operations of the linear layers' products: of the first forward pass, and of everything so far.
    private var operations = (forward: 0.0, all: 0.0)

    init(
        encoder: any Encoder, input: EncoderInput, parameters: Parameters, context: ForwardContext,
        batch: RunConfig.Batch,
        perturbedTokens: Floats?
    ) {
        self.encoder = encoder
        self.input = input
        self.parameters = parameters
        self.context = context
        // One chunk that holds everything needs no second forward pass.
        chunk = batch.cacheChunk.flatMap { $0 < input.rows ? $0 : nil }
        checkpoints = batch.checkpointsBlocks
        self.perturbedTokens = perturbedTokens
    }

    /// Representations of the local batch, [B, E].
    mutating func forward() -> Floats {
        let result = Floats(count: input.rows * encoder.outputColumns)
        guard let chunk else {
            guard input.rows > 0 else { return result }
            let tape = Tape(.recording, context: context, checkpoints: checkpoints)
            let output = encode(0..<input.rows, on: tape)
            operations = (tape.linearOperations, tape.linearOperations)
            isTrained = tape.usesTrainableParameters
            if isTrained { recorded = (tape, output) }
            return output.values
        }
        for rows in chunks(of: chunk) {
            let tape = Tape(.inference, context: context(for: rows))
            let output = encode(rows, on: tape)
            isTrained = isTrained || tape.usesTrainableParameters
            operations.forward += tape.linearOperations
            operations.all = operations.forward
            result[rows.lowerBound * encoder.outputColumns..<rows.upperBound * encoder.outputColumns].copy(
                from: output.values)
        }
        return result
    }

    /// From the gradient of the representations, [B, E], to the parameters' gradients (accumulated).
    /// - Parameter finished: told each parameter when this tower will add nothing to its gradient any more.
    mutating func backward(_ drepresentations: Floats, finished: (Int) throws -> Void) rethrows {
        if let (tape, output) = recorded {
            recorded = nil
            try tape.backward(from: [(output, drepresentations)], finished: finished)
            operations.all = tape.linearOperations
            return
        }
        guard let chunk, isTrained else { return }
        for rows in chunks(of: chunk) {
            let tape = Tape(.recording, context: context(for: rows), checkpoints: checkpoints)
            let output = encode(rows, on: tape)
            let gradient = drepresentations[
                rows.lowerBound * encoder.outputColumns..<rows.upperBound * encoder.outputColumns]
            // Earlier chunks do not complete any gradient: the last one reports.
            let last = rows.upperBound == input.rows
            try tape.backward(from: [(output, gradient)]) { if last { try finished($0) } }
            operations.all += tape.linearOperations
        }
    }

    /// Matrix-product operations of the passes made so far. Attention is taken to be differentiated where the products around it are.
    var floatingPointOperations: Double {
        operations.forward > 0 ? encoder.forwardFLOPs(of: input) * operations.all / operations.forward : 0
    }

    private func chunks(of size: Int) -> [Range<Int>] {
        stride(from: 0, to: input.rows, by: size).map { $0..<min($0 + size, input.rows) }
    }

    private func firstTokenRow(_ rows: Range<Int>) -> Int {
        encoder.tokenRows(of: encoder.slice(input, 0..<rows.lowerBound))
    }

    private func context(for rows: Range<Int>) -> ForwardContext {
        var context = context
        context.firstRow += firstTokenRow(rows)
        context.firstSequence += rows.lowerBound
        return context
    }

    private func encode(_ rows: Range<Int>, on tape: Tape) -> Tensor {
        let part = rows.count == input.rows ? input : encoder.slice(input, rows)
        var tokens = encoder.embed(part, parameters, on: tape)
        if let perturbedTokens {
            let first = firstTokenRow(rows) * encoder.width
            tokens = tape.replaceValues(of: tokens, with: perturbedTokens[first..<first + tokens.values.count])
        }
        return encoder.encode(tokens, of: part, parameters, on: tape)
    }
}
