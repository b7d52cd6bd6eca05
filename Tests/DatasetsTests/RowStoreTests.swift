// Rows kept in memory: read once, never other than they are, within their bound.

import Failures
import Synchronization
import Testing

@testable import Datasets

/// Rows of a name and two alternatives; counts how often each is read.
private final class CountingSource: PairSource {
    let ids: [Int64] = Array(0..<8)
    let query = Column("query", .text)
    let target = Column("target", .text)
    let onError = RowErrorPolicy.fail
    let skipped = 0
    let parts: [SourcePart]
    private let features: Bool
    private let damaged: Int?
    private let counts = Mutex([Int](repeating: 0, count: 8))

    init(features: Bool = false, damaged: Int? = 7, negatives: Int = 0) {
        (self.features, self.damaged) = (features, damaged)
        parts = [SourcePart(rows: 0..<8, maximumNegatives: negatives)]
    }

    var reads: [Int] { counts.withLock { $0 } }

    func row(_ index: Int) throws -> PairRow { try row(index, alternatives: true) }

    func row(_ index: Int, alternatives: Bool) throws -> PairRow {
        counts.withLock { $0[index] += 1 }
        if index == damaged { throw Failure(.data, "row \(index) is damaged") }
        return PairRow(
            query: features ? .features([1, 2]) : .text("query \(index)", alternatives: []),
            target: .text("name \(index)", alternatives: alternatives ? ["a", "b"] : []), place: "rows:\(index)")
    }
}

struct RowStoreTests {
    @Test func rowsAreReadOnceAndAreWhatTheyAre() throws {
        let (source, direct) = (CountingSource(), CountingSource())
        let store = RowStore(source, byteLimit: 1 << 20)
        for _ in 0..<3 {
            for index in 0..<7 {
                #expect(try store.row(index, alternatives: false) == direct.row(index, alternatives: false))
            }
        }
        #expect(source.reads == [1, 1, 1, 1, 1, 1, 1, 0])
        // With all captions a row is another: it is read, and neither stands for the other from then on.
        let bytes = store.kept.bytes
        for _ in 0..<3 {
            #expect(try store.row(2, alternatives: true) == direct.row(2))
            #expect(try store.row(2, alternatives: false) == direct.row(2, alternatives: false))
        }
        #expect(source.reads[2] == 2)
        #expect(store.kept.rows == 8 && store.kept.bytes > bytes)
    }

    @Test(arguments: [0, 1, 400, 1000]) func memoryIsBounded(limit: Int) throws {
        let source = CountingSource()
        let store = RowStore(source, byteLimit: limit)
        for _ in 0..<2 { for index in 0..<7 { _ = try store.row(index, alternatives: true) } }
        #expect(store.kept.bytes <= limit)
        #expect(store.kept.rows < 7)
        #expect(source.reads.reduce(0, +) == 14 - store.kept.rows)
    }

    @Test func failuresAndFeaturesAreNotKept() throws {
        let source = CountingSource(features: true)
        let store = RowStore(source, byteLimit: 1 << 20)
        for _ in 0..<2 {
            #expect(throws: Failure.self) { try store.row(7, alternatives: true) }
            _ = try store.row(0, alternatives: true)
        }
        #expect(source.reads[7] == 2 && source.reads[0] == 2 && store.kept.rows == 0)
    }

    /// A row that is kept with other captions is not shown with them where it is drawn as another row's negative.
    @Test func batchesAreTheSameWithAndWithoutMemory() throws {
        func loader(_ cacheBytes: Int) throws -> BatchLoader {
            let source = CountingSource(damaged: nil, negatives: 3)
            let text = SidePreparation.text(
                TextPreparation(tokenizer: byteTokenizer, contextLength: 40, nameProbability: 0.5))
            return try BatchLoader(
                source: source, sampler: GlobalSampler(ids: source.ids, globalBatch: 4, seed: 3),
                preparation: PairPreparation(query: text, target: text), seed: 3, rank: 0, worldSize: 1, steps: 1...40,
                maximumNegatives: 3, prefetch: 0, cacheBytes: cacheBytes)
        }
        let (none, some) = (try loader(0), try loader(1 << 20))
        for _ in 1...40 {
            let (expected, found) = (try none.next(), try some.next())
            #expect(found.targetsPerRow == 4)
            #expect(found.targets.texts == expected.targets.texts && found.queries.texts == expected.queries.texts)
        }
    }
}
