// Drawing every emoji in every drawing, on several threads. Not here: sets (EmojiPlan.swift), files (EmojiDatasetWriter.swift).

import Dispatch
import Failures
import Foundation
import Pictures
import Synchronization

/// A finished picture: what will be written, and a hash of its pixels that tells identical pictures.
struct DrawnEmoji: Sendable {
    let png: Data
    let hash: UInt64
}

/// Pictures of emojis by emoji and drawing.
enum EmojiGallery {
    /// Draws `concepts` in each of `sources`; `[concept][drawing]`, nil where a source lacks the emoji.
    ///
    /// The result does not depend on `threads`. Cost: about a millisecond per picture of 64 pixels and thread.
    static func draw(
        _ concepts: [EmojiConcept], sources: [EmojiDrawingSource], size: Int, threads: Int
    ) throws -> [[DrawnEmoji?]] {
        let workers = max(1, min(threads, concepts.count))
        let results = Mutex([Int: Result<[[DrawnEmoji?]], any Error>]())
        DispatchQueue.concurrentPerform(iterations: workers) { worker in
            // Neighbours cost alike (families and flags are long), so emojis are dealt out like cards.
            let mine = stride(from: worker, to: concepts.count, by: workers).map { concepts[$0] }
            let part = Result { try drawAlone(mine, sources: sources, size: size) }
            results.withLock { $0[worker] = part }
        }
        let parts = try results.withLock { parts in try (0..<workers).map { try parts[$0]?.get() ?? [] } }
        return concepts.indices.map { parts[$0 % workers][$0 / workers] }
    }

    private static func drawAlone(
        _ concepts: [EmojiConcept], sources: [EmojiDrawingSource], size: Int
    ) throws -> [[DrawnEmoji?]] {
        let drawings = try sources.map { try $0.open() }
        return try concepts.map { concept in
            try drawings.map { drawing in
                guard let picture = try drawing.picture(of: concept, size: size) else { return nil }
                return DrawnEmoji(png: try picture.pngData(), hash: StableHash.fnv1a(picture.pixels))
            }
        }
    }
}
