// Every collective on every type, against a direct computation: one table for threads (in-process) and for processes (the probe).
// Not here: failures.

import Buffers
public import Collectives

/// A result that differs from the direct computation, in one line.
public struct WrongResult: Error, CustomStringConvertible, Sendable {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// How often each collective is run, to be compared between ranks and asserted in tests: a table that ran nothing passes nothing.
public struct CaseCount: Sendable, Equatable {
    public var collectives = 0
}

/// Runs the whole table on this rank; `longCount` elements make several segments, or many chunks when these are small. *Collective.*
public func runAllCases(_ world: any Communicator, counts: [Int] = [0, 1, 7, 300], longCount: Int = 1_300_001) throws
    -> CaseCount
{
    var total = CaseCount()
    try runCases(world, Float.self, counts, &total)
    try runCases(world, Double.self, counts, &total)
    try runCases(world, Int32.self, counts, &total)
    try runCases(world, Int64.self, counts, &total)
    try runCases(world, UInt8.self, counts, &total)
    try runOverlapping(world, &total)
    try runCrossed(world, longCount, &total)
    try runEdges(world, longCount, &total)
    return total
}

/// Element i of rank r: small integers, so that every type and every order of summation is exact (sums ≤ 4 · 31 < 256).
private func element<E: CollectiveElement & Numeric>(_ r: Int, _ i: Int, salt: Int) -> E {
    E(exactly: (r * 7 + i * 13 + salt * 5 + i / 31) % 32) ?? 0
}

private func fold<E: Numeric & Comparable>(_ values: [E], _ reduction: Reduction) -> E {
    switch reduction {
    case .sum: values.reduce(0, +)
    case .minimum: values.min() ?? 0
    case .maximum: values.max() ?? 0
    }
}

private func expect<E: Equatable>(_ what: String, _ got: [E], _ want: [E], _ world: any Communicator) throws {
    guard got != want else { return }
    let index = zip(got, want).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(got.count, want.count)
    throw WrongResult(
        "\(what), rank \(world.rank) of \(world.size): element \(index) of \(want.count) is "
            + "\(index < got.count ? "\(got[index])" : "absent"), expected \(index < want.count ? "\(want[index])" : "absent")"
    )
}

/// Equal counts, uneven counts, and counts of which some (or all but one) are zero.
private func distributions(_ n: Int, size: Int) -> [[Int]] {
    [
        Array(repeating: n, count: size),
        (0..<size).map { n / 2 + $0 * 3 },
        (0..<size).map { $0 % 2 == 0 ? 0 : n + $0 },
        (0..<size).map { $0 == size - 1 ? n : 0 },
    ]
}

private func runCases<E: CollectiveElement & Numeric & Comparable>(
    _ world: any Communicator, _: E.Type, _ counts: [Int], _ total: inout CaseCount
) throws {
    let reductions: [Reduction] = [.sum, .minimum, .maximum]
    for n in counts {
        for reduction in reductions {
            let buffer = Buffer<E>((0..<n).map { element(world.rank, $0, salt: n) })
            try world.allReduce(buffer, reduction)
            let want: [E] = (0..<n).map { i in fold((0..<world.size).map { element($0, i, salt: n) }, reduction) }
            try expect("allReduce(\(reduction)) of \(n) \(E.self)", buffer.array, want, world)
            total.collectives += 1
        }
        for root in 0..<world.size {
            let buffer = Buffer<E>((0..<n).map { element(world.rank, $0, salt: root) })
            try world.broadcast(buffer, root: root)
            try expect(
                "broadcast of \(n) \(E.self) from \(root)", buffer.array, (0..<n).map { element(root, $0, salt: root) },
                world)
            total.collectives += 1
        }
        for parts in distributions(n, size: world.size) {
            try runParts(world, E.self, parts, reductions, &total)
        }
        try world.barrier()
        total.collectives += 1
    }
}

/// All-gather and reduce-scatter, each with the part elsewhere and with the part in its place of the whole.
private func runParts<E: CollectiveElement & Numeric & Comparable>(
    _ world: any Communicator, _: E.Type, _ parts: [Int], _ reductions: [Reduction], _ total: inout CaseCount
) throws {
    let whole = parts.reduce(0, +)
    let start = parts[..<world.rank].reduce(0, +)
    let mine = start..<start + parts[world.rank]
    let gathered: [E] = parts.indices.flatMap { r in (0..<parts[r]).map { element(r, $0, salt: 3) } }
    for isInPlace in [false, true] {
        let result = Buffer<E>(repeating: 99, count: whole)
        let local = isInPlace ? result[mine] : Buffer<E>(count: mine.count)
        for i in 0..<mine.count { local[i] = element(world.rank, i, salt: 3) }
        try world.allGather(local, counts: parts, into: result)
        try expect("allGather of \(parts) \(E.self), in place: \(isInPlace)", result.array, gathered, world)
        total.collectives += 1
        for reduction in reductions {
            let values = Buffer<E>((0..<whole).map { element(world.rank, $0, salt: 4) })
            let target = isInPlace ? values[mine] : Buffer<E>(repeating: 99, count: mine.count)
            try world.reduceScatter(values, counts: parts, into: target, reduction)
            let want: [E] = mine.map { i in fold((0..<world.size).map { element($0, i, salt: 4) }, reduction) }
            try expect(
                "reduceScatter(\(reduction)) of \(parts) \(E.self), in place: \(isInPlace)", target.array, want, world)
            total.collectives += 1
        }
    }
}

/// Several requests under way, of all kinds, started in one order and waited for in another one on every rank.
private func runOverlapping(_ world: any Communicator, _ total: inout CaseCount) throws {
    let sums = (0..<6).map { k in Buffer<Double>((0..<(500 * k + 1)).map { element(world.rank, $0, salt: k) }) }
    let parts = (0..<world.size).map { 10 + $0 }
    let whole = parts.reduce(0, +)
    let gathered = Buffer<Int32>(repeating: -1, count: whole)
    let local = Buffer<Int32>(repeating: Int32(world.rank), count: parts[world.rank])
    let scattered = Floats(repeating: -1, count: parts[world.rank])
    let copied = Buffer<UInt8>(repeating: world.rank == world.size - 1 ? 7 : 0, count: 300)
    var requests = try sums.map { try world.start(.allReduce(Payload($0), .sum)) }
    requests.append(try world.start(.allGather(Payload(local), counts: parts, into: Payload(gathered))))
    requests.append(
        try world.start(
            .reduceScatter(Payload(Floats(repeating: 1, count: whole)), counts: parts, into: Payload(scattered), .sum)))
    requests.append(try world.start(.broadcast(Payload(copied), root: world.size - 1)))
    requests.append(try world.start(.barrier))
    let order = world.rank % 2 == 0 ? Array(requests.indices) : requests.indices.reversed()
    for index in order {
        if index == 2 { while try !requests[index].test() {} }
        try requests[index].wait()
        guard try requests[index].test() else { throw WrongResult("request \(index) waited for is not complete") }
    }
    for (k, buffer) in sums.enumerated() {
        let want: [Double] = (0..<buffer.count).map { i in (0..<world.size).reduce(0) { $0 + element($1, i, salt: k) } }
        try expect("overlapping allReduce \(k)", buffer.array, want, world)
    }
    try expect(
        "overlapping allGather", gathered.array,
        parts.indices.flatMap { Array(repeating: Int32($0), count: parts[$0]) }, world)
    try expect(
        "overlapping reduceScatter", scattered.array, Array(repeating: Float(world.size), count: parts[world.rank]),
        world)
    try expect("overlapping broadcast", copied.array, Array(repeating: 7, count: 300), world)
    total.collectives += requests.count
}

/// Two reductions of several stages, waited for in opposite orders: each wait must move the other request on too.
private func runCrossed(_ world: any Communicator, _ longCount: Int, _ total: inout CaseCount) throws {
    let vectors = (1...2).map { Floats(repeating: Float($0), count: longCount) }
    let requests = try vectors.map { try world.start(.allReduce(Payload($0), .sum)) }
    for index in world.rank % 2 == 0 ? [0, 1] : [1, 0] { try requests[index].wait() }
    for (k, vector) in vectors.enumerated() {
        let want = Float((k + 1) * world.size)
        for i in stride(from: 0, to: longCount, by: 499) {
            try expect("crossed allReduce \(k) at \(i)", [vector[i]], [want], world)
        }
        total.collectives += 1
    }
}

/// A request that nobody waits for, NaN, signed zeros, wrapping sums, the forms with one number, and vectors of several segments.
private func runEdges(_ world: any Communicator, _ longCount: Int, _ total: inout CaseCount) throws {
    let last = world.size - 1
    // Nobody waits for this one; those that follow must not mind.
    _ = try world.start(.allReduce(Payload(Buffer<Int64>([1])), .sum))
    try expect("allGather of one number", try world.allGather(world.rank * 10), (0..<world.size).map { $0 * 10 }, world)
    try expect(
        "allReduce of one number", [try world.allReduce(Double(world.rank))], [Double(last * world.size) / 2], world)
    for reduction in [Reduction.sum, .minimum, .maximum] {
        let some = Floats([world.rank == last ? .nan : 1, 1, world.rank == 0 ? .nan : 1])
        try world.allReduce(some, reduction)
        try expect("NaN of one rank in \(reduction)", some.array.map(\.isNaN), [true, false, true], world)
        let zeros = Buffer<Double>([world.rank == 0 ? 0.0 : -0.0])
        try world.allReduce(zeros, reduction)
        let signs = try world.allGather(zeros[0].sign == .minus ? 1 : 0)
        try expect(
            "sign of zero in \(reduction) on all ranks", signs, Array(repeating: signs[0], count: world.size), world)
    }
    let bytes = Buffer<UInt8>([200])
    try world.allReduce(bytes)
    try expect("wrapping sum", [bytes[0]], [UInt8(truncatingIfNeeded: 200 * world.size)], world)
    let long = Floats((0..<longCount).map { element(world.rank, $0, salt: 1) })
    try world.allReduce(long)
    for i in stride(from: 0, to: long.count, by: 997) {
        try expect(
            "long allReduce at \(i)", [long[i]], [(0..<world.size).reduce(0) { $0 + element($1, i, salt: 1) }], world)
    }
    total.collectives += 14
}

/// Bits of a sum whose value depends on the order of the terms: equal in all worlds of one size, whatever they are made of.
public func orderedSumBits(_ world: any Communicator, count: Int) throws -> [UInt32] {
    let scale: Float = [1, 3e4, 0.1, 7e2][world.rank % 4]
    let values = Floats((0..<count).map { i in Float(1 + (i * 7919 + world.rank * 104_729) % 1009) / 1009 * scale })
    try world.allReduce(values)
    return values.array.map(\.bitPattern)
}
