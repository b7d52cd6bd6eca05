// Logits, a tile at a time, pairs that do not take part marked. Not here: what is summed over them.

import Buffers
import Foundation

/// Tiles of the local rows' logits z_ij = ⟨q_i, t_j⟩/τ (without the bias), for any number of passes.
///
/// The own positives and the pairs with equal ids are −∞ in a tile: the own positives' logits are in `positives_B`, to full
/// precision, because a loss that is nearly 0 is a difference from them. When all logits together are few they are kept from the
/// first pass, else every pass makes them again: memory O(B·tile).
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
    private let rowBlock: Int
    private let columnTile: Int
    /// All logits (`keepsAll`), or room for one tile.
    private let storage: Buffer<Element>
    private let keepsAll: Bool

    /// Logits kept when the caller does not say: 16 MB of float32, less than a gathered batch of 8192×512.
    private static var keptByDefault: Int { 1 << 22 }

    init(_ batch: GlobalBatch<Element>, tile: Int?) {
        self.batch = batch
        let (rows, columns) = (batch.localRows, batch.columns)
        rowBlock = max(1, min(rows, 512))
        columnTile = max(1, min(tile ?? 512, columns))
        keepsAll = tile.map { $0 >= columns } ?? (rows * columns <= Self.keptByDefault)
        storage = Buffer(count: keepsAll ? rows * columns : rowBlock * columnTile)
        positives_B = (0..<rows).map { row in
            let own = (batch.census.firstRow + row) * batch.width
            return Element.dot(batch.queries_BE.base + row * batch.width, batch.targets_ME.base + own, count: batch.width)
                / batch.temperature
        }
    }

    /// Calls `body` with every tile; `isFirst` says that the logits were never made before. `body` may overwrite them.
    func forEach(isFirst: Bool, _ body: (Tile) -> Void) {
        for kind in [0..<batch.rows, batch.rows..<batch.columns] {
            for start in stride(from: kind.lowerBound, to: kind.upperBound, by: columnTile) {
                let columns = start..<min(start + columnTile, kind.upperBound)
                for firstRow in stride(from: 0, to: batch.localRows, by: rowBlock) {
                    let rows = firstRow..<min(firstRow + rowBlock, batch.localRows)
                    let tile = Tile(rows: rows, columns: columns, logits: panel(rows, columns))
                    if isFirst || !keepsAll { compute(tile) }
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
            tile.logits, .transposed, queries, .none, into: Panel(dtargets_ME, rows: tile.columns, columns: batch.width),
            alpha: 1 / batch.temperature, beta: 1)
    }

    private func panel(_ rows: Range<Int>, _ columns: Range<Int>) -> Panel<Element> {
        keepsAll
            ? Panel(
                values: storage, offset: rows.lowerBound * batch.columns + columns.lowerBound, rows: rows.count,
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
