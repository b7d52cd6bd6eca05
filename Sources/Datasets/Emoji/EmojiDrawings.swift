// Where pictures of emojis come from: fonts and a folder of PNG files. Not here: which of them a data set uses (EmojiSources.swift).

import Failures
import Foundation
import Pictures

/// One artist's drawings of emojis. Not thread-safe: each thread opens its own.
protocol EmojiDrawing {
    /// The drawing of an emoji on a white square of `size` pixels; nil if there is none of exactly this emoji.
    func picture(of concept: EmojiConcept, size: Int) throws -> Picture?
}

/// Glyphs of a font, centred on a square.
struct FontDrawing: EmojiDrawing {
    private let renderer: GlyphRenderer
    /// Outlines touch the border of their bitmap, painted emojis bring their margin along.
    private let hasMargin: Bool

    init(path: String, isColour: Bool) throws {
        renderer = try GlyphRenderer(path: path)
        hasMargin = !isColour
    }

    func picture(of concept: EmojiConcept, size: Int) -> Picture? {
        guard let glyph = renderer.picture(of: concept.codePoints, pixelSize: max(128, 2 * size)) else { return nil }
        let margin = hasMargin ? max(glyph.width, glyph.height) / 16 : 0
        return glyph.paddedToSquare(margin: margin).resized(width: size, height: size)
    }
}

/// A folder of PNG files named after their code points: `1F1E9-1F1EA.png`.
struct FolderDrawing: EmojiDrawing {
    private let paths: [[UInt32]: String]

    /// Largest picture taken from the folder, in pixels.
    private static let maximumPixels = 4096 * 4096

    /// Files whose names are no code points are left alone; variation selectors in names do not count.
    init(directory: String) throws {
        guard let files = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
            throw Failure(.inputMissing, "cannot read the folder of pictures \(directory)")
        }
        var paths: [[UInt32]: String] = [:]
        for file in files.sorted() where file.hasSuffix(".png") {
            let parts = file.dropLast(4).split(separator: "-")
            let points = parts.compactMap { UInt32($0, radix: 16) }
            guard !points.isEmpty, points.count == parts.count else { continue }
            paths[points.filter { $0 != EmojiConcept.emojiSelector }] = "\(directory)/\(file)"
        }
        self.paths = paths
    }

    func picture(of concept: EmojiConcept, size: Int) throws -> Picture? {
        // Some collections leave the joiners out of their names, too.
        let plain = concept.plainCodePoints
        guard let path = paths[plain] ?? paths[plain.filter { $0 != EmojiConcept.joiner }] else { return nil }
        return try Picture.read(path: path, maximumPixels: Self.maximumPixels).squared(size)
    }
}
