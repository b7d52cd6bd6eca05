// Lines of text on pictures, with fallback from font to font. Not here: paragraphs, mixed writing directions.

import Failures
import Foundation

/// Draws single lines of text with the first of several fonts that has each character.
///
/// Not thread-safe, like its fonts.
final class TextLine {
    private let fonts: [GlyphRenderer]

    /// Fonts tried when the caller names none, in this order; those that are not installed are left out.
    static let defaultFonts = [
        "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
        "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
        "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
        "/usr/share/fonts/truetype/ancient-scripts/Symbola_hint.ttf",
    ]

    /// - Parameter fonts: paths in order of preference; all of them must exist. Empty: the installed ones of `defaultFonts`.
    /// - Throws: `Failure(.inputMissing)` if there is no font at all.
    init(fonts: [String]) throws {
        let paths = fonts.isEmpty ? Self.defaultFonts.filter(FileManager.default.isReadableFile) : fonts
        guard !paths.isEmpty else {
            throw Failure(
                .inputMissing, "no font to write with: install the Debian package fonts-dejavu-core or fonts-symbola")
        }
        self.fonts = try paths.map(GlyphRenderer.init(path:))
    }

    /// A glyph with its pen position in pixels from the start of the line.
    private struct Placed {
        let font: GlyphRenderer
        let glyph: UInt32
        let x: Double
        let y: Double
    }

    /// Splits into runs of one font each, shapes each run and sets the runs side by side from left to right.
    private func layOut(_ text: String, size: Int) -> (glyphs: [Placed], width: Double) {
        var runs: [(font: Int, codePoints: [UInt32])] = []
        for character in text.unicodeScalars {
            // Control characters, line feeds among them, have no glyph: they separate like a space.
            let scalar: Unicode.Scalar = character.properties.generalCategory == .control ? " " : character
            let current = runs.last?.font
            let blank = scalar.properties.isWhitespace || scalar.properties.isDefaultIgnorableCodePoint
            let keeps = current.map { blank || ($0 == 0 && fonts[0].contains(scalar.value)) } ?? false
            let font = keeps ? (current ?? 0) : fonts.firstIndex { $0.contains(scalar.value) } ?? 0
            if font == current {
                runs[runs.count - 1].codePoints.append(scalar.value)
            } else {
                runs.append((font, [scalar.value]))
            }
        }
        var glyphs: [Placed] = []
        var pen = 0.0
        for run in runs {
            let font = fonts[run.font]
            let scale = Double(size) / Double(font.unitsPerEm)
            for glyph in font.shape(run.codePoints) {
                glyphs.append(
                    Placed(font: font, glyph: glyph.index, x: pen + Double(glyph.x) * scale, y: Double(glyph.y) * scale)
                )
                pen += Double(glyph.advance) * scale
            }
        }
        return (glyphs, pen)
    }

    /// Width in pixels of a line at `size` pixels to the em.
    func width(of text: String, size: Int) -> Double { layOut(text, size: size).width }

    /// The longest beginning that fits into `width` pixels, with an ellipsis if anything had to go.
    func truncated(_ text: String, size: Int, width limit: Double) -> String {
        guard width(of: text, size: size) > limit else { return text }
        let characters = Array(text)
        var low = 0
        var high = characters.count
        while low < high {
            let middle = (low + high + 1) / 2
            if width(of: Self.shortened(characters, middle), size: size) <= limit {
                low = middle
            } else {
                high = middle - 1
            }
        }
        return Self.shortened(characters, low)
    }

    private static func shortened(_ characters: [Character], _ count: Int) -> String {
        var text = String(characters.prefix(count))
        while text.last?.isWhitespace == true { text.removeLast() }
        return text + "…"
    }

    /// Draws a line that begins at `x` and stands on the row `baseline`.
    func draw(_ text: String, on picture: inout Picture, x: Double, baseline: Int, size: Int, colour: Colour) {
        for placed in layOut(text, size: size).glyphs {
            let position = x + placed.x
            let column = Int(position.rounded(.down))
            guard
                let bitmap = placed.font.bitmap(
                    placed.glyph, pixelSize: size, fraction: ((position - Double(column)) * 4).rounded(.down) / 4),
                case .coverage(let coverage) = bitmap.content
            else { continue }
            let top = baseline - bitmap.top - Int(placed.y.rounded())
            for row in 0..<bitmap.height {
                for offset in 0..<bitmap.width {
                    picture.blend(
                        colour, x: column + bitmap.left + offset, y: top + row,
                        coverage: Int(coverage[row * bitmap.width + offset]))
                }
            }
        }
    }
}
