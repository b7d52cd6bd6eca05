// WebP files to pictures, through libwebp. Not here: orientation (Orientation.swift).

private import CWebP
import Failures

extension PictureFile {
    /// A WebP, lossy or lossless; of an animation the first frame, on a transparent canvas.
    func webp() throws -> Picture {
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        var data = WebPData(bytes: start, size: bytes.count)
        guard let demuxer = WebPDemux(&data) else {
            throw damaged("of \(bytes.count) bytes is cut short, or its chunks are damaged")
        }
        defer { WebPDemuxDelete(demuxer) }
        let width = Int(WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH))
        let height = Int(WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT))
        try checkSize(width, height)
        var frame = WebPIterator()
        guard WebPDemuxGetFrame(demuxer, 1, &frame) != 0 else { throw damaged("has no frame") }
        defer { WebPDemuxReleaseIterator(&frame) }
        return try draw(frame, width, height).oriented(orientation(demuxer))
    }

    private func draw(_ frame: WebPIterator, _ width: Int, _ height: Int) throws -> Picture {
        let channels = frame.has_alpha == 0 && frame.width == width && frame.height == height ? 3 : 4
        let first = (Int(frame.y_offset) * width + Int(frame.x_offset)) * channels
        let end = first + ((Int(frame.height) - 1) * width + Int(frame.width)) * channels
        guard first >= 0, end <= width * height * channels, frame.width > 0, frame.height > 0 else {
            throw damaged("has a frame that leaves its canvas")
        }
        var canvas = [UInt8](repeating: 0, count: width * height * channels)
        let isDecoded = canvas.withUnsafeMutableBufferPointer { canvas in
            guard let base = canvas.baseAddress else { return false }
            let decode = channels == 3 ? WebPDecodeRGBInto : WebPDecodeRGBAInto
            return decode(
                frame.fragment.bytes, frame.fragment.size, base + first, canvas.count - first, Int32(width * channels))
                != nil
        }
        guard isDecoded else { throw damaged("cannot be decoded") }
        return channels == 3
            ? Picture(width: width, height: height, pixels: canvas)
            : Picture(width: width, height: height, overWhite: canvas)
    }

    private func orientation(_ demuxer: OpaquePointer) -> Orientation {
        var chunk = WebPChunkIterator()
        guard WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk) != 0 else { return .upright }
        defer { WebPDemuxReleaseChunkIterator(&chunk) }
        return Orientation(exif: UnsafeRawBufferPointer(start: chunk.chunk.bytes, count: chunk.chunk.size))
    }
}
