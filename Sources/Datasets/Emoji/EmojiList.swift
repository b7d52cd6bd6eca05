// The emojis that Unicode recommends, in its order. Not here: names in languages (CLDRAnnotations.swift), pictures.

import Failures
import Foundation

/// One emoji of Unicode's list: a sequence of code points with its place among the others.
public struct EmojiConcept: Sendable, Equatable {
    /// Fully qualified: with variation selectors and joiners.
    public let codePoints: [UInt32]
    /// The English name in the list, used for grouping only; captions come from CLDR.
    public let name: String
    /// `Smileys & Emotion`, `Flags`, …
    public let group: String
    /// `face-smiling`, `country-flag`, …
    public let subgroup: String

    /// Upper-case hexadecimal code points of at least four digits, joined by hyphens: `1F1E9-1F1EA`, `0031-FE0F-20E3`.
    public var id: String { Self.key(codePoints) }
    /// The characters themselves.
    public var text: String { String(String.UnicodeScalarView(codePoints.compactMap(Unicode.Scalar.init))) }
    /// Whether any person in it has one of the five skin tones.
    public var hasSkinTone: Bool { codePoints.contains(where: Self.skinTones.contains) }
    /// The code points without the variation selector: how CLDR and many picture collections spell an emoji.
    public var plainCodePoints: [UInt32] { codePoints.filter { $0 != Self.emojiSelector } }

    static let emojiSelector: UInt32 = 0xFE0F
    static let joiner: UInt32 = 0x200D
    static let skinTones: ClosedRange<UInt32> = 0x1F3FB...0x1F3FF

    static func key(_ codePoints: [UInt32]) -> String {
        codePoints.map { point in
            let digits = String(point, radix: 16, uppercase: true)
            return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        }.joined(separator: "-")
    }
}

/// Unicode's `emoji-test.txt`.
enum EmojiList {
    /// Every fully-qualified emoji of the file, in its order.
    ///
    /// Lines are `CODE POINTS ; STATUS # CHARACTERS EVERSION NAME`; comments `# group:` and `# subgroup:` head what follows.
    /// Components and less than fully qualified spellings are left out.
    /// - Throws: `Failure(.inputMissing)` without the file, `Failure(.data)` naming the line that cannot be understood.
    static func read(path: String) throws -> [EmojiConcept] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw Failure(.inputMissing, "cannot read \(path): install the Debian package unicode-data")
        }
        let concepts = try parse(text, name: path)
        guard !concepts.isEmpty else { throw Failure(.data, "\(path) lists no fully-qualified emoji") }
        return concepts
    }

    static func parse(_ text: String, name: String) throws -> [EmojiConcept] {
        var concepts: [EmojiConcept] = []
        var group = ""
        var subgroup = ""
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix("# group:") {
                group = line.dropFirst(8).trimmingCharacters(in: .whitespaces)
            } else if line.hasPrefix("# subgroup:") {
                subgroup = line.dropFirst(11).trimmingCharacters(in: .whitespaces)
            } else if !line.isEmpty, !line.hasPrefix("#") {
                guard let entry = Entry(line) else {
                    throw Failure(.data, "\(name), line \(number + 1): not `code points ; status # emoji version name`")
                }
                guard entry.status == "fully-qualified" else { continue }
                concepts.append(
                    EmojiConcept(codePoints: entry.codePoints, name: entry.name, group: group, subgroup: subgroup))
            }
        }
        return concepts
    }

    /// One line of data, taken apart.
    private struct Entry {
        let codePoints: [UInt32]
        let status: Substring
        let name: String

        init?(_ line: Substring) {
            guard let semicolon = line.firstIndex(of: ";"), let hash = line[semicolon...].firstIndex(of: "#") else {
                return nil
            }
            let numbers = line[..<semicolon].split(separator: " ")
            codePoints = numbers.compactMap { UInt32($0, radix: 16) }
            guard !numbers.isEmpty, codePoints.count == numbers.count,
                codePoints.allSatisfy({ Unicode.Scalar($0) != nil })
            else {
                return nil
            }
            status =
                line[line.index(after: semicolon)..<hash].trimmingPrefix(while: \.isWhitespace)
                .split(separator: " ").first ?? ""
            // After the hash: the characters, the version, the name.
            let words = line[line.index(after: hash)...].split(separator: " ", maxSplits: 2)
            guard words.count == 3, words[1].first == "E" else { return nil }
            name = String(words[2])
        }
    }
}
