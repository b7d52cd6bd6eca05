// The worlds inside one process: one rank, and threads. Not here: MPI (MPIWorldTests.swift), settings (CollectiveSettingsTests.swift).

import Buffers
import Collectives
import CollectivesCases
import Failures
import Foundation
import Testing

struct ThreadWorldTests {
    @Test func aWorldOfOneMatchesTheDirectComputation() throws {
        #expect(try runAllCases(SoloWorld()).collectives == 766)
    }

    @Test(arguments: [1, 2, 3, 4], [5, 1 << 28])
    func everyCollectiveMatchesTheDirectComputation(size: Int, chunk: Int) throws {
        let done = try ThreadWorld.run(ranks: size, settings: CollectiveSettings(deadline: .seconds(20), chunk: chunk))
        {
            try runAllCases($0, longCount: chunk == 5 ? 3001 : 1_300_001).collectives
        }
        #expect(done == Array(repeating: 746 + 20 * size, count: size))
    }

    @Test(arguments: [1, 2, 3, 4]) func collectivesOnNodeMemoryMatchTheDirectComputation(size: Int) throws {
        let bits = try ThreadWorld.run(ranks: size) { try runNodeCases($0, length: 300) }
        #expect(Set(bits).count == 1 && bits[0].count > 0)
        if size == 1 { #expect(try runNodeCases(SoloWorld(), length: 300) == bits[0]) }
    }

    /// ((x₀ + x₁) + x₂) + x₃ of values whose sum depends on the order.
    @Test func reductionsFoldInRankOrder() throws {
        let terms: [Float] = [1, 1e8, -1e8, 0.5]
        let sums = try ThreadWorld.run(ranks: 4) { world in
            let x = Floats([terms[world.rank]])
            try world.allReduce(x)
            return x[0]
        }
        let inOrder = terms.dropFirst().reduce(terms[0], +)
        #expect(sums == [inOrder, inOrder, inOrder, inOrder])
        #expect(inOrder != terms.reversed().dropFirst().reduce(terms[3], +), "the terms do not tell orders apart")
    }

    @Test func theFirstFailureIsTheOneReported() throws {
        let woken = Woken()
        #expect {
            try ThreadWorld.run(ranks: 4) { world in
                try world.barrier()
                if world.rank == 2 { throw Failure(.data, "row 17 is not finite") }
                do { try world.barrier() } catch {
                    woken.add("\(error)")
                    throw error
                }
            }
        } throws: { ($0 as? Failure)?.message == "row 17 is not finite" }
        #expect(woken.all == Array(repeating: "step 0: barrier #2: rank 2 failed: row 17 is not finite", count: 3))
    }

    @Test func theDeadlineNamesTheRanksThatHaveNotArrived() throws {
        let error = try failure { world in
            world.step = 11
            _ = try world.allGather(1)
            world.step = 12
            if world.rank >= 2 { usleep(2_500_000) }
            if world.rank == 2 { world.step = 13 }
            try world.allReduce(Floats(repeating: 1, count: 4096))
        }
        #expect(error?.kind == .deadline && error?.exitCode == 75)
        #expect(
            error?.message == "step 12: allReduce #2 of 4096 float32 waited 1 s; not arrived: "
                + "rank 2 (last seen in allGather #1, step 11), rank 3 (last seen in allGather #1, step 11)")
    }

    @Test func aRankThatEndedIsNotWaitedFor() throws {
        let error = try failure(deadline: .seconds(20)) { world in
            try world.barrier()
            if world.rank != 3 { try world.broadcast(Floats(repeating: 1, count: 2)) }
        }
        #expect(error?.kind == .lostPeer && error?.exitCode == 75)
        #expect(
            error?.message
                == "step 0: broadcast #2 of 2 float32 cannot complete: rank 3 has ended (last seen in barrier #1, step 0)"
        )
    }

    @Test(
        arguments: [
            ("count", "ranks 0, 1, 2: allReduce(sum) of 3 float32; rank 3: allReduce(sum) of 4 float32"),
            ("kind", "ranks 0, 1, 2: allReduce(sum) of 3 float32; rank 3: barrier"),
            ("reduction", "ranks 0, 1, 2: allReduce(sum) of 3 float32; rank 3: allReduce(minimum) of 3 float32"),
            (
                "parts",
                "ranks 0, 1, 2: allGather of 4 int32 in parts of 1, 1, 1, 1…; rank 3: allGather of 4 int32 in parts of 1, 0, 2, 1…"
            ),
        ])
    func ranksThatDisagreeAreNamed(what: String, said: String) throws {
        let error = try failure(deadline: .seconds(20)) { world in
            let isOdd = world.rank == 3
            switch what {
            case "count": try world.allReduce(Floats(repeating: 1, count: isOdd ? 4 : 3))
            case "kind": if isOdd { try world.barrier() } else { try world.allReduce(Floats(repeating: 1, count: 3)) }
            case "reduction": try world.allReduce(Floats(repeating: 1, count: 3), isOdd ? .minimum : .sum)
            default:
                let counts = isOdd ? [1, 0, 2, 1] : [1, 1, 1, 1]
                try world.allGather(Buffer<Int32>([1]), counts: counts, into: Buffer<Int32>(count: 4))
            }
        }
        #expect(error?.kind == .disagreement && error?.exitCode == 70)
        let message = (error?.message ?? "").replacing(#/ \(digest [0-9a-f]+\)/#, with: "")
        #expect(message == "step 0: the ranks disagree on collective #1: " + said)
    }

    /// The error of a world of four ranks, all of which run `body`.
    private func failure(
        deadline: Duration = .seconds(1), _ body: @escaping @Sendable (any Communicator) throws -> Void
    ) throws -> CollectiveError? {
        do {
            _ = try ThreadWorld.run(ranks: 4, settings: CollectiveSettings(deadline: deadline), body)
            return nil
        } catch let error as CollectiveError {
            return error
        }
    }
}

/// Messages from several threads.
private final class Woken: @unchecked Sendable {
    private let lock = NSLock()
    private var messages: [String] = []
    func add(_ message: String) { lock.withLock { messages.append(message) } }
    var all: [String] { lock.withLock { messages } }
}
