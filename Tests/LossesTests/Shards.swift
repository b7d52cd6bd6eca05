// A global batch cut into shards, evaluated by ranks that are threads, and put together again.

import Buffers
import Collectives
import Losses
import Oracles
import Randomness

/// Random rows: query i and its positive share a direction, so that losses are neither 0 nor those of pure chance.
func randomBatch(
    rows: Int, width: Int, k: Int = 1, scale: Double = 1, temperature: Double = 0.2, bias: Double = -1.5,
    seed: UInt64 = 1
) -> DenseBatch {
    let field = RandomField(seed: seed, purpose: .test)
    func matrix(_ step: Int, _ count: Int) -> [[Double]] {
        (0..<count).map { row in
            field.normals(step: step, firstRow: row, rows: 1, columns: width).array.map(Double.init)
        }
    }
    let (common, own) = (matrix(0, rows), matrix(1, rows * (k + 1)))
    func unit(_ row: [Double]) -> [Double] {
        let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return row.map { Double(Float($0 / norm * scale)) }
    }
    let queries = (0..<rows).map { i in unit(zip(common[i], own[i]).map { $0 + $1 }) }
    let targets = (0..<k * rows).map { j in
        unit(zip(common[j % rows], own[rows + j]).map { (j < rows ? 1 : 0.3) * $0 + $1 })
    }
    return DenseBatch(
        queries: queries, targets: targets, ids: nil, temperature: Double(Float(temperature)), bias: Double(Float(bias))
    )
}

/// The result of all ranks: gradients in the batch's own order, and every rank's view of the numbers that all must share.
struct AssembledResult: Sendable {
    var shared: [LossResult]
    var dqueries: [[Double]]
    var dtargets: [[Double]]
}

/// Evaluates `batch` with `counts[r]` consecutive rows on rank r.
func evaluate(_ batch: DenseBatch, _ options: ContrastiveLossOptions, counts: [Int], gradients: Bool = true) throws
    -> AssembledResult
{
    precondition(counts.reduce(0, +) == batch.rows)
    let (n, k, width) = (batch.rows, options.targetsPerQuery, batch.width)
    /// The batch's target indices of a rank, in the order it passes them.
    @Sendable func targetIndices(_ rank: Int) -> [Int] {
        let first = counts[..<rank].reduce(0, +)
        return (0..<k).flatMap { block in (0..<counts[rank]).map { block * n + first + $0 } }
    }
    let (queries, targets, ids) = (batch.queries, batch.targets, batch.ids)
    let (temperature, bias) = (Float(batch.temperature), Float(batch.bias))
    let results = try ThreadWorld.run(ranks: counts.count) { world in
        let first = counts[..<world.rank].reduce(0, +)
        let mine = targetIndices(world.rank)
        return try ContrastiveLoss(options)(
            queries: Floats(queries[first..<first + counts[world.rank]].flatMap { $0.map { Float($0) } }),
            targets: Floats(mine.flatMap { targets[$0].map { Float($0) } }),
            ids: ids.map { ids in mine.filter { $0 < ids.count }.map { ids[$0] } }, rows: counts[world.rank],
            columns: width,
            temperature: temperature, bias: bias, communicator: world, gradients: gradients)
    }
    var dtargets = [[Double]](repeating: [], count: batch.targets.count)
    guard gradients else { return AssembledResult(shared: results, dqueries: [], dtargets: []) }
    for (rank, result) in results.enumerated() {
        for (row, target) in targetIndices(rank).enumerated() {
            dtargets[target] = result.dtargets[row * width..<(row + 1) * width].array.map(Double.init)
        }
    }
    let dqueries = results.flatMap { result in
        (0..<result.dqueries.count / width).map {
            result.dqueries[$0 * width..<($0 + 1) * width].array.map(Double.init)
        }
    }
    return AssembledResult(shared: results, dqueries: dqueries, dtargets: dtargets)
}

/// ‖a − b‖ / ‖b‖ over all elements; ‖a‖ when b is 0.
func relativeError(_ a: [[Double]], _ b: [[Double]]) -> Double {
    guard a.map(\.count) == b.map(\.count) else { return .infinity }
    let difference = zip(a, b).reduce(0) { $0 + zip($1.0, $1.1).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
    let size = b.reduce(0) { $0 + $1.reduce(0) { $0 + $1 * $1 } }
    return (size > 0 ? difference / size : difference).squareRoot()
}

func relativeError(_ a: Double, _ b: Double) -> Double { relativeError([[a]], [[b]]) }
