// JPEG files to pictures. Not here: decompression (libjpeg-turbo, called by CPictures), orientation (Orientation.swift).

private import CPictures
import Failures

extension PictureFile {
    /// A JPEG: baseline or progressive, grey, RGB, YCbCr, CMYK or YCCK, whole or at a part of its size.
    ///
    /// CMYK values are taken as Adobe stores them, inverted, with or without its marker, as Pillow does.
    /// - Parameter side: pixels that the shorter side must have at least, if the picture has them.
    func jpeg(atLeast side: Int?) throws -> Picture {
        var image = fanoise_image()
        guard let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self),
            fanoise_read_jpeg(start, bytes.count, 8, nil, 0, &image)
        else { throw damaged("cannot be decoded: \(sentence(image.message))") }
        try checkSize(Int(image.width), Int(image.height))
        let shorter = Int(min(image.width, image.height))
        let eighths = side.flatMap { side in [1, 2, 4].first { (shorter * $0 + 7) / 8 >= side } } ?? 8
        let (width, height) = ((Int(image.width) * eighths + 7) / 8, (Int(image.height) * eighths + 7) / 8)
        let capacity = width * height * Int(image.channels)
        let pixels = try [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
            guard let base = output.baseAddress,
                fanoise_read_jpeg(start, bytes.count, Int32(eighths), base, capacity, &image)
            else { throw damaged("cannot be decoded: \(sentence(image.message))") }
            count = capacity
        }
        let picture = Picture(
            width: width, height: height, pixels: image.channels == 4 ? Self.rgb(invertedCMYK: pixels) : pixels)
        return picture.oriented(Orientation(jpeg: bytes))
    }

    /// `out = K − round((255 − C) · K / 255)` and so on, never below 0: what Pillow makes of inverted CMYK.
    private static func rgb(invertedCMYK pixels: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: pixels.count / 4 * 3) { output, count in
            pixels.withUnsafeBufferPointer { input in
                for pixel in 0..<input.count / 4 {
                    let key = Int(input[4 * pixel + 3])
                    for channel in 0..<3 {
                        let product = (255 - Int(input[4 * pixel + channel])) * key
                        output[3 * pixel + channel] = UInt8(key - (product + 127) / 255)
                    }
                }
            }
            count = pixels.count / 4 * 3
        }
    }
}
