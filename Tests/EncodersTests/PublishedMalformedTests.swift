// Directories that are not what they should be: each is refused with a sentence that names what was expected and found. Not here: files of
// other kinds (ArrayFilesTests).

import ArrayFiles
import Buffers
import Encoders
import Failures
import Foundation
import Testing

/// A copy of a published directory that a test spoils.
private final class SpoiledDirectory {
    let path: String

    init(_ name: String) throws {
        path = FileManager.default.temporaryDirectory.appending(path: "fanoise-published-\(UUID())").path
        try FileManager.default.copyItem(atPath: Published.directory(name), toPath: path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }

    func replace(_ old: String, with new: String, in name: String = "config.json") throws {
        let text = try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)
        try #require(text.contains(old), "\(name) has no \(old)")
        try write(name, text.replacingOccurrences(of: old, with: new))
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: "\(path)/\(name)") }

    /// The weights with changes.
    func rewrite(_ name: String = "model.safetensors", _ change: (inout [SafetensorsTensor]) -> Void) throws {
        let file = try SafetensorsFile(path: "\(path)/\(name)")
        var tensors: [SafetensorsTensor] = try file.entries.map {
            ($0.name, $0.shape, .bytes(Buffer(try file.bytes($0.name).array), $0.type))
        }
        change(&tensors)
        try SafetensorsWriter.write(path: "\(path)/\(name)", tensors: tensors)
    }

    /// The message with which reading fails.
    func failure() -> Failure? {
        do {
            let model = try PublishedModel(directory: path)
            _ = try PublishedWeights(directory: path, of: model)
            return nil
        } catch { return error as? Failure }
    }
}

struct PublishedMalformedTests {
    /// A value of config.json, and what the message must hold.
    @Test(arguments: [
        (#""hidden_size": 12"#, #""hidden_size": -12"#, "hidden_size: expected an integer from 1 to 65536, found -12"),
        (#""hidden_size": 12"#, #""hidden_size": 9223372036854775807"#, "found 9223372036854775807"),
        (#""hidden_size": 12"#, #""hidden_size": 99999999999999999999999"#, "found 99999999999999999999999"),
        (#""hidden_size": 12"#, #""hidden_size": 12.5"#, "found 12.5"),
        (#""hidden_size": 12"#, #""hidden_size": "twelve""#, "found \"twelve\""),
        (#""hidden_size": 12"#, #""hidden_size": 13"#, "not a multiple of num_attention_heads"),
        (#""hidden_size": 12"#, #""hidden_size": 65535"#, "of another shape"),
        (#""num_hidden_layers": 2"#, #""num_hidden_layers": 1000000000"#, "num_hidden_layers"),
        (#""num_hidden_layers": 2"#, #""num_hidden_layers": 3"#, "missing: encoder.layer.2.attention"),
        (#""num_hidden_layers": 2"#, #""num_hidden_layers": 1"#, "unexpected: encoder.layer.1.attention"),
        (#""vocab_size": 23"#, #""vocab_size": 16777216"#, "expected [16777216, 12], found F32 [23, 12]"),
        (#""vocab_size": 23"#, #""vocab_size": [23]"#, "found an array of 1"),
        (#""num_attention_heads": 3"#, #""num_attention_heads": 0"#, "num_attention_heads"),
        (#""layer_norm_eps": 1e-12"#, #""layer_norm_eps": 0"#, "layer_norm_eps: expected a number above 0"),
        (#""layer_norm_eps": 1e-12"#, #""layer_norm_eps": 1e-99"#, "layer_norm_eps"),
        (#""hidden_act": "gelu""#, #""hidden_act": "mish""#, "hidden_act: expected one of"),
        (#""is_decoder": false"#, #""is_decoder": true"#, "is_decoder"),
        (#""model_type": "bert""#, #""model_type": "modernbert""#, "model_type: expected one of bert"),
        (#""model_type": "bert""#, #""model_type": 3"#, "model_type: expected a text"),
        (#""model_type": "bert""#, #""model_type": "clip""#, "missing: text_model.embeddings.token_embedding.weight"),
        (#""model_type": "bert""#, #""model_type": "bert", "\u00e9": 1, "e\u0301": 2"#, "expected each key once"),
        ("{", "[", "byte"),
    ])
    func aWrongConfigurationIsNamed(old: String, new: String, words: String) throws {
        let directory = try SpoiledDirectory("bert")
        try directory.replace(old, with: new)
        let failure = try #require(directory.failure())
        #expect(failure.kind == .data)
        #expect(failure.message.contains(words), "\(failure.message)")
    }

    /// Names that differ in their bytes alone are two files, and one key.
    @Test func namesThatAreEqualAreRefused() throws {
        let directory = try SpoiledDirectory("bert")
        for name in ["\u{E9}.txt", "e\u{301}.txt"] {
            try #require(FileManager.default.createFile(atPath: "\(directory.path)/\(name)", contents: Data()))
        }
        let message = try #require(directory.failure()).message
        #expect(message.contains("two forms of Unicode"), "\(message)")
    }

    @Test func aMissingTensorIsNamed() throws {
        let directory = try SpoiledDirectory("bert")
        try directory.rewrite { $0.removeAll { $0.name == "encoder.layer.1.output.dense.weight" } }
        let message = try #require(directory.failure()).message
        #expect(message.contains("1 missing: encoder.layer.1.output.dense.weight [12, 20]"), "\(message)")
    }

    @Test func anUnexpectedTensorIsNamed() throws {
        let directory = try SpoiledDirectory("bert")
        try directory.rewrite { $0.append(("lora_A.weight", [1], .floats(Floats([1])))) }
        let message = try #require(directory.failure()).message
        #expect(message.contains("1 unexpected: lora_A.weight"), "\(message)")
    }

    @Test func aMisshapenTensorIsNamed() throws {
        let directory = try SpoiledDirectory("bert")
        try directory.rewrite { tensors in
            let place = tensors.firstIndex { $0.name == "embeddings.LayerNorm.weight" } ?? 0
            tensors[place].shape = [3, 4]
        }
        let message = try #require(directory.failure()).message
        #expect(message.contains("embeddings.LayerNorm.weight (expected [12], found F32 [3, 4])"), "\(message)")
    }

    @Test func integersAreNoWeights() throws {
        let directory = try SpoiledDirectory("bert")
        try directory.rewrite { tensors in
            tensors.removeAll { $0.name == "embeddings.LayerNorm.bias" }
            tensors.append(("embeddings.LayerNorm.bias", [12], .integers(Buffer(repeating: 0, count: 12))))
        }
        let message = try #require(directory.failure()).message
        #expect(message.contains("found I64 [12]"), "\(message)")
    }

    @Test(arguments: [("config.json", "config.json"), ("model.safetensors", "model.safetensors")])
    func aMissingFileIsNamed(file: String, words: String) throws {
        let directory = try SpoiledDirectory("bert")
        try directory.remove(file)
        let failure = try #require(directory.failure())
        #expect(failure.kind == .inputMissing && failure.message.contains(words), "\(failure.message)")
    }

    @Test func aMissingDirectoryIsNamed() {
        #expect(throws: Failure.self) { try PublishedModel(directory: "/nowhere/at/all") }
    }

    @Test(arguments: [
        ("modules.json", "[]", "expected a Transformer and a Pooling"),
        ("modules.json", "{}", "expected a JSON array"),
        ("modules.json", #"[{"type": "x.Transformer", "path": ""}, {"type": "x.LSTM", "path": "1"}]"#, "found LSTM"),
        ("1_Pooling/config.json", #"{"pooling_mode": "sum", "embedding_dimension": 12}"#, "found sum"),
        ("1_Pooling/config.json", #"{"pooling_mode": "mean", "embedding_dimension": 13}"#, "is 13, but"),
        ("1_Pooling/config.json", #"{"pooling_mode": ["mean", "cls", "mean"]}"#, "expected each pooling once"),
        ("1_Pooling/config.json", #"{"pooling_mode_mean_tokens": 1}"#, "expected true or false"),
        ("2_Dense/config.json", #"{"in_features": 11, "out_features": 7}"#, "in_features is 11"),
        ("2_Dense/config.json", #"{"in_features": 12, "out_features": 8}"#, "2_Dense/linear.weight (expected [8, 12]"),
        ("sentence_bert_config.json", #"{"max_seq_length": -1}"#, "max_seq_length"),
        ("sentence_bert_config.json", #"{"max_seq_length": 1}"#, "no room for a word"),
    ])
    func aWrongModuleIsNamed(file: String, text: String, words: String) throws {
        let directory = try SpoiledDirectory("sentence")
        try directory.write(file, text)
        let failure = try #require(directory.failure())
        #expect(failure.kind == .data && failure.message.contains(words), "\(failure.message)")
    }

    @Test(arguments: [
        (#""width": 16"#, #""width": 15"#, "not a multiple of head_width"),
        (#""mlp_ratio": 2.0"#, #""mlp_ratio": 1e30"#, "mlp_ratio"),
        (#""layers": 1"#, #""layers": [1, 2, 3, 4]"#, "layers"),
        (#""heads": 3"#, #""hf_model_name": "roberta-base", "heads": 3"#, "hf_model_name"),
        (#""embed_dim": 6"#, #""embed_dims": 6"#, "embed_dim"),
    ])
    func aWrongOpenCLIPConfigurationIsNamed(old: String, new: String, words: String) throws {
        let directory = try SpoiledDirectory("open-clip")
        try directory.replace(old, with: new, in: "open_clip_config.json")
        let failure = try #require(directory.failure())
        #expect(failure.kind == .data && failure.message.contains(words), "\(failure.message)")
    }

    // MARK: - Other ways to be right

    @Test func shardsAreReadAsOne() throws {
        let directory = try SpoiledDirectory("bert")
        let file = try SafetensorsFile(path: "\(directory.path)/model.safetensors")
        let whole = try BuiltModel(directory: directory.path).parameters.values.array
        let parts = [file.names.prefix(9), file.names.dropFirst(9)]
        var map: [String] = []
        for (index, names) in parts.enumerated() {
            let shard = "model-0000\(index + 1)-of-00002.safetensors"
            let tensors: [SafetensorsTensor] = try names.map {
                ($0, file.entry($0)?.shape ?? [], .floats(try file.floats($0)))
            }
            try SafetensorsWriter.write(path: "\(directory.path)/\(shard)", tensors: tensors)
            map += names.map { #""\#($0)": "\#(shard)""# }
        }
        try directory.remove("model.safetensors")
        try directory.write(
            "model.safetensors.index.json", #"{"metadata": {}, "weight_map": {\#(map.joined(separator: ", "))}}"#)
        #expect(try BuiltModel(directory: directory.path).parameters.values.array == whole)
        try directory.replace(
            "model-00001-of-00002.safetensors", with: "../model.safetensors", in: "model.safetensors.index.json")
        #expect(try #require(directory.failure()).message.contains("weight_map"))
    }

    /// A model saved with the head of another task has a prefix; BERT's oldest files have other names for norms.
    @Test func prefixesAndOldNamesAreUnderstood() throws {
        let directory = try SpoiledDirectory("bert")
        let whole = try BuiltModel(directory: directory.path).parameters.values.array
        try directory.rewrite { tensors in
            for index in tensors.indices {
                tensors[index].name =
                    "bert."
                    + tensors[index].name
                    .replacingOccurrences(of: "LayerNorm.weight", with: "LayerNorm.gamma")
                    .replacingOccurrences(of: "LayerNorm.bias", with: "LayerNorm.beta")
            }
            tensors.append(("cls.predictions.bias", [23], .floats(Floats(repeating: 0, count: 23))))
        }
        #expect(try BuiltModel(directory: directory.path).parameters.values.array == whole)
    }

    /// Half precision is read exactly.
    @Test(arguments: [SafetensorsType.float16, .bfloat16])
    func sixteenBitsAreRead(type: SafetensorsType) throws {
        let directory = try SpoiledDirectory("clip")
        let file = try SafetensorsFile(path: "\(directory.path)/model.safetensors")
        let tensors: [SafetensorsTensor] = try file.entries.map { entry in
            let bits = try file.floats(entry.name).array.map { value in
                type == .float16 ? Float16(value).bitPattern : UInt16(value.bitPattern >> 16)
            }
            let bytes = bits.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
            return (entry.name, entry.shape, .bytes(Buffer(bytes), type))
        }
        try SafetensorsWriter.write(path: "\(directory.path)/model.safetensors", tensors: tensors)
        let built = try BuiltModel(directory: directory.path)
        let again = try built.model.tensors(
            of: built.parameters, names: ("text", "vision"), logits: (1.5, 0), record: built.weights.record(),
            unused: [])
        #expect(!again.isWidened)
        let written = try #require(again.files["model.safetensors"])
        #expect(written.count == tensors.count)
        for tensor in tensors {
            let found = try #require(written.first { $0.name == tensor.name })
            guard case .bytes(let bytes, let foundType) = found.payload, case .bytes(let original, _) = tensor.payload
            else {
                Issue.record("\(tensor.name) was widened")
                continue
            }
            #expect(foundType == type && found.shape == tensor.shape && bytes.array == original.array, "\(tensor.name)")
        }
        // One value that 16 bits cannot hold makes the whole model float32.
        built.parameters.values[0] = 1.0001
        let trained = try built.model.tensors(
            of: built.parameters, names: ("text", "vision"), logits: (1.5, 0), record: built.weights.record(),
            unused: [])
        #expect(trained.isWidened)
    }

    /// Every tensor of every family, unused ones included, comes out as it went in.
    @Test(arguments: Published.names)
    func whatIsReadIsWritten(name: String) throws {
        let built = try BuiltModel(directory: Published.directory(name))
        let record = try built.weights.record()
        let again = try built.model.tensors(
            of: built.parameters,
            names: (built.model.text == nil ? nil : "text", built.model.vision == nil ? nil : "vision"),
            logits: (1.5, -2), record: PublishedRecord(files: record.files, origin: "test"),
            unused: built.weights.unusedTensors())
        #expect(!again.isWidened)
        for (path, tensors) in again.files {
            let original = try SafetensorsFile(path: "\(Published.directory(name))/\(path)")
            #expect(Set(tensors.map(\.name)) == Set(original.names))
            for tensor in tensors {
                let entry = try #require(original.entry(tensor.name))
                #expect(entry.shape == tensor.shape, "\(tensor.name)")
                guard case .floats(let values) = tensor.payload else {
                    if case .bytes(let bytes, _) = tensor.payload {
                        #expect(try bytes.array == original.bytes(tensor.name).array)
                    }
                    continue
                }
                #expect(
                    try values.array.map(\.bitPattern) == original.floats(tensor.name).array.map(\.bitPattern),
                    "\(tensor.name)")
            }
        }
    }
}
