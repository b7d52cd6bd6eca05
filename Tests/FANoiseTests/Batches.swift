// Batches to test on, and worlds to run them in. Not here: references (JacobiOracle.swift), tests.

import Buffers
import Collectives
import FANoise
import Foundation
import Randomness

/// A kind of batch that training meets.
enum BatchKind: String, CaseIterable {
    case random, decaying, deficient, equalRows, zeroRows, zero

    /// m × n values with this property, the same at every call.
    func values(rows m: Int, columns n: Int) -> [Float] {
        let field = RandomField(seed: 11, purpose: .test, stream: UInt32(m * 64 + n))
        var values = field.normals(step: 0, firstRow: 0, rows: m, columns: n).array
        switch self {
        case .random: break
        case .decaying:
            // Column scales from 1 to 10⁻³, then rows mixed, plus a common mean.
            for index in values.indices {
                values[index] *= Float(pow10(-3 * Double(index % n) / Double(max(1, n - 1))))
            }
            for index in values.indices { values[index] += index % n == 0 ? 2 : 0.01 }
        case .deficient:
            let left = field.normals(step: 1, firstRow: 0, rows: m, columns: 2)
            let right = field.normals(step: 2, firstRow: 0, rows: 2, columns: n)
            for index in values.indices {
                let (i, j) = (index / n, index % n)
                values[index] = left[2 * i] * right[j] + left[2 * i + 1] * right[n + j]
            }
        case .equalRows: for index in values.indices { values[index] = values[index % n] }
        case .zeroRows: for index in values.indices where index / n % 3 == 1 { values[index] = 0 }
        case .zero: for index in values.indices { values[index] = 0 }
        }
        return values
    }
}

private func pow10(_ exponent: Double) -> Double { Foundation.pow(10, exponent) }

/// How m rows lie on W ranks.
enum Sharding: CaseIterable {
    /// As equal as possible.
    case even
    /// Everything on the last rank, the others empty.
    case lastOnly
    /// Rank r gets about r times as many as rank 1; rank 0 none.
    case growing

    func counts(rows m: Int, ranks: Int) -> [Int] {
        switch self {
        case .even: return (0..<ranks).map { (m * ($0 + 1)) / ranks - m * $0 / ranks }
        case .lastOnly: return (0..<ranks).map { $0 == ranks - 1 ? m : 0 }
        case .growing:
            let parts = max(1, ranks * (ranks - 1) / 2)
            var counts = (0..<ranks).map { m * $0 / parts }
            counts[ranks - 1] += m - counts.reduce(0, +)
            return counts
        }
    }
}

/// A perturbed batch put together from all ranks, with the report of rank 0.
struct Outcome: Sendable {
    var values: [Float]
    var report: NoiseReport
}

/// Perturbs `values` (m × n) sharded over a world of `ranks` ranks.
func perturbed(
    _ values: [Float], rows m: Int, columns n: Int, options: NoiseOptions, ranks: Int = 1, sharding: Sharding = .even,
    step: Int = 3,
    seed: UInt64 = 5, stream: UInt32 = 0, gaussian: [Float]? = nil
) throws -> Outcome {
    let counts = sharding.counts(rows: m, ranks: ranks)
    let parts = try inWorld(ranks) { communicator in
        let first = counts[..<communicator.rank].reduce(0, +)
        let own = first * n..<(first + counts[communicator.rank]) * n
        let shaper = try NoiseShaper(options: options, columns: n, seed: seed, stream: stream)
        let result = try shaper.perturb(
            Floats(Array(values[own])), rows: counts[communicator.rank], firstRow: first, globalRows: m, step: step,
            communicator: communicator, gaussian: gaussian.map { Floats(Array($0[own])) })
        return Outcome(values: result.perturbed.array, report: result.report)
    }
    return Outcome(values: parts.flatMap(\.values), report: parts[0].report)
}

/// Runs `body` on each of `ranks` ranks and returns what they return, in rank order.
func inWorld<Value: Sendable>(_ ranks: Int, _ body: @escaping @Sendable (any Communicator) throws -> Value) throws
    -> [Value]
{
    try ranks == 1 ? [body(SoloWorld())] : ThreadWorld.run(ranks: ranks, body)
}
