// What an update must know of the place in the layout: decay, learning rate, which tensor. Not here: the updates.

public import Buffers

/// Weight decay and the learning rate's factor by place, as few long segments: neighbours that agree are one, and padding belongs to
/// the parameter before it (it is zero, and every update of zeros by zeros leaves zeros).
public struct UpdateMap: Sendable, Equatable {
    /// A run of the flat buffer over which the answers are one.
    public struct Segment: Sendable, Equatable {
        public var range: Range<Int>
        /// Whether weight decay applies.
        public let decays: Bool
        /// Factor of the learning rate.
        public let rate: Double
    }

    /// Elements of the layout.
    public let count: Int
    /// One for each tensor, in the order of the layout.
    let tensors: [Segment]
    private let segments: [Segment]

    /// - Parameter rates: factors of the learning rate, one for each entry; nil for 1.
    public init(_ layout: ParameterLayout, rates: [Double]? = nil) {
        precondition(
            rates.map { $0.count == layout.entries.count } ?? true,
            "\(rates?.count ?? 0) factors for \(layout.entries.count) parameters")
        let ends = layout.entries.dropFirst().map(\.offset) + [layout.count]
        let tensors = layout.entries.indices.map { index in
            let entry = layout.entries[index]
            return Segment(range: entry.offset..<ends[index], decays: entry.decays, rate: rates?[index] ?? 1)
        }
        var segments: [Segment] = []
        for tensor in tensors where !tensor.range.isEmpty {
            if let last = segments.last, last.decays == tensor.decays, last.rate == tensor.rate {
                segments[segments.count - 1].range = last.range.lowerBound..<tensor.range.upperBound
            } else {
                segments.append(tensor)
            }
        }
        (count, self.tensors, self.segments) = (layout.count, tensors, segments)
    }

    /// Calls `body` with each non-empty part of `range` over which decay and rate are one, in order.
    public func forEachSegment(in range: Range<Int>, _ body: (_ segment: Segment) -> Void) {
        forEach(of: segments, in: range) { body($1) }
    }

    /// Calls `body` with each non-empty part of `range` that belongs to one tensor, and the tensor's index, in order.
    func forEachTensor(in range: Range<Int>, _ body: (_ tensor: Int, _ segment: Segment) -> Void) {
        forEach(of: tensors, in: range, body)
    }

    private func forEach(
        of segments: [Segment], in range: Range<Int>, _ body: (_ index: Int, _ segment: Segment) -> Void
    ) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "range \(range) exceeds a layout of \(count)")
        // The first segment that ends behind the range's start.
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].range.upperBound <= range.lowerBound { low = middle + 1 } else { high = middle }
        }
        while low < segments.count, segments[low].range.lowerBound < range.upperBound {
            var part = segments[low]
            part.range = part.range.clamped(to: range)
            if !part.range.isEmpty { body(low, part) }
            low += 1
        }
    }
}

/// Limits of some parameters: a learned temperature stays within them.
public struct ParameterBound: Sendable, Equatable {
    /// Elements of the flat buffer.
    public var range: Range<Int>
    public var limits: ClosedRange<Float>

    public init(range: Range<Int>, limits: ClosedRange<Float>) {
        self.range = range
        self.limits = limits
    }

    /// Clamps the elements that lie in both ranges.
    public func apply(to parameters: Floats, within owned: Range<Int>) {
        for index in range.clamped(to: owned) {
            parameters[index] = min(max(parameters[index], limits.lowerBound), limits.upperBound)
        }
    }
}
