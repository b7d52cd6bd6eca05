// What a scalar is. Not here: the data (UnicodeTables), normal forms (NormalForm).

/// Yes-or-no properties of a scalar, as `tokenizers` sees them.
struct ScalarFlags: OptionSet, Sendable {
    let rawValue: UInt16

    /// White_Space.
    static let space = ScalarFlags(rawValue: 1)
    /// What the pre-tokenizers of Bert and Punctuation take for punctuation.
    static let punctuation = ScalarFlags(rawValue: 1 << 1)
    /// General category N.
    static let numeric = ScalarFlags(rawValue: 1 << 2)
    /// Part of a word for the pre-tokenizer Whitespace and for added tokens that are single words.
    static let word = ScalarFlags(rawValue: 1 << 3)
    /// Removed when Bert cleans a text.
    static let control = ScalarFlags(rawValue: 1 << 4)
    /// Nonspacing mark, removed by Bert.
    static let nonspacing = ScalarFlags(rawValue: 1 << 5)
    /// Combining mark, removed by StripAccents.
    static let mark = ScalarFlags(rawValue: 1 << 6)
    /// Padded with spaces by Bert: the blocks of CJK ideographs.
    static let ideograph = ScalarFlags(rawValue: 1 << 7)
    /// Its lower case differs.
    static let hasLowercase = ScalarFlags(rawValue: 1 << 8)
    /// Its canonical or compatible decomposition differs, or its combining class is not 0: NFD and NFKD must look at it.
    static let decomposes = ScalarFlags(rawValue: 1 << 9)
    /// Letters and digits of the words that byte-level vocabularies are made of: general categories L and N of the regular expressions.
    static let letter = ScalarFlags(rawValue: 1 << 10)
    static let number = ScalarFlags(rawValue: 1 << 11)

    /// Flags of every scalar.
    static let table: ScalarTable<UInt16> = makeTable()

    @inline(__always)
    static func of(_ scalar: UInt32) -> ScalarFlags { ScalarFlags(rawValue: table[scalar]) }

    private static func makeTable() -> ScalarTable<UInt16> {
        var flags = [UInt16](repeating: 0, count: 0x110000)
        func set(_ flag: ScalarFlags, _ ranges: [ClosedRange<Int>]) {
            for range in ranges { for scalar in range { flags[scalar] |= flag.rawValue } }
        }
        set(
            .space,
            [
                0x09...0x0D, 0x20...0x20, 0x85...0x85, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029,
                0x202F...0x202F, 0x205F...0x205F, 0x3000...0x3000,
            ])
        set(
            .ideograph,
            [
                0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x2A6DF, 0x2A700...0x2B73F,
                0x2B740...0x2B81F, 0x2B920...0x2CEAF, 0x2F800...0x2FA1F,
            ])
        for (flag, table) in [
            (ScalarFlags.punctuation, UnicodeTables.punctuation), (.numeric, UnicodeTables.numeric),
            (.word, UnicodeTables.wordOfWhitespace), (.control, UnicodeTables.control),
            (.nonspacing, UnicodeTables.nonspacing), (.mark, UnicodeTables.marks),
            (.decomposes, UnicodeTables.combiningClasses),
        ] {
            forEachRun(table) { range, value in if value != 0 { set(flag, [range]) } }
        }
        for category in Categories.ranges("L") { set(.letter, [category]) }
        for category in Categories.ranges("N") { set(.number, [category]) }
        forEachMapping(UnicodeTables.lowercase) { scalar, _ in set(.hasLowercase, [scalar...scalar]) }
        forEachMapping(UnicodeTables.canonical) { scalar, _ in set(.decomposes, [scalar...scalar]) }
        forEachMapping(UnicodeTables.compatible) { scalar, _ in set(.decomposes, [scalar...scalar]) }
        set(.decomposes, [0xAC00...0xD7A3])
        return ScalarTable(flags)
    }

    /// Gives each run of a table of (length, value) pairs to `body`.
    static func forEachRun(_ table: StaticString, _ body: (ClosedRange<Int>, Int) -> Void) {
        var numbers = PackedNumbers(table)
        var start = 0
        while let length = numbers.next(), let value = numbers.next() {
            body(start...start + length - 1, value)
            start += length
        }
    }

    /// Gives each scalar of a mapping and what it becomes to `body`.
    static func forEachMapping(_ table: StaticString, _ body: (Int, [UInt32]) -> Void) {
        var numbers = PackedNumbers(table)
        var scalar = 0
        while let step = numbers.next(), let count = numbers.next() {
            scalar += step
            body(scalar, (0..<count).map { _ in UInt32(scalar + (numbers.nextSigned() ?? 0)) })
        }
    }
}

/// General categories, and what regular expressions take for a part of a word.
enum Categories {
    /// The code points of `\w` that are kept, in ascending ranges.
    static func word(_ isKept: (Int) -> Bool) -> [ClosedRange<Int>] {
        var ranges: [ClosedRange<Int>] = []
        ScalarFlags.forEachRun(UnicodeTables.word) { range, value in
            guard value != 0 else { return }
            for scalar in range where isKept(scalar) {
                if let last = ranges.last, last.upperBound + 1 == scalar {
                    ranges[ranges.count - 1] = last.lowerBound...scalar
                } else {
                    ranges.append(scalar...scalar)
                }
            }
        }
        return ranges
    }

    /// The code points of a category (`Lu`) or of a group of them (`L`), in ascending ranges; empty for an unknown name.
    static func ranges(_ name: String) -> [ClosedRange<Int>] {
        let wanted = UnicodeTables.names.map { $0 == name || (name.count == 1 && $0.hasPrefix(name)) }
        var ranges: [ClosedRange<Int>] = []
        ScalarFlags.forEachRun(UnicodeTables.categories) { range, value in
            guard wanted[value] else { return }
            if let last = ranges.last, last.upperBound + 1 == range.lowerBound {
                ranges[ranges.count - 1] = last.lowerBound...range.upperBound
            } else {
                ranges.append(range)
            }
        }
        return ranges
    }
}

/// A few scalars for each of some scalars.
struct ScalarMapping: Sendable {
    private let index: ScalarTable<UInt16>
    private var starts: [UInt32] = [0]
    private var pool: [UInt32] = []

    init(_ table: StaticString) {
        var all = [UInt16](repeating: 0, count: 0x110000)
        var starts: [UInt32] = [0]
        var pool: [UInt32] = []
        ScalarFlags.forEachMapping(table) { scalar, new in
            all[scalar] = UInt16(starts.count)
            pool += new
            starts.append(UInt32(pool.count))
        }
        index = ScalarTable(all)
        self.starts = starts
        self.pool = pool
    }

    /// What the scalar becomes; nil for itself.
    @inline(__always)
    subscript(_ scalar: UInt32) -> ArraySlice<UInt32>? {
        let entry = Int(index[scalar])
        return entry == 0 ? nil : pool[Int(starts[entry - 1])..<Int(starts[entry])]
    }

    static let lowercase = ScalarMapping(UnicodeTables.lowercase)
    static let canonical = ScalarMapping(UnicodeTables.canonical)
    static let compatible = ScalarMapping(UnicodeTables.compatible)
}
