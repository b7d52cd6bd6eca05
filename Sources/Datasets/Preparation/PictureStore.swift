// Decoded and resized pictures, kept in memory up to a bound. Not here: the files' format (Pictures), where their bytes lie (sources),
// random changes of prepared pictures (PictureChange).

import Foundation
public import Pictures
import Synchronization

/// Reads pictures once, as long as there is room for them.
///
/// What came first stays: training visits all pictures in turn, and then keeping a part beats replacing it. What is kept changes how
/// long a picture takes, never what it is. Without random crops the prepared S × S pixels are kept; with them the decoded picture, of
/// which every step takes another part. May be used from several threads.
final class PictureStore: Sendable {
    /// What is done to a picture before it is kept.
    private enum Form: Hashable {
        case fitted(size: Int, PictureFit, ResizeFilter, PictureDecoding)
        /// Decoded with that many pixels at its shorter side at least; nil for whole.
        case decoded(atLeast: Int?)
    }
    private struct Key: Hashable {
        let name: String
        let form: Form
    }
    private struct State {
        var pictures: [Key: Picture] = [:]
        var bytes = 0
    }
    private let state = Mutex(State())
    private let byteLimit: Int

    init(byteLimit: Int) { self.byteLimit = byteLimit }

    /// Pictures kept, and the bytes of their pixels.
    var kept: (pictures: Int, bytes: Int) { state.withLock { ($0.pictures.count, $0.bytes) } }

    /// The picture at `location` as [S, S, 3] bytes.
    /// - Throws: `Failure` naming the place.
    func pixels(
        _ location: PictureLocation, _ preparation: PicturePreparation, draw: RowDraw? = nil
    ) throws -> [UInt8] {
        try pixels(location.description, preparation, draw: draw) { try location.bytes() }
    }

    /// A picture as [S, S, 3] bytes: with `draw`, cropped and recoloured as its row is in its step; else as it is.
    /// - Parameters:
    ///   - name: what the picture is known by: different for different pictures, and what messages call it.
    ///   - bytes: the encoded picture; called if it is not kept.
    /// - Throws: `Failure` naming the picture, and what `bytes` throws.
    func pixels(
        _ name: String, _ preparation: PicturePreparation, draw: RowDraw? = nil,
        bytes: () throws -> some ContiguousBytes
    ) throws -> [UInt8] {
        func decoded(atLeast side: Int) throws -> Picture {
            try Picture.decode(
                bytes(), name: name, atLeast: preparation.decoding == .scaled ? side : nil,
                maximumPixels: preparation.maximumPixels)
        }
        let (size, filter) = (preparation.size, preparation.filter)
        guard let draw else { return try fitted(name, preparation, decoded).pixels }
        var pixels: [UInt8]
        if let crop = preparation.crop {
            let side = crop.neededSide(size)
            let form = Form.decoded(atLeast: preparation.decoding == .scaled ? side : nil)
            let picture = try kept(Key(name: name, form: form)) { try decoded(atLeast: side) }
            let window = crop.window(width: picture.width, height: picture.height, draw)
            pixels =
                picture.cropped(
                    x: window.x.lowerBound, y: window.y.lowerBound, width: window.x.count, height: window.y.count
                ).resized(width: size, height: size, filter: filter).pixels
        } else {
            pixels = try fitted(name, preparation, decoded).pixels
        }
        ColourStep.apply(ColourStep.steps(preparation.colours, draw), to: &pixels)
        return pixels
    }

    private func fitted(
        _ name: String, _ preparation: PicturePreparation, _ decoded: (Int) throws -> Picture
    ) throws -> Picture {
        let (size, fit, filter) = (preparation.size, preparation.fit, preparation.filter)
        return try kept(Key(name: name, form: .fitted(size: size, fit, filter, preparation.decoding))) {
            try decoded(fit.resizedSide ?? size).fitted(size, fit, filter: filter)
        }
    }

    private func kept(_ key: Key, _ make: () throws -> Picture) throws -> Picture {
        if let picture = state.withLock({ $0.pictures[key] }) { return picture }
        let picture = try make()
        state.withLock { state in
            guard state.bytes + picture.pixels.count <= byteLimit, state.pictures[key] == nil else { return }
            state.pictures[key] = picture
            state.bytes += picture.pixels.count
        }
        return picture
    }
}

extension Picture {
    /// Decodes the picture at `location`.
    public static func read(
        _ location: PictureLocation, maximumPixels: Int = Picture.defaultMaximumPixels
    ) throws -> Picture {
        switch location {
        case .file(let path): try read(path: path, maximumPixels: maximumPixels)
        case .member:
            try decode(location.bytes(), name: location.description, maximumPixels: maximumPixels)
        }
    }
}
