// Pictures cut into patches. Not here: the projection of a patch (Linear.swift), the class token.
//
// Shapes: B pictures, C channels, height × width pixels, p the side of a patch, G = (height/p)·(width/p) patches a picture.

public import Buffers

/// `y_(B·G)(C·p·p)`: patches row by row, in each the channels one behind the other: the order of a convolution's weight [D, C, p, p]
/// flattened, so that patch embedding is `linearForward`. Overwrites `y`.
/// - Precondition: `images` is [B, C, height, width]; `patch` divides both sides.
public func patchesForward(images: Floats, channels: Int, height: Int, width: Int, patch: Int, into y: Floats) {
    precondition(
        channels > 0 && patch > 0 && height > 0 && width > 0 && height % patch == 0 && width % patch == 0,
        "\(channels)×\(height)×\(width) pixels in patches of \(patch)")
    let plane = height * width
    precondition(
        images.count % (channels * plane) == 0,
        "\(images.count) elements are no pictures of \(channels)×\(height)×\(width)")
    check("y", y, holds: images.count)
    var target = y.base
    for picture in 0..<images.count / (channels * plane) {
        for top in stride(from: 0, to: height, by: patch) {
            for left in stride(from: 0, to: width, by: patch) {
                for channel in 0..<channels {
                    var source = images.base + (picture * channels + channel) * plane + top * width + left
                    for _ in 0..<patch {
                        target.update(from: source, count: patch)
                        target += patch
                        source += width
                    }
                }
            }
        }
    }
}
