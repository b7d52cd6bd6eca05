// Work shared among the threads of a rank. Not here: products, which split along their own sides (Gemm.swift).

import Buffers
import Foundation

/// Elements moved that are worth a thread of their own: some ten times what it costs to hand them over.
private let leastElements = 1 << 15

/// Parts for each thread: who is held up, by the machine or by longer sequences, leaves the rest of them to the others.
let partsPerThread = 4

/// Runs `body` on ranges that together are `0 ..< count`, on the threads that `blasThreads()` allows; on the caller's alone where there
/// is little to do. `body` must not depend on how the range is cut.
/// - Parameter elements: that all of it reads and writes.
func parallel(_ count: Int, elements: Int, _ body: @Sendable (Range<Int>) -> Void) {
    let threads = min(blasThreads(), elements / leastElements)
    guard threads > 1, count > 1 else { return count > 0 ? body(0..<count) : () }
    let parts = min(count, threads * partsPerThread)
    DispatchQueue.concurrentPerform(iterations: parts) { part in
        body(count * part / parts..<count * (part + 1) / parts)
    }
}

/// Rows of a block whose sums are formed by themselves: blocks and their order are the same for any number of threads.
private let blockRows = 256

/// Sums over rows for each column: calls `add` with blocks of rows and C zeros in place of each of `sums` to add theirs to, and adds up
/// what it leaves there, block by block. Nil stays nil. What else `add` writes for a row must be that row's own.
/// - Parameter sums: accumulated; C elements each.
func sumRows(_ rows: Int, columns: Int, into sums: [Floats?], _ add: @Sendable (Range<Int>, [Floats?]) -> Void) {
    guard rows > blockRows else { return rows > 0 ? add(0..<rows, sums) : () }
    let blocks = (rows + blockRows - 1) / blockRows
    let partial = sums.map { $0 == nil ? nil : Floats(count: blocks * columns) }
    parallel(blocks, elements: rows * columns) { part in
        for block in part {
            let own = partial.map { $0?[block * columns..<(block + 1) * columns] }
            own.forEach { $0?.fill(0) }
            add(block * blockRows..<min(rows, (block + 1) * blockRows), own)
        }
    }
    for case (let sum?, let partial?) in zip(sums, partial) {
        for block in 0..<blocks { addInto(sum, partial[block * columns..<(block + 1) * columns]) }
    }
}
