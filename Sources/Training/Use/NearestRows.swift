// Exact nearest neighbours: blocks of queries against tiles of rows. Not here: where rows and queries come from (TrainedModel,
// StoredMatrix), the choice among scores (BestRows).
//
// Shapes: Q queries, q of a block, t rows of a tile, E columns, k neighbours.

public import ArrayFiles
public import Buffers
public import Collectives
import Failures
public import Kernels

/// Streams rows past queries that stay, and keeps each query's k best by dot product.
///
/// `scores_qt = queries_qE · rowsᵀ_Et`, block by block: 2 · Q · rows · E FLOPs, memory O(Q · (E + k) + q · t). A score depends on its tile
/// alone, so that the same tiles on other ranks give the same bits.
struct NearestRows {
    /// t.
    static let tileRows = 2048
    /// q.
    private static let blockRows = 256

    let columns: Int
    private let queries: Floats
    private let scores: Floats
    private(set) var best: BestRows
    /// The first score that was not finite: of finite rows and queries, one beyond float32's range.
    private(set) var overflow: (query: Int, row: Int)?

    /// - Parameter queries: [Q, E].
    init(queries: Floats, columns: Int, depth: Int) {
        precondition(columns > 0 && queries.count % columns == 0, "\(queries.count) values in rows of \(columns)")
        self.queries = queries
        self.columns = columns
        let rows = queries.count / columns
        scores = Floats(count: min(rows, Self.blockRows) * Self.tileRows)
        best = BestRows(queries: rows, depth: depth)
    }

    /// Offers a tile of at most t rows, [rows, E], to all queries. Local.
    /// - Parameter keys: decide between equal scores, one for each row.
    mutating func add(_ tile: Floats, firstRow: Int, keys: UnsafePointer<Int32>? = nil) {
        let rows = tile.count / columns
        precondition(rows <= Self.tileRows, "a tile of \(rows) rows")
        guard rows > 0 else { return }
        for first in stride(from: 0, to: best.queries, by: Self.blockRows) {
            let count = min(Self.blockRows, best.queries - first)
            gemm(
                Matrix(queries, offset: first * columns, rows: count, columns: columns), .none,
                Matrix(tile, rows: rows, columns: columns), .transposed,
                into: Matrix(scores, rows: count, columns: rows))
            if overflow == nil, let place = firstNonFinite(scores[0..<count * rows]) {
                overflow = (first + place / rows, firstRow + place % rows)
            }
            for query in 0..<count {
                best.offer(
                    scores.base + query * rows, count: rows, firstRow: firstRow, keys: keys, query: first + query)
            }
        }
    }
}

extension BestRows {
    /// The best rows of all ranks, the same on each. *Collective.* The ranks' rows are different ones.
    func merged(_ communicator: any Communicator, keys: [Int32]? = nil) throws -> BestRows {
        guard communicator.size > 1 else { return self }
        var result = BestRows(queries: queries, depth: depth)
        // A few megabytes travel at a time.
        let block = max(1, (1 << 18) / depth)
        for first in stride(from: 0, to: queries, by: block) {
            let part = first..<min(first + block, queries)
            let scores = Floats(repeating: -.infinity, count: part.count * depth)
            let rows = Buffer<Int64>(repeating: -1, count: part.count * depth)
            for query in part {
                for (place, entry) in sorted(query: query).enumerated() {
                    scores[(query - first) * depth + place] = entry.score
                    rows[(query - first) * depth + place] = Int64(entry.row)
                }
            }
            let allScores = Floats(count: scores.count * communicator.size)
            let allRows = Buffer<Int64>(count: rows.count * communicator.size)
            try communicator.allGather(scores, into: allScores)
            try communicator.allGather(rows, into: allRows)
            for index in 0..<allRows.count where allRows[index] >= 0 {
                let row = Int(allRows[index])
                result.offer(
                    Entry(row: row, score: allScores[index], key: keys?[row] ?? 0),
                    query: first + index % rows.count / depth)
            }
        }
        return result
    }
}

/// The nearest rows of an array in a file. *Collective*: ranks take turns at its tiles, and each ends with the whole result.
///
/// - Parameters:
///   - queries: [Q, E], the same on every rank.
///   - name: of the queries, for messages.
///   - index: rows × E; may be larger than memory.
///   - depth: k ≥ 1.
/// - Returns: of each query the k rows with the highest dot product, best first, ties in row order.
/// - Throws: `Failure(.data)` when widths differ, naming a row or query that is not finite, and both where their score is not.
public func nearestRows(
    queries: Floats, named name: String, columns: Int, in index: StoredMatrix, depth: Int,
    communicator: any Communicator
) throws -> BestRows {
    let search = try agreed(communicator) {
        guard index.columns == columns else {
            throw Failure(
                .data,
                "\(index.name) has shape [\(index.rows), \(index.columns)]; expected rows × \(columns), as `fanoise embed` writes them"
            )
        }
        if let element = firstNonFinite(queries) {
            throw Failure(
                .data, "\(name): row \(element / columns) has an element that is not finite; embed the queries again")
        }
        var search = NearestRows(queries: queries, columns: columns, depth: max(1, min(depth, index.rows)))
        let step = NearestRows.tileRows * communicator.size
        for first in stride(from: NearestRows.tileRows * communicator.rank, to: index.rows, by: step) {
            let tile = try index.floats(first..<min(first + NearestRows.tileRows, index.rows))
            if let element = firstNonFinite(tile) {
                throw Failure(
                    .data,
                    "\(index.name): row \(first + element / columns) has an element that is not finite; embed the rows again"
                )
            }
            search.add(tile, firstRow: first)
            if let (query, row) = search.overflow {
                throw Failure(
                    .data,
                    "\(name): the dot product of row \(query) and row \(row) of \(index.name) is beyond float32's range; scale the "
                        + "embeddings")
            }
        }
        return search
    }
    return try search.best.merged(communicator)
}
