// Batches from files: the same with and without prefetching, on any number of ranks. Not here: the order of rows (GlobalSamplerTests).

import Buffers
import Failures
import Foundation
import Testing
import Tokenizers

@testable import Datasets

@Suite struct BatchLoaderTests {
    static func loader(
        _ path: String, batch: Int = 6, rank: Int = 0, of size: Int = 1, steps: ClosedRange<Int> = 1...12,
        prefetch: Int = 2,
        cacheBytes: Int = 1 << 20, onError: RowErrorPolicy = .fail, seed: UInt64 = 5
    ) throws -> BatchLoader {
        let source = try JSONLDataset(path: path, onError: onError)
        let sampler = try GlobalSampler(ids: source.ids, globalBatch: batch, seed: seed)
        return try BatchLoader(
            source: source, sampler: sampler, preparation: preparation(shift: 2, flips: true), seed: seed, rank: rank,
            worldSize: size, steps: steps, prefetch: prefetch, cacheBytes: cacheBytes)
    }

    @Test(arguments: [1, 2, 7], [0, 500, 1 << 20]) func prefetchingAndMemoryChangeNothing(depth: Int, cacheBytes: Int)
        throws
    {
        let folder = try TemporaryFolder()
        let path = try folder.emojis(20)
        let plain = try Self.loader(path, prefetch: 0)
        let ahead = try Self.loader(path, prefetch: depth, cacheBytes: cacheBytes)
        for _ in 1...12 { #expect(try ahead.next().fingerprint == plain.next().fingerprint) }
        #expect(ahead.statistics.keptBytes <= cacheBytes)
        #expect(plain.statistics.keptPictures == 20 && plain.statistics.keptBytes == 20 * 8 * 8 * 3)
    }

    @Test(arguments: 1...8) func ranksShareTheGlobalBatch(size: Int) throws {
        let folder = try TemporaryFolder()
        let path = try folder.emojis(20)
        let alone = try Self.loader(path)
        let ranks = try (0..<size).map { try Self.loader(path, rank: $0, of: size) }
        for _ in 1...12 {
            let whole = try alone.next()
            let parts = try ranks.map { try $0.next() }
            #expect(parts.flatMap(\.ids) == whole.ids)
            #expect(parts.flatMap(\.rowIndices) == whole.rowIndices)
            #expect(parts.flatMap { $0.queries.floats } == whole.queries.floats)
            #expect(parts.flatMap { $0.targets.texts } == whole.targets.texts)
            var first = 0
            for part in parts {
                #expect(part.firstRow == first && part.globalRows == whole.rows && part.epoch == whole.epoch)
                first += part.rows
            }
        }
    }

    @Test func resumingGivesTheSameBatches() throws {
        let folder = try TemporaryFolder()
        let path = try folder.emojis(20)
        let whole = try Self.loader(path)
        let resumed = try Self.loader(path, steps: 6...12)
        for _ in 1...5 { _ = try whole.next() }
        for step in 6...12 {
            let batch = try resumed.next()
            #expect(batch.step == step)
            #expect(try batch.fingerprint == whole.next().fingerprint)
        }
    }

    @Test func textCanBePairedWithText() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "pairs.jsonl",
            "{\"question\": \"what\", \"answer\": [\"this\", \"that\"]}\n{\"question\": \"who\", \"answer\": \"I\"}"
                .utf8)
        let source = try JSONLDataset(path: path, query: Column("question", .text), target: Column("answer", .text))
        let text = SidePreparation.text(
            TextPreparation(tokenizer: byteTokenizer, contextLength: 20, nameProbability: 1))
        let loader = try BatchLoader(
            source: source, sampler: try GlobalSampler(ids: source.ids, globalBatch: 2, seed: 0),
            preparation: PairPreparation(query: text, target: text), seed: 0, steps: 1...1)
        let batch = try loader.next()
        let pairs = zip(batch.queries.texts, batch.targets.texts).map {
            byteTokenizer.decode($0) + " " + byteTokenizer.decode($1)
        }
        #expect(pairs.sorted() == ["what this", "who i"])
        #expect(Set(batch.ids).count == 2)
        #expect(
            failureMessage(.configuration) {
                _ = try BatchLoader(
                    source: source, sampler: try GlobalSampler(ids: source.ids, globalBatch: 2, seed: 0),
                    preparation: preparation(),
                    seed: 0, steps: 1...1)
            } == "the query column question holds a text, but is prepared as a picture")
    }

    /// A tokenizer without special tokens may make nothing of a text, which is then a row like any other that cannot be read.
    @Test func aTextOfNoTokensIsNamed() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "pairs.jsonl", (0..<4).map { #"{"q": "\#($0 == 2 ? "z" : "a")", "t": "a"}"# }.joined(separator: "\n").utf8)
        let json = #"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}"#
        let text = SidePreparation.text(
            TextPreparation(tokenizer: try Tokenizer(json: Data(json.utf8), name: "t"), contextLength: 20))
        func loader(_ onError: RowErrorPolicy) throws -> BatchLoader {
            let source = try JSONLDataset(
                path: path, query: Column("q", .text), target: Column("t", .text), onError: onError)
            return try BatchLoader(
                source: source, sampler: try GlobalSampler(ids: source.ids, globalBatch: 4, seed: 0),
                preparation: PairPreparation(query: text, target: text), seed: 0, steps: 1...1)
        }
        #expect(
            failureMessage(.data) { _ = try loader(.fail).next() }
                == "\(path):3: the tokenizer makes no token of the text 'z'; take the row out")
        #expect(try loader(.skip(maximumShare: 0.5)).next().queries.texts == [[0], [0], [0], [0]])
    }

    @Test(arguments: [0, 2]) func anUnreadablePictureIsNamed(prefetch: Int) throws {
        let folder = try TemporaryFolder()
        let path = try folder.emojis(12)
        try folder.write("images/7.png", "no picture".utf8)
        let loader = try Self.loader(path, steps: 1...2, prefetch: prefetch)
        for _ in 0..<2 {
            let message = failureMessage(.data) { for _ in 0..<2 { _ = try loader.next() } }
            #expect(message.hasPrefix("\(path):8: "), "\(message)")
            #expect(message.contains("images/7.png"))
        }
    }

    /// The row behind a broken one takes its place, on every number of ranks.
    @Test(arguments: [1, 3]) func brokenRowsAreReplacedAndCounted(size: Int) throws {
        let folder = try TemporaryFolder()
        let path = try folder.emojis(12, drawings: 1)
        try folder.write("images/11.png", "no picture".utf8)
        try FileManager.default.removeItem(atPath: folder.path + "/images/4.png")
        let skip = RowErrorPolicy.skip(maximumShare: 0.2)
        let ranks = try (0..<size).map { try Self.loader(path, rank: $0, of: size, steps: 1...2, onError: skip) }
        var rows: [Int] = []
        for _ in 1...2 { for rank in ranks { rows += try rank.next().rowIndices } }
        #expect(rows.sorted() == [0, 0, 1, 2, 3, 5, 5, 6, 7, 8, 9, 10])
        #expect(ranks.reduce(0) { $0 + $1.statistics.replacedRows.count } == 2)

        let strict = try Self.loader(path, steps: 1...2, onError: .skip(maximumShare: 0.1))
        let message = failureMessage(.data) { for _ in 1...2 { _ = try strict.next() } }
        #expect(message.contains("2 of 12 rows cannot be read, more than the share of 0.1"))
    }

    @Test func noThreadIsLeft() throws {
        let folder = try TemporaryFolder()
        let path = try folder.emojis(12)
        final class Counter: Sendable {}
        weak var alive: Counter?
        do {
            let counter = Counter()
            alive = counter
            // Endless work, taken once, then given up.
            let prefetcher = Prefetcher(1...Int.max, depth: 2) { index in
                withExtendedLifetime(counter) { index }
            }
            #expect(try prefetcher.next() == 1)
            prefetcher.stop()
            #expect(try prefetcher.next() == nil)
        }
        // A thread gives its closure back just after it has said that it is done.
        let deadline = Date(timeIntervalSinceNow: 5)
        while alive != nil, Date() < deadline { usleep(1000) }
        #expect(alive == nil)

        var loader: BatchLoader? = try Self.loader(path, steps: 1...1_000_000)
        _ = try loader?.next()
        weak let gone = loader
        loader = nil
        #expect(gone == nil)
    }

    @Test func waitingIsMeasured() throws {
        let prefetcher = Prefetcher(1...1, depth: 1) { index in index }
        #expect(try prefetcher.next() == 1)
        #expect(try prefetcher.next() == nil)
        let folder = try TemporaryFolder()
        let loader = try Self.loader(try folder.emojis(12), prefetch: 0)
        #expect(loader.statistics.secondsWaited == 0)
        _ = try loader.next()
        #expect(loader.statistics.secondsWaited > 0)
    }
}
