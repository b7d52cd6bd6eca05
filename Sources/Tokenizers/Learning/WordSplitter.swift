// From text to words, the units inside which bytes are merged. Not here: the merging (WordMerger).

/// Normalises text and splits it into words; concatenated, the words are the normalised text.
///
/// Normalising: one space in front (a word is then the same at the start of a text and inside it) and lower case, both optional.
/// Lower case is Unicode's full mapping of each scalar by itself (`İ` becomes two scalars, `Σ` never a final sigma).
///
/// A word is the longest match of the first alternative of GPT-2's pattern that matches where the last word ended:
///
///     's | 't | 're | 've | 'm | 'll | 'd      English endings
///     one optional space, then letters         \p{L}+
///     one optional space, then digits          \p{N}+
///     one optional space, then anything else that is not white space: punctuation, marks, emoji
///     white space, without its last character where something other than white space follows
///     white space
struct WordSplitter: Sendable, Equatable {
    var lowercases: Bool
    var prependsSpace: Bool

    private enum CharacterClass { case letter, number, space, other }

    private static func characterClass(_ scalar: Unicode.Scalar) -> CharacterClass {
        if scalar.isASCII {
            switch scalar.value {
            case 0x61...0x7A, 0x41...0x5A: return .letter
            case 0x30...0x39: return .number
            case 0x09...0x0D, 0x20: return .space
            default: return .other
            }
        }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return .letter
        case .decimalNumber, .letterNumber, .otherNumber: return .number
        default: return scalar.properties.isWhitespace ? .space : .other
        }
    }

    /// The normalised text in UTF-8, and class and end of each of its scalars.
    private struct Scan {
        var bytes: [UInt8] = []
        var classes: [CharacterClass] = []
        var ends: [Int] = []

        mutating func append(_ scalar: Unicode.Scalar) {
            if scalar.isASCII {
                bytes.append(UInt8(scalar.value))
            } else {
                bytes.append(contentsOf: UTF8.encode(scalar) ?? .init())
            }
            classes.append(WordSplitter.characterClass(scalar))
            ends.append(bytes.count)
        }
    }

    private func scan(_ text: String) -> Scan {
        var scan = Scan()
        let count = text.utf8.count
        scan.bytes.reserveCapacity(count + 1)
        scan.classes.reserveCapacity(count + 1)
        scan.ends.reserveCapacity(count + 1)
        if prependsSpace, count > 0 { scan.append(" ") }
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x41...0x5A where lowercases: scan.append(Unicode.Scalar(UInt8(scalar.value + 32)))
            case 0x80... where lowercases: scalar.properties.lowercaseMapping.unicodeScalars.forEach { scan.append($0) }
            default: scan.append(scalar)
            }
        }
        return scan
    }

    /// Gives each word's bytes to `body`, in order, until it returns false.
    func forEachWord(in text: String, _ body: (ArraySlice<UInt8>) -> Bool) {
        let scan = scan(text)
        var start = 0
        var firstByte = 0
        while start < scan.classes.count {
            let end = Self.wordEnd(from: start, scan)
            let lastByte = scan.ends[end - 1]
            guard body(scan.bytes[firstByte..<lastByte]) else { return }
            start = end
            firstByte = lastByte
        }
    }

    /// The scalar after the word that begins at scalar `start`.
    private static func wordEnd(from start: Int, _ scan: Scan) -> Int {
        let classes = scan.classes
        func runEnd(_ first: Int) -> Int {
            var end = first + 1
            while end < classes.count, classes[end] == classes[first] { end += 1 }
            return end
        }
        let byte = scan.bytes[scan.ends[start] - 1]
        if byte == UInt8(ascii: "'") {
            let follows = scan.bytes[scan.ends[start]...].prefix(2)
            if let ending = endings.first(where: { follows.starts(with: $0) }) { return start + 1 + ending.count }
        }
        if byte == UInt8(ascii: " "), start + 1 < classes.count, classes[start + 1] != .space {
            return runEnd(start + 1)
        }
        let end = runEnd(start)
        guard classes[start] == .space, end < classes.count, end - start > 1 else { return end }
        return end - 1
    }

    private static let endings = ["s", "t", "re", "ve", "m", "ll", "d"].map { Array($0.utf8) }
}
