// The check that every kernel makes of its arguments. Not here: shapes of models.

import Buffers

/// Stops with both counts when `buffer` does not hold exactly `expected` elements.
@inline(__always) func check<Element>(_ name: StaticString, _ buffer: Buffer<Element>, holds expected: Int) {
    precondition(buffer.count == expected, "\(name) has \(buffer.count) elements, the shape says \(expected)")
}

/// Stops when a dimension is negative.
@inline(__always) func checkShape(_ rows: Int, _ columns: Int) {
    precondition(rows >= 0 && columns >= 0, "shape \(rows)×\(columns) is negative")
}
