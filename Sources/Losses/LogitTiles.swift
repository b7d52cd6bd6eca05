// Logits, a tile at a time, pairs that do not take part marked. Not here: what is summed over them.

import Buffers

/// When a loss is done with a row of logits: what may be forgotten in between.
enum RowLifetime {
    /// Every tile is used once.
    case onePass
    /// A row needs two passes and no other rows between them.
    case twoPasses
    /// All rows need the first pass before any has its second.
    case twoPassesTogether
}

/// Tiles of the local rows' logits z_ij = ⟨q_i, t_j⟩/τ (without the bias), for one or two passes.
///
/// The own positives and the pairs with equal ids are −∞ in a tile: the own positives' logits are in `positives_B`, to full
/// precision, because a loss that is nearly 0 is a difference from them.
///
/// Rows come in strips, to be finished one after the other. A strip's logits are kept for the second pass where they fit into
/// `tile` columns' worth of memory, B·tile numbers, else made again: memory O(B·tile) either way.
struct LogitTiles<Element: LogitArithmetic> {
    /// A rectangle of the B×M logits; all its columns are positives, or all are explicit negatives.
    struct Tile {
        let rows: Range<Int>
        let columns: Range<Int>
        let logits: Panel<Element>
    }

    let batch: GlobalBatch<Element>
    /// z_ii of the local rows.
    let positives_B: [Double]
    /// Rows to be finished together, in order.
    let strips: [Range<Int>]
    private let rowBlock: Int
    private let columnTile: Int
    /// A strip's logits (`keepsStrips`), or room for one tile.
    private let storage: Buffer<Element>
    private let keepsStrips: Bool

    /// Logits held when the caller does not say: 32 MB of float32, as much as a gathered batch of 16384×512.
    private static var heldByDefault: Int { 1 << 23 }
    /// 2 MB of float32: products of this size run at the speed of large ones, and a tile is still in the second-level cache or
    /// next to it when its rows are summed (of 128 … 512 rows by 256 … 2048 columns measured at E = 128 and 512, the fastest).
    private static var tileRows: Int { 512 }
    private static var tileColumns: Int { 1024 }
    /// A strip of fewer rows multiplies with so few that making logits again is cheaper.
    private static var fewestStripRows: Int { 256 }

    init(_ batch: GlobalBatch<Element>, tile: Int?, lifetime: RowLifetime) {
        self.batch = batch
        let (rows, columns) = (batch.localRows, batch.columns)
        rowBlock = max(1, min(rows, Self.tileRows))
        columnTile = max(1, min(tile ?? Self.tileColumns, columns))
        let held = tile.map { min($0, columns) * rows } ?? Self.heldByDefault
        let stripRows = min(rows, columns == 0 ? rows : held / columns)
        keepsStrips =
            switch lifetime {
            case .onePass: false
            case .twoPasses: stripRows == rows || stripRows >= Self.fewestStripRows
            case .twoPassesTogether: stripRows == rows
            }
        let step = keepsStrips ? max(1, stripRows) : max(1, rows)
        strips = stride(from: 0, to: rows, by: step).map { $0..<min($0 + step, rows) }
        storage = Buffer(count: keepsStrips ? stripRows * columns : rowBlock * columnTile)
        positives_B = (0..<rows).map { row in
            let own = (batch.census.firstRow + row) * batch.width
            return Element.dot(
                batch.queries_BE.base + row * batch.width, batch.targets_ME.base + own, count: batch.width)
                / batch.temperature
        }
    }

    /// Calls `body` with every tile of a strip; `isFirst`: in the strip's first pass. `body` may overwrite the logits.
    func forEach(in strip: Range<Int>, isFirst: Bool, _ body: (Tile) -> Void) {
        for kind in [0..<batch.rows, batch.rows..<batch.columns] {
            for start in stride(from: kind.lowerBound, to: kind.upperBound, by: columnTile) {
                let columns = start..<min(start + columnTile, kind.upperBound)
                for firstRow in stride(from: strip.lowerBound, to: strip.upperBound, by: rowBlock) {
                    let rows = firstRow..<min(firstRow + rowBlock, strip.upperBound)
                    let tile = Tile(rows: rows, columns: columns, logits: panel(rows, columns, in: strip))
                    if isFirst || !keepsStrips { compute(tile) }
                    body(tile)
                }
            }
        }
    }

    /// The column of a local row's own positive inside a tile.
    func ownColumn(of row: Int, in tile: Tile) -> Int? {
        let own = batch.census.firstRow + row
        return tile.columns.contains(own) ? own - tile.columns.lowerBound : nil
    }

    /// `dQ += G·T/τ`, `dT += Gᵀ·Q/τ` for a tile that holds G = dL/dz.
    func propagate(_ tile: Tile, dqueries_BE: Buffer<Element>, dtargets_ME: Buffer<Element>) {
        let targets = Panel(batch.targets_ME, rows: tile.columns, columns: batch.width)
        let queries = Panel(batch.queries_BE, rows: tile.rows, columns: batch.width)
        Element.multiply(
            tile.logits, .none, targets, .none, into: Panel(dqueries_BE, rows: tile.rows, columns: batch.width),
            alpha: 1 / batch.temperature, beta: 1)
        Element.multiply(
            tile.logits, .transposed, queries, .none,
            into: Panel(dtargets_ME, rows: tile.columns, columns: batch.width),
            alpha: 1 / batch.temperature, beta: 1)
    }

    private func panel(_ rows: Range<Int>, _ columns: Range<Int>, in strip: Range<Int>) -> Panel<Element> {
        keepsStrips
            ? Panel(
                values: storage, offset: (rows.lowerBound - strip.lowerBound) * batch.columns + columns.lowerBound,
                rows: rows.count,
                columns: columns.count, stride: batch.columns)
            : Panel(values: storage, offset: 0, rows: rows.count, columns: columns.count, stride: columns.count)
    }

    private func compute(_ tile: Tile) {
        Element.multiply(
            Panel(batch.queries_BE, rows: tile.rows, columns: batch.width), .none,
            Panel(batch.targets_ME, rows: tile.columns, columns: batch.width), .transposed, into: tile.logits,
            alpha: 1 / batch.temperature, beta: 0)
        for row in tile.rows {
            let logits = tile.logits.row(row - tile.rows.lowerBound)
            if let own = ownColumn(of: row, in: tile) { logits[own] = -.infinity }
            batch.identities?.forEach(row: row, in: tile.columns) { logits[$0 - tile.columns.lowerBound] = -.infinity }
        }
    }
}
