// `fanoise embed`: parsing and printing only. Not here: encoding (Training/Use).

public import ArgumentParser
public import ArrayFiles
import Collectives
import Failures
import Synchronization
public import Training

extension Side: ExpressibleByArgument {}
extension RowType: ExpressibleByArgument {}

/// Turns the rows of a file into embeddings.
struct EmbedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed",
        abstract: "Embed one side of a file's rows: .npy, one row each, order kept.",
        discussion: """
            FILE is data like that of training (the side's column of the run's configuration is read, or in a row without it one with a \
            recognised name, such as text; other columns may be missing) or, \
            for a text side, plain text with one text a line (compressed too: .gz, .bz2, .xz, .zst). Rows are sharded over ranks, encoded chunk by chunk and written as they \
            come: a row costs a few bytes of memory, for its place. What is written does not depend on the number of ranks. A job that was \
            stopped goes on where it was when it is started again with the same arguments; OUTPUT.partial and OUTPUT.progress hold \
            what was done until then. SIGTERM, SIGINT and SIGUSR1 have it save what is done and end with exit code 75; a second SIGINT \
            ends it at once, with 130.
            """)

    @OptionGroup var source: CheckpointOptions
    @Option(help: "The rows to embed.") var input: String
    @Option(help: "query or target.") var side: Side
    @Option(help: "The column to read; without it that of the run's configuration, or one with a recognised name.")
    var column: String?
    @Option(help: "Array to write (.npy, rows × embedding width).") var output: String
    @Option(help: "float32 or float16.") var dtype = RowType.float32
    @Option(name: [.customLong("chunk"), .customLong("batch")], help: "Rows encoded at a time.") var chunk = 256
    @Option(help: "Seconds between saves of what was done.") var saveEvery = 30.0
    @OptionGroup var world: WorldOptions
    @Flag(help: "Print one JSON object on standard output.") var json = false

    func validate() throws {
        try requireCount("--chunk", chunk)
        guard saveEvery >= 0, saveEvery.isFinite else {
            throw ValidationError("--save-every \(saveEvery) must be a finite number, 0 or more")
        }
    }

    func run() throws {
        let (source, input, side, column, output, json) = (source, input, side, column, output, json)
        var options = TrainedModel.EmbeddingOptions()
        (options.type, options.chunk, options.secondsBetweenSaves) = (dtype, chunk, saveEvery)
        try requireNoInput(output, among: [input])
        StopSignals.install()
        StopSignals.endAtOnce(true)
        let isStopped = Atomic<Bool>(false)
        try world.run { [options] communicator in
            let model = try source.model(communicator)
            // One rank that ends before the others would have them stopped by a signal, and say so.
            let rows = try agreed(communicator) { try model.rows(of: input, side: side, field: column) }
            StopSignals.endAtOnce(false)
            let done = try model.writeEmbeddings(
                of: rows, side: side, to: output, options: options, say: { if communicator.rank == 0 { tell($0) } },
                communicator: communicator)
            if done.wasStopped { isStopped.store(true, ordering: .relaxed) }
            guard communicator.rank == 0 else { return }
            let rate = Double(done.rows - done.resumedRows) / max(done.seconds, 1e-9)
            tell(
                done.wasStopped
                    ? "\(output): stopped by a signal, \(counted(done.rows, "row")) saved; the same command goes on from there"
                    : "\(output): \(counted(done.rows, "row")) of \(model.columns), \(fixed(rate, 0)) a second")
            guard json else { return }
            try printJSON(
                Report(
                    finished: !done.wasStopped, rows: done.rows, columns: model.columns, resumedRows: done.resumedRows,
                    rowsPerSecond: rate, ranks: communicator.size))
        }
        if isStopped.load(ordering: .relaxed) { throw ExitCode(Failure.Kind.resumable.rawValue) }
    }

    private struct Report: Encodable {
        let finished: Bool
        let rows: Int
        let columns: Int
        let resumedRows: Int
        let rowsPerSecond: Double
        let ranks: Int

        enum CodingKeys: String, CodingKey {
            case finished, rows, columns, ranks
            case resumedRows = "resumed_rows"
            case rowsPerSecond = "rows_per_second"
        }
    }
}
