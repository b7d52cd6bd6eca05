// PNG files to pictures and back, through libpng. Not here: other formats and what decides between them (Decoding.swift).

private import CPNG
private import CPictures
import Failures
public import Foundation

extension Picture {
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

extension PictureFile {
    /// A PNG of any colour type and depth; transparency is resolved over white.
    ///
    /// The chunk structure and the size are checked before anything is allocated, checksums by libpng. Of 16 bits the upper 8 are taken;
    /// gamma and colour spaces are ignored, as Pillow does.
    func png() throws -> Picture {
        let structure = try PNGStructure(self)
        let (width, height) = (structure.width, structure.height)
        try checkSize(width, height)
        var image = fanoise_image()
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard let start, fanoise_read_png(start, bytes.count, nil, 0, &image) else {
            throw damaged("cannot be decoded: \(sentence(image.message))")
        }
        guard Int(image.width) == width, Int(image.height) == height else {
            throw damaged("names two sizes: \(width) × \(height) and \(image.width) × \(image.height) pixels")
        }
        let capacity = width * height * Int(image.channels)
        let pixels = try [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
            guard let base = output.baseAddress, fanoise_read_png(start, bytes.count, base, capacity, &image) else {
                throw damaged("cannot be decoded: \(sentence(image.message))")
            }
            count = capacity
        }
        let picture =
            image.channels == 3
            ? Picture(width: width, height: height, pixels: pixels)
            : Picture(width: width, height: height, overWhite: pixels)
        return picture.oriented(structure.orientation)
    }
}

/// The chunks of a PNG from the signature to IEND (PNG specification, section 5).
private struct PNGStructure {
    /// As IHDR states them.
    var width = 0
    var height = 0
    var orientation = Orientation.upright

    init(_ file: PictureFile) throws {
        let bytes = file.bytes
        guard bytes.prefix(8).elementsEqual(PictureFormat.pngSignature) else {
            throw file.damaged("does not begin with the whole PNG signature")
        }
        var position = 8
        while true {
            guard position + 12 <= bytes.count else {
                throw file.damaged("ends after \(bytes.count) bytes, before its IEND chunk")
            }
            let length = bytes.bigEndian32(position)
            let type = String(decoding: bytes[position + 4..<position + 8], as: UTF8.self)
            guard length <= bytes.count - position - 12 else {
                throw file.damaged(
                    "ends after \(bytes.count) bytes inside its \(type) chunk of \(length) bytes at \(position)")
            }
            if position == 8 {
                guard type == "IHDR", length == 13 else {
                    throw file.damaged("begins with \(type) instead of an IHDR chunk")
                }
                (width, height) = (bytes.bigEndian32(position + 8), bytes.bigEndian32(position + 12))
            }
            if type == "eXIf" {
                orientation = Orientation(
                    exif: UnsafeRawBufferPointer(rebasing: bytes[position + 8..<position + 8 + length]))
            }
            position += length + 12
            if type == "IEND" { break }
        }
        guard width > 0, height > 0, width < 1 << 24, height < 1 << 24 else {
            throw file.damaged("has the impossible size \(width) × \(height)")
        }
    }
}
