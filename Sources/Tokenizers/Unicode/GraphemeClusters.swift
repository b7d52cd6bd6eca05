// Boundaries of grapheme clusters. Not here: the data (UnicodeTables).

/// Extended grapheme clusters (Unicode Standard Annex 29), as far as clusters of under 6 bytes can tell them.
///
/// Joined emoji and conjuncts of Indic consonants are longer than that, and are cut here where another mark would not join them.
enum GraphemeClusters {
    private enum Kind: UInt8 { case other, control, extends, prepends }

    private static let table: ScalarTable<UInt8> = {
        var all = [UInt8](repeating: 0, count: 0x110000)
        ScalarFlags.forEachRun(UnicodeTables.clusters) { range, value in
            if value != 0 { for scalar in range { all[scalar] = UInt8(value) } }
        }
        return ScalarTable(all)
    }()

    private static func kind(_ scalar: UInt32) -> Kind { Kind(rawValue: table[scalar]) ?? .other }

    /// The end of the cluster that begins at `start`.
    static func end(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        var (scalar, length) = UTF8Text.scalar(bytes, start)
        var position = start + length
        if scalar == 13 { return position < bytes.count && bytes[position] == 10 ? position + 1 : position }
        while position < bytes.count {
            let (next, nextLength) = UTF8Text.scalar(bytes, position)
            guard joins(scalar, next) else { break }
            (scalar, length) = (next, nextLength)
            position += length
        }
        return position
    }

    private static func joins(_ left: UInt32, _ right: UInt32) -> Bool {
        let (leftKind, rightKind) = (kind(left), kind(right))
        if leftKind == .control || rightKind == .control || right == 13 || right == 10 { return false }
        return rightKind == .extends || leftKind == .prepends || joinsHangul(left, right)
    }

    private static func joinsHangul(_ left: UInt32, _ right: UInt32) -> Bool {
        let isLeading = 0x1100...0x115F ~= left || 0xA960...0xA97C ~= left
        let isSyllable = 0xAC00...0xD7A3 ~= left
        let isOpen = isSyllable && (left - 0xAC00) % 28 == 0
        let isVowel = 0x1160...0x11A7 ~= left || 0xD7B0...0xD7C6 ~= left
        let isTrailing = 0x11A8...0x11FF ~= left || 0xD7CB...0xD7FB ~= left
        let vowelFollows = 0x1160...0x11A7 ~= right || 0xD7B0...0xD7C6 ~= right
        let trailingFollows = 0x11A8...0x11FF ~= right || 0xD7CB...0xD7FB ~= right
        if isLeading {
            return 0x1100...0x115F ~= right || 0xA960...0xA97C ~= right || vowelFollows || 0xAC00...0xD7A3 ~= right
        }
        if isOpen || isVowel { return vowelFollows || trailingFollows }
        return (isSyllable || isTrailing) && trailingFollows
    }
}
