// A step in the steady state takes no memory from the system. Not here: the pool itself (BuffersTests).

import Buffers
import Collectives
import Testing

@testable import Training

/// Each in a process of its own, for all tests of a process share the pool.
@Suite struct SteadyStateTests {
    static let pictures = [
        "model.target={kind: vit, image_size: 8, patch: 4, width: 16, depth: 1, heads: 2}",
        "data.target={column: image, kind: picture}",
    ]

    /// How often each step asked the system for memory, as rank 0 saw it of all ranks.
    static func allocations(_ options: [String], ranks: Int, steps: Int) throws -> [Int] {
        let configuration = try TinyRun.shared.get().configuration(options)
        return try inWorld(of: ranks) { communicator in
            let stepper = try Stepper(configuration, steps: steps, communicator: communicator)
            return try (1...steps).map { _ in
                // Between two barriers nobody computes.
                try communicator.barrier()
                let before = MemoryPool.shared.systemAllocations.count
                try communicator.barrier()
                _ = try stepper.next()
                try communicator.barrier()
                return MemoryPool.shared.systemAllocations.count - before
            }
        }[0]
    }

    /// Two pictures a pair: all sizes have occurred after the first epoch, of five steps, and nothing is asked for after it.
    @Test func picturesAllocateNothing() async {
        await #expect(processExitsWith: .success) {
            for options in [
                [], ["noise.position=input", "model.query.dropout=0.1"], ["loss.kind=sigmoid", "batch.cache_chunk=3"],
            ] {
                let counts = try SteadyStateTests.allocations(SteadyStateTests.pictures + options, ranks: 1, steps: 30)
                try #require(counts[0] > 0 || !options.isEmpty, "the count does not count")
                try #require(counts[10...].allSatisfy { $0 == 0 }, "\(counts) with \(options)")
            }
        }
    }

    /// Ranks that are threads share the pool, and how many buffers of a size are out at one time depends on who is ahead: now and then
    /// one more than ever before. A leak would show in every step.
    @Test func threadsSoonShareWhatTheyNeed() async {
        await #expect(processExitsWith: .success) {
            let counts = try SteadyStateTests.allocations(SteadyStateTests.pictures, ranks: 2, steps: 60)
            try #require(counts[30...].count { $0 == 0 } >= 20, "\(counts)")
        }
    }

    /// Packed texts: a batch of more tokens than any before asks for its buffers once. Lengths differ by captions drawn at random, so
    /// that this becomes rare but never impossible; capacities are an eighth apart, so that it does become rare.
    @Test func textsAllocateForNewLengthsOnly() async {
        await #expect(processExitsWith: .success) {
            for options in [[], ["noise.position=input"], ["loss.kind=sigmoid", "batch.cache_chunk=2"]] {
                let counts = try SteadyStateTests.allocations(options, ranks: 1, steps: 60)
                try #require(counts[30...].count { $0 == 0 } >= 27, "\(counts) with \(options)")
            }
        }
    }
}
