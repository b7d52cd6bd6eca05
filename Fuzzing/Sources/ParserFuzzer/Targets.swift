// One target for each parser of files that come from elsewhere: arrays, data, tokenizers, pictures, checkpoints, configurations. Not here:
// models (TargetsModels.swift), texts and runs (TargetsTexts.swift), how they are run (Fuzzer.swift).

import Failures
import Foundation

@testable import ArrayFiles
@testable import Checkpoints
@testable import Datasets
@testable import Pictures
@testable import Tokenizers
@testable import Training

/// Every row of a source of one file, as pictures with texts and as texts with texts, bad rows refused and left out.
private func readRows(_ input: Input, _ format: DataFormat) throws {
    try input.withFile { path in
        for kind in [ColumnKind.picture, .text] {
            let source = SourceDescription(
                paths: [path], format: format,
                columns: SourceColumns(query: Column(nil, kind), target: Column(nil, .text)))
            for policy in [RowErrorPolicy.fail, .skip(maximumShare: 1)] {
                guard let set = try tolerating({ try source.open(onError: policy) }) else { continue }
                for row in 0..<set.count { _ = try tolerating { try set.row(row) } }
            }
        }
    }
}

let targets: [FuzzTarget] = fileTargets + modelTargets + textTargets

private let fileTargets: [FuzzTarget] = [
    FuzzTarget(name: "config") { input in
        guard let text = input.text else { return }
        let configuration = try RunConfig.parse(text, file: "f.yaml")
        // What was accepted is written as something that reads back as the same.
        let again = try RunConfig.parse(configuration.yaml, file: "again.yaml")
        precondition(again == configuration)
    },
    FuzzTarget(name: "option") { input in
        guard let text = input.text else { return }
        _ = try RunConfig.parse("name: a\nsteps: 1\ndata: {train: t}\n", file: "f.yaml", options: [text])
    },
    FuzzTarget(name: "npy") { input in
        try input.withFile { path in
            let shape = try NPYArray.shape(path: path)
            if let array = try tolerating({ try NPYArray.read(path: path) }) {
                precondition(array.shape == shape && array.values.count == shape.reduce(1, *))
            }
            if let rows = shape.first, rows > 0 {
                _ = try tolerating { try NPYArray.readRows(path: path, rows - 1..<rows) }
            }
            _ = try tolerating { try NPYArray.readIntegers(path: path) }
        }
    },
    FuzzTarget(name: "safetensors") { input in
        try input.withFile { path in
            let file = try SafetensorsFile(path: path)
            for entry in file.entries {
                let count = entry.shape.reduce(1, *)
                precondition(entry.count == count && file.entry(entry.name) == entry)
                if let values = try tolerating({ try file.floats(entry.name) }) { precondition(values.count == count) }
                if let values = try tolerating({ try file.doubles(entry.name) }) { precondition(values.count == count) }
                if let values = try tolerating({ try file.integers(entry.name) }) {
                    precondition(values.count == count)
                }
                let stored = try file.bytes(entry.name)
                precondition(stored.array.count == entry.bytes.count)
            }
        }
    },
    FuzzTarget(name: "json") { input in
        guard let value = try? StrictJSON(parsing: input.bytes) else { return }
        // What is accepted here is JSON to others too, but for numbers that they cannot hold.
        if case .object = value {
            precondition((try? JSONSerialization.jsonObject(with: input.data)) != nil || input.bytes.count > 0)
        }
    },
    FuzzTarget(name: "jsonl") { try readRows($0, .jsonl) },
    FuzzTarget(name: "csv") { try readRows($0, .csv) },
    FuzzTarget(name: "tsv") { try readRows($0, .tsv) },
    FuzzTarget(name: "webdataset") { try readRows($0, .webdataset) },
    FuzzTarget(name: "tokenizer") { input in
        let tokenizer = try readTokenizer(json: input.data, name: "tokenizer.json")
        let text = "It's a test,  of 42 \u{1F600} tokens\n\u{0301} \u{FDFA}<|endoftext|>[SEP]"
        let room = tokenizer.specialTokenCount + 8
        precondition(tokenizer.encode(text, contextLength: room).count <= room)
        _ = tokenizer.encode("", contextLength: room)
        _ = try readTokenizer(json: tokenizer.file(contextLength: room), name: "again")
    },
    FuzzTarget(name: "encoding") { input in
        let text = String(decoding: input.bytes, as: UTF8.self)
        let tokens = trainedTokenizer.encode(text)
        precondition(tokens.count <= text.utf8.count * 4 + 2)
        precondition(trainedTokenizer.encode(text, contextLength: 8).count <= 8)
        _ = trainedTokenizer.decode(tokens)
    },
    FuzzTarget(name: "training") { input in
        let texts = String(decoding: input.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        let tokenizer = ByteBPETokenizer.train(texts: texts, vocabularySize: 300)
        for text in texts { _ = tokenizer.encode(text) }
    },
    FuzzTarget(name: "png", parse: decodePicture),
    FuzzTarget(name: "jpeg", parse: decodePicture),
    FuzzTarget(name: "webp", parse: decodePicture),
    FuzzTarget(name: "gif", parse: decodePicture),
    FuzzTarget(name: "manifest") { input in
        try input.data.write(to: URL(filePath: "\(checkpointFolder)/manifest.json"))
        let manifest = try Manifest(directory: checkpointFolder)
        precondition(manifest.files.allSatisfy { !$0.name.contains("/") && !$0.name.hasPrefix(".") })
        try manifest.verify(checkpointFolder, part: manifest.files.indices, depth: .digests)
    },
    FuzzTarget(name: "state") { input in
        guard let state = try? JSONDecoder().decode(TrainingState.self, from: input.data) else { return }
        _ = try? JSONEncoder().encode(state)
    },
    FuzzTarget(name: "annotations") { input in
        var annotations = CLDRAnnotations()
        try annotations.add(input.data, name: "f.xml", wanted: [[0x1F600], [0x1F468, 0x200D, 0x1F469]])
    },
    FuzzTarget(name: "emojis") { input in
        guard let text = input.text else { return }
        for emoji in try EmojiList.parse(text, name: "emoji-test.txt") { _ = emoji.base }
    },
]

/// The value, or nil for a `Failure`: a target that reads one input in several ways goes on with the next.
func tolerating<Value>(_ body: () throws -> Value) throws -> Value? {
    do { return try body() } catch let failure as Failure {
        precondition(failure.message.utf8.count <= 10_000, "a message of \(failure.message.utf8.count) bytes")
        return nil
    }
}

/// The format is told by the content; a corpus of its own makes a target.
@Sendable private func decodePicture(_ input: Input) throws {
    let picture = try Picture.decode(input.data, name: "f", maximumPixels: 1 << 20)
    precondition(picture.pixels.count == picture.width * picture.height * 3)
}

private let trainedTokenizer = ByteBPETokenizer.train(
    texts: ["the cat and the dog's tail", "grinning face with big eyes", "a 12 b 34 ... \u{1F600}"], vocabularySize: 300
)

private let checkpointFolder: String = {
    let path = NSTemporaryDirectory() + "fuzz-\(getpid())"
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for name in ["model.safetensors", "state.json", "config.yaml", "optimizer-00000-of-00001.safetensors"] {
        try? Data("x".utf8).write(to: URL(filePath: "\(path)/\(name)"))
    }
    atexit { try? FileManager.default.removeItem(atPath: NSTemporaryDirectory() + "fuzz-\(getpid())") }
    return path
}()
