// A data set of sixteen pictures with captions, and a configuration that trains on it in a moment. Not here: tests.

import Foundation
import Pictures
import Testing

/// A folder with `train.jsonl`, `held.jsonl`, pictures and `config.yaml`; its run is `runs/tiny`.
final class TinyRun {
    static let rows = 16
    /// Embedding width.
    static let width = 16
    let folder: TemporaryFolder

    init(steps: Int = 4, checkpointEvery: Int = 2) throws {
        folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.file("images"), withIntermediateDirectories: true)
        for row in 0..<Self.rows { try Self.picture(row).write(path: folder.file("images/\(row).png")) }
        try write("train.jsonl", lines: (0..<Self.rows).map(Self.line))
        try write("held.jsonl", lines: (4..<12).map(Self.line))
        try write(
            "config.yaml",
            lines: [
                "name: tiny", "output: \(folder.file("runs"))", "seed: 7", "steps: \(steps)",
                "model:",
                "  query: {kind: vit, image_size: 16, patch: 8, width: 16, depth: 1, heads: 2, pooling: class_token}",
                "  target: {kind: text, vocabulary: 300, context: 8, width: 16, depth: 1, heads: 2, pooling: end_of_text, causal: true}",
                "  embedding: \(Self.width)",
                "data:", "  train: \(folder.file("train.jsonl"))", "  query: {column: image, kind: picture}",
                "  target: {column: text, kind: text}",
                "batch: {global: 7, cache_chunk: 3}", "noise: {scaling: sublinear, strength: 0.1}",
                "loss: {kind: symmetric}",
                "optimizer: {learning_rate: 1e-3, schedule: {kind: cosine, warmup: 2}}",
                "evaluate: {every: null, sets: {held: \(folder.file("held.jsonl"))}, chunk: 3}",
                "checkpoint: {every: \(checkpointEvery), keep: 2}", "log: {every: 1}",
            ])
    }

    var config: String { folder.file("config.yaml") }
    var run: String { folder.file("runs/tiny") }
    var checkpoints: String { "\(run)/checkpoints" }

    /// Checkpoints, oldest first.
    var steps: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: checkpoints)) ?? []).sorted() }

    func write(_ name: String, lines: [String]) throws {
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: folder.file(name)))
    }

    func train(_ start: Start = .alone, _ arguments: [String] = []) throws -> Outcome {
        try Program.run(["train", "--config", config, "--json"] + arguments, start)
    }

    /// Embeddings of a file's rows as they were written.
    func embed(_ input: String, side: String, _ start: Start = .alone) throws -> Outcome {
        try Program.run(
            [
                "embed", "--run", run, "--input", folder.file(input), "--side", side, "--output",
                folder.file("\(side).npy"), "--json",
            ], start)
    }

    static func text(_ row: Int) -> String { "thing number \(row)" }

    static func line(_ row: Int) -> String {
        #"{"id": "c\#(row)", "image": "images/\#(row).png", "text": "\#(text(row))"}"#
    }

    /// Stripes whose colours and width tell the row.
    private static func picture(_ row: Int) -> Picture {
        let pixels = (0..<20 * 20).flatMap { place -> [UInt8] in
            place % 20 / (1 + row % 5) % 2 == 0
                ? [UInt8(row * 15), 40, UInt8(255 - row * 15)] : [200, UInt8(row * 9), 90]
        }
        return Picture(width: 20, height: 20, pixels: pixels)
    }
}
