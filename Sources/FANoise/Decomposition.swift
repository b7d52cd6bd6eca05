// The spectrum of a distributed batch with its directions: what every solver finds, and how the ranks come to share it.
// Not here: the solvers themselves (GramSolver, SVDSolver, RandomizedSolver), the noise.

import Buffers
import Collectives
import Failures
import Kernels

/// The rows that one spectrum is taken of, as one rank holds them. N = m: global rows.
struct DistributedRows {
    /// B × n: this rank's rows.
    let local_BN: Floats
    /// Rows of each rank, in rank order; zero is allowed.
    let counts: [Int]
    /// n.
    let columns: Int
    /// The step, for solvers that draw random numbers.
    let step: Int

    /// m.
    var rows: Int { counts.reduce(0, +) }
    /// r = min(m, n).
    var order: Int { min(rows, columns) }
}

/// Singular values and the right singular vectors of the leading non-zero ones.
struct Decomposition {
    let spectrum: Spectrum
    /// V_Kᵀ, k × n: orthonormal rows, in the order of the singular values.
    let basis_KN: Floats

    /// k, at most the spectrum's dimension.
    var resolved: Int { spectrum.columns == 0 ? 0 : basis_KN.count / spectrum.columns }
}

/// One way of finding the spectrum. Calls are *collective* and come in this order on every rank.
protocol SpectrumSolver: AnyObject {
    /// Does the local work and starts what has to travel.
    func begin() throws
    /// Waits for what travels, and solves on the root; nil elsewhere.
    func solve() throws -> Decomposition?
    /// Waits for what travels, and leaves it at that.
    func abandon() throws
}

/// One spectrum on its way: begun, solved on one rank, shared with all.
///
/// One rank solves and broadcasts, although all ranks hold what it takes: ranks on different machines may run different kernels
/// of the linear algebra library, whose eigenvectors differ by rounding, and by any rotation where eigenvalues coincide. The
/// broadcast makes shape and spectrum the same bits everywhere, and lets two spectra be solved on two ranks at once.
final class SpectrumTask {
    let rows: DistributedRows
    private let root: Int
    private let communicator: any Communicator
    private let solver: any SpectrumSolver
    /// On the root: what came of the solver. Elsewhere: a failure that all ranks share.
    private var result: Result<Decomposition, any Error>?

    /// - Parameter number: of the batch among those that are solved together; its root is that rank, or as far round as there are ranks.
    convenience init(
        _ rows: DistributedRows, number: Int, options: NoiseOptions, seed: UInt64, _ communicator: any Communicator
    ) {
        let root = number % communicator.size
        let solver: any SpectrumSolver =
            switch options.solver.resolved(rows: rows.rows, columns: rows.columns) {
            case .svd: SVDSolver(rows, center: options.center, root: root, communicator)
            case .randomized:
                RandomizedSolver(
                    rows, center: options.center, sketch: options.sketch, seed: seed, root: root, communicator)
            case .gram, .gram32, .auto:
                GramSolver(
                    rows, center: options.center, single: options.solver == .gram32, root: root, communicator)
            }
        self.init(rows: rows, solver: solver, root: root, communicator: communicator)
    }

    init(rows: DistributedRows, solver: any SpectrumSolver, root: Int, communicator: any Communicator) {
        self.rows = rows
        self.solver = solver
        self.root = root
        self.communicator = communicator
    }

    func begin() throws { if rows.order > 0 { try solver.begin() } }

    /// Ends what `begin` began, where nobody wants the spectrum any more. *Collective.*
    func abandon() throws { if rows.order > 0 { try solver.abandon() } }

    func solve() throws {
        guard rows.order > 0 else { return }
        do {
            if let found = try solver.solve() { result = .success(found) }
        } catch let failure as Failure where failure.kind == .internal {
            // The root's alone, or the same on every rank. All go on to `share`, where those who do not know hear of it.
            result = .failure(failure)
        }
    }

    /// The root's result on every rank, bit for bit.
    /// - Throws: on every rank, what the root's solver threw.
    func share() throws -> Decomposition {
        let n = rows.columns
        guard rows.order > 0 else {
            return Decomposition(
                spectrum: Spectrum(singularValues: [], rows: rows.rows, columns: n), basis_KN: Floats(count: 0))
        }
        let own = try? result?.get()
        if case .failure(let error) = result, communicator.size == 1 { throw error }
        if let own, communicator.size == 1 { return own }

        let header = Doubles(repeating: 0, count: 3 + rows.order)
        if let own {
            header[0] = Double(own.spectrum.dimension)
            header[1] = Double(own.resolved)
            header[2] = own.spectrum.isApproximate ? 1 : 0
            header[3..<header.count].copy(from: Doubles(own.spectrum.singularValues))
        } else {
            header[0] = -1
        }
        try communicator.broadcast(header, root: root)
        guard header[0] >= 0 else {
            if case .failure(let error) = result { throw error }
            throw Failure(.internal, "rank \(root) could not find the spectrum of \(rows.rows)×\(n) representations")
        }
        let basis_KN = own?.basis_KN ?? Floats(count: Int(header[1]) * n)
        if basis_KN.count > 0 { try communicator.broadcast(basis_KN, root: root) }
        let spectrum = Spectrum(
            singularValues: Array(header.array[3...]), rows: rows.rows, columns: n, dimension: Int(header[0]),
            isApproximate: header[2] == 1)
        return Decomposition(spectrum: spectrum, basis_KN: basis_KN)
    }
}

extension NoiseOptions.Solver {
    /// What `auto` means for an m × n batch.
    public func resolved(rows: Int, columns: Int) -> NoiseOptions.Solver {
        guard self == .auto else { return self }
        return min(rows, columns) <= 4096 ? .gram : .randomized
    }
}

/// The last `count` of the vectors in `ascending` (one a row) in reverse, as float32: LAPACK's order into ours.
func descendingFloats(_ ascending: Doubles, count: Int, length: Int) -> Floats {
    let result = Floats(count: count * length)
    let total = length == 0 ? 0 : ascending.count / length
    for vector in 0..<count {
        let source = ascending.base + (total - 1 - vector) * length
        let target = result.base + vector * length
        for index in 0..<length { target[index] = Float(source[index]) }
    }
    return result
}

/// Square roots of eigenvalues in descending order; what rounding made negative is zero.
func singularValues(ofEigenvalues ascending: Doubles) -> [Double] {
    ascending.array.reversed().map { max($0, 0).squareRoot() }
}

/// The decompositions of several batches, each on every rank. *Collective.*
///
/// Batch i is solved on rank i mod W, so that two towers' eigenproblems run side by side; what one batch sends travels while the
/// next one's products are computed.
/// - Parameter begun: those of the first batches, if they have begun already.
func decompositions(
    of batches: [DistributedRows], begun: [SpectrumTask] = [], options: NoiseOptions, seed: UInt64,
    _ communicator: any Communicator
) throws -> [Decomposition] {
    let rest = batches.indices.dropFirst(begun.count).map { index in
        SpectrumTask(batches[index], number: index, options: options, seed: seed, communicator)
    }
    for task in rest { try task.begin() }
    let tasks = begun + rest
    for task in tasks { try task.solve() }
    return try tasks.map { try $0.share() }
}

extension DistributedRows {
    /// The rows of several batches as one; the order of rows does not matter to a spectrum.
    init(stacking batches: [DistributedRows]) {
        precondition(!batches.isEmpty, "no batches to stack")
        let local_BN = Floats(count: batches.reduce(0) { $0 + $1.local_BN.count })
        var position = 0
        for batch in batches {
            local_BN[position..<position + batch.local_BN.count].copy(from: batch.local_BN)
            position += batch.local_BN.count
        }
        let counts = batches[0].counts.indices.map { rank in batches.reduce(0) { $0 + $1.counts[rank] } }
        self.init(local_BN: local_BN, counts: counts, columns: batches[0].columns, step: batches[0].step)
    }
}
