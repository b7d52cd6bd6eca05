// Patterns over dotted names: which parameters are meant. Not here: what happens to those (Parameters.swift, Training).

/// A glob over dotted names such as `query.blocks.0.attention.qkv.weight`.
///
/// `*` stands for any run of characters, dots included, `?` for one character, `[0-2]` and `[abc]` for one of a set, `[!0-2]` for one
/// that is not in it; a `[` that is never closed stands for itself. Sets are those of Python's `fnmatch`, of bytes. A pattern means every
/// name it matches and everything under it: `query` and `query.*` are the same, `*.blocks.0` is the first block of every tower. After `!`
/// it takes names out again.
public struct NamePattern: Sendable, Equatable {
    /// As written, `!` included.
    public let text: String
    /// Whether it takes out what earlier patterns meant.
    public let excludes: Bool
    private let glob: [Part]

    /// A run of any bytes, or one byte in (or not in) some ranges.
    private enum Part: Sendable, Equatable {
        case run
        case one([ClosedRange<UInt8>], isNegated: Bool = false)

        func takes(_ byte: UInt8) -> Bool {
            guard case .one(let ranges, let isNegated) = self else { return false }
            return ranges.contains { $0.contains(byte) } != isNegated
        }
    }

    public init(_ text: String) {
        self.text = text
        excludes = text.hasPrefix("!")
        var rest = Array((excludes ? text.dropFirst() : text[...]).utf8)[...]
        var glob: [Part] = []
        while let byte = rest.first {
            if byte == UInt8(ascii: "["), let (set, behind) = Self.byteSet(rest) {
                glob.append(set)
                rest = rest[behind...]
                continue
            }
            switch byte {
            case UInt8(ascii: "*"): glob.append(.run)
            case UInt8(ascii: "?"): glob.append(.one([0...255]))
            default: glob.append(.one([byte...byte]))
            }
            rest.removeFirst()
        }
        self.glob = glob
    }

    /// The set that begins with the `[` at the start, and the index behind it; nil when it is never closed. A `]` that comes first is one
    /// of the set.
    private static func byteSet(_ bytes: ArraySlice<UInt8>) -> (set: Part, behind: Int)? {
        var content = bytes.dropFirst()
        let isNegated = content.first == UInt8(ascii: "!")
        if isNegated { content.removeFirst() }
        guard let end = content.dropFirst().firstIndex(of: UInt8(ascii: "]")) else { return nil }
        content = content[..<end]
        var ranges: [ClosedRange<UInt8>] = []
        while let low = content.popFirst() {
            guard content.count >= 2, content.first == UInt8(ascii: "-"), let high = content.dropFirst().first else {
                ranges.append(low...low)
                continue
            }
            content.removeFirst(2)
            // As in fnmatch, a range that runs backwards is empty.
            if low <= high { ranges.append(low...high) }
        }
        return (.one(ranges, isNegated: isNegated), end + 1)
    }

    /// Whether the glob matches the name or one of the dotted paths that lead to it; `!` is not considered.
    public func covers(_ name: String) -> Bool {
        let name = Array(name.utf8)
        let ends = name.indices.filter { name[$0] == UInt8(ascii: ".") } + [name.count]
        return ends.contains { matches(name[..<$0]) }
    }

    /// The glob against a whole name: after a mismatch the last `*` takes one character more.
    private func matches(_ name: ArraySlice<UInt8>) -> Bool {
        var (position, index) = (name.startIndex, 0)
        var retry: (position: Int, index: Int)?
        while position < name.endIndex {
            if index < glob.count, glob[index] == .run {
                retry = (position, index)
                index += 1
            } else if index < glob.count, glob[index].takes(name[position]) {
                position += 1
                index += 1
            } else if let last = retry {
                retry = (last.position + 1, last.index)
                (position, index) = (last.position + 1, last.index + 1)
            } else {
                return false
            }
        }
        return glob[index...].allSatisfy { $0 == .run }
    }
}

extension Sequence<NamePattern> {
    /// Whether a name is meant by the list: what the last pattern that covers it says; not, when none does.
    public func selects(_ name: String) -> Bool {
        var selected = false
        for pattern in self where pattern.covers(name) { selected = !pattern.excludes }
        return selected
    }
}
