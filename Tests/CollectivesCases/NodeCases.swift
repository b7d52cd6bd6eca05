// Collectives on memory that the ranks of a node have in common, against a direct computation: for threads and for processes.
// Not here: collectives on other memory (CollectiveCases.swift).

import Buffers
public import Collectives

/// Element i of rank r in round k: sums of these depend on the order of their terms.
private func term(_ rank: Int, _ index: Int, _ round: Int) -> Float {
    Float(1 + (index * 7919 + rank * 104_729 + round * 31) % 1009) / 1009 * ([1, 3e4, 0.1, 7e2] as [Float])[rank % 4]
}

private func fold(_ values: [Float], _ reduction: Reduction) -> Float {
    switch reduction {
    case .sum: values.dropFirst().reduce(values[0], +)
    case .minimum: values.min() ?? 0
    case .maximum: values.max() ?? 0
    }
}

/// Reduce-scatters `own` memory and gathers the parts in `common` memory, six of each under way at once, over parts of equal, unequal and
/// no length. *Collective.*
///
/// - Parameter length: about how many elements a part has.
/// - Returns: the bits of the results, the same on every rank.
/// - Throws: `WrongResult` where an element is not, bit for bit, what folding in the stated order gives.
public func runNodeCases(_ world: any Communicator, length: Int = 5000) throws -> [UInt32] {
    let reductions: [Reduction] = [.sum, .maximum, .sum, .minimum, .sum, .sum]
    let shapes = [
        (0..<world.size).map { _ in length }, (0..<world.size).map { length / 2 + 37 * $0 },
        (0..<world.size).map { $0 == world.size / 2 ? length : 0 },
    ]
    var bits: [UInt32] = []
    for counts in shapes {
        let total = counts.reduce(0, +)
        let own = Floats(memory: try world.nodeMemory(.own, byteCount: 4 * 6 * total).memory, count: 6 * total)
        let common = Floats(memory: try world.nodeMemory(.common, byteCount: 4 * 6 * total).memory, count: 6 * total)
        let first = counts.prefix(world.rank).reduce(0, +)
        let part = { (values: Floats, round: Int) in
            values[round * total + first..<round * total + first + counts[world.rank]]
        }
        for index in 0..<6 * total { own[index] = term(world.rank, index % max(1, total), index / max(1, total)) }
        let reduced = try reductions.enumerated().map { round, reduction in
            try world.start(
                .reduceScatter(
                    Payload(own[round * total..<(round + 1) * total]), counts: counts, into: Payload(part(own, round)),
                    reduction))
        }
        for request in reduced.reversed() { try request.wait() }
        // Every other time the contribution comes from elsewhere.
        let contributions = reductions.indices.map { round in
            let place = round % 2 == 0 ? part(common, round) : Floats(count: counts[world.rank])
            place.copy(from: part(own, round))
            return place
        }
        let gathered = try contributions.enumerated().map { round, contribution in
            try world.start(
                .allGather(
                    Payload(contribution), counts: counts, into: Payload(common[round * total..<(round + 1) * total])))
        }
        for request in gathered.reversed() { try request.wait() }
        for (round, reduction) in reductions.enumerated() {
            for index in 0..<total {
                let expected = fold(
                    world.nodes.map { node in fold(node.map { term($0, index, round) }, reduction) }, reduction)
                let found = common[round * total + index]
                guard found.bitPattern == expected.bitPattern else {
                    throw WrongResult(
                        "\(reduction) \(round) over parts \(counts), rank \(world.rank): element \(index) is \(found), expected \(expected)"
                    )
                }
                bits.append(found.bitPattern)
            }
        }
        // The memory may go while neighbours still look.
        try world.barrier()
    }
    return bits
}
