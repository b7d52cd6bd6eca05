// From a picture of any proportions to a whole one in a square, in bounded memory. Not here: resampling (Resize.swift), padding
// (Picture.swift), fits that cut something off (PictureFit in Datasets).

extension Picture {
    /// This picture centred on a white square as wide as its longer side, resized to `size` × `size` pixels.
    ///
    /// Of a long thin picture that square would have more than `defaultMaximumPixels`, however few the picture has: it is resized
    /// before it is padded, then, which differs in the edges that meet the white.
    public func squared(_ size: Int, filter: ResizeFilter = .lanczos) -> Picture {
        let pixels = max(width, height).multipliedReportingOverflow(by: max(width, height))
        guard !pixels.overflow, pixels.partialValue <= Self.defaultMaximumPixels else {
            return letterboxed(size, filter: filter)
        }
        return paddedToSquare().resized(width: size, height: size, filter: filter)
    }

    /// The longer side resized to `size`, the shorter one in proportion, centred on a square of one grey; white by default.
    /// An odd remainder goes to the right and the bottom.
    public func letterboxed(_ size: Int, grey: UInt8 = 255, filter: ResizeFilter = .lanczos) -> Picture {
        let ratio = Double(max(width, height)) / Double(size)
        func scaled(_ length: Int) -> Int { max(1, Int((Double(length) / ratio).rounded(.toNearestOrEven))) }
        let small = resized(width: scaled(width), height: scaled(height), filter: filter)
        var square = Picture(width: size, height: size, grey: grey)
        square.draw(small, x: (size - small.width) / 2, y: (size - small.height) / 2)
        return square
    }
}
