// An 8-bit RGB picture as a value: pixels, padding, cropping, compositing. Not here: resizing (Resize.swift), files (PNG.swift).

/// An opaque picture of `width` × `height` pixels, 8 bits per channel, sRGB values as stored in files.
///
/// A value: copies share storage until one of them changes. Transparency is resolved when a picture is made, over white.
public struct Picture: Sendable, Equatable {
    public let width: Int
    public let height: Int
    /// `height · width · 3` bytes, row-major HWC: element `(y · width + x) · 3 + c`.
    public var pixels: [UInt8]

    /// - Precondition: both sides are at least 1 and `pixels.count == width * height * 3`.
    public init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0, "a picture of \(width) × \(height) pixels")
        precondition(
            pixels.count == width * height * 3,
            "\(pixels.count) bytes for a picture of \(width) × \(height) pixels, which has \(width * height * 3)")
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// One colour everywhere; white by default.
    public init(width: Int, height: Int, grey: UInt8 = 255) {
        self.init(width: width, height: height, pixels: [UInt8](repeating: grey, count: width * height * 3))
    }

    /// Straight (not premultiplied) RGBA over white, per channel in stored values, as browsers and most libraries do:
    ///
    ///     out = round((value · alpha + 255 · (255 − alpha)) / 255)
    ///
    /// - Precondition: `rgba.count == width * height * 4`.
    public init(width: Int, height: Int, overWhite rgba: [UInt8]) {
        precondition(rgba.count == width * height * 4, "\(rgba.count) bytes for \(width) × \(height) RGBA pixels")
        let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { output, count in
            rgba.withUnsafeBufferPointer { input in
                for pixel in 0..<width * height {
                    let alpha = UInt32(input[4 * pixel + 3])
                    for channel in 0..<3 {
                        let value = UInt32(input[4 * pixel + channel]) * alpha + 255 * (255 - alpha)
                        output[3 * pixel + channel] = UInt8((value + 127) / 255)
                    }
                }
            }
            count = width * height * 3
        }
        self.init(width: width, height: height, pixels: pixels)
    }

    /// The window of `width` × `height` pixels whose top left corner lies at (`x`, `y`); what lies outside is white.
    /// Negative origins and sizes beyond the picture pad; `cropped(x: 1, y: 0, …)` shifts the content left by one pixel.
    public func cropped(x: Int, y: Int, width newWidth: Int, height newHeight: Int) -> Picture {
        var result = Picture(width: newWidth, height: newHeight)
        result.draw(self, x: -x, y: -y)
        return result
    }

    /// The content moved right by `x` and down by `y` pixels; uncovered pixels are white, the size stays.
    public func shifted(x: Int, y: Int) -> Picture { cropped(x: -x, y: -y, width: width, height: height) }

    /// Centred on a white square whose side is the longer one, plus `margin` pixels on every side.
    /// An odd remainder goes to the right and the bottom.
    public func paddedToSquare(margin: Int = 0) -> Picture {
        precondition(margin >= 0, "margin \(margin) is negative")
        let side = max(width, height) + 2 * margin
        guard side != width || side != height else { return self }
        var square = Picture(width: side, height: side)
        square.draw(self, x: (side - width) / 2, y: (side - height) / 2)
        return square
    }

    /// Overwrites the part that `other` covers with its top left corner at (`x`, `y`); what sticks out is dropped.
    public mutating func draw(_ other: Picture, x: Int, y: Int) {
        let left = max(0, x), right = min(width, x + other.width)
        let top = max(0, y), bottom = min(height, y + other.height)
        guard left < right, top < bottom else { return }
        let stride = width * 3
        pixels.withUnsafeMutableBufferPointer { output in
            other.pixels.withUnsafeBufferPointer { input in
                guard let output = output.baseAddress, let input = input.baseAddress else { return }
                for row in top..<bottom {
                    let source = input + ((row - y) * other.width + left - x) * 3
                    (output + row * stride + left * 3).update(from: source, count: (right - left) * 3)
                }
            }
        }
    }

    /// Whether every pixel is white: nothing was drawn.
    public var isBlank: Bool { pixels.allSatisfy { $0 == 255 } }
}
