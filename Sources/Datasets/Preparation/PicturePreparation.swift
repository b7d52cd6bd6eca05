// From a picture to the numbers that an encoder sees. Not here: decoding and resizing (PictureStore), choosing rows (GlobalSampler).
//
// Shapes: S side of a prepared picture; pixels are [S, S, 3] bytes, values [3, S, S] floats.

public import Pictures

/// What a byte of a picture becomes.
public enum PictureNormalization: Sendable, Equatable {
    /// `x / 127.5 − 1`: −1 … 1.
    case symmetric
    /// `(x / 255 − mean) / deviation` of each channel, as published encoders want it.
    case channels(mean: SIMD3<Float>, deviation: SIMD3<Float>)

    /// Value of each byte of each channel, [3, 256].
    var table: [Float] {
        (0..<3).flatMap { channel in
            (0..<256).map { byte in
                switch self {
                case .symmetric: Float(byte) / 127.5 - 1
                case .channels(let mean, let deviation): (Float(byte) / 255 - mean[channel]) / deviation[channel]
                }
            }
        }
    }
}

/// At which size JPEG files are decoded.
public enum PictureDecoding: String, Sendable, CaseIterable {
    /// At their own: what Pillow and the published processors do.
    case whole
    /// At the smallest of 1/8, 1/4, 1/2 and 1 of it that has the pixels needed: faster, and a few grey levels off at sharp edges.
    case scaled
}

/// How pictures are prepared.
public struct PicturePreparation: Sendable, Equatable {
    /// S.
    public var size: Int
    /// How a picture of any proportions becomes S × S.
    public var fit: PictureFit
    public var filter: ResizeFilter
    public var decoding: PictureDecoding
    /// Takes the place of `fit` in training; nil for none.
    public var crop: RandomCrop?
    /// How far brightness, contrast, saturation and hue of training pictures change.
    public var colours: ColourJitter
    /// Training pictures are moved by −shift … shift pixels each way, uniformly; uncovered pixels are white.
    public var shift: Int
    /// Whether half of the training pictures are mirrored left to right.
    public var flips: Bool
    /// How far training pictures are turned, resized and recoloured.
    public var jitter: PictureJitter
    public var normalization: PictureNormalization
    /// Larger pictures are refused before they are decoded.
    public var maximumPixels: Int

    public init(
        size: Int, fit: PictureFit = .pad, filter: ResizeFilter = .lanczos, decoding: PictureDecoding = .whole,
        crop: RandomCrop? = nil, colours: ColourJitter = ColourJitter(), shift: Int = 0, flips: Bool = false,
        jitter: PictureJitter = PictureJitter(), normalization: PictureNormalization = .symmetric,
        maximumPixels: Int = Picture.defaultMaximumPixels
    ) {
        precondition(size > 0 && shift >= 0, "pictures of side \(size) shifted by \(shift)")
        if let side = fit.resizedSide { precondition(side >= size, "a centre of \(size) pixels in a side of \(side)") }
        self.size = size
        self.fit = fit
        self.filter = filter
        self.decoding = decoding
        self.crop = crop
        self.colours = colours
        self.shift = shift
        self.flips = flips
        self.jitter = jitter
        self.normalization = normalization
        self.maximumPixels = maximumPixels
    }
}

/// Ranges of the random changes that move ink between pixels or recolour it; 0 changes nothing. White stays white.
public struct PictureJitter: Sendable, Equatable {
    /// Pictures are resized about their centre by 1 − zoom … 1 + zoom.
    public var zoom: Float
    /// Pictures are turned about their centre by −rotation … rotation degrees.
    public var rotation: Float
    /// The ink of each channel (255 − value) is multiplied by 1 − colour … 1 + colour.
    public var colour: Float
    /// Probability that a picture loses its colours.
    public var grey: Float

    public init(zoom: Float = 0, rotation: Float = 0, colour: Float = 0, grey: Float = 0) {
        precondition(
            (0..<1).contains(zoom) && (0..<1).contains(colour) && (0...1).contains(grey),
            "zoom \(zoom), colour \(colour), grey \(grey)")
        self.zoom = zoom
        self.rotation = rotation
        self.colour = colour
        self.grey = grey
    }
}
