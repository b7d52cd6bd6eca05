// A text on its way to words. Not here: the rules for splitting (PreTokenizer).

/// Pieces of a text, in order, and the bytes they are ranges of.
struct PieceList {
    var bytes: [UInt8]
    /// Never empty ranges.
    var ranges: [Range<Int>]
    /// Whether the first piece begins where the text that was given begins.
    var beginsText: Bool

    init(_ bytes: [UInt8], beginsText: Bool) {
        self.bytes = bytes
        ranges = bytes.isEmpty ? [] : [0..<bytes.count]
        self.beginsText = beginsText
    }

    /// Splits each piece into what `body` appends to the ranges it is given; empty ones are dropped.
    mutating func split(_ body: (ArraySlice<UInt8>, inout [Range<Int>]) -> Void) {
        var result: [Range<Int>] = []
        result.reserveCapacity(ranges.count * 2)
        let first = ranges.first?.lowerBound
        for range in ranges { body(bytes[range], &result) }
        result.removeAll(where: \.isEmpty)
        if result.first?.lowerBound != first { beginsText = false }
        ranges = result
    }

    /// Replaces each piece by what `body` appends to the bytes it is given.
    mutating func replace(_ body: (ArraySlice<UInt8>, _ isFirst: Bool, inout [UInt8]) -> Void) {
        var new: [UInt8] = []
        new.reserveCapacity(bytes.count + bytes.count / 2 + 8)
        for index in ranges.indices {
            let start = new.count
            body(bytes[ranges[index]], index == 0, &new)
            ranges[index] = start..<new.count
        }
        bytes = new
    }
}

/// What becomes of the parts that match where a text is split.
enum SplitBehaviour: String, CaseIterable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"

    /// Appends the pieces of a text that is made of `parts`, of which some match.
    func append(_ parts: [(range: Range<Int>, matches: Bool)], to result: inout [Range<Int>]) {
        switch self {
        case .removed: for part in parts where !part.matches { result.append(part.range) }
        case .isolated: for part in parts { result.append(part.range) }
        case .contiguous:
            var last: Bool?
            for part in parts {
                if part.matches == last, let piece = result.popLast() {
                    result.append(piece.lowerBound..<part.range.upperBound)
                } else {
                    result.append(part.range)
                }
                last = part.matches
            }
        case .mergedWithPrevious: merge(parts, to: &result) { $0.lowerBound..<$1.upperBound }
        case .mergedWithNext:
            var backwards: [Range<Int>] = []
            merge(parts.reversed(), to: &backwards) { $1.lowerBound..<$0.upperBound }
            result.append(contentsOf: backwards.reversed())
        }
    }

    /// Joins each match with the part before it, unless that is a match too.
    private func merge(
        _ parts: [(range: Range<Int>, matches: Bool)], to result: inout [Range<Int>],
        _ join: (Range<Int>, Range<Int>) -> Range<Int>
    ) {
        var afterMatch = false
        var isFirst = true
        for part in parts {
            if part.matches, !afterMatch, !isFirst, let piece = result.popLast() {
                result.append(join(piece, part.range))
            } else {
                result.append(part.range)
            }
            afterMatch = part.matches
            isFirst = false
        }
    }
}
