// Glyphs of one font file: shaping by HarfBuzz, drawing by FreeType. Not here: lines of text (TextLine.swift), which emojis exist.

private import CFreeType
private import CHarfBuzz
import Failures
import Foundation

/// Draws code point sequences with one font: colour bitmaps (CBDT, sbix), layered colours (COLR 0) or outlines.
///
/// Not thread-safe: one renderer per thread. Drawing does not depend on what was drawn before.
public final class GlyphRenderer {
    public let path: String
    private let library: FT_Library
    private let face: FT_Face
    private let shaper: OpaquePointer
    private let buffer: OpaquePointer
    private var pixelSize = 0

    /// A glyph of a shaped sequence, in units of the font (`unitsPerEm` to the em).
    struct ShapedGlyph {
        let index: UInt32
        let advance: Int
        let x: Int
        let y: Int
    }

    /// A drawn glyph: where its bitmap lies relative to the pen, y upwards.
    struct Bitmap {
        enum Content {
            /// One byte per pixel.
            case coverage([UInt8])
            /// Blue, green, red, alpha; premultiplied.
            case colour([UInt8])
        }
        let width: Int
        let height: Int
        let left: Int
        let top: Int
        let content: Content
    }

    /// - Throws: `Failure(.inputMissing)` if there is no such file, `Failure(.data)` if it is no font that can be drawn.
    public init(path: String) throws {
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw Failure(.inputMissing, "cannot read the font \(path)")
        }
        var library: FT_Library?
        guard FT_Init_FreeType(&library) == 0, let library else { throw Failure(.internal, "FreeType does not start") }
        var face: FT_Face?
        guard FT_New_Face(library, path, 0, &face) == 0, let face else {
            FT_Done_FreeType(library)
            throw Failure(.data, "\(path) is not a font that FreeType can read")
        }
        guard let blob = hb_blob_create_from_file_or_fail(path), let buffer = hb_buffer_create() else {
            FT_Done_Face(face)
            FT_Done_FreeType(library)
            throw Failure(.inputMissing, "cannot read the font \(path)")
        }
        let tables = hb_face_create(blob, 0)
        guard let shaper = hb_font_create(tables) else { throw Failure(.internal, "HarfBuzz does not start") }
        hb_face_destroy(tables)
        hb_blob_destroy(blob)
        self.path = path
        self.library = library
        self.face = face
        self.shaper = shaper
        self.buffer = buffer
    }

    deinit {
        hb_buffer_destroy(buffer)
        hb_font_destroy(shaper)
        FT_Done_Face(face)
        FT_Done_FreeType(library)
    }

    /// Whether the font has painted glyphs (CBDT, sbix, COLR) rather than outlines only.
    public var hasColour: Bool { face.pointee.face_flags & (1 << 14) != 0 }  // FT_FACE_FLAG_COLOR

    /// Font units per em, the unit of `ShapedGlyph`.
    var unitsPerEm: Int {
        var x: Int32 = 0
        var y: Int32 = 0
        hb_font_get_scale(shaper, &x, &y)
        return max(1, Int(x))
    }

    /// Whether the font has a glyph of its own for a code point.
    public func contains(_ codePoint: UInt32) -> Bool {
        var glyph: hb_codepoint_t = 0
        return hb_font_get_nominal_glyph(shaper, codePoint, &glyph) != 0 && glyph != 0
    }

    /// The glyphs of a text after ligatures and kerning, direction and script guessed; invisible ones are left out.
    func shape(_ codePoints: [UInt32]) -> [ShapedGlyph] {
        hb_buffer_clear_contents(buffer)
        hb_buffer_add_utf32(buffer, codePoints, Int32(codePoints.count), 0, Int32(codePoints.count))
        hb_buffer_guess_segment_properties(buffer)
        hb_buffer_set_flags(buffer, HB_BUFFER_FLAG_REMOVE_DEFAULT_IGNORABLES)
        hb_shape(shaper, buffer, nil, 0)
        var count: UInt32 = 0
        guard let glyphs = hb_buffer_get_glyph_infos(buffer, &count),
            let positions = hb_buffer_get_glyph_positions(buffer, &count)
        else { return [] }
        return (0..<Int(count)).map {
            ShapedGlyph(
                index: glyphs[$0].codepoint, advance: Int(positions[$0].x_advance),
                x: Int(positions[$0].x_offset), y: Int(positions[$0].y_offset))
        }
    }

    /// The one glyph that stands for a whole sequence, or nil.
    ///
    /// Every visible code point must be in the font, and the sequence must shape to one glyph that is not already the
    /// glyph of its first code point: a flag whose tags were ignored, a hand whose skin tone was dropped are not drawings
    /// of the sequence, and neither is a font's question mark for unknown flags. Fonts differ in whether their ligatures
    /// contain the variation selector, so both spellings are tried.
    func singleGlyph(_ codePoints: [UInt32]) -> UInt32? {
        let plain = codePoints.filter { $0 != Self.emojiSelector }
        let visible = plain.filter { $0 != Self.joiner }
        guard let first = visible.first, visible.allSatisfy(contains) else { return nil }
        for spelling in [codePoints, plain] {
            let glyphs = shape(spelling)
            guard glyphs.count == 1, let glyph = glyphs.first?.index, glyph != 0 else { continue }
            if visible.count > 1, glyph == shape([first]).first?.index || glyph == placeholderFlag { continue }
            return glyph
        }
        return nil
    }

    /// The glyph that some fonts show for every flag they do not know, found by asking for the flag of no country (ZZ).
    private lazy var placeholderFlag: UInt32? = {
        let glyphs = shape([0x1F1FF, 0x1F1FF])
        return glyphs.count == 1 ? glyphs[0].index : nil
    }()

    private static let emojiSelector: UInt32 = 0xFE0F
    private static let joiner: UInt32 = 0x200D

    /// Draws a sequence that the font has as a single glyph, over white, cut to the glyph's own bitmap.
    ///
    /// Outlines are black, `pixelSize` pixels to the em, without hinting; bitmap fonts come in their largest size whatever
    /// `pixelSize` says.
    /// - Returns: nil if the font has no single glyph for the sequence, or an empty one.
    public func picture(of codePoints: [UInt32], pixelSize: Int = 128) -> Picture? {
        precondition(pixelSize > 0, "a glyph of \(pixelSize) pixels to the em")
        guard let glyph = singleGlyph(codePoints), let bitmap = bitmap(glyph, pixelSize: pixelSize) else { return nil }
        let picture = bitmap.picture
        return picture.isBlank ? nil : picture
    }

    /// Draws a glyph, shifted right by `fraction` of a pixel (outlines only); nil if there is nothing to see.
    func bitmap(_ glyph: UInt32, pixelSize: Int, fraction: Double = 0) -> Bitmap? {
        guard select(pixelSize) else { return nil }
        var shift = FT_Vector(x: Int(fraction * 64), y: 0)
        FT_Set_Transform(face, nil, &shift)
        let flags = FT_Int32(FT_LOAD_COLOR | FT_LOAD_RENDER | FT_LOAD_NO_HINTING)
        guard FT_Load_Glyph(face, glyph, flags) == 0, let slot = face.pointee.glyph?.pointee else { return nil }
        let width = Int(slot.bitmap.width)
        let height = Int(slot.bitmap.rows)
        guard width > 0, height > 0, let base = slot.bitmap.buffer else { return nil }
        let content: Bitmap.Content
        switch UInt32(slot.bitmap.pixel_mode) {
        case FT_PIXEL_MODE_BGRA.rawValue:
            content = .colour(Self.rows(base, pitch: Int(slot.bitmap.pitch), width: 4 * width, height: height))
        case FT_PIXEL_MODE_GRAY.rawValue:
            content = .coverage(Self.rows(base, pitch: Int(slot.bitmap.pitch), width: width, height: height))
        default: return nil
        }
        return Bitmap(
            width: width, height: height, left: Int(slot.bitmap_left), top: Int(slot.bitmap_top), content: content)
    }

    private func select(_ size: Int) -> Bool {
        if size == pixelSize { return true }
        let sizes = Int(face.pointee.num_fixed_sizes)
        let scalable = face.pointee.face_flags & (1 << 0) != 0  // FT_FACE_FLAG_SCALABLE
        let error: FT_Error
        if !scalable, sizes > 0, let strikes = face.pointee.available_sizes {
            let largest = (0..<sizes).max { strikes[$0].y_ppem < strikes[$1].y_ppem } ?? 0
            error = FT_Select_Size(face, FT_Int(largest))
        } else {
            error = FT_Set_Pixel_Sizes(face, 0, FT_UInt(size))
        }
        pixelSize = error == 0 ? size : 0
        return error == 0
    }

    /// Copies `height` rows of `width` bytes that lie `pitch` bytes apart; a negative pitch means the last row comes first.
    private static func rows(_ base: UnsafePointer<UInt8>, pitch: Int, width: Int, height: Int) -> [UInt8] {
        let top = pitch < 0 ? base - pitch * (height - 1) : base
        return [UInt8](unsafeUninitializedCapacity: width * height) { output, count in
            for row in 0..<height {
                output.baseAddress?.advanced(by: row * width).initialize(from: top + row * pitch, count: width)
            }
            count = width * height
        }
    }
}

extension GlyphRenderer.Bitmap {
    /// The bitmap over white; coverage is black ink.
    var picture: Picture {
        var pixels = [UInt8](repeating: 255, count: width * height * 3)
        switch content {
        case .coverage(let coverage):
            for (pixel, value) in coverage.enumerated() {
                for channel in 0..<3 { pixels[3 * pixel + channel] = 255 - value }
            }
        case .colour(let bgra):
            for pixel in 0..<width * height {
                let white = 255 - Int(bgra[4 * pixel + 3])
                for channel in 0..<3 {
                    pixels[3 * pixel + channel] = UInt8(min(255, Int(bgra[4 * pixel + 2 - channel]) + white))
                }
            }
        }
        return Picture(width: width, height: height, pixels: pixels)
    }
}
