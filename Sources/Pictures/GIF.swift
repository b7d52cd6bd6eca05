// The first frame of GIF files, through giflib. Not here: later frames.

private import CGIF
import Failures

/// How far giflib has read.
private struct GIFCursor {
    var bytes: UnsafeRawBufferPointer
    var position = 0
}

extension PictureFile {
    /// The first frame of a GIF on its screen, which grows where the frame leaves it. What the frame does not cover is white where it
    /// has a transparent colour, and has its first colour otherwise, as Pillow does.
    func gif() throws -> Picture {
        var cursor = GIFCursor(bytes: bytes)
        return try withUnsafeMutablePointer(to: &cursor) { cursor in
            var error: Int32 = 0
            let file = DGifOpen(
                cursor,
                { file, output, count in
                    guard let cursor = file?.pointee.UserData?.assumingMemoryBound(to: GIFCursor.self), let output
                    else {
                        return 0
                    }
                    let part = cursor.pointee.bytes.dropFirst(cursor.pointee.position).prefix(Int(count))
                    UnsafeMutableRawBufferPointer(start: output, count: part.count).copyBytes(from: part)
                    cursor.pointee.position += part.count
                    return Int32(part.count)
                }, &error)
            guard let file else { throw damaged("cannot be decoded: \(Self.reason(error))") }
            defer { DGifCloseFile(file, nil) }
            return try firstFrame(file)
        }
    }

    private func firstFrame(_ file: UnsafeMutablePointer<GifFileType>) throws -> Picture {
        var transparent: Int?
        while true {
            var kind = UNDEFINED_RECORD_TYPE
            try check(DGifGetRecordType(file, &kind), file)
            switch kind {
            case EXTENSION_RECORD_TYPE: transparent = try readExtension(file) ?? transparent
            case IMAGE_DESC_RECORD_TYPE:
                try check(DGifGetImageDesc(file), file)
                return try readFrame(file, transparent: transparent)
            default: throw damaged("ends without a frame")
            }
        }
    }

    /// Skips an extension; returns the transparent index if it names one.
    private func readExtension(_ file: UnsafeMutablePointer<GifFileType>) throws -> Int? {
        var code: Int32 = 0
        var block: UnsafeMutablePointer<GifByteType>?
        var transparent: Int?
        try check(DGifGetExtension(file, &code, &block), file)
        while let content = block {
            // Length, flags, two bytes of delay, index.
            if code == GRAPHICS_EXT_FUNC_CODE, content[0] >= 4, content[1] & 1 == 1 { transparent = Int(content[4]) }
            try check(DGifGetExtensionNext(file, &block), file)
        }
        return transparent
    }

    private func readFrame(_ file: UnsafeMutablePointer<GifFileType>, transparent: Int?) throws -> Picture {
        let frame = file.pointee.Image
        let (left, top) = (Int(frame.Left), Int(frame.Top))
        let (columns, rows) = (Int(frame.Width), Int(frame.Height))
        guard columns > 0, rows > 0, left >= 0, top >= 0 else { throw damaged("has a frame of \(columns) × \(rows)") }
        let width = max(Int(file.pointee.SWidth), left + columns)
        let height = max(Int(file.pointee.SHeight), top + rows)
        try checkSize(width, height)
        var indices = [UInt8](repeating: UInt8(transparent ?? 0), count: width * height)
        let order = frame.Interlace ? Self.interlacedRows(rows) : Array(0..<rows)
        try indices.withUnsafeMutableBufferPointer { indices in
            guard let base = indices.baseAddress else { return }
            for row in order {
                try check(DGifGetLine(file, base + (top + row) * width + left, Int32(columns)), file)
            }
        }
        let colours = palette(frame.ColorMap ?? file.pointee.SColorMap, transparent: transparent)
        let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { output, count in
            for (pixel, index) in indices.enumerated() {
                let colour = colours[Int(index)]
                for channel in 0..<3 { output[3 * pixel + channel] = colour[channel] }
            }
            count = width * height * 3
        }
        return Picture(width: width, height: height, pixels: pixels)
    }

    /// The rows of a frame in the order in which an interlaced file has them (GIF89a, appendix E).
    private static func interlacedRows(_ count: Int) -> [Int] {
        [(0, 8), (4, 8), (2, 4), (1, 2)].flatMap { Array(stride(from: $0.0, to: count, by: $0.1)) }
    }

    /// The colour of each index; greys where the file has no palette, black past its end.
    private func palette(_ map: UnsafeMutablePointer<ColorMapObject>?, transparent: Int?) -> [SIMD3<UInt8>] {
        (0..<256).map { index in
            if index == transparent { return SIMD3(repeating: 255) }
            guard let map = map?.pointee, let colours = map.Colors else { return SIMD3(repeating: UInt8(index)) }
            guard index < Int(map.ColorCount) else { return .zero }
            return SIMD3(colours[index].Red, colours[index].Green, colours[index].Blue)
        }
    }

    private func check(_ status: Int32, _ file: UnsafeMutablePointer<GifFileType>) throws {
        guard status != GIF_OK else { return }
        throw damaged("cannot be decoded: \(Self.reason(file.pointee.Error))")
    }

    private static func reason(_ error: Int32) -> String {
        GifErrorString(error).map { String(cString: $0) } ?? "error \(error)"
    }
}
