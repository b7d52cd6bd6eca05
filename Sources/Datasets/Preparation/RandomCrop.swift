// Random parts of training pictures. Not here: resizing them to the model's size (PictureStore).

import Foundation
import Pictures
import Randomness

/// The random numbers of one row in one step: a function of the field, the step and the global row.
struct RowDraw {
    let field: RandomField
    let step: Int
    let row: Int

    /// Uniform in `range`.
    func uniform(_ range: ClosedRange<Double>, column: Int) -> Double {
        let unit = Double(field.uniform(step: step, row: row, column: column))
        return range.lowerBound + (range.upperBound - range.lowerBound) * unit
    }

    /// Uniform in 0 ..< `bound`.
    func integer(below bound: Int, column: Int) -> Int {
        field.integer(below: bound, step: step, row: row, column: column)
    }
}

/// A part of random size, proportions and place, resized to S × S: torchvision's `RandomResizedCrop`.
///
///     area = width · height · U(scale),  log aspect = U(log ratio)
///     w = round(√(area · aspect)),  h = round(√(area / aspect)),  at any place where it fits
///
/// Ten tries; then the largest middle part whose proportions are in `ratio`. The numbers are this program's own.
public struct RandomCrop: Sendable, Hashable {
    /// Share of the picture's area.
    public var scale: ClosedRange<Double>
    /// Width divided by height.
    public var ratio: ClosedRange<Double>

    public init(scale: ClosedRange<Double> = 0.08...1, ratio: ClosedRange<Double> = 0.75...4 / 3) {
        precondition(scale.lowerBound > 0 && scale.upperBound <= 1 && ratio.lowerBound > 0, "\(scale), \(ratio)")
        self.scale = scale
        self.ratio = ratio
    }

    private static let tries = 10
    /// Columns of the field from here on; those before belong to `PictureChange`.
    private static let firstColumn = 16

    func window(width: Int, height: Int, _ draw: RowDraw) -> PictureWindow {
        for attempt in 0..<Self.tries {
            let column = Self.firstColumn + 4 * attempt
            let area = Double(width * height) * draw.uniform(scale, column: column)
            let aspect = exp(draw.uniform(log(ratio.lowerBound)...log(ratio.upperBound), column: column + 1))
            let sides = (
                (area * aspect).squareRoot().rounded(.toNearestOrEven),
                (area / aspect).squareRoot().rounded(.toNearestOrEven)
            )
            guard (1...Double(width)).contains(sides.0), (1...Double(height)).contains(sides.1) else { continue }
            let (w, h) = (Int(sides.0), Int(sides.1))
            let y = draw.integer(below: height - h + 1, column: column + 2)
            let x = draw.integer(below: width - w + 1, column: column + 3)
            return PictureWindow(x: x..<x + w, y: y..<y + h)
        }
        return middle(width: width, height: height)
    }

    private func middle(width: Int, height: Int) -> PictureWindow {
        let aspect = Double(width) / Double(height)
        var (w, h) = (width, height)
        if aspect < ratio.lowerBound { h = Int((Double(width) / ratio.lowerBound).rounded(.toNearestOrEven)) }
        if aspect > ratio.upperBound { w = Int((Double(height) * ratio.upperBound).rounded(.toNearestOrEven)) }
        (w, h) = (max(1, min(w, width)), max(1, min(h, height)))
        let (x, y) = ((width - w) / 2, (height - h) / 2)
        return PictureWindow(x: x..<x + w, y: y..<y + h)
    }

    /// The shorter side that a picture needs for its smallest part to have `size` × `size` pixels, where it is square: the least
    /// enlarged that scaled decoding may leave.
    func neededSide(_ size: Int) -> Int {
        let widest = max(ratio.upperBound, 1 / ratio.lowerBound)
        let side = (Double(size) * (widest / scale.lowerBound).squareRoot()).rounded(.up)
        // No picture is larger than that.
        return Int(min(side, Double(1 << 30)))
    }
}
