// What a model has learnt, as a picture: captions with the pictures it finds for them. Not here: drawing (Pictures), scores
// (Retrieval).
//
// Shapes: C captions shown, P pictures of the set, E embedding width.

import Buffers
import Datasets
import Failures
import Kernels
public import Pictures

extension TrainedModel {
    /// Captions of a held-out set, evenly spaced over it, each with its best-scored pictures; a green frame marks one that belongs to
    /// it. Local.
    ///
    /// - Parameters:
    ///   - path: JSONL with the columns of the run's configuration, one side of which is pictures and the other text.
    ///   - captions: how many to show.
    ///   - best: pictures for each.
    /// - Throws: `Failure(.usage)` when the model has no picture side or no text side.
    public func retrievalSheet(_ path: String, title: String, captions: Int = 14, best: Int = 5) throws -> Picture {
        guard let text = Side.allCases.first(where: { configuration.column($0).kind == .text }),
            let picture = Side.allCases.first(where: { configuration.column($0).kind == .picture })
        else { throw Failure(.usage, "a contact sheet shows pictures for captions; this model has no such two sides") }
        let source = try configuration.evaluationSource(path)
        let set = try EvaluationSet(source: source, preparation: preparation)
        let all = Array(0..<set.count)
        let pictures_PE = try embeddings(set, picture, all)
        let texts_PE = try embeddings(set, text, set.gallery)
        let asked = (0..<min(captions, set.gallery.count)).map {
            $0 * set.gallery.count / min(captions, set.gallery.count)
        }

        var found = 0
        let rows = try asked.map { caption in
            let scores = Floats(count: set.count)
            gemm(
                Matrix(pictures_PE, rows: set.count, columns: columns), .none,
                Matrix(texts_PE, offset: caption * columns, rows: 1, columns: columns), .transposed,
                into: Matrix(scores, rows: set.count, columns: 1))
            let order = all.sorted { (scores[$0], $1) > (scores[$1], $0) }
            let id = set.ids[set.gallery[caption]]
            let place = (order.firstIndex { set.ids[$0] == id } ?? set.count) + 1
            found += place == 1 ? 1 : 0
            let cells = try order.prefix(best).map { row -> ContactSheet.Cell in
                guard case .picture(let location) = try side(source.row(row), picture) else {
                    preconditionFailure("row \(row) has no picture")
                }
                return ContactSheet.Cell(try Picture.read(location), set.ids[row] == id ? .right : .wrong)
            }
            let words = try side(source.row(set.gallery[caption]), text).displayText
            return ContactSheet.Row(
                caption: words, detail: place == 1 ? "found" : "its picture is number \(place)", cells: cells)
        }
        return try ContactSheet(
            title: title,
            footer: "\(found) of these \(rows.count) captions find their picture first among \(set.count).",
            headings: (1...best).map { "\($0)." }, rows: rows
        ).picture()
    }

    private func embeddings(_ set: EvaluationSet, _ side: Side, _ rows: [Int]) throws -> Floats {
        let encoder = side == .query ? embedder.model.query : embedder.model.target
        return try embedder.embeddings(rows, chunk: 256, encoder) {
            side == .query ? try set.queries($0) : try set.targets($0)
        }
    }

    private func side(_ row: PairRow, _ side: Side) -> PairSide { side == .query ? row.query : row.target }
}
