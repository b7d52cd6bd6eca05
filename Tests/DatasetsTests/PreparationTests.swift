// Random changes of pictures and captions, and evaluation sets. Not here: whole batches (BatchLoaderTests).

import Buffers
import Failures
import Pictures
import Randomness
import Testing
import Tokenizers

@testable import Datasets

@Suite struct PreparationTests {
    static func written(_ change: PictureChange, size: Int, normalization: PictureNormalization = .symmetric) -> [Float]
    {
        let pixels = (0..<size * size * 3).map { UInt8(($0 * 37) % 251) }
        let table = normalization.table
        let output = Floats(repeating: .nan, count: 3 * size * size)
        change.write(pixels, size: size, table: table, into: output.base)
        return output.array
    }

    /// The formula in the documentation, element by element.
    @Test(arguments: [1, 2, 5, 8], [-9, -2, -1, 0, 1, 3]) func changesAreWhatTheySay(size: Int, shift: Int) {
        for isMirrored in [false, true] {
            for y in [-3, 0, 1] {
                var change = PictureChange()
                (change.x, change.y, change.isMirrored) = (shift, y, isMirrored)
                let found = Self.written(change, size: size)
                for c in 0..<3 {
                    for row in 0..<size {
                        for column in 0..<size {
                            let (fromRow, from) = (row - y, column - shift)
                            let inside = (0..<size).contains(fromRow) && (0..<size).contains(from)
                            let source = (fromRow * size + (isMirrored ? size - 1 - from : from)) * 3 + c
                            let expected = inside ? Float((source * 37) % 251) / 127.5 - 1 : 1
                            #expect(found[(c * size + row) * size + column] == expected)
                        }
                    }
                }
            }
        }
    }

    @Test func channelsHaveTheirOwnScale() {
        let (mean, deviation) = (SIMD3<Float>(0.48, 0.46, 0.41), SIMD3<Float>(0.27, 0.26, 0.28))
        let found = Self.written(PictureChange(), size: 2, normalization: .channels(mean: mean, deviation: deviation))
        for c in 0..<3 {
            for pixel in 0..<4 {
                #expect(found[c * 4 + pixel] == (Float((pixel * 3 + c) * 37 % 251) / 255 - mean[c]) / deviation[c])
            }
        }
    }

    /// 7 × 7 × 2 outcomes, each in 9800 draws about 100 times; within six standard deviations (√100 = 10).
    @Test func everyChangeIsEquallyLikely() {
        let field = RandomField(seed: 1, purpose: .augmentation)
        let preparation = PicturePreparation(size: 8, shift: 3, flips: true)
        var counts: [[Int]: Int] = [:]
        for row in 0..<9800 {
            let change = PictureChange(preparation, field: field, step: 4, row: row)
            #expect(change == PictureChange(preparation, field: field, step: 4, row: row))
            counts[[change.x, change.y, change.isMirrored ? 1 : 0], default: 0] += 1
        }
        #expect(counts.count == 98 && counts.keys.allSatisfy { abs($0[0]) <= 3 && abs($0[1]) <= 3 })
        #expect(counts.values.allSatisfy { abs($0 - 100) < 60 })
        let still = PicturePreparation(size: 8)
        for row in 0..<50 { #expect(PictureChange(still, field: field, step: 4, row: row) == PictureChange()) }
    }

    /// Of 4000 captions nine tenths are names, within six standard deviations (√(4000 · 0.9 · 0.1) = 19); the others are 1, 2 or 3
    /// different alternatives, a third of about 400 each (√(400 · 2/9) = 9.4).
    @Test func captionsAreNamesOrAlternatives() {
        let field = RandomField(seed: 1, purpose: .caption)
        let alternatives = ["a", "b", "c", "d"]
        var names = 0
        var counts = [0, 0, 0, 0]
        for row in 0..<4000 {
            func caption(_ probability: Double, _ alternatives: [String]) -> String {
                CaptionChoice.caption(
                    "name", alternatives: alternatives, nameProbability: probability, field: field, step: 2, row: row)
            }
            let chosen = caption(0.9, alternatives)
            #expect(chosen == caption(0.9, alternatives))
            #expect(caption(1, alternatives) == "name" && caption(0, []) == "name")
            #expect(caption(0, ["only"]) == "only")
            if chosen == "name" {
                names += 1
            } else {
                let parts = chosen.split(separator: " ").map { String($0) }
                counts[parts.count] += 1
                #expect(Set(parts).count == parts.count && Set(parts).isSubset(of: alternatives))
            }
        }
        #expect(abs(names - 3600) < 114)
        #expect(counts[0] == 0 && counts.dropFirst().allSatisfy { abs($0 - 133) < 57 }, "\(counts)")
    }

    @Test func picturesAreCentredResizedAndRemembered() throws {
        let folder = try TemporaryFolder()
        let black = Picture(width: 8, height: 4, grey: 0)
        let path = try folder.write("wide.png", try black.pngData())
        let store = PictureStore(byteLimit: 8 * 8 * 3)
        let preparation = PicturePreparation(size: 8)
        let pixels = try store.pixels(.file(path), preparation)
        #expect(pixels == (0..<64).flatMap { [UInt8](repeating: (2..<6).contains($0 / 8) ? 0 : 255, count: 3) })
        try folder.write("wide.png", "now broken".utf8)
        #expect(try store.pixels(.file(path), preparation) == pixels)
        #expect(store.kept == (1, 192))
        // Another size is another picture; there is no room for a second one.
        try folder.write("wide.png", try black.pngData())
        #expect(try store.pixels(.file(path), PicturePreparation(size: 4)).count == 48)
        #expect(store.kept == (1, 192))
        #expect(
            failureMessage(.data) {
                _ = try store.pixels(.file(path), PicturePreparation(size: 5, maximumPixels: 31))
            }.contains("31"))
    }

    @Test func evaluationIsPlainAndInOrder() throws {
        let folder = try TemporaryFolder()
        let source = try JSONLDataset(path: try folder.emojis(10, drawings: 3))
        let set = try EvaluationSet(source: source, preparation: preparation(shift: 3, flips: true, nameProbability: 0))
        #expect(set.count == 10 && set.gallery == [0, 3, 6, 9])
        #expect(set.galleryIDs == [0, 3, 6, 9].map { source.ids[$0] })
        let names = try set.targets(set.gallery).texts.map { byteTokenizer.decode($0) }
        #expect(names == ["name 0", "name 3", "name 6", "name 9"])
        let whole = try set.queries(0..<10)
        #expect(whole.rows == 10)
        // Blue says which row it is; nothing has moved.
        for row in 0..<10 {
            #expect(whole.floats[(row * 3 + 2) * 64] == Float(row) / 127.5 - 1)
            #expect(whole.floats[(row * 3) * 64 + 5] == Float(5) / 127.5 - 1)
        }
        for size in 1...4 {
            let parts = try (0..<size).flatMap { rank in
                try chunks(of: set.rows(rank: rank, of: size), size: 2).flatMap { try set.queries($0).floats }
            }
            #expect(parts == whole.floats)
        }
        try folder.write("images/4.png", "broken".utf8)
        let fresh = try EvaluationSet(
            source: try JSONLDataset(path: source.name, onError: .skip(maximumShare: 1)), preparation: preparation())
        #expect(failureMessage(.data) { _ = try fresh.queries(0..<10) }.contains("train.jsonl:5: "))
    }
}
