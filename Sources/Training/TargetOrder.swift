// The two orders of a local batch's targets. Not here: what makes them.
//
// Shapes: B local rows, k targets a row brings, E embedding width.

import Buffers

/// Between targets row by row (a row's own target, then its negatives), as a batch numbers them over all ranks, and targets in blocks
/// (all rows' own targets, then all first negatives, …), as the loss takes them. Nothing is copied where k is 1.
struct TargetOrder {
    let rows: Int
    let targetsPerRow: Int

    /// [B, k, E] → [k, B, E]
    func inBlocks(_ values: Floats, columns: Int) -> Floats {
        move(values, columns: columns) { row, place in (place * rows + row, row * targetsPerRow + place) }
    }

    /// [k, B, E] → [B, k, E]
    func byRow(_ values: Floats, columns: Int) -> Floats {
        move(values, columns: columns) { row, place in (row * targetsPerRow + place, place * rows + row) }
    }

    /// One number a target, [B, k] → [k, B].
    func inBlocks(_ values: [Int64]) -> [Int64] {
        (0..<targetsPerRow).flatMap { place in (0..<rows).map { values[$0 * targetsPerRow + place] } }
    }

    private func move(
        _ values: Floats, columns: Int, _ places: (_ row: Int, _ place: Int) -> (to: Int, from: Int)
    ) -> Floats {
        guard targetsPerRow > 1, rows > 0 else { return values }
        let result = Floats(count: values.count)
        for row in 0..<rows {
            for place in 0..<targetsPerRow {
                let (to, from) = places(row, place)
                result[to * columns..<(to + 1) * columns].copy(from: values[from * columns..<(from + 1) * columns])
            }
        }
        return result
    }
}
