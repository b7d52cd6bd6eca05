// Decoded and resized pictures, kept in memory up to a bound. Not here: the files' format (Pictures), random changes (PictureChange).

import Pictures
import Synchronization

/// Reads pictures once, as long as there is room for them.
///
/// What came first stays: training visits all pictures in turn, and then keeping a part beats replacing it. What is kept changes how
/// long a picture takes, never what it is. May be used from several threads.
final class PictureStore: Sendable {
    private struct Key: Hashable {
        let path: String
        let size: Int
    }
    private struct State {
        var pictures: [Key: [UInt8]] = [:]
        var bytes = 0
    }
    private let state = Mutex(State())
    private let byteLimit: Int

    init(byteLimit: Int) { self.byteLimit = byteLimit }

    /// Pictures kept, and the bytes of their pixels.
    var kept: (pictures: Int, bytes: Int) { state.withLock { ($0.pictures.count, $0.bytes) } }

    /// The picture at `path` on a white square, resized to [S, S, 3] bytes.
    /// - Throws: `Failure` naming the path.
    func pixels(path: String, _ preparation: PicturePreparation) throws -> [UInt8] {
        let key = Key(path: path, size: preparation.size)
        if let pixels = state.withLock({ $0.pictures[key] }) { return pixels }
        let pixels = try Picture.read(path: path, maximumPixels: preparation.maximumPixels)
            .paddedToSquare().resized(width: preparation.size, height: preparation.size).pixels
        state.withLock { state in
            guard state.bytes + pixels.count <= byteLimit, state.pictures[key] == nil else { return }
            state.pictures[key] = pixels
            state.bytes += pixels.count
        }
        return pixels
    }
}
