// The rows of a source as one side of a model encodes them. Not here: reading rows (Datasets), what becomes of the embeddings.
//
// Shapes: B rows of a unit, E embedding width.

import Buffers
import Collectives
import Datasets
import Encoders
import Failures

/// Rows in units of a fixed size, prepared as one side.
struct SideUnits: Sendable {
    let side: Side
    let source: PlainRows
    /// Rows of a unit; the last may have fewer.
    let unitRows: Int

    var rows: Int { source.count }
    /// Number of units.
    var count: Int { (rows + unitRows - 1) / unitRows }
    subscript(unit: Int) -> Range<Int> { unit * unitRows..<min((unit + 1) * unitRows, rows) }

    /// A unit's rows as its encoder takes them.
    func prepare(_ unit: Int) throws -> SideBatch { try source.batch(self[unit]) }
}

/// Units and the model that encodes them. An embedding depends on its unit alone: not on ranks, on where the work began, or on what was
/// prepared ahead; so that any division of the work gives the same bits.
struct SideRows {
    let embedder: Embedder
    let units: SideUnits

    /// Text is packed, never padded: the cost of a batch is that of its tokens, in whatever order the texts come. A unit of long texts is
    /// encoded in parts, so that activations stay small.
    private static let tokensAtATime = 16384

    var count: Int { units.rows }
    private var encoder: any Encoder { units.side == .query ? embedder.model.query : embedder.model.target }

    /// Embeddings of a prepared unit, [B, E]. Local.
    /// - Parameter unit: its number, for messages.
    func embeddings(_ batch: SideBatch, of unit: Int) throws -> Floats {
        let input = batch.encoderInput
        let parts = Self.parts(input)
        let firstRow = units[unit].lowerBound
        guard parts.count > 1 else { return try embedder.embeddings(input, encoder, number: { firstRow + $0 }) }
        let columns = embedder.model.columns
        let result = Floats(count: input.rows * columns)
        for part in parts {
            let values = try embedder.embeddings(
                encoder.slice(input, part), encoder, number: { firstRow + part.lowerBound + $0 })
            result[part.lowerBound * columns..<part.upperBound * columns].copy(from: values)
        }
        return result
    }

    /// Runs of rows with at most so many tokens, or one row.
    private static func parts(_ input: EncoderInput) -> [Range<Int>] {
        guard case .text(_, let offsets) = input else { return [0..<input.rows] }
        var parts: [Range<Int>] = []
        var first = 0
        for row in 0..<input.rows where offsets[row + 1] - offsets[first] > tokensAtATime && row > first {
            parts.append(first..<row)
            first = row
        }
        return parts + [first..<input.rows]
    }

    /// Units `first`, `first + step`, … prepared on a thread ahead of who takes them; nil when there is none.
    func prefetcher(from first: Int, by step: Int) -> Prefetcher<SideBatch>? {
        guard first < units.count else { return nil }
        return Prefetcher(0...(units.count - 1 - first) / step, depth: 2) { [units] in
            try units.prepare(first + $0 * step)
        }
    }

    /// Gives `body` the rows of units `first`, `first + step`, … in order, with their embeddings. Local.
    func forEachUnit(from first: Int, by step: Int, _ body: (Range<Int>, Floats) throws -> Void) throws {
        guard let prefetcher = prefetcher(from: first, by: step) else { return }
        defer { prefetcher.stop() }
        var unit = first
        while let batch = try prefetcher.next() {
            try body(units[unit], try embeddings(batch, of: unit))
            unit += step
        }
    }

    /// All embeddings, [rows, E], the same on every rank. *Collective.*
    func gathered(_ communicator: any Communicator) throws -> Floats {
        let columns = embedder.model.columns
        let result = Floats(repeating: 0, count: count * columns)
        try agreed(communicator) {
            try forEachUnit(from: communicator.rank, by: communicator.size) { rows, values in
                result[rows.lowerBound * columns..<rows.upperBound * columns].copy(from: values)
            }
        }
        guard communicator.size > 1 else { return result }
        // Zeros elsewhere: a sum with one term is exact.
        for start in stride(from: 0, to: result.count, by: 1 << 24) {
            try communicator.allReduce(result[start..<min(start + (1 << 24), result.count)])
        }
        return result
    }
}
