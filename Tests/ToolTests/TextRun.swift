// A model of two text sides, trained for a moment, and a benchmark for it. Not here: tests.

import Foundation
import Oracles
import Testing

/// A folder with pairs of texts, a trained run, and `beir/` with a corpus, queries and judgements.
final class TextRun {
    static let rows = 40
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try write(
            "train.jsonl",
            (0..<Self.rows).map {
                #"{"id": \#($0 / 2), "text": "what is \#($0)", "caption": "it is \#($0 / 2) of \#($0 % 5)"}"#
            })
        try write(
            "config.yaml",
            [
                "name: tiny", "output: \(folder.file("runs"))", "seed: 7", "steps: 3",
                "model:",
                "  query: {kind: text, vocabulary: 300, context: 12, width: 16, depth: 1, heads: 2}",
                "  target: {kind: text, vocabulary: 300, context: 12, width: 16, depth: 1, heads: 2}",
                "  embedding: 16",
                "data:", "  train: \(folder.file("train.jsonl"))", "  query: {column: text, kind: text}",
                "  target: {column: caption, kind: text}", "batch: {global: 10}",
                "optimizer: {learning_rate: 1e-3, schedule: {kind: constant, warmup: 0}}", "evaluate: {every: null}",
                "checkpoint: {every: null}",
            ])
        let outcome = try Program.run(["train", "--config", folder.file("config.yaml"), "--json"])
        try #require(outcome.code == 0, "\(outcome.errors)")
        try FileManager.default.createDirectory(
            atPath: folder.file("beir/qrels"), withIntermediateDirectories: true)
        try write(
            "beir/corpus.jsonl",
            (0..<70).map { #"{"_id": "d\#($0)", "title": "it", "text": "is \#($0 % 60) of \#($0 % 5)"}"# })
        try write("beir/queries.jsonl", (0..<12).map { #"{"_id": "q\#($0)", "text": "what is \#($0)"}"# })
        try write("beir/qrels/test.tsv", Self.judgements)
    }

    static let judgements =
        ["query-id\tcorpus-id\tscore"]
        + (0..<9).flatMap {
            ["q\($0)\td\($0)\t2", "q\($0)\td\($0 * 7 % 70)\t\($0 == 0 ? 2 : 1)", "q\($0)\td\($0 + 20)\t0"]
        }

    var run: String { folder.file("runs/tiny") }

    func write(_ name: String, _ lines: [String]) throws {
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: folder.file(name)))
    }

    /// Embeddings of texts.
    func embed(_ texts: [String], side: String) throws -> Dense {
        try write("texts.txt", texts)
        let outcome = try Program.run([
            "embed", "--run", run, "--input", folder.file("texts.txt"), "--side", side, "--output",
            folder.file("texts.npy"),
        ])
        try #require(outcome.code == 0, "\(outcome.errors)")
        return try Dense.read(folder.file("texts.npy"))
    }
}
