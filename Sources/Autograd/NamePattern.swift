// Patterns over dotted names: which parameters are meant. Not here: what happens to those (Parameters.swift, Training).

/// A glob over dotted names such as `query.blocks.0.attention.qkv.weight`.
///
/// `*` stands for any run of characters, dots included, `?` for one character. A pattern means every name it matches and everything
/// under it: `query` and `query.*` are the same, `*.blocks.0` is the first block of every tower. After `!` it takes names out again.
public struct NamePattern: Sendable, Equatable {
    /// As written, `!` included.
    public let text: String
    /// Whether it takes out what earlier patterns meant.
    public let excludes: Bool
    private let glob: [UInt8]

    public init(_ text: String) {
        self.text = text
        excludes = text.hasPrefix("!")
        glob = Array((excludes ? text.dropFirst() : text[...]).utf8)
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
            if index < glob.count, glob[index] == UInt8(ascii: "*") {
                retry = (position, index)
                index += 1
            } else if index < glob.count, glob[index] == UInt8(ascii: "?") || glob[index] == name[position] {
                position += 1
                index += 1
            } else if let last = retry {
                retry = (last.position + 1, last.index)
                (position, index) = (last.position + 1, last.index + 1)
            } else {
                return false
            }
        }
        return glob[index...].allSatisfy { $0 == UInt8(ascii: "*") }
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
