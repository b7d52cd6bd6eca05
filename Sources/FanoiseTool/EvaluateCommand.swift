// `fanoise evaluate`: parsing and printing only. Not here: metrics (Training/Evaluation).

import ArgumentParser
import ArrayFiles
import Collectives
import Failures
import Foundation
import Training

/// Measures a trained model on held-out pairs.
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Precision@1, Recall@5, MRR, nDCG@10 both ways; retrieval benchmarks; zero-shot classification.",
        discussion: """
            Three kinds of tasks, all with the same scores on any number of ranks. --data: held-out pairs find each other; alignment, \
            uniformity and effective rank of the embeddings. --beir DIR: a benchmark in BEIR's format (corpus.jsonl, queries.jsonl, \
            qrels/SPLIT.tsv), measured as trec_eval does. --classify PATH: each row is given the class whose sentences (--classes, \
            --templates) are nearest; PATH is a folder whose subfolders are classes of pictures, or data in which the text that belongs \
            to a row is its class.
            """)

    @OptionGroup var source: CheckpointOptions
    @OptionGroup var columns: ColumnOptions
    @Option(
        parsing: .singleValue,
        help: "A held-out set, NAME=FILE.jsonl or FILE.jsonl. Repeatable; default: the sets of the run's configuration."
    )
    var data: [String] = []
    @Option(help: "A retrieval benchmark's folder. Repeatable.") var beir: [String] = []
    @Option(help: "Its judgements: qrels/SPLIT.tsv.") var split = "test"
    @Option(help: "Rows to classify: a folder of classes, or data.") var classify: String?
    @Option(help: "The classes, one a line: NAME, or LABEL, a tab and NAME (default: those of the rows).")
    var classes: String?
    @Option(help: "Sentences about a class, one a line, {} for its name (default: the name).") var templates: String?
    @Option(help: "Rows encoded at a time.") var chunk = 256
    @Option(help: "Also draw captions of the last set with their best pictures (.png).") var contactSheet: String?
    @Option(help: "Title of the contact sheet.") var title: String?
    @OptionGroup var world: WorldOptions
    @Flag(help: "Print one JSON object on standard output.") var json = false

    func validate() throws {
        try requireCount("--chunk", chunk)
        guard classify != nil || classes == nil && templates == nil else {
            throw ValidationError("--classes and --templates belong to --classify PATH")
        }
        guard beir.isEmpty && classify == nil || contactSheet == nil else {
            throw ValidationError("--contact-sheet shows a set of --data, not --beir or --classify")
        }
    }

    func run() throws {
        let command = self
        let sets = data.map { argument in
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            return parts.count == 2 ? (name: parts[0], path: parts[1]) : (name: argument, path: argument)
        }
        for (index, set) in sets.enumerated() where sets[..<index].contains(where: { $0.name == set.name }) {
            throw Failure(.usage, "--data gives two sets the name '\(set.name)': name each with NAME=FILE.jsonl")
        }
        try requireNoInput(contactSheet, among: sets.map { Optional($0.path) } + [classes, templates])
        try world.run { communicator in
            if communicator.rank == 0, let sheet = command.contactSheet {
                // Fails now rather than after the evaluation; dropped, it leaves nothing.
                _ = try OutputFile(path: sheet)
            }
            let model = try command.source.model(communicator, columns: command.columns)
            let isPairs = command.beir.isEmpty && command.classify == nil || !sets.isEmpty
            var reports = Reports()
            if isPairs { reports.sets = try command.pairs(sets, model, communicator) }
            for folder in command.beir {
                let report = try model.evaluate(
                    benchmark: folder, split: command.split, chunk: command.chunk, communicator: communicator)
                reports.benchmarks[folder] = report
                if communicator.rank == 0 { tell("\(folder): \(report.summary)") }
            }
            if let path = command.classify {
                let report = try model.classify(
                    path, classes: command.classes, templates: command.templates, chunk: command.chunk,
                    communicator: communicator)
                reports.classification = report
                if communicator.rank == 0 { tell("\(path): \(report.summary)") }
            }
            if communicator.rank == 0, command.json { try printJSON(reports) }
        }
    }

    /// Scores held-out pairs: the given sets, or those of the run's configuration. *Collective.*
    private func pairs(
        _ sets: [(name: String, path: String)], _ model: TrainedModel, _ communicator: any Communicator
    ) throws -> [String: EvaluationReport] {
        let chosen =
            sets.isEmpty ? model.configuration.evaluate.sets.items.map { (name: $0.name, path: $0.path) } : sets
        guard !chosen.isEmpty else {
            throw Failure(
                .usage, "the run's configuration names no evaluation set: give one with --data FILE.jsonl")
        }
        var reports: [String: EvaluationReport] = [:]
        for (name, path) in chosen {
            let report = try model.evaluate(path, chunk: chunk, communicator: communicator)
            reports[name] = report
            if communicator.rank == 0 { tell("\(name): \(report.summary)") }
        }
        if communicator.rank == 0, let contactSheet, let (name, path) = chosen.last {
            let sheet = try model.retrievalSheet(path, title: title ?? "Captions of \(name) and their best pictures")
            try OutputFile.write(sheet.pngData(), to: contactSheet)
            tell("\(contactSheet): captions with the pictures they find")
        }
        return reports
    }

    /// Sets by name, benchmarks by folder.
    private struct Reports: Encodable {
        var sets: [String: EvaluationReport] = [:]
        var benchmarks: [String: BenchmarkReport] = [:]
        var classification: ZeroShotReport?

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Name.self)
            for (name, report) in sets { try container.encode(report, forKey: Name(stringValue: name)) }
            for (folder, report) in benchmarks { try container.encode(report, forKey: Name(stringValue: folder)) }
            if let classification { try container.encode(classification, forKey: Name(stringValue: "classification")) }
        }

        private struct Name: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }
    }
}

/// Which model: a run's newest checkpoint, or a checkpoint by path.
struct CheckpointOptions: ParsableArguments {
    @Option(help: "A run's folder: its newest valid checkpoint is used.") var run: String?
    @Option(help: "A checkpoint's folder (…/checkpoints/step-00000600, or …/checkpoints/best: that which did best).")
    var checkpoint: String?
    @Option(help: "A published model's directory (Hugging Face, sentence-transformers, open_clip), as it is.")
    var model: String?

    func validate() throws {
        guard [run, checkpoint, model].count(where: { $0 != nil }) == 1 else {
            throw ValidationError("give exactly one of --run DIR, --checkpoint DIR and --model DIR")
        }
    }

    /// The model, telling once of newer checkpoints that are damaged. *Collective.*
    func model(_ communicator: any Communicator, columns: ColumnOptions? = nil) throws -> TrainedModel {
        try Self.model(run: run, checkpoint: checkpoint, published: model, columns: columns, communicator)
    }

    /// The same of one of the three. *Collective.*
    static func model(
        run: String?, checkpoint: String?, published: String? = nil, columns: ColumnOptions? = nil,
        _ communicator: any Communicator
    ) throws -> TrainedModel {
        let source: TrainedModel.Source =
            run.map { .run($0) } ?? checkpoint.map { .checkpoint($0) } ?? .published(published ?? "")
        return try TrainedModel(
            source, columns: columns?.names ?? [:], warn: { if communicator.rank == 0 { tell("warning: \($0)") } },
            communicator: communicator)
    }
}

/// Which fields of data the sides are, where neither a configuration nor their names say so.
struct ColumnOptions: ParsableArguments {
    @Option(help: "The field of data that is the query; without it that of the run, or one with a recognised name.")
    var queryColumn: String?
    @Option(help: "The field of data that is the target, likewise.") var targetColumn: String?

    var names: [Side: String] {
        var names: [Side: String] = [:]
        (names[.query], names[.target]) = (queryColumn, targetColumn)
        return names
    }
}
