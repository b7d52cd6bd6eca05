// Random brightness, contrast, saturation and hue of training pictures. Not here: the ink of drawings (PictureChange).

import Randomness

/// Ranges of torchvision's `ColorJitter`; 0 changes nothing.
///
/// With values 0 … 255, cut to that range after each step, and luma = 0.2989 R + 0.587 G + 0.114 B:
///
///     brightness   f · x                          f in [max(0, 1 − brightness), 1 + brightness]
///     contrast     f · x + (1 − f) · mean(luma)   f in [max(0, 1 − contrast), 1 + contrast]
///     saturation   f · x + (1 − f) · luma         f in [max(0, 1 − saturation), 1 + saturation]
///     hue          H + f of HSV, modulo 1         f in [−hue, hue]
///
/// The four are applied in random order, in float32; rounded to bytes once, at the end.
public struct ColourJitter: Sendable, Hashable {
    public var brightness: Float
    public var contrast: Float
    public var saturation: Float
    /// 0 … 1/2 of the circle of colours.
    public var hue: Float
    /// Share of pictures that are changed at all.
    public var probability: Float

    public init(
        brightness: Float = 0, contrast: Float = 0, saturation: Float = 0, hue: Float = 0, probability: Float = 1
    ) {
        precondition(
            brightness >= 0 && contrast >= 0 && saturation >= 0 && (0...0.5).contains(hue)
                && (0...1).contains(probability),
            "brightness \(brightness), contrast \(contrast), saturation \(saturation), hue \(hue), \(probability)")
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
        self.probability = probability
    }

    /// Whether nothing ever changes.
    var isNone: Bool { probability == 0 || (brightness == 0 && contrast == 0 && saturation == 0 && hue == 0) }
}

/// What a picture's colours go through.
enum ColourStep: Equatable {
    case brightness(Float), contrast(Float), saturation(Float), hue(Float)

    /// Columns of the field from here on.
    private static let firstColumn = 64

    /// The steps of one row, in their order; none for a picture that is left as it is.
    static func steps(_ jitter: ColourJitter, _ draw: RowDraw) -> [ColourStep] {
        guard !jitter.isNone else { return [] }
        func uniform(_ range: ClosedRange<Float>, _ column: Int) -> Float {
            Float(draw.uniform(Double(range.lowerBound)...Double(range.upperBound), column: firstColumn + column))
        }
        guard uniform(0...1, 0) < jitter.probability else { return [] }
        func factor(_ range: Float, _ column: Int) -> Float { uniform(max(0, 1 - range)...1 + range, column) }
        var steps: [ColourStep] = []
        if jitter.brightness > 0 { steps.append(.brightness(factor(jitter.brightness, 1))) }
        if jitter.contrast > 0 { steps.append(.contrast(factor(jitter.contrast, 2))) }
        if jitter.saturation > 0 { steps.append(.saturation(factor(jitter.saturation, 3))) }
        if jitter.hue > 0 { steps.append(.hue(uniform(-jitter.hue...jitter.hue, 4))) }
        for last in stride(from: steps.count - 1, to: 0, by: -1) {
            steps.swapAt(last, draw.integer(below: last + 1, column: firstColumn + 4 + last))
        }
        return steps
    }

    /// Changes pixels of three bytes, one behind the other.
    static func apply(_ steps: [ColourStep], to pixels: inout [UInt8]) {
        guard !steps.isEmpty else { return }
        var values = stride(from: 0, to: pixels.count, by: 3).map {
            SIMD3(Float(pixels[$0]), Float(pixels[$0 + 1]), Float(pixels[$0 + 2]))
        }
        for step in steps { step.apply(to: &values) }
        for (index, value) in values.enumerated() {
            for channel in 0..<3 { pixels[3 * index + channel] = UInt8(value[channel].rounded()) }
        }
    }

    /// Values 0 … 255 in, values 0 … 255 out.
    func apply(to values: inout [SIMD3<Float>]) {
        switch self {
        case .brightness(let factor): for i in values.indices { values[i] = Self.cut(values[i] * factor) }
        case .contrast(let factor):
            let mean = Float(values.reduce(0.0) { $0 + Double(Self.luma($1)) } / Double(max(1, values.count)))
            for i in values.indices { values[i] = Self.cut(values[i] * factor + (1 - factor) * mean) }
        case .saturation(let factor):
            for i in values.indices { values[i] = Self.cut(values[i] * factor + (1 - factor) * Self.luma(values[i])) }
        case .hue(let turn): for i in values.indices { values[i] = Self.turned(values[i], by: turn) }
        }
    }

    private static func cut(_ value: SIMD3<Float>) -> SIMD3<Float> {
        value.clamped(lowerBound: .zero, upperBound: SIMD3(repeating: 255))
    }

    private static func luma(_ value: SIMD3<Float>) -> Float { (value * SIMD3(0.2989, 0.587, 0.114)).sum() }

    /// The colour with its hue moved by `turn` of the circle: value and saturation stay.
    private static func turned(_ colour: SIMD3<Float>, by turn: Float) -> SIMD3<Float> {
        let (high, low) = (colour.max(), colour.min())
        guard high > low else { return colour }
        let toHigh = (SIMD3(repeating: high) - colour) / (high - low)
        let sector: Float =
            if colour.x == high { toHigh.z - toHigh.y } else if colour.y == high {
                2 + toHigh.x - toHigh.z
            } else { 4 + toHigh.y - toHigh.x }
        let hue = sector / 6 + turn
        let angle = 6 * (hue - hue.rounded(.down))
        // How far each channel is from full, going around: 0 within a sixth of its own colour, 1 beyond a third.
        func distance(_ centre: Float) -> Float {
            let away = abs(angle - centre)
            return min(1, max(0, min(away, 6 - away) - 1))
        }
        return SIMD3(repeating: high) - (high - low) * SIMD3(distance(0), distance(2), distance(4))
    }
}
