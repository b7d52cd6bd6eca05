// The metrics file: valid JSON, no duplicates after resuming, nothing half-written kept.

import Failures
import Foundation
import Testing

@testable import Training

@Suite struct MetricsWriterTests {
    private static func withFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "fanoise-metrics-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder + "/metrics.jsonl")
    }

    private static func steps(_ path: String) throws -> [Int] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return try #require(object?["step"] as? Int)
        }
    }

    @Test func aRowIsTheDocumentedObject() throws {
        var row = MetricsRow(step: 20)
        row.epoch = 0.5
        row.loss = 1e-7
        row.precisionAt1 = 0.25
        row.gradientNorm = .infinity
        row.seconds[.data] = 0.125
        row.seconds[.optimizer] = 2
        row.further = [.init(key: "un\"seen\n.precision_at_1", value: 3)]
        let object = try #require(try JSONSerialization.jsonObject(with: Data(row.json.utf8)) as? [String: Any])
        let fixed = [
            "step", "epoch", "loss", "precision_at_1", "temperature", "learning_rate", "gradient_norm",
            "noise_to_signal",
            "samples_per_second", "seconds", "gemm_utilisation",
        ]
        #expect(Set(object.keys) == Set(fixed + ["un\"seen\n.precision_at_1"]))
        #expect(object["loss"] as? Double == 1e-7 && object["step"] as? Int == 20)
        #expect(object["gradient_norm"] is NSNull && object["temperature"] is NSNull)
        let seconds = try #require(object["seconds"] as? [String: Double])
        #expect(
            Set(seconds.keys) == [
                "data", "forward", "spectrum", "noise", "loss", "backward", "communication", "optimizer",
            ])
        #expect(seconds["data"] == 0.125 && seconds["optimizer"] == 2 && row.seconds.total == 2.125)
        // Keys in the documented order.
        let places = fixed.compactMap { row.json.range(of: "\"\($0)\":")?.lowerBound }
        #expect(places.count == fixed.count && places == places.sorted())
    }

    /// What no step has measured is not there.
    @Test func anEvaluationsRowHasItsNumbersAlone() {
        var row = MetricsRow(step: 20)
        row.isOfEvaluation = true
        row.further = [.init(key: "unseen.mrr", value: 0.5), .init(key: "unseen.alignment", value: .nan)]
        #expect(row.json == #"{"step": 20, "unseen.mrr": 0.5, "unseen.alignment": null}"#)
    }

    @Test func resumingWritesNoStepTwice() throws {
        try Self.withFolder { path in
            do {
                let writer = try MetricsWriter(path: path)
                for step in stride(from: 10, through: 50, by: 10) { try writer.write(MetricsRow(step: step)) }
                try writer.flush()
            }
            do {
                let writer = try MetricsWriter(path: path, resumedStep: 30)
                #expect(try Self.steps(path) == [10, 20, 30])
                try writer.write(MetricsRow(step: 40))
            }
            #expect(try Self.steps(path) == [10, 20, 30, 40])
            // A fresh start begins an empty file.
            _ = try MetricsWriter(path: path)
            #expect(try Self.steps(path).isEmpty)
        }
    }

    /// An evaluation of the step gone on from that its checkpoint does not know of is made again, and its row written again.
    @Test(arguments: [true, false]) func anEvaluationThatIsRepeatedIsCutOff(_ isRepeated: Bool) throws {
        try Self.withFolder { path in
            let rows = ["1, \"loss\": 2.5", "1, \"held.mrr\": 0.5", "2, \"loss\": null", "2, \"held.mrr\": 0.5"]
            let text = rows.map { "{\"step\": \($0)}\n" }.joined()
            try text.write(toFile: path, atomically: false, encoding: .utf8)
            _ = try MetricsWriter(path: path, resumedStep: 2, repeatsEvaluation: isRepeated)
            #expect(try Self.steps(path) == (isRepeated ? [1, 1, 2] : [1, 1, 2, 2]))
        }
    }

    @Test(arguments: [
        "{\"step\": 3, \"lo", "garbage\n{\"step\": 3}\n", "{\"loss\": 1}\n", "\n", "{\"step\": 2.5}\n", "\u{0}\u{0}",
    ])
    func aTornLineIsCutOff(tail: String) throws {
        try Self.withFolder { path in
            let rows = "{\"step\": 1}\n{\"step\": 2}\n"
            try (rows + tail).write(toFile: path, atomically: false, encoding: .utf8)
            let writer = try MetricsWriter(path: path, resumedStep: 100)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == rows)
            try writer.write(MetricsRow(step: 101))
            #expect(try Self.steps(path) == [1, 2, 101])
        }
    }

    @Test func aFileThatCannotBeMadeIsAFailure() {
        let failure = #expect(throws: Failure.self) { try MetricsWriter(path: "/no-such-folder/metrics.jsonl") }
        #expect(failure?.kind == .cannotCreate && failure?.message.contains("/no-such-folder/metrics.jsonl") == true)
    }
}
