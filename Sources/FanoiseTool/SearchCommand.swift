// `fanoise search`: parsing and printing only. Not here: encoding and scoring (TrainedModel).

import ArgumentParser
import ArrayFiles
import Failures
import Training

/// Finds the rows of an index that are nearest to a text or a picture.
struct SearchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Nearest neighbours of a text or a picture among embeddings.",
        discussion: """
            The index is what `fanoise embed` wrote for the other side. With --rows FILE, the file that was embedded, results are shown \
            with their content.
            """)

    @OptionGroup var source: CheckpointOptions
    @Option(help: "Embeddings to search (.npy).") var index: String
    @Option(help: "The file the index was made of, to show what was found.") var rows: String?
    @Option(help: "A text to search for.") var text: String?
    @Option(help: "A picture to search for (.png).") var image: String?
    @Option(help: "How many results.") var top = 10
    @Flag(help: "Print one JSON object on standard output.") var json = false

    func validate() throws {
        guard top > 0 else { throw ValidationError("--top \(top) must be at least 1") }
        guard (text == nil) != (image == nil) else {
            throw ValidationError("give exactly one of --text TEXT and --image FILE")
        }
    }

    func run() throws {
        let (source, index, rowsFile, top, json) = (source, index, rows, top, json)
        let question: TrainedModel.Question = text.map { .text($0) } ?? .picture(path: image ?? "")
        try WorldOptions.alone { communicator in
            let model = try source.model(communicator)
            let array = try NPYArray.read(path: index)
            let found = try model.nearest(to: question, in: array, named: index, count: top)
            let other: Side = try model.side(for: question) == .query ? .target : .query
            let shown = try rowsFile.map { try model.rows(of: $0, side: other) }
            if let shown, shown.count != array.shape[0] {
                throw Failure(.data, "\(rowsFile ?? "") has \(shown.count) rows, but \(index) has \(array.shape[0])")
            }
            let results = try found.map {
                SearchResult(row: $0.row, score: $0.score, content: try shown?.content($0.row))
            }
            for (place, result) in results.enumerated() {
                tell("\(place + 1)  row \(result.row)  \(fixed(Double(result.score)))  \(result.content ?? "")")
            }
            if json { try printJSON(["results": results]) }
        }
    }
}

private struct SearchResult: Encodable {
    let row: Int
    let score: Float
    let content: String?
}
