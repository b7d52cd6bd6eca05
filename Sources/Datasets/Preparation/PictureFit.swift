// From a picture of any proportions to a square one. Not here: resampling (Pictures), random crops (RandomCrop).

public import Pictures

/// How the middle of an odd remainder is taken: 75 pixels too many leave 37 or 38 at the left.
public enum CropRounding: Sendable, Hashable {
    /// `remainder / 2` rounded down: transformers' image processors.
    case down
    /// To the nearest even number: torchvision and open_clip.
    case even

    /// Pixels before the middle of `remainder` + … pixels.
    func half(_ remainder: Int) -> Int {
        switch self {
        case .down: remainder / 2
        case .even: Int((Double(remainder) / 2).rounded(.toNearestOrEven))
        }
    }
}

/// How a picture of any proportions becomes S × S.
public enum PictureFit: Sendable, Hashable {
    /// Centred on a white square as wide as its longer side, which is resized: nothing is lost, nothing distorted (`Picture.squared`).
    case pad
    /// The shorter side is resized to `side` ≥ S, the longer to `⌊side · long / short⌋`; the middle S × S pixels stay (CLIP).
    case crop(side: Int, rounding: CropRounding = .down)
    /// Both sides are resized to `side` ≥ S, whatever the proportions; the middle S × S pixels stay (ViT and SigLIP with side = S).
    case squash(side: Int, rounding: CropRounding = .down)
    /// The longer side is resized to S, and the picture centred on a square of one grey (open_clip's `longest`).
    case letterbox(grey: UInt8)

    /// The side that is resized to, where a middle is cut out afterwards.
    var resizedSide: Int? {
        switch self {
        case .crop(let side, _), .squash(let side, _): side
        case .pad, .letterbox: nil
        }
    }
}

extension Picture {
    /// This picture as S × S pixels; only those that stay are computed.
    public func fitted(_ size: Int, _ fit: PictureFit, filter: ResizeFilter) -> Picture {
        switch fit {
        case .pad: return squared(size, filter: filter)
        case .crop(let side, let rounding):
            let longer = Int(Double(side * max(width, height)) / Double(min(width, height)))
            return middle(
                size, ofWidth: width <= height ? side : longer, height: width <= height ? longer : side, rounding,
                filter: filter)
        case .squash(let side, let rounding):
            return middle(size, ofWidth: side, height: side, rounding, filter: filter)
        case .letterbox(let grey): return letterboxed(size, grey: grey, filter: filter)
        }
    }

    /// The middle `size` × `size` pixels of this picture at another size.
    private func middle(
        _ size: Int, ofWidth newWidth: Int, height newHeight: Int, _ rounding: CropRounding, filter: ResizeFilter
    ) -> Picture {
        let (x, y) = (rounding.half(newWidth - size), rounding.half(newHeight - size))
        return resized(
            width: newWidth, height: newHeight, filter: filter, window: PictureWindow(x: x..<x + size, y: y..<y + size))
    }
}
