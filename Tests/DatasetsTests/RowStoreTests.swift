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
    let features: Bool
    private let counts = Mutex([Int](repeating: 0, count: 8))

    init(features: Bool = false) { self.features = features }

    var reads: [Int] { counts.withLock { $0 } }

    func row(_ index: Int) throws -> PairRow { try row(index, alternatives: true) }

    func row(_ index: Int, alternatives: Bool) throws -> PairRow {
        counts.withLock { $0[index] += 1 }
        if index == 7 { throw Failure(.data, "row 7 is damaged") }
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
        // Captions that were not asked for before are read; then all are there.
        let bytes = store.kept.bytes
        for _ in 0..<3 { #expect(try store.row(2, alternatives: true) == direct.row(2)) }
        #expect(source.reads[2] == 2)
        #expect(store.kept.rows == 7 && store.kept.bytes > bytes)
        #expect(try store.row(2, alternatives: false).query == direct.row(2).query)
        #expect(source.reads[2] == 2)
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
}
