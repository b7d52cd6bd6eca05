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

/// Tiles of the logits z_ij = ⟨q_i, t_j⟩/τ (without the bias) of all rows with the local columns, for one or two passes.
///
/// The own positives and the pairs with equal ids are −∞ in a tile: the own positives' logits are in `positives_B`, to full
/// precision, because a loss that is nearly 0 is a difference from them.
///
/// Rows come in strips, to be finished one after the other. What the first pass leaves of a strip is kept for the second where it
/// fits into `tile` columns' worth of memory, B·tile numbers, else made again: memory O(B·tile) either way.
struct LogitTiles<Element: LogitArithmetic> {
    /// A rectangle of a strip's S×kB logits; all its columns are positives, or all are explicit negatives.
    struct Tile {
        let rows: Range<Int>
        let columns: Range<Int>
        let logits: Panel<Element>
    }

    let batch: GlobalBatch<Element>
    /// z_ii of the local rows.
    let positives_B: [Double]
    /// Rows to be finished together, in order; the same on all ranks.
    let strips: [Strip]
    /// The second pass finds what the first one left.
    let isKept: Bool
    private let rowBlock: Int
    private let columnTile: Int
    /// A strip's logits (`isKept`), or room for one tile.
    private let storage: Buffer<Element>

    /// Logits held when the caller does not say: 32 MB of float32.
    private static var heldByDefault: Int { 1 << 23 }
    /// 2 MB of float32: products of this size run at the speed of large ones, and a tile is still in the second-level cache or
    /// next to it when its rows are summed (of 128 … 512 rows by 256 … 2048 columns measured at E = 128 and 512, the fastest).
    private static var tileRows: Int { 512 }
    private static var tileColumns: Int { 1024 }
    /// A strip of fewer rows multiplies with so few that making logits again is cheaper.
    private static var fewestKeptRows: Int { 256 }
    /// Rows of a strip whose logits are not kept: more than its messages between ranks need to be large ones.
    private static var visitingRows: Int { 2048 }

    init(_ batch: GlobalBatch<Element>, tile: Int?, lifetime: RowLifetime, sampledRows: Int? = nil) {
        self.batch = batch
        let widest = batch.targetsPerQuery * (batch.census.counts.max() ?? 0)
        let fitting = tile.map { max(1, $0 / batch.targetsPerQuery) } ?? Self.heldByDefault / max(widest, 1)
        let fits = batch.rows <= fitting
        let isWorthKeeping =
            switch lifetime {
            case .onePass: false
            case .twoPasses: fits || tile != nil || fitting >= Self.fewestKeptRows
            case .twoPassesTogether: fits
            }
        isKept = isWorthKeeping
        let limit = isWorthKeeping || tile != nil ? fitting : Self.visitingRows
        var all = Strip.plan(batch.census, limit: max(1, limit))
        if let sampledRows {
            var rows = 0
            all = Array(
                all.prefix { strip in
                    defer { rows += strip.rows }
                    return rows < sampledRows
                })
        }
        strips = all
        let stripRows = all.map(\.rows).max() ?? 0
        rowBlock = max(1, min(stripRows, Self.tileRows))
        columnTile = max(1, min(tile ?? Self.tileColumns, Self.tileColumns, batch.localColumns))
        storage = Buffer(count: isKept ? stripRows * batch.localColumns : rowBlock * columnTile)
        positives_B = (0..<batch.localRows).map { row in
            let start = row * batch.width
            return Element.dot(batch.queries_BE.base + start, batch.targets_KBE.base + start, count: batch.width)
                / batch.temperature
        }
    }

    /// Rows in all strips.
    var rows: Int { strips.reduce(0) { $0 + $1.rows } }

    /// Calls `body` with every tile of a strip, filled with logits, or, unless `makesLogits`, with what was left of them. `body` may
    /// overwrite a tile.
    func forEach(in rows: VisitingRows<Element>, makesLogits: Bool, _ body: (Tile) -> Void) {
        for kind in [0..<batch.localRows, batch.localRows..<batch.localColumns] {
            for start in stride(from: kind.lowerBound, to: kind.upperBound, by: columnTile) {
                let columns = start..<min(start + columnTile, kind.upperBound)
                for firstRow in stride(from: 0, to: rows.strip.rows, by: rowBlock) {
                    let block = firstRow..<min(firstRow + rowBlock, rows.strip.rows)
                    let tile = Tile(rows: block, columns: columns, logits: panel(block, columns))
                    if makesLogits { compute(tile, rows) }
                    body(tile)
                }
            }
        }
    }

    /// The column, counted within the tile, of the own positive of a strip's row.
    func ownColumn(of row: Int, in tile: Tile, _ strip: Strip) -> Int? {
        guard let own = strip.localRow(row), tile.columns.contains(own) else { return nil }
        return own - tile.columns.lowerBound
    }

    /// `dQ += G·T/τ`, `dT += Gᵀ·Q/τ` for a tile that holds G = dL/dz.
    func propagate(_ tile: Tile, _ rows: VisitingRows<Element>, dtargets_KBE: Buffer<Element>) {
        let targets = Panel(batch.targets_KBE, rows: tile.columns, columns: batch.width)
        let queries = Panel(rows.queries_SE, rows: tile.rows, columns: batch.width)
        Element.multiply(
            tile.logits, .none, targets, .none, into: Panel(rows.dqueries_SE, rows: tile.rows, columns: batch.width),
            alpha: 1 / batch.temperature, beta: 1)
        Element.multiply(
            tile.logits, .transposed, queries, .none,
            into: Panel(dtargets_KBE, rows: tile.columns, columns: batch.width),
            alpha: 1 / batch.temperature, beta: 1)
    }

    private func panel(_ rows: Range<Int>, _ columns: Range<Int>) -> Panel<Element> {
        isKept
            ? Panel(
                values: storage, offset: rows.lowerBound * batch.localColumns + columns.lowerBound, rows: rows.count,
                columns: columns.count, stride: batch.localColumns)
            : Panel(values: storage, offset: 0, rows: rows.count, columns: columns.count, stride: columns.count)
    }

    private func compute(_ tile: Tile, _ rows: VisitingRows<Element>) {
        Element.multiply(
            Panel(rows.queries_SE, rows: tile.rows, columns: batch.width), .none,
            Panel(batch.targets_KBE, rows: tile.columns, columns: batch.width), .transposed, into: tile.logits,
            alpha: 1 / batch.temperature, beta: 0)
        for row in tile.rows {
            let logits = tile.logits.row(row - tile.rows.lowerBound)
            if let own = ownColumn(of: row, in: tile, rows.strip) { logits[own] = -.infinity }
            batch.identities?.forEach(row: rows.strip.globalRows[row], in: tile.columns) {
                logits[$0 - tile.columns.lowerBound] = -.infinity
            }
        }
    }
}
