// FANoise on the rows of a distributed batch: spectrum, shape, noise, figures. Not here: how each of them is made (their own files),
// normalisation before and after, and where in a model the noise goes (Training).
//
// Shapes: B local rows, N global rows (m of the paper), n columns, k directions with a vector.

public import Buffers
public import Collectives
import Failures
import Kernels
public import Randomness

/// One matrix to perturb, as one rank holds it.
public struct NoiseSide {
    /// B × n, row-major; read only.
    public var values_BN: Floats
    /// B; zero is allowed on any rank.
    public var rows: Int
    /// The global index of the first local row: what the random numbers of a row are a function of.
    public var firstRow: Int
    /// N: the sum of `rows` over ranks.
    public var globalRows: Int
    /// ε for the local rows, B × n, in place of random numbers.
    public var gaussian_BN: Floats?

    public init(_ values_BN: Floats, rows: Int, firstRow: Int, globalRows: Int, gaussian: Floats? = nil) {
        self.values_BN = values_BN
        self.rows = rows
        self.firstRow = firstRow
        self.globalRows = globalRows
        gaussian_BN = gaussian
    }
}

/// Adds feature-adaptive noise to representations (arXiv 2511.20997), the spectrum being the global batch's.
///
/// ```
/// X̃ = X + (α/√n) ε M        M = V diag(S) Vᵀ,  S_j = σ_j^p / mean_r(σ^p)
/// ```
/// Deviation from the paper, equal in distribution: ε is N × n and M symmetric, where the paper draws N × r numbers and multiplies
/// by diag(S) Vᵀ. M is a function of XᵀX alone, so neither signs nor rotations of singular vectors enter (`shuffled` apart).
/// ε of row i, column j is a function of (seed, purpose, side, step, i, j). Nothing depends on the world size but rounding.
/// The noise is a constant: the gradient with respect to X is that with respect to X̃.
///
/// State: the shapes, and only while `refresh` > 1 (`state`, `restore`).
public final class NoiseShaper {
    public let options: NoiseOptions
    /// n.
    public let columns: Int
    private let seed: UInt64
    private let purpose: RandomPurpose
    private let stream: UInt32
    /// One of each side, or one in all with a joint spectrum; empty before the first use.
    private var shapes: [NoiseShape] = []
    /// Spectra under way, of the first sides of the next `perturb`, and the seconds that beginning them took.
    private var begun = Begun()

    private struct Begun {
        var tasks: [SpectrumTask] = []
        var seconds = 0.0
    }

    /// - Parameters:
    ///   - purpose: `.outputNoise` or `.inputNoise`.
    ///   - stream: the side; side i of a call with several has stream + i.
    /// - Throws: `Failure(.configuration)` when the options contradict each other.
    public init(
        options: NoiseOptions, columns: Int, seed: UInt64, purpose: RandomPurpose = .outputNoise, stream: UInt32 = 0
    ) throws {
        precondition(columns > 0, "\(columns) columns")
        try options.validate()
        self.options = options
        self.columns = columns
        self.seed = seed
        self.purpose = purpose
        self.stream = stream
    }

    /// One side: `perturb(_:step:communicator:)` for a single matrix. *Collective.*
    public func perturb(
        _ x_BN: Floats, rows: Int, firstRow: Int, globalRows: Int, step: Int, communicator: any Communicator,
        gaussian: Floats? = nil
    ) throws -> (perturbed: Floats, report: NoiseReport) {
        let side = NoiseSide(x_BN, rows: rows, firstRow: firstRow, globalRows: globalRows, gaussian: gaussian)
        return try perturb([side], step: step, communicator: communicator)[0]
    }

    /// Perturbed copies of several sides, with figures over the global batch. *Collective*: equal counts of sides, step and options.
    ///
    /// Separate spectra of several sides are solved on different ranks at the same time, so one call for both towers costs about
    /// half of two calls. With no noise to add (`none`, α = 0, a zero matrix) the result is the given buffer itself.
    ///
    /// - Precondition: each side has rows · n values, and ε as many where given.
    /// - Throws: on every rank alike, `Failure(.data)` naming rank and global row of the first value that is not finite;
    ///   `Failure(.internal)` when the ranks' rows do not add up or the solver does not converge.
    public func perturb(
        _ sides: [NoiseSide], step: Int, communicator: any Communicator
    ) throws -> [(perturbed: Floats, report: NoiseReport)] {
        for side in sides {
            precondition(
                side.values_BN.count == side.rows * columns
                    && side.gaussian_BN.map { $0.count == side.rows * columns } ?? true,
                "\(side.rows) rows of \(columns) in \(side.values_BN.count) elements, ε in \(side.gaussian_BN?.count ?? 0)"
            )
        }
        let clock = ContinuousClock()
        let begin = clock.now
        let underway = begun
        begun = Begun()
        for (index, task) in underway.tasks.enumerated() {
            precondition(
                index < sides.count && task.rows.local_BN.base == sides[index].values_BN.base && task.rows.step == step,
                "side \(index) of step \(task.rows.step) was begun, and is not what is perturbed at step \(step)")
        }
        let counts: [[Int]]
        do {
            counts = try agreedCounts(of: sides, communicator)
        } catch let failure as Failure {
            // All ranks have it, and none leaves the others' messages unanswered.
            for task in underway.tasks { try task.abandon() }
            throw failure
        }
        let strength = options.strength(at: step)
        let isActive = strength > 0 && options.scaling != .none
        if isActive { try refreshShapes(sides, counts: counts, begun: underway.tasks, step: step, communicator) }
        let shaped = clock.now

        var results: [Floats] = []
        let localRows = sides.reduce(0) { $0 + $1.rows }
        let figures = Doubles(repeating: 0, count: sides.count * RowFigures.count)
        for (index, side) in sides.enumerated() {
            let sum = figures[index * RowFigures.count..<(index + 1) * RowFigures.count]
            let position = min(index, shapes.count - 1)
            if isActive, !shapes[position].isZero {
                let field = RandomField(seed: seed, purpose: purpose, stream: stream + UInt32(index))
                shapes[position].prepare(
                    rows: shapes.count < sides.count ? localRows : side.rows, reuse: options.refresh)
                results.append(
                    addNoise(to: side, shapes[position], strength: strength, field, step: step, figures: sum))
            } else {
                measure(side, columns: columns, figures: sum)
                results.append(side.values_BN)
            }
        }
        try communicator.allReduce(figures)
        let end = clock.now
        let seconds = (
            spectrum: underway.seconds + (shaped - begin) / .seconds(1), noise: (end - shaped) / .seconds(1)
        )
        return sides.indices.map { index in
            let values = RowFigures(figures[index * RowFigures.count..<(index + 1) * RowFigures.count])
            let shape = isActive ? shapes[min(index, shapes.count - 1)] : nil
            return (results[index], report(values, shape, strength, index == 0 ? seconds : (spectrum: 0, noise: 0)))
        }
    }

    /// Begins the spectrum of one of several sides and returns at once: what it sends travels while the caller makes the next side.
    /// `perturb` of the same step and buffers goes on from there, with the sides in the order in which they were begun. *Collective.*
    ///
    /// Does nothing where `perturb` takes no new spectrum of that side alone and of all ranks, or its solver is not `gram` or `gram32`: the
    /// others answer each other's messages all the way.
    /// - Parameter counts: rows of each rank, in rank order.
    public func begin(_ side: NoiseSide, counts: [Int], step: Int, communicator: any Communicator) throws {
        precondition(
            side.values_BN.count == side.rows * columns && counts.count == communicator.size
                && counts[communicator.rank] == side.rows,
            "\(side.rows) rows in \(side.values_BN.count) elements on rank \(communicator.rank) of \(counts)")
        let rows = DistributedRows(local_BN: side.values_BN, counts: counts, columns: columns, step: step)
        guard communicator.size > 1, options.strength(at: step) > 0, options.exponent != nil, !hasShapes(for: step),
            options.spectrum == .separate, options.scope == .global,
            [.gram, .gram32].contains(options.solver.resolved(rows: rows.rows, columns: columns))
        else { return }
        let start = ContinuousClock.now
        let task = SpectrumTask(rows, number: begun.tasks.count, options: options, seed: seed, communicator)
        try task.begin()
        begun.tasks.append(task)
        begun.seconds += (ContinuousClock.now - start) / .seconds(1)
    }

    private func report(
        _ figures: RowFigures, _ shape: NoiseShape?, _ strength: Float, _ seconds: (spectrum: Double, noise: Double)
    ) -> NoiseReport {
        let spectrum = shape?.spectrum
        let resolved = shape?.gains.resolved_K.count
        return NoiseReport(
            strength: strength, noiseToSignal: figures.noiseToSignal, cosine: figures.cosine, rowNorm: figures.rowNorm,
            spectrum: spectrum, spectrumStep: spectrum == nil ? nil : shape?.step,
            solver: spectrum.map { options.solver.resolved(rows: $0.rows, columns: $0.columns) },
            gains: spectrum == nil ? nil : shape.map { ($0.gains.resolved_K, $0.gains.rest) },
            advice: spectrum.map {
                Advice.on($0, strength: Double(strength), centered: options.center, resolved: resolved)
            } ?? [],
            seconds: seconds)
    }

    // MARK: Shapes

    /// Whether there are shapes from the window of `refresh` steps that `step` lies in.
    private func hasShapes(for step: Int) -> Bool {
        options.refresh > 1 && !shapes.isEmpty
            && shapes.allSatisfy { $0.step / options.refresh == step / options.refresh }
    }

    /// Takes new spectra when the window of `refresh` steps that `step` lies in has none yet.
    private func refreshShapes(
        _ sides: [NoiseSide], counts: [[Int]], begun: [SpectrumTask], step: Int, _ communicator: any Communicator
    ) throws {
        guard let exponent = options.exponent else {
            let shape = NoiseShape(
                gains: .isotropic, basis_KN: Floats(count: 0), columns: columns, spectrum: nil, step: step)
            shapes = [shape]
            return
        }
        let count = options.spectrum == .joint ? 1 : sides.count
        if shapes.count == count, hasShapes(for: step) { return }

        let world: any Communicator = options.scope == .global ? communicator : SoloWorld()
        var batches = zip(sides, counts).map { side, counts in
            DistributedRows(
                local_BN: side.values_BN, counts: options.scope == .global ? counts : [side.rows], columns: columns,
                step: step)
        }
        if options.spectrum == .joint { batches = [DistributedRows(stacking: batches)] }
        let found = try decompositions(of: batches, begun: begun, options: options, seed: seed, world)
        shapes = found.enumerated().map { index, decomposition in
            let field = RandomField(seed: seed, purpose: .shuffledSpectrum, stream: stream + UInt32(index))
            let resolved = decomposition.resolved
            let gains = Gains(
                spectrum: decomposition.spectrum, resolved: resolved, exponent: exponent, energy: options.energy,
                shuffle: options.scaling == .shuffled ? field.permutation(count: resolved, step: step) : nil)
            return NoiseShape(
                gains: gains, basis_KN: gains.resolved_K.isEmpty ? Floats(count: 0) : decomposition.basis_KN,
                columns: columns,
                spectrum: decomposition.spectrum, step: step)
        }
    }
}

extension NoiseShaper {
    /// What a checkpoint must hold for a bit-exact resume: nothing while `refresh` is 1, else one array a shape, the same on every
    /// rank. Float32 values travel as float64 exactly.
    public var state: [Doubles] { options.refresh > 1 ? shapes.map(\.encoded) : [] }

    /// Puts back what `state` held. Local; call it on every rank with the same arrays.
    /// - Throws: `Failure(.data)` when an array is not a shape of this width.
    /// - Precondition: no spectrum has begun.
    public func restore(_ state: [Doubles]) throws {
        precondition(begun.tasks.isEmpty, "a state is put back while spectra are under way")
        shapes = try state.enumerated().map { index, encoded in
            guard let shape = NoiseShape(encoded: encoded, columns: columns) else {
                throw Failure(
                    .data,
                    "noise shape \(index) of the checkpoint, \(encoded.count) numbers, does not fit \(columns) columns")
            }
            return shape
        }
    }
}
