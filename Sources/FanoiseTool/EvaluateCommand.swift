// `fanoise evaluate`: parsing and printing only. Not here: metrics (Training/Evaluation).

import ArgumentParser
import Collectives
import Failures
import Foundation
import Training

/// Measures a trained model on held-out pairs.
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Precision@1, Recall@5, MRR, nDCG@10 both ways; alignment, uniformity, effective rank.")

    @OptionGroup var source: CheckpointOptions
    @Option(
        parsing: .singleValue,
        help: "A held-out set, NAME=FILE.jsonl or FILE.jsonl. Repeatable; default: the sets of the run's configuration."
    )
    var data: [String] = []
    @Option(help: "Rows encoded at a time.") var chunk = 256
    @Option(help: "Also draw captions of the last set with their best pictures (.png).") var contactSheet: String?
    @Option(help: "Title of the contact sheet.") var title: String?
    @OptionGroup var world: WorldOptions
    @Flag(help: "Print one JSON object on standard output.") var json = false

    func validate() throws {
        guard chunk > 0 else { throw ValidationError("--chunk \(chunk) must be at least 1") }
    }

    func run() throws {
        let (source, chunk, json, contactSheet, title) = (source, chunk, json, contactSheet, title)
        let sets = data.map { argument in
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            return parts.count == 2 ? (name: parts[0], path: parts[1]) : (name: argument, path: argument)
        }
        for (index, set) in sets.enumerated() where sets[..<index].contains(where: { $0.name == set.name }) {
            throw Failure(.usage, "--data gives two sets the name '\(set.name)': name each with NAME=FILE.jsonl")
        }
        try world.run { communicator in
            if communicator.rank == 0, let contactSheet { try Self.requireWritable(contactSheet) }
            let model = try source.model(communicator)
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
            guard communicator.rank == 0 else { return }
            if let contactSheet, let (name, path) = chosen.last {
                try model.retrievalSheet(path, title: title ?? "Captions of \(name) and their best pictures").write(
                    path: contactSheet)
                tell("\(contactSheet): captions with the pictures they find")
            }
            if json { try printJSON(reports) }
        }
    }

    /// Throws now what writing the contact sheet would throw after the evaluation.
    private static func requireWritable(_ path: String) throws {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let files = FileManager.default
        var isFolder: ObjCBool = false
        if files.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            throw Failure(.cannotCreate, "\(path): expected a file or nothing to write to, found a directory")
        }
        guard files.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue,
            files.isWritableFile(atPath: folder)
        else {
            throw Failure(
                .cannotCreate,
                "\(path): the contact sheet cannot be written; check that its directory exists and is writable")
        }
    }
}

/// Which model: a run's newest checkpoint, or a checkpoint by path.
struct CheckpointOptions: ParsableArguments {
    @Option(help: "A run's folder: its newest valid checkpoint is used.") var run: String?
    @Option(help: "A checkpoint's folder (…/checkpoints/step-00000600).") var checkpoint: String?

    func validate() throws {
        guard (run == nil) != (checkpoint == nil) else {
            throw ValidationError("give exactly one of --run DIR and --checkpoint DIR")
        }
    }

    /// The model, telling once of newer checkpoints that are damaged. *Collective.*
    func model(_ communicator: any Communicator) throws -> TrainedModel {
        try Self.model(run: run, checkpoint: checkpoint, communicator)
    }

    /// The same of one of the two. *Collective.*
    static func model(run: String?, checkpoint: String?, _ communicator: any Communicator) throws -> TrainedModel {
        let source: TrainedModel.Source = run.map { .run($0) } ?? .checkpoint(checkpoint ?? "")
        return try TrainedModel(
            source, warn: { if communicator.rank == 0 { tell("warning: \($0)") } }, communicator: communicator)
    }
}
