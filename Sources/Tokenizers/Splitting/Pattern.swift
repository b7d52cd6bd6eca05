// Regular expressions as `tokenizers` has them. Not here: what is done with matches (PieceList, TextReplacement).

private import COniguruma
import Synchronization

/// A compiled regular expression of Oniguruma's Ruby syntax over UTF-8, or a text taken literally.
///
/// Debian's library knows an older Unicode than the one inside `tokenizers`, so the general categories that a pattern names (`\p{L}`),
/// `\w` and `\d` are those of `UnicodeTables`. `\b`, `[[:alpha:]]` and scripts stay the library's: they differ for scalars assigned
/// after Unicode 14.
final class Pattern: @unchecked Sendable {
    // The compiled form does not change after init; each search brings its own state.
    private let regex: OnigRegex
    let source: String

    /// What is wrong with a pattern.
    struct Malformed: Error { var message: String }

    /// - Parameter source: a regular expression.
    init(_ source: String) throws(Malformed) {
        self.source = source
        regex = try Self.compile(source)
    }

    /// A pattern that matches `literal` alone.
    convenience init(literal: String) throws(Malformed) {
        let special = Set("\\.+*?()|[]{}^$#&-~".unicodeScalars)
        var source = ""
        for scalar in literal.unicodeScalars {
            if special.contains(scalar) { source.unicodeScalars.append("\\") }
            source.unicodeScalars.append(scalar)
        }
        try self.init(source)
    }

    deinit { onig_free(regex) }

    /// Gives each match, from left to right without overlap, to `body`; an empty match is not taken where the last match ended.
    ///
    /// A search that exceeds the library's limit of tries finds nothing more.
    func forEachMatch(in bytes: ArraySlice<UInt8>, _ body: (Range<Int>) -> Void) {
        let region = onig_region_new()
        defer { onig_region_free(region, 1) }
        let first = bytes.startIndex
        bytes.withUnsafeBufferPointer { bytes in
            // The library wants a place even for an empty text.
            var nothing: UInt8 = 0
            withUnsafePointer(to: &nothing) { nothing in
                let text = bytes.baseAddress ?? nothing
                let end = text + bytes.count
                var position = 0
                var lastEnd = -1
                while position <= bytes.count {
                    guard onig_search(regex, text, end, text + position, end, region, ONIG_OPTION_NONE) >= 0,
                        let region, let starts = region.pointee.beg, let ends = region.pointee.end
                    else { return }
                    // `\K` inside a look-behind puts the beginning of a match before the end of the last one.
                    let stop = Int(ends[0])
                    let start = min(max(Int(starts[0]), lastEnd), stop)
                    if start == stop, stop == lastEnd {
                        position = stop + (stop < bytes.count ? UTF8Text.length(bytes[stop]) : 1)
                        continue
                    }
                    body(first + start..<first + stop)
                    position = stop
                    lastEnd = stop
                }
            }
        }
    }

    /// Compiling changes what the library shares between expressions.
    private static let compiler = Mutex(CategoryNames())

    private static func compile(_ source: String) throws(Malformed) -> OnigRegex {
        var error = OnigErrorInfo()
        let (regex, code) = compiler.withLock { names -> (SendableRegex, Int32) in
            let source = Self.named(source)
            names.define(in: source)
            var regex: OnigRegex?
            let bytes = Array(source.utf8) + [0]
            let code = bytes.withUnsafeBufferPointer { bytes -> Int32 in
                guard let start = bytes.baseAddress else { return ONIGERR_MEMORY }
                return onig_new(
                    &regex, start, start + (bytes.count - 1), ONIG_OPTION_NONE, fanoise_onig_utf8(),
                    fanoise_onig_syntax(), &error)
            }
            return (SendableRegex(pointer: regex), code)
        }
        guard code == ONIG_NORMAL, let pointer = regex.pointer else {
            var message = [UInt8](repeating: 0, count: Int(ONIG_MAX_ERROR_MESSAGE_LEN))
            let length = fanoise_onig_message(&message, code, &error)
            throw Malformed(message: String(decoding: message.prefix(Int(max(0, length))), as: UTF8.self))
        }
        return pointer
    }

    /// Our names for what `\w` means outside of brackets and inside, where the library does not count superscripts and fractions.
    private static let word = "fanoiseword"
    private static let wordInBrackets = "fanoisewordinbrackets"

    /// The pattern with `\w` and `\d` written as categories.
    private static func named(_ source: String) -> String {
        var result = String.UnicodeScalarView()
        var isEscaped = false
        var brackets = 0
        for scalar in source.unicodeScalars {
            let word = brackets > 0 ? wordInBrackets : word
            switch scalar {
            case "[" where !isEscaped:
                brackets += 1
                result.append(scalar)
            case "]" where !isEscaped:
                brackets = max(0, brackets - 1)
                result.append(scalar)
            case "w" where isEscaped: result.append(contentsOf: "p{\(word)}".unicodeScalars)
            case "W" where isEscaped: result.append(contentsOf: "P{\(word)}".unicodeScalars)
            case "d" where isEscaped: result.append(contentsOf: "p{Nd}".unicodeScalars)
            case "D" where isEscaped: result.append(contentsOf: "P{Nd}".unicodeScalars)
            default: result.append(scalar)
            }
            isEscaped = scalar == "\\" && !isEscaped
        }
        return String(result)
    }

    private struct SendableRegex: @unchecked Sendable { let pointer: OnigRegex? }

    /// The categories that the library was told about.
    private struct CategoryNames {
        private var defined: Set<String> = []
        /// The library takes no more.
        private static let limit = 20

        /// Defines each category that follows `\p{`, `\p{^` or `\P{` in a pattern.
        mutating func define(in source: String) {
            for part in source.components(after: ["\\p{", "\\P{"]) {
                let name = String(part.drop { $0 == "^" }.prefix { $0 != "}" })
                guard !defined.contains(name), defined.count < Self.limit else { continue }
                let ranges =
                    switch name {
                    case Pattern.word: Categories.word { _ in true }
                    case Pattern.wordInBrackets: Categories.word { ![0xB2, 0xB3, 0xB9, 0xBC, 0xBD, 0xBE].contains($0) }
                    default: Categories.ranges(name)
                    }
                guard !ranges.isEmpty else { continue }
                // Kept for as long as the process lives, as the library does.
                let memory = UnsafeMutablePointer<OnigCodePoint>.allocate(capacity: 1 + 2 * ranges.count)
                memory[0] = OnigCodePoint(ranges.count)
                for (index, range) in ranges.enumerated() {
                    memory[1 + 2 * index] = OnigCodePoint(range.lowerBound)
                    memory[2 + 2 * index] = OnigCodePoint(range.upperBound)
                }
                if onig_unicode_define_user_property(name, memory) == ONIG_NORMAL { defined.insert(name) }
            }
        }
    }
}

extension String {
    /// What follows each of the separators.
    fileprivate func components(after separators: [String]) -> [Substring] {
        separators.flatMap { self.split(separator: $0, omittingEmptySubsequences: false).dropFirst() }
    }
}
