// One loss curve from one configuration: alone, as threads of one process, and under mpirun.

import Foundation
import Testing

@Suite struct LossCurveTests {
    /// The losses of 50 steps.
    private func curve(_ start: Start) throws -> [Double] {
        let tiny = try TinyRun(steps: 50, checkpointEvery: 50)
        let outcome = try tiny.train(start, ["--set", "evaluate.sets={}"])
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
}
