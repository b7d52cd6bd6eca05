// One loss curve from one configuration: alone, as threads of one process, and under mpirun.

import Foundation
import Testing

@Suite struct LossCurveTests {
    /// The losses of 50 steps.
    private func curve(_ start: Start, wrapper: [String] = []) throws -> [Double] {
        let tiny = try TinyRun(steps: 50, checkpointEvery: 50)
        let settings = ["--set", "evaluate.sets={}", "--set", "agreement.every=1"]
        let outcome = try Program.run(["train", "--config", tiny.config] + settings, start, wrapper: wrapper)
        try #require(outcome.code == 0, "\(outcome.errors)")
        let lines = try String(contentsOfFile: "\(tiny.run)/metrics.jsonl", encoding: .utf8).split(separator: "\n")
        return try lines.compactMap {
            (try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])?["loss"] as? Double
        }
    }

    /// Other numbers of ranks add in another order, 1e-7 a step, and training amplifies it; the bound is the contract's.
    @Test func isTheSameHoweverTheRanksAreStarted() throws {
        let reference = try curve(.alone)
        #expect(reference.count == 50)
        for start in (1...4).flatMap({ [Start.threads($0), .mpi($0)] }) {
            let found = try curve(start)
            #expect(found.count == 50)
            for (one, other) in zip(found, reference) { #expect(abs(one - other) < 1e-4, "\(start)") }
        }
    }

    /// Every second rank without the processor's matrix unit, where there is one, as on nodes of different age: the parameters agree to the
    /// bit in every step, the curve is that of equal ranks.
    @Test(arguments: 2...4) func isTheSameOnDifferentProcessors(_ ranks: Int) throws {
        let reference = try curve(.alone)
        let script = #"[ $((OMPI_COMM_WORLD_RANK % 2)) = 0 ] || export FANOISE_MATRIX_UNIT=0; exec "$0" "$@""#
        let found = try curve(.mpi(ranks), wrapper: ["sh", "-c", script])
        #expect(found.count == 50)
        for (one, other) in zip(found, reference) { #expect(abs(one - other) < 1e-4) }
    }

    /// Several nodes: what crosses between them goes node by node, and the queries' spectrum begins before the targets are encoded.
    @Test(arguments: [(2, 1), (3, 2), (4, 2), (4, 1)]) func isTheSameOverNodes(_ ranks: Int, perNode: Int) throws {
        let reference = try curve(.alone)
        let script = #"export FANOISE_RANKS_PER_NODE=\#(perNode); exec "$0" "$@""#
        let found = try curve(.mpi(ranks), wrapper: ["sh", "-c", script])
        #expect(found.count == 50)
        for (one, other) in zip(found, reference) { #expect(abs(one - other) < 1e-4) }
    }
}
