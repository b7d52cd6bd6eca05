// What the ranks must know of each other's rows before they compute: how many, and whether all are finite. Not here: any arithmetic.

import Buffers
import Collectives
import Failures
import Kernels

/// The rows of every rank for each side, `[side][rank]`, after all ranks have agreed that they can go on. *Collective*: one
/// all-gather of three integers a side.
///
/// - Throws: the same failure on every rank: `Failure(.data)` for a value that is not finite, `Failure(.internal)` for rows that
///   do not add up to the global count.
func agreedCounts(of sides: [NoiseSide], _ communicator: any Communicator) throws -> [[Int]] {
    let width = 3 * sides.count
    let own = Buffer<Int64>(count: width)
    for (index, side) in sides.enumerated() {
        own[3 * index] = Int64(side.rows)
        own[3 * index + 1] = firstNonFiniteRow(of: side.values_BN, side)
        own[3 * index + 2] = side.gaussian_BN.map { firstNonFiniteRow(of: $0, side) } ?? -1
    }
    let all = Buffer<Int64>(count: width * communicator.size)
    try communicator.allGather(own, into: all)
    for position in 0..<all.count where position % 3 > 0 && all[position] >= 0 {
        let (rank, side) = (position / width, position % width / 3)
        let what = position % 3 == 1 ? "representations" : "given Gaussian numbers"
        throw Failure(
            .data,
            "\(what)\(sides.count > 1 ? side == 0 ? " of the queries" : " of the targets" : "") are not finite: row \(all[position]) of the global batch, "
                + "on rank \(rank), has a NaN or an infinity")
    }
    return try sides.enumerated().map { index, side in
        let counts = (0..<communicator.size).map { Int(all[$0 * width + 3 * index]) }
        guard counts.reduce(0, +) == side.globalRows else {
            throw Failure(
                .internal,
                "ranks hold \(counts) rows of side \(index), which is not the global batch of \(side.globalRows)")
        }
        return counts
    }
}

/// The global index of the first local row with a value that is not finite; −1 when there is none.
private func firstNonFiniteRow(of values_BN: Floats, _ side: NoiseSide) -> Int64 {
    guard side.rows > 0, let index = firstNonFinite(values_BN) else { return -1 }
    return Int64(side.firstRow + index / (values_BN.count / side.rows))
}
