// A two-dimensional .npy file whose rows are sharded over ranks. Not here: the file format (ArrayFiles), what is done to the rows.

import ArrayFiles
import Buffers
import Collectives
import Failures

/// This rank's rows of an N × n array; ranks hold consecutive ranges in rank order, as equal as possible.
struct ShardedArray {
    let values_BN: Floats
    /// Global indices of the local rows.
    let range: Range<Int>
    /// N.
    let globalRows: Int
    /// n.
    let columns: Int

    /// Local; every rank reads its own rows.
    /// - Throws: `Failure(.inputMissing)`, `Failure(.data)` naming the file and what is wrong with it.
    init(path: String, communicator: any Communicator) throws {
        let shape = try NPYArray.shape(path: path)
        guard shape.count == 2, shape[1] > 0 else {
            throw Failure(
                .data, "\(path): expected a two-dimensional array of rows and columns, found one of shape \(shape)")
        }
        guard shape[1] <= Int(Int32.max) else {
            throw Failure(.data, "\(path): expected at most \(Int32.max) columns, found shape \(shape)")
        }
        globalRows = shape[0]
        columns = shape[1]
        range = Self.rows(of: communicator.rank, globalRows: shape[0], ranks: communicator.size)
        values_BN = try range.isEmpty ? Floats(count: 0) : NPYArray.readRows(path: path, range).values
    }

    static func rows(of rank: Int, globalRows: Int, ranks: Int) -> Range<Int> {
        globalRows * rank / ranks..<globalRows * (rank + 1) / ranks
    }

    /// Rows divided by their Euclidean length, in a new buffer; zero rows stay zero.
    static func unitRows(_ values_BN: Floats, columns: Int) -> Floats {
        let result_BN = Floats(count: values_BN.count)
        for start in stride(from: 0, to: values_BN.count, by: columns) {
            var squares = 0.0
            for index in start..<start + columns {
                squares += Double(values_BN.base[index]) * Double(values_BN.base[index])
            }
            let scale = squares > 0 ? 1 / squares.squareRoot() : 0
            for index in start..<start + columns {
                result_BN.base[index] = Float(Double(values_BN.base[index]) * scale)
            }
        }
        return result_BN
    }

    /// Writes a matrix of `blocks` blocks of N rows, of each of which every rank holds its range, to one file, in block and row order,
    /// from rank 0. *Collective.*
    ///
    /// The rows travel in pieces of 4 MiB, so that no rank holds the whole array. The file appears when it is complete.
    func write(_ rows_KBE: Floats, blocks: Int = 1, to path: String, communicator: any Communicator) throws {
        let size = range.count * columns
        precondition(rows_KBE.count == blocks * size, "\(blocks) blocks of \(size) in \(rows_KBE.count) elements")
        let writer = communicator.rank == 0 ? try NPYWriter(path: path, shape: [blocks * globalRows, columns]) : nil
        let piece = max(1, (1 << 20) / columns)
        for block in 0..<blocks {
            for owner in 0..<communicator.size {
                let rows = Self.rows(of: owner, globalRows: globalRows, ranks: communicator.size)
                for first in stride(from: 0, to: rows.count, by: piece) {
                    let count = (min(first + piece, rows.count) - first) * columns
                    let start = block * size + first * columns
                    let values =
                        communicator.rank == owner ? rows_KBE[start..<start + count] : Floats(count: count)
                    if owner > 0 { try communicator.broadcast(values, root: owner) }
                    try writer?.append(values)
                }
            }
        }
        try writer?.finish()
        try communicator.barrier()
    }
}
