// A model to save, small but with padding, several ranges a rank, and every bit pattern. Not here: tests.

import Buffers
import Checkpoints
import Collectives
import Failures
import Foundation
import Testing

/// A folder that goes away with its last reference.
final class TemporaryFolder: Sendable {
    let path = NSTemporaryDirectory() + "checkpoints-\(UUID().uuidString)"

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var store: String { "\(path)/run/checkpoints" }
    var steps: [String] { (try? FileManager.default.contentsOfDirectory(atPath: store).sorted()) ?? [] }
}

enum TrainedModel {
    static let layout: ParameterLayout = {
        var layout = ParameterLayout()
        _ = layout.add("image.weight", shape: [7, 5], decays: true)
        _ = layout.add("image.bias", shape: [7], decays: false)
        _ = layout.add("text.embedding", shape: [16, 3], decays: true)
        _ = layout.add("logit_scale", shape: [], decays: false)
        return layout
    }()

    static let extra = ["tokenizer.json": Data("{\"merges\":[]}".utf8)]

    /// Element `index` of a flat buffer at a step: any bits, NaNs included, so that only a copy is equal.
    static func value(_ name: String, _ step: Int, _ index: Int) -> Float {
        let key = UInt32(name.utf8.reduce(0) { $0 &* 31 &+ Int($1) } & 0xFFFF) &+ UInt32(step) &* 65_537
        return Float(bitPattern: (UInt32(index) &+ 1 &+ key) &* 2_654_435_761)
    }

    static func values(_ name: String, _ step: Int, _ ranges: [Range<Int>]) -> Floats {
        Floats(ranges.flatMap { $0.map { value(name, step, $0) } })
    }

    /// Parameters with the padding that a layout promises: zero.
    static func parameters(_ step: Int) -> Floats {
        let buffer = Floats(repeating: 0, count: layout.count)
        for entry in layout.entries { for index in entry.range { buffer[index] = value("parameters", step, index) } }
        return buffer
    }

    /// The ranges of a rank: one contiguous part for the first moment, every W-th block of 16 for the second.
    static func ranges(_ name: String, _ rank: Int, of size: Int) -> [Range<Int>] {
        let blocks = layout.count / 16
        if name == "first_moment" { return [blocks * rank / size * 16..<blocks * (rank + 1) / size * 16] }
        return stride(from: rank, to: blocks, by: size).map { $0 * 16..<$0 * 16 + 16 }
    }

    static let moments = ["first_moment", "second_moment"]

    static func save(
        _ step: Int, to store: CheckpointStore, best: BestCheckpoint? = nil, _ communicator: any Communicator
    ) throws { try begin(step, to: store, best: best, communicator).finish() }

    static func begin(
        _ step: Int, to store: CheckpointStore, best: BestCheckpoint? = nil, _ communicator: any Communicator
    ) throws -> PendingSave {
        let shards = moments.map { name in
            let owned = ranges(name, communicator.rank, of: communicator.size)
            return OptimizerShard(name: name, ranges: owned, values: values(name, step, owned))
        }
        return try store.begin(
            step: step, layout: layout, parameters: parameters(step), optimizer: shards,
            state: Data("{\"step\":\(step)}".utf8), config: "name: test\nstep: \(step)\n", extraFiles: extra,
            best: best, communicator: communicator)
    }

    /// The checkpoint holds exactly `step`, as this rank of any world sees it.
    static func check(_ checkpoint: Checkpoint, _ step: Int, _ communicator: any Communicator) throws {
        #expect(checkpoint.step == step)
        #expect(checkpoint.stateData == Data("{\"step\":\(step)}".utf8))
        #expect(checkpoint.config == "name: test\nstep: \(step)\n")
        #expect(try checkpoint.extraFile("tokenizer.json") == extra["tokenizer.json"])
        #expect(try checkpoint.extraFile("other.json") == nil)
        let buffer = Floats(repeating: .nan, count: layout.count)
        try checkpoint.loadParameters(layout: layout, into: buffer)
        #expect(bits(buffer) == bits(parameters(step)))
        for name in moments {
            let owned = ranges(name, communicator.rank, of: communicator.size)
            let loaded = Floats(count: owned.reduce(0) { $0 + $1.count })
            try checkpoint.loadMoments(name: name, layout: layout, ranges: owned, into: loaded)
            #expect(bits(loaded) == bits(values(name, step, owned)))
        }
    }

    static func bits(_ buffer: Floats) -> [UInt32] { buffer.array.map(\.bitPattern) }
}

/// The failure that `body` throws: its kind and a message with every one of `parts`.
func expectFailure(
    _ kind: Failure.Kind, _ parts: [String], sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) {
    guard let error = #expect(throws: Failure.self, sourceLocation: sourceLocation, performing: { try body() }) else {
        return
    }
    #expect(error.kind == kind, "\(error.message)", sourceLocation: sourceLocation)
    for part in parts {
        #expect(error.message.contains(part), "'\(part)' is not in: \(error.message)", sourceLocation: sourceLocation)
    }
}
