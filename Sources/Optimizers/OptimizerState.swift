// What an optimizer keeps from step to step, for the ranges that one rank owns. Not here: the rules.

public import Buffers

/// Flat buffers of the layout, of which one rank holds the ranges that it owns, packed in the order of `ranges`.
public struct OptimizerState: Sendable {
    /// Ranges of the flat parameters.
    public let ranges: [Range<Int>]
    /// Where each range begins in a packed buffer.
    public let offsets: [Int]
    /// Names of the buffers: keys in checkpoints.
    public let names: [String]
    /// As many as names, each with the elements of the first range, then of the second, …
    public let buffers: [Floats]

    /// Zeros, as before the first step.
    public init(_ names: [String], ranges: [Range<Int>]) {
        self.ranges = ranges
        self.names = names
        var total = 0
        offsets = ranges.map { range in
            defer { total += range.count }
            return total
        }
        buffers = names.map { _ in Floats(repeating: 0, count: total) }
    }

    /// The part of a packed buffer that belongs to `segment`, a part of the range at `index`.
    func packed(_ segment: Range<Int>, inRangeAt index: Int) -> Range<Int> {
        let start = offsets[index] + segment.lowerBound - ranges[index].lowerBound
        return start..<start + segment.count
    }
}
