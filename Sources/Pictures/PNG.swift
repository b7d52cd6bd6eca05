// PNG files to pictures and back, through libpng's simplified interface. Not here: other formats, metadata.

private import CPNG
import Failures
public import Foundation

extension Picture {
    /// Pixels that a PNG may have unless the caller says otherwise: 2²⁶, which needs 256 MiB while it is decoded.
    public static let defaultMaximumPixels = 1 << 26

    /// Decodes a PNG of any colour type and depth; transparency is resolved over white.
    ///
    /// The chunk structure and the size are checked before anything is allocated, checksums by libpng.
    /// - Parameter name: how messages call the picture: a path, a row.
    /// - Throws: `Failure(.data)` that names the picture and what is wrong with it.
    public static func decode(
        png: some ContiguousBytes, name: String, maximumPixels: Int = defaultMaximumPixels
    ) throws -> Picture {
        try png.withUnsafeBytes { try PNGReader(bytes: $0, name: name).picture(maximumPixels: maximumPixels) }
    }

    /// Reads and decodes a PNG file.
    /// - Throws: `Failure(.inputMissing)` if it cannot be read, `Failure(.data)` if it is not a sound PNG.
    public static func read(path: String, maximumPixels: Int = defaultMaximumPixels) throws -> Picture {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw Failure(.inputMissing, "cannot read the picture \(path)")
        }
        return try decode(png: data, name: path, maximumPixels: maximumPixels)
    }

    /// This picture as an 8-bit RGB PNG; equal pictures give equal bytes with one version of libpng and zlib.
    /// - Throws: `Failure(.internal)` if libpng refuses.
    public func pngData() throws -> Data {
        var image = png_image()
        image.version = png_uint_32(PNG_IMAGE_VERSION)
        image.width = png_uint_32(width)
        image.height = png_uint_32(height)
        image.format = png_uint_32(PNG_FORMAT_RGB)
        defer { png_image_free(&image) }
        // Deflate grows incompressible data by far less than an eighth, so one pass is enough.
        var data = Data(count: pixels.count + pixels.count / 8 + height + 4096)
        var size = png_alloc_size_t(data.count)
        let written = data.withUnsafeMutableBytes { output in
            pixels.withUnsafeBytes { input in
                png_image_write_to_memory(
                    &image, output.baseAddress, &size, 0, input.baseAddress, png_int_32(width * 3), nil)
            }
        }
        guard written != 0 else {
            throw Failure(
                .internal, "cannot encode a picture of \(width) × \(height) pixels as PNG: \(message(of: image))")
        }
        data.removeSubrange(Int(size)...)
        return data
    }

    /// Writes this picture as a PNG file, replacing what was there in one step.
    /// - Throws: `Failure(.cannotCreate)`.
    public func write(path: String) throws {
        let data = try pngData()
        do { try data.write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw Failure(.cannotCreate, "cannot write the picture \(path)")
        }
    }
}

/// The sentence that libpng left in a fixed array of characters.
private func message(of image: png_image) -> String {
    withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

/// One decoding: checks the bytes, then lets libpng read them.
private struct PNGReader {
    let bytes: UnsafeRawBufferPointer
    let name: String

    private static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

    func picture(maximumPixels: Int) throws -> Picture {
        let (width, height) = try checkChunks()
        let pixels = width.multipliedReportingOverflow(by: height)
        guard !pixels.overflow, pixels.partialValue <= maximumPixels else {
            throw damaged("has \(width) × \(height) pixels, more than the \(maximumPixels) allowed")
        }
        var image = png_image()
        image.version = png_uint_32(PNG_IMAGE_VERSION)
        defer { png_image_free(&image) }
        guard png_image_begin_read_from_memory(&image, bytes.baseAddress, bytes.count) != 0 else {
            throw damaged("cannot be decoded: \(message(of: image))")
        }
        guard Int(image.width) == width, Int(image.height) == height else {
            throw damaged("names two sizes: \(width) × \(height) and \(image.width) × \(image.height) pixels")
        }
        image.format = png_uint_32(PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA)
        // Deep pictures without a colour space hold sRGB values like all others, not linear light.
        image.flags |= png_uint_32(PNG_IMAGE_FLAG_16BIT_sRGB)
        var rgba = [UInt8](repeating: 0, count: width * height * 4)
        guard png_image_finish_read(&image, nil, &rgba, png_int_32(width * 4), nil) != 0 else {
            throw damaged("cannot be decoded: \(message(of: image))")
        }
        return Picture(width: width, height: height, overWhite: rgba)
    }

    /// Walks the chunks from the signature to IEND (PNG specification, section 5) and returns the size that IHDR states.
    private func checkChunks() throws -> (width: Int, height: Int) {
        guard !bytes.isEmpty else { throw damaged("is empty") }
        guard bytes.prefix(8).elementsEqual(Self.signature) else {
            throw damaged("does not begin with the PNG signature")
        }
        var position = 8
        var size: (width: Int, height: Int)?
        while true {
            guard position + 12 <= bytes.count else {
                throw damaged("ends after \(bytes.count) bytes, before its IEND chunk")
            }
            let length = word(position)
            let type = String(decoding: bytes[position + 4..<position + 8], as: UTF8.self)
            guard length <= bytes.count - position - 12 else {
                throw damaged(
                    "ends after \(bytes.count) bytes inside its \(type) chunk of \(length) bytes at \(position)")
            }
            if size == nil {
                guard type == "IHDR", length == 13 else {
                    throw damaged("begins with \(type) instead of an IHDR chunk")
                }
                size = (word(position + 8), word(position + 12))
            }
            position += length + 12
            if type == "IEND" { break }
        }
        guard let size, size.width > 0, size.height > 0, size.width < 1 << 24, size.height < 1 << 24 else {
            throw damaged("has the impossible size \(size?.width ?? 0) × \(size?.height ?? 0)")
        }
        return size
    }

    /// The big-endian 32-bit number at a byte.
    private func word(_ position: Int) -> Int {
        bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
    }

    private func damaged(_ what: String) -> Failure { Failure(.data, "the PNG picture \(name) \(what)") }
}
