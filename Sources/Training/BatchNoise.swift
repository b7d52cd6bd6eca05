// Where FANoise meets the batch: which tensors, which rows, which spectrum. Not here: the noise itself (FANoise).
//
// Shapes: B local rows, N global rows, k targets a row brings, R local token rows, D model width, E embedding width.

import Autograd
import Buffers
import Collectives
import Datasets
import Encoders
import FANoise

/// The noise of one run: on the representations before the loss (`position: output`), or on the tokens that enter the first block.
final class BatchNoise {
    /// What each side's noise did; nil without noise.
    typealias Reports = (query: NoiseReport?, target: NoiseReport?)

    private let options: RunConfig.Noise
    private let communicator: any Communicator
    /// Both towers' representations, E columns.
    private let output: NoiseShaper?
    /// Each tower's tokens, D columns each.
    private let input: [NoiseShaper]
    /// Rows of each rank, on their way.
    private var rowCounts: (counts: Buffer<Int64>, request: any CollectiveRequest)?

    init(_ configuration: RunConfig, model: DualEncoder, communicator: any Communicator) throws {
        options = configuration.noise
        self.communicator = communicator
        let shaping = configuration.noise.shaping
        let seed = configuration.seed
        guard options.scaling != .none, options.strength > 0 else {
            (output, input) = (nil, [])
            return
        }
        switch options.position {
        case .output:
            output = try NoiseShaper(options: shaping, columns: model.columns, seed: seed, purpose: .outputNoise)
            input = []
        case .input:
            output = nil
            input = try [model.query, model.target].enumerated().map { side, encoder in
                try NoiseShaper(
                    options: shaping, columns: encoder.width, seed: seed, purpose: .inputNoise, stream: UInt32(side))
            }
        }
    }

    /// Whether tokens carry noise, so that their rows must be numbered over the global batch.
    var actsOnTokens: Bool { !input.isEmpty }

    /// The tokens of one side with their noise, [R, D]. *Collective.*
    /// - Parameters:
    ///   - side: 0 query, 1 target.
    ///   - firstRow: global index of the first local token.
    ///   - globalRows: tokens of the global batch.
    func perturbedTokens(
        _ tokens: Floats, side: Int, firstRow: Int, globalRows: Int, step: Int
    ) throws -> (tokens: Floats, report: NoiseReport) {
        let shaper = input[side]
        let (perturbed, report) = try shaper.perturb(
            tokens, rows: tokens.count / shaper.columns, firstRow: firstRow, globalRows: globalRows, step: step,
            communicator: communicator)
        return (perturbed, report)
    }

    /// What the noise is relative to: representations, normalised with `features: unit`.
    func features(of x: Tensor, on head: Tape) -> Tensor { options.features == .unit ? head.normalizeRows(x) : x }

    /// Starts to tell every rank how many rows the others have, which `begin` will ask for. Within one node there is nothing to hide.
    /// *Collective.*
    func countRows(of batch: PairBatch) throws {
        guard output != nil, communicator.nodes.count > 1 else { return }
        let counts = Buffer<Int64>(count: communicator.size)
        let own = Buffer<Int64>([Int64(batch.rows)])
        rowCounts = (
            counts,
            try communicator.start(
                .allGather(
                    Payload(own), counts: Array(repeating: 1, count: communicator.size), into: Payload(counts)))
        )
    }

    /// Begins the queries' spectrum: what has to travel for it does while the targets are encoded. *Collective.*
    /// - Parameter x: features.
    func begin(queries x: Tensor, of batch: PairBatch, step: Int) throws {
        guard let output, let (counts, request) = rowCounts else { return }
        try request.wait()
        rowCounts = nil
        let side = NoiseSide(x.values, rows: x.rows, firstRow: batch.firstRow, globalRows: batch.globalRows)
        try output.begin(side, counts: counts.array.map { Int($0) }, step: step, communicator: communicator)
    }

    /// What the loss sees, z_BE and w_KBE: features with noise, normalised again (`renormalize`). *Collective.*
    /// - Parameters:
    ///   - x, y: features.
    ///   - targetsPerRow: k; targets come row by row, so that a rank's are consecutive in the global batch.
    func embeddings(
        queries x: Tensor, targets y: Tensor, targetsPerRow: Int, firstRow: Int, globalRows: Int, step: Int,
        on head: Tape
    ) throws -> (queries: Tensor, targets: Tensor, reports: Reports) {
        var sides = [x, y]
        var reports: Reports = (nil, nil)
        if let output {
            let inputs = zip(sides, [1, targetsPerRow]).map { side, k in
                NoiseSide(side.values, rows: side.rows, firstRow: k * firstRow, globalRows: k * globalRows)
            }
            let results = try output.perturb(inputs, step: step, communicator: communicator)
            reports = (results[0].report, results[1].report)
            sides = zip(sides, results).map { side, result in head.replaceValues(of: side, with: result.perturbed) }
            if options.renormalize { sides = sides.map { head.normalizeRows($0) } }
        } else if options.renormalize, options.features == .raw {
            sides = sides.map { head.normalizeRows($0) }
        }
        return (sides[0], sides[1], reports)
    }

    /// Shapes that outlive a step (`refresh` > 1): part of the training state.
    var state: [[Doubles]] { (output.map { [$0] } ?? input).map(\.state) }

    func restore(_ state: [[Doubles]]) throws {
        for (shaper, shapes) in zip(output.map { [$0] } ?? input, state) { try shaper.restore(shapes) }
    }
}

extension RunConfig.Noise {
    /// The same in FANoise's own terms.
    var shaping: NoiseOptions {
        NoiseOptions(
            scaling: scaling, strength: Float(strength), power: power, energy: energy, center: center, solver: solver,
            sketch: sketch,
            refresh: refresh,
            schedule: schedule.course, scope: scope, spectrum: spectrum)
    }

    /// Whether embeddings are unit vectors at the loss, and so in evaluation.
    var normalizesEmbeddings: Bool { features == .unit || renormalize }
}

extension RunConfig.NoiseSchedule {
    fileprivate var course: NoiseOptions.Schedule {
        switch kind {
        case .constant: .constant
        case .warmup: .warmup(steps: steps ?? 1)
        case .decay: .decay(from: 1, to: max(2, steps ?? 2))
        }
    }
}
