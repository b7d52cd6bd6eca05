// `search` over anyone's arrays against a sort, at every number of ranks. Not here: searching with a model (TrainingRunTests).

import ArrayFiles
import Buffers
import Foundation
import Oracles
import Randomness
import Testing

@Suite struct SearchTests {
    private static let rows = 5000
    private static let columns = 24
    private static let queries = 300

    /// Coarse numbers, so that products are exact and many scores are tied.
    private static func values(_ count: Int, seed: UInt64) -> [Float] {
        let field = RandomField(seed: seed, purpose: .test)
        return (0..<count).map { Float(field.integer(below: 5, row: $0)) - 2 }
    }

    private func results(_ path: String) throws -> [[(row: Int, score: Double)]] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").enumerated().map { place, line in
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(object["query"] as? Int == place)
            return try #require(object["results"] as? [[String: Any]]).map {
                (try #require($0["row"] as? Int), try #require($0["score"] as? Double))
            }
        }
    }

    @Test(arguments: [Start.alone, .threads(3), .mpi(2), .mpi(4)]) func equalsASort(_ start: Start) throws {
        let folder = try TemporaryFolder()
        let index = Self.values(Self.rows * Self.columns, seed: 1)
        let queries = Self.values(Self.queries * Self.columns, seed: 2)
        try NPYArray.write(
            path: folder.file("index.npy"), shape: [Self.rows, Self.columns], values: Floats(index))
        try NPYArray.write(
            path: folder.file("queries.npy"), shape: [Self.queries, Self.columns], values: Floats(queries))
        let outcome = try Program.run(
            [
                "search", "--index", folder.file("index.npy"), "--queries", folder.file("queries.npy"), "--top", "7",
                "--output", folder.file("found.jsonl"), "--json",
            ], start)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try outcome.json()["queries"] as? Int == Self.queries)
        let found = try results(folder.file("found.jsonl"))
        #expect(found.count == Self.queries)
        for query in stride(from: 0, to: Self.queries, by: 23) {
            let scores = (0..<Self.rows).map { row in
                (0..<Self.columns).reduce(Float(0)) {
                    $0 + index[row * Self.columns + $1] * queries[query * Self.columns + $1]
                }
            }
            let expected = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }.prefix(7)
            #expect(found[query].map(\.row) == Array(expected))
            #expect(found[query].map(\.score) == expected.map { Double(scores[$0]) })
        }
    }

    /// For people: results on standard output, in columns, below what was asked; ten queries at most, and what they are of.
    @Test func resultsArePrinted() throws {
        let folder = try TemporaryFolder()
        try NPYArray.write(path: folder.file("x.npy"), shape: [3, 1], values: Floats([1, -10, 0.5]))
        try NPYArray.write(path: folder.file("q.npy"), shape: [11, 1], values: Floats(repeating: 1, count: 11))
        let outcome = try Program.run(
            ["search", "--index", folder.file("x.npy"), "--queries", folder.file("q.npy"), "--top", "3"], .threads(2))
        #expect(outcome.code == 0, "\(outcome.errors)")
        let one = "1  row 0    1.0000\n2  row 2    0.5000\n3  row 1  -10.0000\n"
        #expect(outcome.output == (0..<10).map { "query \($0):\n\(one)" }.joined())
        #expect(outcome.lines(with: "first 10 of 11 queries", "--output").count == 1, "\(outcome.errors)")
    }

    /// Two queries of two numbers, and words of the message.
    static let noNumbers: [([Float], [String])] = [
        ([1, 2, 3, .nan], ["q.npy: row 1 "]), ([1, 2, .infinity, 4], ["q.npy: row 1 "]),
        ([1, 2, 1e38, 1e38], ["q.npy", "row 1 ", "row 2 of ", "x.npy", "float32"]),
        ([1, 2, 1e38, -1e38], ["q.npy", "row 1 ", "row 2 of ", "x.npy", "float32"]),
    ]

    /// Queries are checked as rows are; a score that float32 does not hold is an error, no result.
    @Test(arguments: noNumbers) func valuesThatAreNoNumbers(_ queries: [Float], _ words: [String]) throws {
        let folder = try TemporaryFolder()
        try NPYArray.write(path: folder.file("x.npy"), shape: [3, 2], values: Floats([1, 2, 3, 0, 1e38, 1e38]))
        try NPYArray.write(path: folder.file("q.npy"), shape: [2, 2], values: Floats(queries))
        for start in [Start.alone, .threads(2)] {
            let outcome = try Program.run(
                ["search", "--index", folder.file("x.npy"), "--queries", folder.file("q.npy"), "--json"], start)
            #expect(outcome.code == 65 && outcome.output.isEmpty, "\(outcome.errors)")
            let message = try #require(outcome.messages.first)
            for word in words { #expect(message.contains(word), "\(message)") }
        }
    }

    /// By whatever path, what is read is not replaced.
    @Test func outputsAreNoInputs() throws {
        let folder = try TemporaryFolder()
        for name in ["x.npy", "queries.npy"] {
            try NPYArray.write(path: folder.file(name), shape: [3, 1], values: Floats([1, -10, 0.5]))
        }
        try FileManager.default.createSymbolicLink(
            atPath: folder.file("link.npy"), withDestinationPath: folder.file("x.npy"))
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.file("x.npy")))
        let search = ["search", "--index", folder.file("x.npy"), "--queries", folder.file("queries.npy"), "--output"]
        let loss = ["loss", "--queries", folder.file("queries.npy"), "--targets", folder.file("x.npy")]
        let commands: [[String]] = [
            search + [folder.file("x.npy")], search + ["\(folder.path)/./link.npy"],
            search + [folder.file("queries.npy")], loss + ["--gradients", folder.path],
            [
                "embed", "--run", "none", "--side", "query", "--input", folder.file("x.npy"), "--output",
                folder.file("link.npy"),
            ],
            ["mine", "--run", "none", "--data", folder.file("x.npy"), "--output", folder.file("x.npy")],
        ]
        for arguments in commands {
            let outcome = try Program.run(arguments)
            #expect(outcome.code == 64 && outcome.messages.first?.contains("is the input") == true, "\(outcome.errors)")
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file("x.npy"))) == before)
    }

    /// With a model of features an array is features; the row whose features are too large is named.
    @Test func arraysAreFeatures() throws {
        let folder = try TemporaryFolder()
        let values = Self.values(40, seed: 3)
        for name in ["queries.npy", "targets.npy"] {
            try NPYArray.write(path: folder.file(name), shape: [10, 4], values: Floats(values))
        }
        let config = """
            name: features
            output: \(folder.file("runs"))
            seed: 7
            steps: 1
            model: {query: {kind: features, inputs: 4}, target: {kind: features, inputs: 4}, embedding: 4}
            data: {train: \(folder.path)}
            batch: {global: 5}
            optimizer: {learning_rate: 1e-3, schedule: {kind: constant, warmup: 0}}
            evaluate: {every: null}
            checkpoint: {every: null}
            """
        try Data(config.utf8).write(to: URL(fileURLWithPath: folder.file("config.yaml")))
        let trained = try Program.run(["train", "--config", folder.file("config.yaml")])
        try #require(trained.code == 0, "\(trained.errors)")
        func run(_ arguments: String...) throws -> Outcome {
            try Program.run([arguments[0], "--run", folder.file("runs/features"), "--json"] + arguments.dropFirst())
        }
        let queries = folder.file("queries.npy")
        #expect(try run("embed", "--input", queries, "--side", "target", "--output", folder.file("t.npy")).code == 0)
        #expect(try run("embed", "--input", queries, "--side", "query", "--output", folder.file("q.npy")).code == 0)
        func results(_ outcome: Outcome) throws -> [[[String: Any]]] {
            #expect(outcome.code == 0, "\(outcome.errors)")
            return try #require(try outcome.json()["results"] as? [[[String: Any]]])
        }
        func places(_ results: [[[String: Any]]]) -> [[Int]] { results.map { $0.compactMap { $0["row"] as? Int } } }
        let byModel = try results(
            run("search", "--index", folder.file("t.npy"), "--queries", queries, "--side", "query"))
        let byArray = try results(
            Program.run(["search", "--index", folder.file("t.npy"), "--queries", folder.file("q.npy"), "--json"]))
        #expect(places(byModel) == places(byArray) && byModel.count == 10)
        var large = values
        for column in 0..<4 { large[4 * 6 + column] = 3e38 }
        try NPYArray.write(path: folder.file("large.npy"), shape: [10, 4], values: Floats(large))
        let refused = try run(
            "embed", "--input", folder.file("large.npy"), "--side", "query", "--output", folder.file("x.npy"))
        #expect(refused.code == 65, "\(refused.errors)")
        #expect(refused.messages.first?.contains("row 6 of the input") == true, "\(refused.errors)")
    }

    /// An index of halves, of another byte order, or of fewer rows than are asked for.
    @Test func smallIndexesAndMistakes() throws {
        let folder = try TemporaryFolder()
        let values: [Float] = [1, 0, 0, 1, 0.5, 0.5]
        let writer = try ResumableNPYWriter(
            path: folder.file("half.npy"), rows: 3, columns: 2, type: .float16, made: [:])
        try writer.append(Floats(values))
        try writer.finish()
        try NPYArray.write(path: folder.file("q.npy"), shape: [1, 2], values: Floats([2, 1]))
        func search(_ index: String, _ more: [String] = []) throws -> Outcome {
            try Program.run(
                ["search", "--index", folder.file(index), "--queries", folder.file("q.npy"), "--json"] + more, .mpi(2))
        }
        let found = try search("half.npy").json()
        let results = try #require(found["results"] as? [[[String: Any]]])
        #expect(results[0].compactMap { $0["row"] as? Int } == [0, 2, 1])
        #expect(results[0].compactMap { $0["score"] as? Double } == [2, 1.5, 1])
        try NPYArray.write(path: folder.file("wide.npy"), shape: [2, 3], values: Floats([1, 2, 3, 4, 5, 6]))
        #expect(try search("wide.npy").code == 65)
        try NPYArray.write(path: folder.file("bad.npy"), shape: [3, 2], values: Floats([1, 2, 3, .infinity, 5, 6]))
        let bad = try search("bad.npy")
        #expect(bad.code == 65 && bad.messages.first?.contains("row 1") == true, "\(bad.errors)")
        #expect(try search("missing.npy").code == 66)
        #expect(try search("half.npy", ["--side", "query"]).code == 64)
        #expect(try search("half.npy", ["--text", "x"]).code == 64)
        #expect(try search("half.npy", ["--rows", folder.file("q.npy")]).code == 64)
    }
}
