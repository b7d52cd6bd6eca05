// A program to be started under mpirun, or without, by CollectivesTests: `CollectivesProbe SCENARIO [ranks=N] [deadline=S] [chunk=N] [checks=1]`.
// Not here: what its output must be.

import Buffers
import Collectives
import CollectivesCases
import Failures
import Foundation

struct Stranger: Error, CustomStringConvertible { let description = "an error of no known kind" }

func say(_ world: any Communicator, _ line: String) {
    if world.rank == 0 { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
}

/// FNV-1a.
func digest(_ bits: [UInt32]) -> String {
    String(bits.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }, radix: 16)
}

/// Median of the seconds of one all-reduce of `bytes` bytes.
func latency(_ world: any Communicator, bytes: Int) throws -> Double {
    let values = Floats(repeating: 0, count: bytes / 4)
    let runs = bytes <= 65536 ? 2000 : bytes <= 1 << 20 ? 300 : 30
    var seconds: [Double] = []
    for run in -5..<runs {
        let start = ContinuousClock.now
        try world.allReduce(values)
        if run >= 0 { seconds.append((ContinuousClock.now - start) / .seconds(1)) }
    }
    return seconds.sorted()[runs / 2]
}

@Sendable func run(_ scenario: String, _ world: any Communicator) throws {
    let last = world.size - 1
    switch scenario {
    case "solo", "describe":
        say(
            world,
            "\(type(of: world)) size \(world.size) here \(world.ranksOnThisHost) initialized \(World.isMPIInitialized)")
    case "table", "table-nodes":
        // Before there is memory of a node's, ranks have not agreed on the nodes.
        if scenario == "table-nodes" { _ = try world.nodeMemory(.own, byteCount: 8) }
        let done = try runAllCases(world, longCount: option("chunk") == nil ? 1_300_001 : 3001)
        let ran = try world.allGather(done.collectives)
        say(world, "ran \(ran) bits \(digest(try orderedSumBits(world, count: 5000)))")
    case "node":
        let bits = try runNodeCases(world)
        say(world, "nodes \(world.nodes) bits \(digest(bits))")
    case "node-sleep":
        let own = Floats(memory: try world.nodeMemory(.own, byteCount: 4 * 4096).memory, count: 4096)
        let parts = (0..<world.size).map { 4096 * ($0 + 1) / world.size - 4096 * $0 / world.size }
        let first = parts.prefix(world.rank).reduce(0, +)
        world.step = 12
        if world.rank == last { kill(getpid(), SIGSTOP) }
        try world.reduceScatter(own, counts: parts, into: own[first..<first + parts[world.rank]])
    case "node-places":
        let own = Floats(memory: try world.nodeMemory(.own, byteCount: 4 * 80).memory, count: 80)
        let start = world.rank == last ? 40 : 0
        let parts = (0..<world.size).map { 40 * ($0 + 1) / world.size - 40 * $0 / world.size }
        try world.reduceScatter(own[start..<start + 40], counts: parts, into: Floats(count: parts[world.rank]))
    case "latency":
        for bytes in [4, 4096, 65536, 1 << 20, 16 << 20, 64 << 20] {
            let seconds = try latency(world, bytes: bytes)
            say(world, "allReduce \(bytes) B: \((seconds * 1e7).rounded() / 10) us")
        }
    case "huge":
        // By hand: more than 2³¹ elements, 2.2 GB per region and rank, two ranks.
        let parts = [1 << 31 | 5, 3]
        let whole = Buffer<UInt8>(repeating: 0, count: parts[0] + parts[1])
        let start = world.rank == 0 ? 0 : parts[0]
        let mine = whole[start..<start + parts[world.rank]]
        mine.fill(UInt8(world.rank + 1))
        try world.allGather(mine, counts: parts, into: whole)
        guard whole[0] == 1, whole[parts[0] - 1] == 1, whole[parts[0]] == 2 else { throw WrongResult("all-gather") }
        try world.allReduce(whole)
        try world.reduceScatter(whole, counts: parts, into: mine)
        guard mine[0] == (world.rank == 0 ? 4 : 8), mine[mine.count - 1] == mine[0] else {
            throw WrongResult("reductions")
        }
        whole.fill(UInt8(world.rank))
        try world.broadcast(whole, root: 1)
        guard whole[0] == 1, whole[whole.count - 1] == 1 else { throw WrongResult("broadcast") }
        say(world, "huge")
    case "throw":
        world.step = 3
        try world.barrier()
        if world.rank == last { throw Failure(.data, "row 17 of rank \(last) is not finite") }
        try world.barrier()
    case "throw-all":
        throw Failure(.configuration, "noise.scalign is not a key")
    case "stranger":
        if world.rank == last { throw Stranger() }
        try world.barrier()
    case "sleep", "stop":
        world.step = 11
        try world.barrier()
        _ = try world.allGather(1)
        world.step = 12
        if world.rank == last {
            if scenario == "stop" { kill(getpid(), SIGSTOP) }
            sleep(30)
        }
        try world.allReduce(Floats(repeating: 1, count: 4096))
    case "stuck":
        // Rank 1 waits in an earlier collective for the last rank; rank 0 has passed it (a broadcast does not hold its root).
        world.step = 5
        if world.rank == last { sleep(30) }
        if world.rank == 0 {
            let request = try world.start(
                .allGather(
                    Payload(Floats(repeating: 0, count: 1)), counts: counts(world.size), into: gathered(world.size)))
            world.step = 6
            try world.allReduce(Floats(repeating: 1, count: 10))
            try request.wait()
        } else {
            try world.allGather(Floats(repeating: 0, count: 1), into: Floats(count: world.size))
        }
    case "early":
        try world.barrier()
        if world.rank != last { try world.allReduce(Floats(repeating: 1, count: 8)) }
    case "count":
        try world.allReduce(Floats(repeating: 1, count: world.rank == last ? 20 : 10))
    case "kind":
        if world.rank == last { try world.barrier() } else { try world.allReduce(Floats(repeating: 1, count: 10)) }
    case "type":
        if world.rank == last {
            try world.allReduce(Doubles(repeating: 1, count: 10))
        } else {
            try world.allReduce(Floats(repeating: 1, count: 10))
        }
    case "order":
        for isFirst in [true, false] {
            if (world.rank == last) == isFirst {
                try world.broadcast(Floats(repeating: 1, count: 4))
            } else {
                _ = try world.allReduce(1.0, .maximum)
            }
        }
    case "root":
        try world.broadcast(Floats(repeating: 1, count: 4), root: world.rank == last ? 1 : 0)
    default: throw Failure(.usage, "no scenario '\(scenario)'")
    }
}

@Sendable func counts(_ size: Int) -> [Int] { Array(repeating: 1, count: size) }
@Sendable func gathered(_ size: Int) -> Payload { Payload(Floats(count: size)) }

let arguments = CommandLine.arguments.dropFirst()
let scenario = arguments.first ?? ""
func option(_ name: String) -> Double? {
    arguments.first { $0.hasPrefix(name + "=") }.flatMap { Double($0.dropFirst(name.count + 1)) }
}
exit(
    World.run(
        ranks: option("ranks").map { Int($0) }, deadline: option("deadline").map { .seconds($0) },
        checks: option("checks").map { $0 == 1 },
        chunk: option("chunk").map { Int($0) }
    ) { try run(scenario, $0) })
