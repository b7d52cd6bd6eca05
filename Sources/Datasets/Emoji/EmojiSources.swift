// Which Debian packages and fonts a data set is made from, and where they are found. Not here: reading them.

import Failures
import Foundation
import Pictures

/// One source of drawings: its name in the data set, where it lies, and under which licence.
public struct EmojiDrawingSource: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// A font with painted glyphs.
        case colourFont
        /// A font with outlines, black on white.
        case outlineFont
        /// A folder of PNG files.
        case folder
    }

    /// Folder name below `images` and value of `drawing` in the rows: letters, digits, `-` and `_`.
    public let name: String
    public let kind: Kind
    public let path: String
    /// The Debian package, if it comes from one.
    public let package: String?
    public let licence: String

    /// Set A asks for painted drawings only: an outline does not tell a colour.
    var isColour: Bool { kind != .outlineFont }

    func open() throws -> any EmojiDrawing {
        switch kind {
        case .colourFont: try FontDrawing(path: path, isColour: true)
        case .outlineFont: try FontDrawing(path: path, isColour: false)
        case .folder: try FolderDrawing(directory: path)
        }
    }
}

extension EmojiDrawingSource {
    public static let defaultNotoPath = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
    public static let defaultSymbolaPath = "/usr/share/fonts/truetype/ancient-scripts/Symbola_hint.ttf"
    /// Places searched for EmojiOne when none is named: an unpacked package below the current directory, then an installed one.
    public static let defaultGemojionePaths = [".build/debian/gemojione", "/"]

    /// Noto Color Emoji: bitmaps of 136 × 128 pixels.
    public static func noto(path: String = defaultNotoPath) throws -> EmojiDrawingSource {
        try font("noto", .colourFont, path: path, package: "fonts-noto-color-emoji", licence: "OFL-1.1")
    }

    /// Symbola: outlines.
    public static func symbola(path: String = defaultSymbolaPath) throws -> EmojiDrawingSource {
        try font(
            "symbola", .outlineFont, path: path, package: "fonts-symbola", licence: "free for any use (George Douros)")
    }

    /// Any other emoji font; its licence is the user's to know.
    /// - Throws: `Failure(.usage)` for a name that cannot be a folder's, `Failure(.inputMissing)` if there is no such file.
    public static func font(name: String, path: String) throws -> EmojiDrawingSource {
        let allowed = name.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (97...122).contains(byte | 32) || byte == 45 || byte == 95
        }
        guard !name.isEmpty, allowed else {
            throw Failure(.usage, "'\(name)' cannot name a drawing: use letters, digits, '-' and '_'")
        }
        let kind: Kind = try GlyphRenderer(path: path).hasColour ? .colourFont : .outlineFont
        return try font(name, kind, path: path, package: nil, licence: "see the font")
    }

    private static func font(
        _ name: String, _ kind: Kind, path: String, package: String?, licence: String
    ) throws -> EmojiDrawingSource {
        guard FileManager.default.isReadableFile(atPath: path) else {
            let advice = package.map { ": install the Debian package \($0) or name the font" } ?? ""
            throw Failure(.inputMissing, "cannot read the font \(path)\(advice)")
        }
        return EmojiDrawingSource(name: name, kind: kind, path: path, package: package, licence: licence)
    }

    /// EmojiOne's PNG files of 64 × 64 pixels, from the package ruby-gemojione.
    ///
    /// - Parameter path: the folder of PNG files, the gem's folder, or the root of the unpacked package; nil: the usual places.
    /// - Throws: `Failure(.inputMissing)` that says how to get the package without installing it.
    public static func emojione(path: String? = nil) throws -> EmojiDrawingSource {
        let roots = path.map { [$0] } ?? defaultGemojionePaths
        for root in roots {
            guard let folder = pictureFolder(below: root) else { continue }
            return EmojiDrawingSource(
                name: "emojione", kind: .folder, path: folder, package: "ruby-gemojione", licence: "CC-BY-SA-4.0")
        }
        throw Failure(
            .inputMissing,
            "no EmojiOne pictures in \(path ?? defaultGemojionePaths[0]): do without them (--drawings noto,symbola), or unpack the Debian "
                + "package ruby-gemojione there, as launch/setup does (apt-get download ruby-gemojione, then "
                + "dpkg-deb -x ruby-gemojione_*.deb \(path ?? defaultGemojionePaths[0]))"
        )
    }

    private static func pictureFolder(below root: String) -> String? {
        let gems = root + "/usr/share/rubygems-integration/all/gems"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: gems)) ?? []).filter {
            $0.hasPrefix("gemojione-")
        }
        let folders = [root, root + "/assets/png"] + versions.sorted().reversed().map { "\(gems)/\($0)/assets/png" }
        return folders.first { FileManager.default.fileExists(atPath: $0 + "/1F600.png") }
    }
}

/// What a data set is made from and how.
public struct EmojiDatasetOptions: Sendable {
    /// In the order in which rows of one emoji appear; the first is the one that set B is usually asked in.
    public var drawings: [EmojiDrawingSource]
    /// CLDR's `common` directory.
    public var cldrDirectory = "/usr/share/unicode/cldr/common"
    /// The directory of the Unicode data files, with `emoji/emoji-test.txt` below it.
    public var unicodeDirectory = "/usr/share/unicode"
    /// Languages of the captions; the first one gives `text`, and emojis without a name in it are left out. Nil: all, English first.
    public var languages: [String]? = ["en"]
    /// Side of the pictures in pixels.
    public var size = 64
    /// Expected share of bases kept for set B.
    public var heldOut = 0.15
    /// Expected share of the other bases that give one drawing of each emoji to set A; 1: all that have two painted drawings.
    public var seenShare = 1.0
    /// Whether emojis with skin tones are added to the training rows; they are never in the sets A and B.
    public var includesSkinTones = false
    /// Threads that draw; the result does not depend on it.
    public var threads = max(1, min(8, ProcessInfo.processInfo.activeProcessorCount))
    /// Takes only this many emojis from the start of the list: for tests.
    public var limit: Int?

    public init(drawings: [EmojiDrawingSource]) { self.drawings = drawings }

    func validate() throws {
        guard !drawings.isEmpty else { throw Failure(.usage, "an emoji data set needs at least one drawing") }
        guard Set(drawings.map(\.name)).count == drawings.count else {
            throw Failure(.usage, "two drawings have the same name: \(drawings.map(\.name).joined(separator: ", "))")
        }
        guard (8...1024).contains(size) else {
            throw Failure(.usage, "pictures of \(size) pixels: choose a side from 8 to 1024")
        }
        guard heldOut >= 0, heldOut < 1 else {
            throw Failure(.usage, "a held-out share of \(heldOut): choose one in [0, 1)")
        }
        guard seenShare >= 0, seenShare <= 1 else {
            throw Failure(.usage, "a share of \(seenShare) for set A: choose one in [0, 1]")
        }
        if let languages, languages.isEmpty { throw Failure(.usage, "an emoji data set needs at least one language") }
    }
}
