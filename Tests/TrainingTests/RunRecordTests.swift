// What a run leaves behind: metrics.jsonl, evaluations, and a checkpoint when it is asked to stop. Not here: a row's JSON
// (MetricsWriterTests.swift), resuming (ResumeTests.swift).

import Collectives
import Foundation
import Testing

@testable import Training

@Suite(.serialized) struct RunRecordTests {
    static let phases = ["data", "forward", "spectrum", "noise", "loss", "backward", "communication", "optimizer"]
    static let figures = [
        "step", "epoch", "loss", "precision_at_1", "temperature", "learning_rate", "gradient_norm", "noise_to_signal",
        "samples_per_second",
        "gemm_utilisation",
    ]

    @Test(arguments: [1, 3], ["output", "input"]) func everyStepIsARow(_ ranks: Int, _ position: String) throws {
        let configuration = try TinyRun.shared.get().configuration([
            "steps=7", "noise.position=\(position)", "optimizer.schedule={kind: linear, warmup: 2}",
        ])
        try train(configuration, ranks: ranks)
        let rows = try metrics(configuration)
        #expect(rows.map { $0["step"] as? Int } == Array(1...7))
        for (index, row) in rows.enumerated() {
            for key in Self.figures { #expect((row[key] as? Double)?.isFinite == true, "\(key)") }
            let seconds = try #require(row["seconds"] as? [String: Double])
            #expect(Set(seconds.keys) == Set(Self.phases))
            // Durations are differences of clock readings: the noise's is what is left of two.
            #expect(seconds.values.allSatisfy { $0 >= -1e-6 } && seconds.values.reduce(0, +) > 0)
            #expect(abs((row["epoch"] as? Double ?? 0) - Double(index + 1) / 5) < 1e-12)
            // The rows of an epoch's last batch are those that are left.
            #expect(row["rows"] as? Double == Double(index % 5 < 4 ? 10 : TinyRun.rows - 40))
            for side in ["query", "target"] {
                for measure in ["noise_to_signal", "cosine", "row_norm", "effective_rank", "flatness"] {
                    #expect((row["\(side).\(measure)"] as? Double)?.isFinite == true, "\(side).\(measure)")
                }
            }
        }
        // A rise of two steps, the highest rate once more, then down a line.
        let rates = try curve(configuration, "learning_rate")
        #expect(rates[0] < rates[1] && zip(rates[2...], rates[3...]).allSatisfy { $0 > $1 })
        #expect(try curve(configuration, "temperature").allSatisfy { $0 > 0.01 && $0 < 1 })
    }

    @Test func withoutNoiseThereIsNoRatio() throws {
        let configuration = try TinyRun.shared.get().configuration(["steps=2", "noise.scaling=none"])
        try train(configuration)
        #expect(try metrics(configuration).allSatisfy { $0["noise_to_signal"] is NSNull && $0["query.cosine"] == nil })
    }

    /// Evaluations have rows of their own, also after resuming; the same figures at every world size.
    @Test func evaluationsAreRowsToo() throws {
        let tiny = try TinyRun.shared.get()
        let found = try [1, 3].map { ranks in
            let configuration = try tiny.configuration([
                "steps=6", "evaluate={every: 2, chunk: 5, sets: {held: \(tiny.folder)/train.jsonl}}",
            ])
            try train(configuration, ranks: ranks, stopAfter: 5)
            let summary = try train(configuration, ranks: ranks).summary
            #expect(summary.evaluation.map(\.name) == ["held"])
            let rows = try metrics(configuration)
            let evaluations = rows.filter { row in row.keys.contains { $0.hasPrefix("held.") } }
            #expect(evaluations.map { $0["step"] as? Int } == [2, 4, 6])
            #expect(evaluations.allSatisfy { $0["loss"] == nil && $0["seconds"] == nil })
            let steps = rows.filter { row in !row.keys.contains { $0.hasPrefix("held.") } }
            #expect(steps.map { $0["step"] as? Int } == Array(1...6))
            return evaluations.map { row in row.filter { $0.key.hasPrefix("held.") }.mapValues { $0 as? Double ?? .nan }
            }
        }
        for (single, several) in zip(found[0], found[1]) {
            #expect(Set(single.keys) == Set(several.keys) && !single.isEmpty)
            for (key, value) in single {
                #expect(abs(value - (several[key] ?? .nan)) <= 1e-3 * max(1, abs(value)), "\(key)")
            }
        }
    }

    /// One rank is asked; all stop after that step, with a checkpoint.
    @Test(arguments: [1, 2, 3]) func oneRequestStopsAll(_ ranks: Int) throws {
        let configuration = try TinyRun.shared.get().configuration(["steps=9"])
        let stops = try inWorld(of: ranks) { communicator in
            let stepper = try Stepper(configuration, steps: 3, communicator: communicator)
            return try (1...3).map { step in
                try stepper.next(stopRequested: step == 2 && communicator.rank == ranks - 1).stopRequested
            }
        }
        #expect(stops.allSatisfy { $0 == [false, true, false] })
        let summary = try train(configuration, ranks: ranks, stopAfter: 4).summary
        #expect(summary.step == 4 && summary.wasStopped && summary.loss != nil)
        let checkpoints = RunFolder(configuration.folder).checkpoints
        #expect(try FileManager.default.contentsOfDirectory(atPath: checkpoints) == ["step-00000004"])
    }

    /// A request during the last step changes nothing.
    @Test func aRequestInTheLastStepIsNoStop() throws {
        let configuration = try TinyRun.shared.get().configuration(["steps=3"])
        let summary = try train(configuration, ranks: 2, stopAfter: 3).summary
        #expect(summary.step == 3 && !summary.wasStopped)
    }

    /// The signal of Slurm and `mpirun`, in a process of its own: it would stop every other test's runs.
    @Test(arguments: [1, 2]) func aSignalStopsARun(_ ranks: Int) async {
        await #expect(processExitsWith: .success) { [ranks] in
            StopSignals.install()
            let configuration = try TinyRun.shared.get().configuration(["steps=50"])
            // To the process: test bodies run on threads that block signals.
            kill(getpid(), SIGUSR1)
            for _ in 0..<1000 where StopSignals.request == 0 { usleep(10_000) }
            let summary = try train(configuration, ranks: ranks).summary
            try #require(summary.wasStopped && summary.step == 1 && StopSignals.request == SIGUSR1)
            try #require(try train(configuration.with(steps: 1), ranks: ranks).summary.step == 1)
        }
    }
}

extension RunConfig {
    fileprivate func with(steps: Int) -> RunConfig {
        var result = self
        result.duration = .steps(steps)
        return result
    }
}
