// What `train` says of a run that goes on, but not well. Not here: what it refuses (TrainingMistakeTests).

import Foundation
import Testing

@Suite struct TrainingWarningTests {
    /// The columns that were taken, ranks without rows, and held-out queries that are all the same, once each; with noise and without.
    @Test(arguments: ["sublinear", "none"]) func warningsAreSaidOnce(_ scaling: String) throws {
        let tiny = try TinyRun(steps: 2)
        try tiny.write(
            "held.jsonl",
            lines: (0..<8).map { #"{"id": "c\#($0)", "image": "images/0.png", "text": "\#(TinyRun.text($0))"}"# })
        let outcome = try tiny.train(
            .threads(3), ["--set", "batch.global=2", "--set", "evaluate.every=1", "--set", "noise.scaling=\(scaling)"])
        try #require(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.lines(with: "query ← image, target ← text, negatives ← none").count == 1, "\(outcome.errors)")
        #expect(outcome.lines(with: "batch.global is 2", "3 ranks", "a row (1)").count == 1, "\(outcome.errors)")
        #expect(
            outcome.lines(with: "step 1, held", "have collapsed", "optimizer.learning_rate").count == 1,
            "\(outcome.errors)")
        #expect(outcome.count(of: "have collapsed") == 1, "\(outcome.errors)")
    }
}
