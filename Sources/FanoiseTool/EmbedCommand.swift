// `fanoise embed`: parsing and printing only. Not here: encoding (TrainedModel).

public import ArgumentParser
import Failures
public import Training

extension Side: ExpressibleByArgument {}

/// Turns the rows of a file into embeddings.
struct EmbedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed",
        abstract: "Embed one side of a file's rows: .npy, one row each, order kept.",
        discussion: """
            FILE is JSONL like the training data (the side's column of the run's configuration is read; other columns may be missing) or, \
            for a text side, plain text with one text a line. Rows are sharded over ranks and encoded chunk by chunk.
            """)

    @OptionGroup var source: CheckpointOptions
    @Option(help: "The rows to embed: .jsonl, or .txt for a text side.") var input: String
    @Option(help: "query or target.") var side: Side
    @Option(help: "Array to write (.npy, float32, rows × embedding width).") var output: String
    @Option(help: "Rows encoded at a time.") var chunk = 256
    @OptionGroup var world: WorldOptions
    @Flag(help: "Print one JSON object on standard output.") var json = false

    func validate() throws {
        guard chunk > 0 else { throw ValidationError("--chunk \(chunk) must be at least 1") }
    }

    func run() throws {
        let (source, input, side, output, chunk, json) = (source, input, side, output, chunk, json)
        try world.run { communicator in
            let model = try source.model(communicator)
            let rows = try model.rows(of: input, side: side)
            try model.writeEmbeddings(of: rows, side: side, to: output, chunk: chunk, communicator: communicator)
            guard communicator.rank == 0 else { return }
            tell("\(output): \(rows.count) rows of \(model.columns)")
            if json { try printJSON(["rows": rows.count, "columns": model.columns, "ranks": communicator.size]) }
        }
    }
}
