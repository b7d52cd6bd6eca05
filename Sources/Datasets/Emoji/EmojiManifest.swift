// What a finished emoji data set says about itself. Not here: making it.

import Foundation

/// The content of `manifest.json`: parameters, counts, sources and licences. No times and no places of files, so that equal
/// inputs give equal bytes.
public struct EmojiManifest: Codable, Sendable, Equatable {
    public struct Parameters: Codable, Sendable, Equatable {
        public let size: Int
        public let heldOut: Double
        public let seenShare: Double
        public let languages: [String]
        public let skinTones: Bool
    }
    public struct Drawing: Codable, Sendable, Equatable {
        public let name: String
        public let licence: String
        public let package: String?
        public let version: String?
        /// Files below `images/NAME`.
        public let pictures: Int
        public let bytes: Int
        /// Rows in each set.
        public let train: Int
        public let seen: Int
        public let unseen: Int
        /// Emojis of this drawing whose picture another emoji has, too.
        public let identical: Int
    }
    public struct File: Codable, Sendable, Equatable {
        public let rows: Int
        public let bytes: Int
        /// Different emojis among the rows.
        public let emojis: Int
    }
    public struct Captions: Codable, Sendable, Equatable {
        public let language: String
        public let names: Int
        public let keywords: Int
    }
    public struct Source: Codable, Sendable, Equatable {
        public let package: String
        public let version: String?
        public let licence: String
    }

    public static let currentFormat = "fanoise-emoji"
    public static let currentVersion = 1

    public var format = currentFormat
    public var version = currentVersion
    public let parameters: Parameters
    public let drawings: [Drawing]
    /// By file name.
    public let files: [String: File]
    /// Emojis with a caption in the first language and at least one picture.
    public let emojis: Int
    public let bases: Int
    /// Captions per language over these emojis.
    public let captions: [Captions]
    /// Code points of the emojis that share an `id` because a picture of theirs is the same.
    public let identical: [[String]]
    /// Packages of captions and lists; those of pictures are named at their drawings.
    public let sources: [Source]

    enum CodingKeys: String, CodingKey {
        case format, version, parameters, drawings, files, emojis, bases, captions, identical, sources
    }

    /// The counts as a table for people.
    public var table: String {
        var lines = [Self.line("drawing", "pictures", "train", "seen (A)", "unseen (B)", "identical")]
        for drawing in drawings {
            lines.append(
                Self.line(
                    drawing.name, "\(drawing.pictures)", "\(drawing.train)", "\(drawing.seen)", "\(drawing.unseen)",
                    "\(drawing.identical)"))
        }
        let sets = EmojiSet.allCases.map { files["\($0.rawValue).jsonl"] }
        lines.append(
            Self.line(
                "rows", "\(drawings.reduce(0) { $0 + $1.pictures })", "\(sets[0]?.rows ?? 0)", "\(sets[1]?.rows ?? 0)",
                "\(sets[2]?.rows ?? 0)", ""))
        lines.append(
            Self.line(
                "emojis", "\(emojis)", "\(sets[0]?.emojis ?? 0)", "\(sets[1]?.emojis ?? 0)", "\(sets[2]?.emojis ?? 0)",
                ""))
        let names = captions.reduce(0) { $0 + $1.names }
        let keywords = captions.reduce(0) { $0 + $1.keywords }
        let languages = captions.count == 1 ? captions[0].language : "\(captions.count) languages"
        lines.append("captions (\(languages)): \(names) names, \(keywords) keywords; \(bases) bases")
        return lines.joined(separator: "\n")
    }

    private static func line(_ first: String, _ others: String...) -> String {
        let head = first.padding(toLength: max(12, first.count), withPad: " ", startingAt: 0)
        return others.reduce(head) { $0 + String(repeating: " ", count: max(1, 11 - $1.count)) + $1 }
    }
}

/// Versions of installed Debian packages.
enum DebianPackage {
    /// The version that dpkg knows, nil without dpkg or package.
    static func version(_ name: String) -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/dpkg-query")
        process.arguments = ["--show", "--showformat=${Version}", name]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let version = String(decoding: data, as: UTF8.self)
        return process.terminationStatus == 0 && !version.isEmpty ? version : nil
    }
}
