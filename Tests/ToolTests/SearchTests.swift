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
        #expect(try search("half.npy", ["--text", "x"]).code == 64)
        #expect(try search("half.npy", ["--rows", folder.file("q.npy")]).code == 64)
    }
}
