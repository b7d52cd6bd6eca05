// Targets for texts of benchmarks, compressed data, WordNet's lines, and the folders of runs. Not here: arrays, data and checkpoints
// (Targets.swift), models (TargetsModels.swift).

import Failures
import Foundation

@testable import Datasets
@testable import Reports
@testable import Training

let textTargets: [FuzzTarget] = [
    FuzzTarget(name: "qrels") { input in
        try input.withFile { path in
            let judgements = try RelevanceJudgements(path: path)
            precondition(Set(judgements.queries).count == judgements.grades.count)
        }
    },
    FuzzTarget(name: "corpus") { input in
        try input.withFile { path in
            let texts = try IdentifiedTexts(path: path, column: Column("text", .text))
            for row in 0..<texts.count { _ = try texts.row(row) }
        }
    },
    FuzzTarget(name: "lines") { input in
        try input.withFile { path in
            if let lines = try tolerating({ try TextLines(path: path) }) {
                for row in 0..<lines.count { _ = try lines.row(row) }
            }
            // As classes and as sentences about them.
            if let classes = try tolerating({ try ZeroShotClasses(classes: path, templates: nil, labels: []) }) {
                precondition(classes.labels.count == classes.names.count && !classes.labels.isEmpty)
            }
            _ = try tolerating { try ZeroShotClasses(classes: nil, templates: path, labels: ["a"]) }
        }
    },
    FuzzTarget(name: "packed") { input in
        try input.withFile { path in
            try Unpacking.unpack(path, to: unpackedFile, folder: NSTemporaryDirectory())
        }
    },
    FuzzTarget(name: "wordnet") { input in
        let text = String(input.bytes.map { Character(Unicode.Scalar($0)) })
        let synsets = text.split(separator: "\n").compactMap { WordNet.synset($0, part: "n") }
        precondition(synsets.allSatisfy { !$0.words.isEmpty })
        for synset in synsets.prefix(100) { _ = ReverseDictionary.defines(synset) }
        precondition(Components(synsets).count <= synsets.count)
    },
    FuzzTarget(name: "experiment") { input in
        guard let text = input.text else { return }
        _ = try ExperimentConfig.parse(text, file: "f.yaml")
    },
    FuzzTarget(name: "run") { input in
        // The input takes the place of each file of a run's folder in turn; the page of such a run can be drawn.
        var plain = RunRecord(
            path: "f", name: "f", settings: RunRecord.settings(Data("steps: 9\nmodel: {embedding: 4}\n".utf8)),
            metrics: MetricsTable(Data("{\"step\": 1, \"loss\": 2}\n{\"step\": 2, \"loss\": 1}\n".utf8)), spectra: [],
            examples: nil, checkpoints: [], isDone: false, remarks: [])
        plain.metrics = MetricsTable(input.data)
        _ = RunPage([plain]).page.html
        plain.spectra = SpectrumRecord.read(input.data)
        plain.settings = RunRecord.settings(input.data)
        plain.examples = try? JSONDecoder().decode(RetrievedExamples.self, from: input.data)
        _ = RunPage([plain]).page.html
    },
]

private let unpackedFile: String = {
    atexit { _ = unlink(NSTemporaryDirectory() + "fuzz-\(getpid()).unpacked") }
    return NSTemporaryDirectory() + "fuzz-\(getpid()).unpacked"
}()
