// A solver that fails on one rank fails on all, at once. Not here: what solvers find (SpectrumTests.swift).

import Buffers
import Collectives
import Failures
import Testing

@testable import FANoise

@Suite struct SolverFailureTests {
    /// The root's QR factorisation fails in one of its rounds: every rank throws, none waits for the deadline.
    @Test(.timeLimit(.minutes(1)), arguments: [1, 2, 3, 4], [1, 3]) func aRootThatFailsIsHeardOf(ranks: Int, round: Int)
        throws
    {
        let root = ranks - 1
        let messages = try ThreadWorld.run(ranks: ranks) { world in
            let (counts, columns) = (Array(repeating: 5, count: ranks), 4)
            let rows = DistributedRows(
                local_BN: Floats((0..<20).map { Float(($0 * 7 + world.rank) % 11) }), counts: counts, columns: columns,
                step: 1)
            let solver = RandomizedSolver(rows, center: false, sketch: 2, seed: 1, root: root, world)
            var rounds = 0
            let plain = solver.orthonormalize
            solver.orthonormalize = { vectors, count, length in
                rounds += 1
                if rounds == round { throw Failure(.internal, "no convergence") }
                try plain(vectors, count, length)
            }
            let task = SpectrumTask(rows: rows, solver: solver, root: root, communicator: world)
            try task.begin()
            try task.solve()
            let failure = #expect(throws: Failure.self) { try task.share() }
            #expect(failure?.kind == .internal)
            // The ranks are still in step.
            try world.barrier()
            return failure?.message ?? ""
        }
        #expect(messages.allSatisfy { $0.contains("no convergence") })
    }
}
