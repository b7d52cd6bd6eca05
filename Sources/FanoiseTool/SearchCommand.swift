// `fanoise search`: parsing and printing only. Not here: encoding and scoring (Training/Use).

import ArgumentParser
import ArrayFiles
import Buffers
import Collectives
import Failures
import Foundation
import Training

/// Finds the rows of an index that are nearest to texts, pictures or embeddings.
struct SearchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Exact nearest neighbours of texts, pictures or embeddings among embeddings.",
        discussion: """
            The index is a .npy file of embeddings, as `fanoise embed` writes for the other side; it may be larger than memory. Rows are \
            scored by dot product, ties are in row order, and the result does not depend on the number of ranks, which share the rows. \
            --queries takes many at once: data as `fanoise embed` reads it, or a .npy file of embeddings, which needs no model; with a \
            model whose side reads features, a .npy file has features. With \
            --rows FILE, the file that was embedded, results are shown with their content. They go to standard output, those of the first \
            10 queries where there are more; --output writes all, one line of JSON a query: \
            {"query": 0, "results": [{"row": 17, "score": 0.83}, …]}.
            """)

    @Option(name: .customLong("run"), help: "A run's folder: its newest valid checkpoint is used.")
    var runFolder: String?
    @Option(help: "A checkpoint's folder (…/checkpoints/step-00000600, or …/checkpoints/best: that which did best).")
    var checkpoint: String?
    @Option(help: "A published model's directory (Hugging Face, sentence-transformers, open_clip), as it is.")
    var model: String?
    @OptionGroup var columns: ColumnOptions
    @Option(help: "Embeddings to search (.npy).") var index: String
    @Option(help: "The file the index was made of, to show what was found.") var rows: String?
    @Option(help: "A text to search for.") var text: String?
    @Option(help: "A picture to search for.") var image: String?
    @Option(help: "Many queries: a file of rows, or of embeddings (.npy).") var queries: String?
    @Option(help: "The side that encodes queries (default: the first that can); of embeddings, the side that has.")
    var side: Side?
    @Option(help: "How many results of each query.") var top = 10
    @Option(help: "Queries encoded at a time.") var chunk = 256
    @Option(help: "Results to write, one JSON object a line (.jsonl).") var output: String?
    @OptionGroup var world: WorldOptions
    @Flag(help: "Print one JSON object on standard output.") var json = false

    /// Queries shown to people.
    private static let shown = 10

    func validate() throws {
        try requireCount("--top", top)
        try requireCount("--chunk", chunk)
        guard [text, image, queries].count(where: { $0 != nil }) == 1 else {
            throw ValidationError("give exactly one of --text TEXT, --image FILE and --queries FILE")
        }
        let models = [runFolder, checkpoint, model].count(where: { $0 != nil })
        guard models <= 1 else {
            throw ValidationError("give at most one of --run DIR, --checkpoint DIR and --model DIR")
        }
        guard models == 1 || queries?.hasSuffix(".npy") == true && rows == nil else {
            throw ValidationError(
                "give --run DIR, --checkpoint DIR or --model DIR: only --queries FILE.npy needs no model")
        }
        guard models == 1 || side == nil else {
            throw ValidationError("--side names a side of a model, and none is given: leave it out")
        }
    }

    func run() throws {
        let command = self
        try requireNoInput(output, among: [index, rows, image, queries])
        try world.run { communicator in
            let search = try command.prepared(communicator)
            let start = ContinuousClock.now
            let best = try nearestRows(
                queries: search.queries, named: command.queries ?? "the query", columns: search.columns,
                in: search.index, depth: command.top, communicator: communicator)
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            try agreed(communicator) {
                guard communicator.rank == 0 else { return }
                try command.print(search, seconds: seconds) { query in
                    try best.sorted(query: query).map {
                        SearchResult(row: $0.row, score: $0.score, content: try search.shown?.content($0.row))
                    }
                }
            }
        }
    }

    /// The queries' embeddings, the index, and the rows to show.
    private func prepared(_ communicator: any Communicator) throws -> Search {
        let index = try agreed(communicator) { try StoredMatrix(npy: self.index) }
        guard runFolder != nil || checkpoint != nil || model != nil else {
            let array = try agreed(communicator) { try StoredMatrix(npy: queries ?? "") }
            let values = try agreed(communicator) { try array.floats(0..<array.rows) }
            return Search(queries: values, columns: array.columns, questions: nil, index: index, shown: nil)
        }
        let model = try CheckpointOptions.model(
            run: runFolder, checkpoint: checkpoint, published: self.model, columns: columns, communicator)
        let (questions, side) = try agreed(communicator) { () -> (EmbeddableRows?, Side) in
            if let queries = self.queries {
                let side = self.side ?? .query
                guard queries.hasSuffix(".npy"), !model.readsFeatures(side) else {
                    return (try model.rows(of: queries, side: side), side)
                }
                guard self.side == nil || rows != nil else {
                    throw Failure(
                        .usage,
                        "--side encodes nothing of \(queries): for this model, which reads no features, its rows are embeddings; "
                            + "leave --side out")
                }
                return (nil, side)
            }
            let question: TrainedModel.Question = text.map { .text($0) } ?? .picture(path: image ?? "")
            let side = try self.side ?? model.side(for: question)
            return (try model.row(of: question, side: side), side)
        }
        let values =
            try questions.map { try model.embeddings(of: $0, side: side, chunk: chunk, communicator: communicator) }
            ?? agreed(communicator) {
                let array = try StoredMatrix(npy: queries ?? "")
                guard array.columns == model.columns else {
                    throw Failure(
                        .data,
                        "\(array.name) has shape [\(array.rows), \(array.columns)], but the model's embeddings have "
                            + "\(model.columns) columns; embed the queries with this model, or leave it out")
                }
                return try array.floats(0..<array.rows)
            }
        let shown = try agreed(communicator) { try rows.map { try model.rows(of: $0, side: side.other) } }
        if let shown, shown.count != index.rows {
            throw Failure(.data, "\(rows ?? "") has \(shown.count) rows, but \(index.name) has \(index.rows)")
        }
        return Search(queries: values, columns: model.columns, questions: questions, index: index, shown: shown)
    }

    private func print(_ search: Search, seconds: Double, _ results: (Int) throws -> [SearchResult]) throws {
        let single = queries == nil
        var file: OutputFile?
        if let output { file = try OutputFile(path: output) }
        var collected: [SearchResults] = []
        let count = search.queries.count / search.columns
        for query in 0..<count {
            let result = SearchResults(query: query, results: try results(query))
            if !json, query < Self.shown {
                let asked = try search.questions?.content(query) ?? "query \(query)"
                if !single { try printLine("\(asked):") }
                try result.lines.forEach(printLine)
            }
            if let file { try file.write(line: result) } else { collected.append(result) }
        }
        try file?.commit()
        if !json, count > Self.shown {
            tell(
                "the first \(Self.shown) of \(counted(count, "query", plural: "queries")) are shown; all are in "
                    + (output ?? "what --output FILE.jsonl or --json writes"))
        }
        if !single {
            let work = 2 * Double(count) * Double(search.index.rows) * Double(search.columns)
            tell(
                "\(counted(count, "query", plural: "queries")) among \(counted(search.index.rows, "row")) of \(search.columns): "
                    + "\(fixed(seconds, 3)) s, "
                    + "\(fixed(work / max(seconds, 1e-9) / 1e9, 1)) GFLOP/s" + (output.map { "; \($0)" } ?? ""))
        }
        guard json else { return }
        if single, output == nil {
            try printJSON(["results": collected.first?.results ?? []])
        } else {
            try printJSON(
                SearchReport(
                    queries: count, rows: search.index.rows, seconds: seconds,
                    results: output == nil ? collected.map(\.results) : nil))
        }
    }
}

/// What a search is made of.
private struct Search {
    let queries: Floats
    let columns: Int
    /// What was asked; nil for embeddings of an array.
    let questions: EmbeddableRows?
    let index: StoredMatrix
    let shown: EmbeddableRows?
}

private struct SearchReport: Encodable {
    let queries: Int
    let rows: Int
    let seconds: Double
    let results: [[SearchResult]]?
}

private struct SearchResults: Encodable {
    let query: Int
    let results: [SearchResult]

    /// For people: a line for each, in columns.
    var lines: [String] {
        let fields = results.enumerated().map { place, found in
            ["\(place + 1)", "\(found.row)", fixed(Double(found.score), 4)]
        }
        let widths = (0..<3).map { column in fields.map { $0[column].count }.max() ?? 0 }
        return zip(fields, results).map { own, found in
            let aligned = zip(own, widths).map { String(repeating: " ", count: $1 - $0.count) + $0 }
            return "\(aligned[0])  row \(aligned[1])  \(aligned[2])" + (found.content.map { "  \($0)" } ?? "")
        }
    }
}

private struct SearchResult: Encodable {
    let row: Int
    let score: Float
    let content: String?
}
