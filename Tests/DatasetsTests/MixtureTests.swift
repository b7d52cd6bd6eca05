// Several sources: proportions, batches of one source, negatives of rows. Not here: files (SourceFormatTests), training on them
// (HardNegativeTests).

import Failures
import Foundation
import Testing
import Tokenizers

@testable import Datasets

@Suite struct MixtureTests {
    private static func parts(_ sizes: [Int], weights: [Double]? = nil, mixing: [BatchMixing]? = nil) -> [SampledPart] {
        var first = 0
        return sizes.indices.map { index in
            defer { first += sizes[index] }
            return SampledPart(
                rows: first..<first + sizes[index], weight: weights?[index], mixing: mixing?[index] ?? .mixed)
        }
    }

    private static func sampler(
        _ parts: [SampledPart], batch: Int = 8, last: LastBatch = .mask, distinct: Bool = true
    ) throws -> GlobalSampler {
        let count = parts.reduce(0) { $0 + $1.rows.count }
        return try GlobalSampler(
            ids: (0..<count).map(Int64.init), parts: parts, globalBatch: batch, seed: 3, last: last,
            distinctIDs: distinct)
    }

    @Test func withoutWeightsSourcesAreOne() throws {
        let one = try GlobalSampler(ids: (0..<50).map(Int64.init), globalBatch: 8, seed: 3)
        let several = try Self.sampler(Self.parts([10, 40]))
        for step in 1...20 { #expect(one.batch(step: step).rows == several.batch(step: step).rows) }
    }

    /// Weights whose sum is beyond all numbers are proportions, too; a source that none of an epoch's rows come from is told of.
    @Test func weightsAreOfAnySize() throws {
        let large = try Self.sampler(Self.parts([10, 30], weights: [1e308, 1e308]))
        let plain = try Self.sampler(Self.parts([10, 30], weights: [1, 1]))
        for step in 1...10 { #expect(large.batch(step: step).rows == plain.batch(step: step).rows) }
        for mixing in [BatchMixing.mixed, .sameSource] {
            let failure = #expect(throws: Failure.self) {
                try Self.sampler(Self.parts([10, 30], weights: [1, 1e-7], mixing: [.mixed, mixing]))
            }
            #expect(failure?.message.contains("an epoch has none of its rows") == true)
        }
    }

    /// What main captions do not tell, as other captions and negatives, is noticed in chosen rows and wrong pairs, too.
    @Test func chosenRowsTellWhetherTheDataIsWhatItWas() throws {
        let folder = try TemporaryFolder()
        func source(_ negative: String) throws -> any PairSource {
            let rows = (0..<8).map { #"{"query": "q\#($0)", "answer": "a\#($0)", "negative": "\#(negative)"}"# }
            let path = try folder.write("a.jsonl", (rows + ["{}", "{}"]).joined(separator: "\n").utf8)
            let columns = SourceColumns(query: Column(nil, .text), target: Column(nil, .text))
            return try SourceDescription(paths: [path], columns: columns).open(onError: .skip(maximumShare: 0.2))
        }
        let (before, after) = (try source("n"), try source("m"))
        #expect(before.fingerprint != after.fingerprint)
        let few = SelectedRows(before, rows: [0, 2, 4, 6])
        #expect(few.fingerprint != SelectedRows(after, rows: [0, 2, 4, 6]).fingerprint)
        #expect(few.fingerprint == SelectedRows(before, rows: [0, 2, 4, 6]).fingerprint)
        #expect(few.fingerprint != SelectedRows(before, rows: [0, 2, 4, 5]).fingerprint)
        #expect(few.skipped == 1 && few.skippedReasons == before.skippedReasons && few.skippedReasons.count == 2)
        let wrong = WrongPairs(before, share: 0.5, seed: 1)
        #expect(wrong.fingerprint != WrongPairs(after, share: 0.5, seed: 1).fingerprint)
        #expect(wrong.fingerprint != WrongPairs(before, share: 0.5, seed: 2).fingerprint)
        #expect(wrong.fingerprint == WrongPairs(before, share: 0.5, seed: 1).fingerprint)
    }

    /// Shares of an epoch are the weights', and no row comes again before all others of its source have come.
    @Test(arguments: [[3.0, 1.0], [1, 1], [0.001, 0.1], [1, 2.5]], [LastBatch.mask, .drop])
    func weightsAreProportions(weights: [Double], last: LastBatch) throws {
        let parts = Self.parts([13, 51], weights: weights)
        let sampler = try Self.sampler(parts, last: last)
        var seen = [Int](repeating: 0, count: 64)
        for epoch in 0..<20 {
            var drawn = 0
            for index in 0..<sampler.stepsPerEpoch {
                let batch = sampler.batch(step: epoch * sampler.stepsPerEpoch + index + 1)
                #expect(batch.epoch == epoch && batch.rows.count == 8)
                for row in batch.rows { seen[row] += 1 }
                drawn += batch.rows.count
            }
            #expect(drawn == 64)
        }
        let share = Double(seen[..<13].reduce(0, +)) / Double(seen.reduce(0, +))
        #expect(abs(share - weights[0] / (weights[0] + weights[1])) <= 0.5 / 64)
        for part in parts {
            let counts = seen[part.rows]
            #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1, "\(counts)")
        }
    }

    /// A row that an epoch has several times is not twice in a batch, as long as that is possible.
    @Test func repeatedRowsAreKeptApart() throws {
        let sampler = try Self.sampler(Self.parts([12, 84], weights: [1, 1]))
        for step in 1...60 {
            let rows = sampler.batch(step: step).rows
            #expect(Set(rows).count == rows.count, "step \(step)")
        }
    }

    @Test func batchesOfOneSource() throws {
        let parts = Self.parts([20, 30, 14, 9], mixing: [.sameSource, .mixed, .sameSource, .mixed])
        let sampler = try Self.sampler(parts)
        // 20 → 3, 14 → 2, 30 + 9 → 5.
        #expect(sampler.stepsPerEpoch == 10)
        var firstSources: Set<Int> = []
        for epoch in 0..<6 {
            var rows: [Int] = []
            for index in 0..<10 {
                let batch = sampler.batch(step: 10 * epoch + index + 1)
                let sources = Set(batch.rows.map { row in parts.firstIndex { $0.rows.contains(row) } ?? -1 })
                #expect(sources.isSubset(of: Set(batch.sources)))
                #expect([[0], [2], [1, 3]].contains(batch.sources))
                if index == 0 { firstSources.formUnion(batch.sources) }
                rows += batch.rows
            }
            #expect(rows.sorted() == Array(0..<73))
        }
        #expect(firstSources.count > 1)
    }

    @Test func sourcesThatFillNoBatchAreNamed() throws {
        let own = Self.parts([20, 5], mixing: [.sameSource, .sameSource])
        #expect(
            failureMessage(.configuration) { _ = try Self.sampler(own, last: .drop) }.contains(
                "there are 5 rows and batch.last is drop"))
        let tiny = Self.parts([20, 5], weights: [1, 1e-9], mixing: [.sameSource, .sameSource])
        #expect(failureMessage(.configuration) { _ = try Self.sampler(tiny) }.contains("weight is so small"))
    }

    // MARK: - Negatives

    /// Row i of `counts` has that many negatives; texts name row and place.
    private static func source(_ counts: [Int], _ folder: TemporaryFolder, name: String = "a") throws -> any PairSource
    {
        let lines = counts.enumerated().map { row, count in
            let negatives = (0..<count).map { "\"n\(name)\(row).\($0)\"" }.joined(separator: ",")
            return #"{"query": "q\#(name)\#(row)", "pos": "p\#(name)\#(row)", "neg": [\#(negatives)]}"#
        }
        let path = try folder.write("\(name).jsonl", lines.joined(separator: "\n").utf8)
        return try SourceDescription(
            paths: [path], columns: SourceColumns(query: Column(nil, .text), target: Column(nil, .text, prefix: "t "))
        ).open()
    }

    private static func loader(
        _ source: any PairSource, parts: [SampledPart]? = nil, maximum: Int, rank: Int = 0, of ranks: Int = 1
    ) throws -> BatchLoader {
        let text = SidePreparation.text(
            TextPreparation(tokenizer: byteTokenizer, contextLength: 40, nameProbability: 1))
        return try BatchLoader(
            source: source, sampler: GlobalSampler(ids: source.ids, parts: parts, globalBatch: 6, seed: 9),
            preparation: PairPreparation(query: text, target: text), seed: 9, rank: rank, worldSize: ranks,
            steps: 1...36, maximumNegatives: maximum, prefetch: 0)
    }

    /// Without spaces, which stand between a text's letters, digits and dots too.
    private static func texts(_ side: SideBatch) -> [String] {
        side.texts.map { byteTokenizer.decode($0).filter { $0 != " " } }
    }

    @Test func negativesFollowTheirRows() throws {
        let folder = try TemporaryFolder()
        let counts = [0, 1, 2, 3, 5, 4, 3, 2, 1, 0, 2, 2, 2]
        let source = try Self.source(counts, folder)
        let loader = try Self.loader(source, maximum: 3)
        var drawn: [Int: Set<String>] = [:]
        for _ in 1...36 {
            let batch = try loader.next()
            #expect(batch.targetsPerRow == 4 && batch.targets.rows == 4 * batch.rows)
            let targets = Self.texts(batch.targets)
            for (place, row) in batch.rowIndices.enumerated() {
                let own = Array(targets[4 * place..<4 * place + 4])
                let ids = Array(batch.targetIDs[4 * place..<4 * place + 4])
                #expect(own[0] == "tpa\(row)" && ids[0] == source.ids[row])
                let negatives: [String] = Array(own[1...])
                if counts[row] == 0 {
                    // Targets of other rows, known by their concepts.
                    let others = negatives.map { Int($0.dropFirst(3)) ?? -1 }
                    #expect(ids.dropFirst().elementsEqual(others.map { source.ids[$0] }), "\(negatives)")
                } else {
                    #expect(
                        negatives.allSatisfy { $0.hasPrefix("tna\(row).") }
                            && Set(ids.dropFirst()) == [PairBatch.noConcept])
                    #expect(Set(negatives).count == min(3, counts[row]), "\(negatives)")
                    drawn[row, default: []].formUnion(negatives)
                }
            }
        }
        // In time all of them are drawn.
        for (row, count) in counts.enumerated() where count > 0 { #expect(drawn[row]?.count == count) }
        #expect(try Self.loader(source, maximum: 0).next().targetsPerRow == 1)
        #expect(try Self.loader(source, maximum: 9).next().targetsPerRow == 6)
    }

    @Test(arguments: 2...4) func ranksShareNegatives(ranks: Int) throws {
        let folder = try TemporaryFolder()
        let source = try Self.source([0, 1, 2, 3, 5, 4, 3, 2, 1, 0, 2, 2, 2], folder)
        let alone = try Self.loader(source, maximum: 3)
        let loaders = try (0..<ranks).map { try Self.loader(source, maximum: 3, rank: $0, of: ranks) }
        for _ in 1...12 {
            let (whole, parts) = (try alone.next(), try loaders.map { try $0.next() })
            #expect(parts.flatMap { $0.targets.texts } == whole.targets.texts)
            #expect(parts.flatMap(\.targetIDs) == whole.targetIDs)
        }
    }

    /// Batches of their own have as many negatives as their source; sources share a mixture with their columns and prefixes.
    @Test func mixturesKeepTheirSourcesApart() throws {
        let folder = try TemporaryFolder()
        let mixture = MixedSource([
            try Self.source([2, 2, 2, 2, 2, 2, 2], folder), try Self.source([0, 0, 0, 0, 0], folder, name: "b"),
        ])
        #expect(mixture.count == 12 && mixture.parts.map(\.maximumNegatives) == [2, 0])
        #expect(
            try mixture.row(7).query == .text("qb0", alternatives: []) && mixture.row(7).place.hasSuffix("b.jsonl:1"))
        #expect(Set(mixture.ids).count == 12)
        let parts = mixture.parts.map { SampledPart(rows: $0.rows, mixing: .sameSource) }
        let loader = try Self.loader(mixture, parts: parts, maximum: 7)
        for _ in 1...12 {
            let batch = try loader.next()
            let isFirst = batch.rowIndices[0] < 7
            #expect(batch.targetsPerRow == (isFirst ? 3 : 1))
            #expect(Self.texts(batch.queries).allSatisfy { $0.hasPrefix(isFirst ? "qa" : "qb") })
        }
    }

    /// Where an unreadable row is replaced, its replacement is of the same source.
    @Test func replacementsComeFromTheSameSource() throws {
        let folder = try TemporaryFolder()
        let sources = try ["x", "y"].map { name in
            let lines = try (0..<6).map { row in
                try folder.picture("\(name)/\(row).png", index: row)
                return #"{"image": "\#(row).png", "text": "\#(name)\#(row)"}"#
            }
            return try JSONLDataset(
                path: folder.write("\(name)/rows.jsonl", lines.joined(separator: "\n").utf8),
                onError: .skip(maximumShare: 0.5))
        }
        try folder.write("x/5.png", "no picture".utf8)
        let mixture = MixedSource(sources)
        let loader = try BatchLoader(
            source: mixture, sampler: GlobalSampler(ids: mixture.ids, globalBatch: 12, seed: 1),
            preparation: preparation(nameProbability: 1), seed: 1, steps: 1...1, prefetch: 0)
        let batch = try loader.next()
        #expect(batch.rowIndices.sorted() == [0, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11])
        #expect(loader.statistics.replacedRows == [5])
    }
}
