// Small data made by the tests themselves. Not here: the tests.

import Buffers
import Failures
import Foundation
import Pictures
import Testing
import Tokenizers

@testable import Datasets

/// A folder that is removed with its content when the object goes.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "datasets-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ name: String, _ content: some Sequence<UInt8>) throws -> String {
        let file = path + "/" + name
        try FileManager.default.createDirectory(
            atPath: URL(fileURLWithPath: file).deletingLastPathComponent().path, withIntermediateDirectories: true)
        try Data(content).write(to: URL(fileURLWithPath: file))
        return file
    }

    /// A picture in which every pixel tells where it is: red by column, green by row, blue by `index`.
    @discardableResult
    func picture(_ name: String, index: Int, side: Int = 8) throws -> String {
        let pixels = (0..<side * side).flatMap {
            [UInt8($0 % side), UInt8($0 / side), UInt8(truncatingIfNeeded: index)]
        }
        return try write(name, Picture(width: side, height: side, pixels: pixels).pngData())
    }

    /// `count` rows of `count / drawings` concepts, each with a picture, a name and three more captions.
    func emojis(_ count: Int, drawings: Int = 2, side: Int = 8) throws -> String {
        var text = ""
        for row in 0..<count {
            try picture("images/\(row).png", index: row, side: side)
            text += #"{"id": "c\#(row / drawings)", "image": "images/\#(row).png", "text": "name \#(row)", "#
            text += #""texts": ["first \#(row)", "second \#(row)", "third \#(row)"]}"# + "\n"
        }
        return try write("train.jsonl", text.utf8)
    }
}

extension SideBatch {
    /// The values of pictures.
    var floats: [Float] {
        guard case .pictures(let values, _) = self else { return [] }
        return values.array
    }

    /// The tokens of each text.
    var texts: [[Int32]] {
        guard case .text(let ids, let offsets) = self else { return [] }
        return zip(offsets, offsets.dropFirst()).map { Array(ids[$0..<$1]) }
    }
}

extension PairBatch {
    /// Everything in it that can be compared bit for bit.
    var fingerprint: String {
        "\(step) \(epoch) \(ids) \(rowIndices) \(firstRow) \(globalRows) \(queries.floats.map(\.bitPattern)) \(targets.texts)"
    }
}

/// Bytes alone: 256 tokens and two marks, no merges.
let byteTokenizer = ByteBPETokenizer.train(texts: [], vocabularySize: 258)

/// How the fixtures' rows are prepared.
func preparation(size: Int = 8, shift: Int = 0, flips: Bool = false, nameProbability: Double = 0.5) -> PairPreparation {
    PairPreparation(
        query: .pictures(PicturePreparation(size: size, shift: shift, flips: flips)),
        target: .text(TextPreparation(tokenizer: byteTokenizer, contextLength: 40, nameProbability: nameProbability)))
}

/// The message of the failure that `body` throws, "" for none.
func failureMessage(_ kind: Failure.Kind, _ body: () throws -> Void) -> String {
    do { try body() } catch let failure as Failure {
        #expect(failure.kind == kind)
        return failure.message
    } catch {
        Issue.record("unexpected \(error)")
    }
    return ""
}
