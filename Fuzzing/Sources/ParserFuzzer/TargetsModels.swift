// Targets for the files of models that others published: configurations, preparation, vocabularies, adapters. Not here: arrays, data and
// checkpoints (Targets.swift), texts and runs (TargetsTexts.swift).

import Failures
import Foundation

@testable import Datasets
@testable import Encoders
@testable import Tokenizers
@testable import Training

let modelTargets: [FuzzTarget] = [
    FuzzTarget(name: "published") { input in
        // The input takes the place of each file in turn.
        for name in ["open_clip_config.json"] + sentenceFiles.keys.sorted() {
            var files: [String: Data] = name == "open_clip_config.json" ? [:] : sentenceFiles
            files[name] = input.data
            let model = ModelFiles(origin: "f", contents: files)
            if let found = try tolerating({ try PublishedModel(model) }) {
                precondition(found.expected.allSatisfy { $0.shape.allSatisfy { $0 > 0 } })
                for tower in [found.text, found.vision].compactMap({ $0 }) {
                    precondition((1...1_000_000).contains(tower.outputColumns), "\(tower.outputColumns) columns")
                }
            }
            _ = try tolerating { try SentencePrompts(model) }
        }
        _ = try tolerating { try PublishedConfig(input.data, place: "f").object("weight_map").textMembers() }
    },
    FuzzTarget(name: "preparation") { input in
        for wanted in ["preprocessor_config.json", "processor_config.json", "open_clip_config.json"] {
            let found = try tolerating {
                try PicturePreparation.read(of: "f") { name in name == wanted ? input.data : nil }
            }
            if let found { precondition((1...16384).contains(found.size)) }
        }
    },
    FuzzTarget(name: "vocabulary") { input in
        let forms: [[String: Data]] = [
            ["vocab.txt": input.data], ["vocab.txt": bertVocabulary, "tokenizer_config.json": input.data],
            ["vocab.json": byteVocabulary, "merges.txt": input.data, "tokenizer_config.json": byteConfig],
            ["vocab.json": input.data, "merges.txt": Data("a b\n".utf8), "tokenizer_config.json": byteConfig],
        ]
        for files in forms {
            guard let tokenizer = try tolerating({ try Tokenizer(of: "f") { files[$0] } }) else { continue }
            let room = tokenizer.specialTokenCount + 8
            precondition(tokenizer.encode("It's a test, ab \u{1F600}", contextLength: room).count <= room)
        }
    },
    FuzzTarget(name: "adapter") { input in
        try input.withFile { path in
            let found = try PEFTDescription(path: path)
            precondition(found.r >= 1 && found.scale.isFinite && found.scale > 0, "r \(found.r), scale \(found.scale)")
        }
    },
]

/// What a directory of sentence-transformers has beside its weights.
private let sentenceTexts: [String: String] = [
    "config.json": #"{"model_type": "bert", "hidden_size": 12, "num_attention_heads": 3, "num_hidden_layers": 1}"#,
    "modules.json":
        #"[{"type": "x.Transformer", "path": ""}, {"type": "x.Pooling", "path": "1_Pooling"}, {"type": "x.Dense", "path": "2_Dense"}]"#,
    "1_Pooling/config.json": #"{"pooling_mode_mean_tokens": true}"#,
    "2_Dense/config.json": #"{"in_features": 12, "out_features": 7}"#,
    "sentence_bert_config.json": #"{"max_seq_length": 64}"#, "tokenizer_config.json": #"{"model_max_length": 64}"#,
    "config_sentence_transformers.json": #"{"prompts": {"query": "q: "}, "default_prompt_name": null}"#,
]
private let sentenceFiles = sentenceTexts.mapValues { Data($0.utf8) }

private let bertVocabulary = Data("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n".utf8)
private let byteVocabulary = Data(#"{"<|endoftext|>": 0, "a": 1, "b": 2, "ab": 3}"#.utf8)
private let byteConfig = Data(#"{"tokenizer_class": "GPT2Tokenizer"}"#.utf8)
