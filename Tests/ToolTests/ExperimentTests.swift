// `fanoise experiment` as a user runs it: whole grids, grids that are killed, and wrong ones. Not here: statistics (TrainingTests).

import ArrayFiles
import Foundation
import Oracles
import Testing

@Suite(.serialized) struct ExperimentTests {
    /// Two heads on random features, and an experiment of two arms and two seeds.
    private final class Grid {
        let folder: TemporaryFolder

        init(steps: Int = 3) throws {
            folder = try TemporaryFolder()
            for (part, rows) in [("train", 40), ("test", 17)] {
                try FileManager.default.createDirectory(atPath: folder.file(part), withIntermediateDirectories: true)
                let queries = Dense.normals(rows, 6, salt: rows)
                try queries.write(folder.file("\(part)/queries.npy"))
                try queries.write(folder.file("\(part)/targets.npy"))
            }
            try write(
                "base.yaml",
                """
                name: base
                steps: \(steps)
                threads: 1
                model: {query: {kind: features, inputs: 6}, target: {kind: features, inputs: 6}, embedding: 4}
                data: {train: \(folder.file("train"))}
                batch: {global: 10}
                noise: {scaling: none}
                optimizer: {schedule: constant}
                evaluate: {every: null, sets: {test: \(folder.file("test"))}}
                checkpoint: {every: 200}
                log: {every: 1}
                """)
            try experiment("")
        }

        func experiment(_ more: String) throws {
            try write(
                "experiment.yaml",
                """
                name: tiny
                title: A tiny grid
                question: Does anything differ?
                method: Two arms.
                expectation: No.
                base: \(folder.file("base.yaml"))
                arms:
                  none: {noise.scaling: none}
                  linear: {noise.scaling: linear, noise.strength: 0.5}
                baseline: none
                seeds: 2
                resamples: 100
                measures: {test.query_to_target.precision_at_1: Precision@1}
                \(more)
                """)
        }

        func write(_ name: String, _ text: String) throws {
            try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: folder.file(name)))
        }

        var arguments: [String] {
            ["experiment", "--config", folder.file("experiment.yaml"), "--output", folder.file("out"), "--jobs", "2"]
        }

        /// When each cell's record was written.
        var records: [String: Date] {
            let cells = folder.file("out/tiny/cells")
            let names = (try? FileManager.default.contentsOfDirectory(atPath: cells)) ?? []
            let pairs = names.compactMap { name -> (String, Date)? in
                let attributes = try? FileManager.default.attributesOfItem(atPath: "\(cells)/\(name)/cell.json")
                return (attributes?[.modificationDate] as? Date).map { (name, $0) }
            }
            return Dictionary(uniqueKeysWithValues: pairs)
        }

        func metrics(_ cell: String) throws -> [[String: Any]] {
            try String(contentsOfFile: folder.file("out/tiny/cells/\(cell)/metrics.jsonl"), encoding: .utf8).split(
                separator: "\n"
            ).map { try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
        }
    }

    /// A whole grid: files, table, JSON; nothing to do a second time; paired seeds.
    @Test func runsAGridOnce() throws {
        let grid = try Grid()
        let first = try Program.run(grid.arguments)
        try #require(first.code == 0, "\(first.errors)")
        #expect(first.output.contains("| none | ") && first.output.contains("4 runs, 2 seeds"))
        #expect(first.lines(with: "4/4").count == 1)
        let records = grid.records
        #expect(Set(records.keys) == ["none-1", "none-2", "linear-1", "linear-2"])
        for name in ["results.json", "results.csv", "report.html"] {
            #expect(FileManager.default.fileExists(atPath: grid.folder.file("out/tiny/\(name)")))
        }
        // Checkpoints of finished runs are not kept.
        #expect(!FileManager.default.fileExists(atPath: grid.folder.file("out/tiny/cells/none-1/checkpoints")))

        let second = try Program.run(grid.arguments + ["--json"])
        #expect(second.code == 0 && second.lines(with: "0 runs to do").count == 1)
        #expect(grid.records == records)
        let json = try second.json()
        #expect((json["arms"] as? [[String: Any]])?.count == 2 && json["missing_cells"] as? Int == 0)

        // Without noise in the first step, arms of a seed would begin with equal losses; with noise they begin with equal weights
        // and rows: the gradient without noise is the same. Other seeds differ.
        let losses = try ["none-1", "none-2"].map { try #require(try grid.metrics($0)[0]["loss"] as? Double) }
        #expect(losses[0] != losses[1])
        try grid.experiment("set: {noise.schedule: {kind: warmup, steps: 1000000000}}")
        #expect(try Program.run(grid.arguments).code == 0)
        let paired = try ["none-1", "linear-1"].map { try #require(try grid.metrics($0)[0]["loss"] as? Double) }
        #expect(paired[0] == losses[0] && abs(paired[1] - losses[0]) < 1e-6 * losses[0])
    }

    /// Killed in the middle, the same command repeats no finished cell, and ends with what an undisturbed grid has.
    @Test(arguments: [SIGKILL, SIGTERM]) func killedGridsGoOn(_ signal: Int32) throws {
        let (grid, whole) = (try Grid(steps: 600), try Grid(steps: 600))
        let arguments = grid.arguments.dropLast() + ["1"]
        let program = try RunningProgram(Array(arguments), .alone)
        let deadline = Date(timeIntervalSinceNow: 40)
        while program.isRunning, Date() < deadline, grid.records.isEmpty { usleep(5000) }
        let finished = grid.records
        program.send(signal)
        let outcome = try program.outcome()
        #expect(outcome.code == (signal == SIGTERM ? 75 : 128 + SIGKILL), "\(outcome.errors)")
        try #require(!finished.isEmpty && finished.count < 4)
        let again = try Program.run(grid.arguments)
        try #require(again.code == 0, "\(again.errors)")
        let records = grid.records
        #expect(records.count == 4)
        for (name, date) in finished { #expect(records[name] == date, "\(name) was run again") }
        #expect(try Program.run(whole.arguments).code == 0)
        for name in records.keys {
            let ends = try [grid, whole].map { try #require(try $0.metrics(name).last) }
            #expect(ends[0]["test.uniformity"] as? Double == ends[1]["test.uniformity"] as? Double, "\(name)")
        }
    }

    /// A changed arm is run again, the others are not.
    @Test func changedArmsAreRunAgain() throws {
        let grid = try Grid()
        #expect(try Program.run(grid.arguments).code == 0)
        let before = grid.records
        let path = grid.folder.file("experiment.yaml")
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try grid.write(
            "experiment.yaml",
            text.replacingOccurrences(of: "noise.strength: 0.5", with: "noise.strength: 0.25"))
        #expect(try Program.run(grid.arguments).code == 0)
        let after = grid.records
        #expect(after["none-1"] == before["none-1"] && after["none-2"] == before["none-2"])
        #expect(after["linear-1"] != before["linear-1"] && after["linear-2"] != before["linear-2"])
    }

    /// One sentence, exit code 78, nothing started.
    @Test func mistakesAreOneSentence() throws {
        let grid = try Grid()
        let wrong: [(String, [String])] = [
            ("unknown: 1", ["unknown key 'unknown'"]),
            ("set: {noise.strenght: 1}", ["arm 'none'", "noise.strenght"]),
        ]
        for (more, words) in wrong {
            try grid.experiment(more)
            let outcome = try Program.run(grid.arguments)
            #expect(outcome.code == 78 && outcome.messages.count == 1, "\(outcome.errors)")
            for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
        }
        #expect(grid.records.isEmpty)
        try grid.experiment("")
        let text = try String(contentsOfFile: grid.folder.file("experiment.yaml"), encoding: .utf8)
        try grid.write("experiment.yaml", text.replacingOccurrences(of: "test.query", with: "tset.query"))
        let outcome = try Program.run(grid.arguments)
        #expect(outcome.code == 78 && outcome.errors.contains("no measure is called 'tset.query_to_target"))
        // One that no arm has, beside one that all have: said once all runs are there, of which none is lost.
        try grid.write(
            "experiment.yaml", text.replacingOccurrences(of: "Precision@1}", with: "Precision@1, tset.uniformity: U}"))
        for _ in 1...2 {
            let late = try Program.run(grid.arguments)
            #expect(late.code == 78 && late.errors.contains("no measure is called 'tset.uniformity'"))
            #expect(grid.records.count == 4)
        }
        let missing = try Program.run(["experiment", "--config", grid.folder.file("none.yaml")])
        #expect(missing.code == 66 && missing.messages.count == 1)
    }

    /// Of gradients, too, --results-only computes nothing: it shows what is there, and says what to do when nothing is.
    @Test func resultsOfGradientsAreKept() throws {
        let folder = try TemporaryFolder()
        let file = folder.file("gradient.yaml")
        let text = """
            name: gradient
            title: Gradients
            kind: gradient
            question: Any?
            method: Draws.
            expectation: None.
            gradient: {deviation: 0.005, samples: 100}
            seeds: 2
            """
        try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: file))
        let arguments = ["experiment", "--config", file, "--output", folder.file("out"), "--json"]
        let early = try Program.run(arguments + ["--results-only"])
        #expect(early.code == 66 && early.messages.count == 1, "\(early.errors)")
        let computed = try Program.run(arguments)
        try #require(computed.code == 0, "\(computed.errors)")
        let shown = try Program.run(arguments + ["--results-only"])
        #expect(shown.code == 0 && shown.output == computed.output)
    }
}
