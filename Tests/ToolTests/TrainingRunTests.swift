// `train`, `evaluate`, `embed` and `search` one after the other, as a user would. Not here: signals and damage (RecoveryTests), wrong
// input (TrainingMistakeTests).

import ArrayFiles
import Foundation
import Oracles
import Testing

@Suite struct TrainingRunTests {
    /// All numbers of a JSON object by their path.
    private func numbers(_ value: Any, _ path: String = "") -> [String: Double] {
        if let object = value as? [String: Any] {
            return object.reduce(into: [:]) { $0.merge(numbers($1.value, path + "." + $1.key)) { $1 } }
        }
        return (value as? Double).map { [path: $0] } ?? [:]
    }

    /// Four steps, at every kind of start; the run's loss and evaluation do not depend on the ranks.
    ///
    /// Sums in another order change gradients by 1e-7 of their size, and AdamW divides by their size: an element whose gradient cancels
    /// may move by up to the learning rate, 1e-3, in another direction. Few do; 1e-3 of the loss bounds what four steps make of it.
    @Test func trainAndEvaluate() throws {
        var losses: [Double] = []
        for start in [Start.alone, .threads(3), .mpi(2)] {
            let tiny = try TinyRun()
            let outcome = try tiny.train(start)
            #expect(outcome.code == 0, "\(outcome.errors)")
            let json = try outcome.json()
            #expect(json["step"] as? Int == 4)
            #expect(json["finished"] as? Bool == true)
            #expect(json["folder"] as? String == tiny.run)
            losses.append(try #require(json["loss"] as? Double))
            #expect(tiny.steps == ["step-00000002", "step-00000004"])
            let metrics = try String(contentsOfFile: "\(tiny.run)/metrics.jsonl", encoding: .utf8).split(
                separator: "\n")
            let rows = try metrics.map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
            #expect(rows.filter { $0["loss"] is Double }.compactMap { $0["step"] as? Int } == [1, 2, 3, 4])

            // Evaluated again from the checkpoint, by other ranks: what training said at its end.
            let trained = numbers(try #require(json["evaluation"]))
            #expect(trained.count == 15 && trained.keys.contains(".held.query_to_target.precision_at_1"))
            for other in start == .alone ? [Start.alone, .threads(2), .mpi(3)] : [.alone] {
                let evaluated = numbers(try Program.run(["evaluate", "--run", tiny.run, "--json"], other).json())
                #expect(Set(evaluated.keys) == Set(trained.keys))
                for (key, value) in trained { #expect(relativeError(evaluated[key], value) < 1e-5, "\(key)") }
            }
        }
        for loss in losses.dropFirst() { #expect(relativeError(loss, losses[0]) < 1e-3) }
        // Near ln 7, for nothing has been learnt yet; the first temperature of 0.07 can only raise it.
        #expect(losses[0] > 0.5 && losses[0] < 10)
    }

    /// A named checkpoint and a named file in place of the run's own.
    @Test func evaluateOneCheckpointOnOneFile() throws {
        let tiny = try TinyRun()
        #expect(try tiny.train().code == 0)
        let json = try Program.run(
            [
                "evaluate", "--checkpoint", "\(tiny.checkpoints)/step-00000002", "--data",
                "all=\(tiny.folder.file("train.jsonl"))", "--json",
            ]
        ).json()
        let all = numbers(json)
        #expect(all[".all.query_to_target.queries"] == Double(TinyRun.rows))
        #expect(all[".all.query_to_target.gallery"] == Double(TinyRun.rows))
        #expect(all.keys.allSatisfy { $0.hasPrefix(".all.") })
    }

    /// Row order is kept, rows are unit vectors, and neither ranks nor the other rows of a file change an embedding.
    @Test(arguments: ["query", "target"]) func embed(_ side: String) throws {
        let tiny = try TinyRun()
        #expect(try tiny.train().code == 0)
        try tiny.write("reversed.jsonl", lines: (0..<TinyRun.rows).reversed().map(TinyRun.line))
        let alone = try tiny.embed("train.jsonl", side: side)
        #expect(alone.code == 0, "\(alone.errors)")
        #expect(try alone.json()["rows"] as? Int == TinyRun.rows)
        #expect(try alone.json()["columns"] as? Int == TinyRun.width)
        let first = try Dense.read(tiny.folder.file("\(side).npy"))
        #expect(first.rows == TinyRun.rows && first.columns == TinyRun.width)
        for row in 0..<first.rows {
            let squares = (0..<first.columns).reduce(0) { $0 + first[row, $1] * first[row, $1] }
            #expect(abs(squares - 1) < 1e-5)
        }
        for start in [Start.mpi(3), .threads(2)] {
            #expect(try tiny.embed("train.jsonl", side: side, start).code == 0)
            #expect((try Dense.read(tiny.folder.file("\(side).npy")) - first).largest < 1e-5)
        }
        #expect(try tiny.embed("reversed.jsonl", side: side, .mpi(2)).code == 0)
        let reversed = try Dense.read(tiny.folder.file("\(side).npy"))
        var expected = first
        for row in 0..<first.rows {
            for column in 0..<first.columns { expected[row, column] = first[first.rows - 1 - row, column] }
        }
        #expect((reversed - expected).largest < 1e-5)
        #expect((reversed - first).largest > 1e-3)
    }

    /// Results are the rows of the index by their dot products with the question's own embedding, best first.
    @Test(arguments: [Start.alone, .mpi(2)]) func search(_ start: Start) throws {
        let tiny = try TinyRun()
        #expect(try tiny.train().code == 0)
        #expect(try tiny.embed("train.jsonl", side: "query").code == 0)
        try tiny.write("question.txt", lines: [TinyRun.text(3)])
        #expect(try tiny.embed("question.txt", side: "target").code == 0)
        let index = try Dense.read(tiny.folder.file("query.npy"))
        let question = try Dense.read(tiny.folder.file("target.npy"))
        #expect(question.rows == 1)
        let scores = (index * question.transposed).values
        let order = scores.indices.sorted { scores[$0] > scores[$1] }

        let arguments = ["search", "--run", tiny.run, "--index", tiny.folder.file("query.npy"), "--top", "5", "--json"]
        let outcome = try Program.run(
            arguments + ["--text", TinyRun.text(3), "--rows", tiny.folder.file("train.jsonl")], start)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let results = try #require(try outcome.json()["results"] as? [[String: Any]])
        #expect(results.count == 5)
        for (place, result) in results.enumerated() {
            let (row, score) = (try #require(result["row"] as? Int), try #require(result["score"] as? Double))
            #expect(abs(score - scores[row]) < 1e-5)
            #expect(abs(score - scores[order[place]]) < 1e-5)
            #expect((result["content"] as? String)?.hasSuffix("images/\(row).png") == true)
        }
        #expect(
            zip(results, results.dropFirst()).allSatisfy {
                ($0["score"] as? Double ?? 0) >= ($1["score"] as? Double ?? 1)
            })

        // Many questions are told by their texts; the files of others are converted first.
        let many = try Program.run(
            arguments.dropLast() + ["--side", "target", "--queries", tiny.folder.file("question.txt")], start)
        #expect(many.output.hasPrefix("\(TinyRun.text(3)):\n1  row "), "\(many.output) \(many.errors)")
        try tiny.write("x.parquet", lines: ["PAR1"])
        let parquet = try tiny.embed("x.parquet", side: "target")
        #expect(parquet.code == 65 && parquet.messages.first?.contains("docs/data.md") == true, "\(parquet.errors)")

        // Embeddings of another width are no queries, whether or not it divides the model's.
        for width in [8, 5] {
            try Dense.normals(2, width, salt: 1).write(tiny.folder.file("other.npy"))
            let other = try Program.run(arguments + ["--queries", tiny.folder.file("other.npy")], start)
            #expect(other.code == 65, "\(other.output)")
            #expect(other.messages.first?.contains("[2, \(width)]") == true, "\(other.errors)")
        }

        // A picture finds texts: itself, when the index holds the pictures' own embeddings.
        let picture = try Program.run(
            [
                "search", "--run", tiny.run, "--index", tiny.folder.file("query.npy"), "--top", "100", "--json",
                "--image",
            ]
                + [tiny.folder.file("images/9.png")])
        let found = try #require(try picture.json()["results"] as? [[String: Any]])
        #expect(found.count == TinyRun.rows)
        #expect(abs(try #require(found[0]["score"] as? Double) - 1) < 1e-5)
        #expect(found[0]["row"] as? Int == 9)
    }
}
