// Retrieval metrics and embedding geometry against direct computation, at several world sizes.

import Buffers
import Collectives
import Foundation
import Testing

@testable import Training

/// Runs `body` on W ranks of one process and returns rank 0's result.
func onRanks<Result: Sendable>(_ count: Int, _ body: @escaping @Sendable (any Communicator) throws -> Result) throws
    -> Result
{
    let box = Box<Result>()
    let code = World.run(ranks: count) { communicator in
        let result = try body(communicator)
        if communicator.rank == 0 { box.set(result) }
    }
    #expect(code == 0)
    return try #require(box.value)
}

final class Box<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var stored: Value?
    var value: Value? { lock.withLock { stored } }
    func set(_ value: Value) { lock.withLock { stored = value } }
}

/// The contiguous share of rank r of W.
func share(_ count: Int, _ rank: Int, _ size: Int) -> Range<Int> { rank * count / size..<(rank + 1) * count / size }

struct RetrievalTests {
    // Scores of the four queries against the five items, made by one-hot items.
    static let scores: [[Float]] = [
        [0.9, 0.1, 0.3, 0.2, 0.0],  // id 1: items 0 and 3 are relevant, places 1 and 3
        [0.5, 0.5, 0.1, 0.2, 0.3],  // id 2: item 1, tied with an irrelevant one: place 2
        [0.1, 0.2, 0.3, 0.4, 0.5],  // id 7: item 2, place 3
        [0.1, 0.2, 0.3, 0.4, 0.5],  // id 9: nothing relevant, left out
    ]
    static let queryIDs: [Int64] = [1, 2, 7, 9]
    static let galleryIDs: [Int64] = [1, 2, 7, 1, 5]

    @Test(arguments: [1, 2, 3, 4])
    func countsPlaces(ranks: Int) throws {
        let metrics = try onRanks(ranks) { communicator in
            let mine = share(4, communicator.rank, communicator.size)
            var items = [Float](repeating: 0, count: 25)
            for item in 0..<5 { items[item * 6] = 1 }
            return try retrieval(
                queries: Floats(Array(Self.scores[mine].joined())), queryIDs: Array(Self.queryIDs[mine]),
                gallery: Floats(items),
                galleryIDs: Self.galleryIDs, columns: 5, chunk: 2, communicator: communicator)
        }
        #expect(metrics.queries == 3)
        #expect(metrics.gallery == 5)
        #expect(abs(metrics.precisionAt1 - 1.0 / 3) < 1e-12)
        #expect(metrics.recallAt5 == 1)
        #expect(abs(metrics.meanReciprocalRank - (1 + 0.5 + 1.0 / 3) / 3) < 1e-12)
        let first = (1 + 1 / log2(4.0)) / (1 + 1 / log2(3.0))
        #expect(abs(metrics.ndcgAt10 - (first + 1 / log2(3.0) + 1 / log2(4.0)) / 3) < 1e-12)
    }

    @Test func constantEmbeddingsScoreNothing() throws {
        let ones = Floats(repeating: 1, count: 6)
        let metrics = try retrieval(
            queries: ones, queryIDs: [0, 1, 2], gallery: ones, galleryIDs: [0, 1, 2], columns: 2,
            communicator: SoloWorld())
        #expect(metrics.precisionAt1 == 0)
        #expect(abs(metrics.meanReciprocalRank - 1.0 / 3) < 1e-12)
    }

    @Test(arguments: [1, 2, 3, 4])
    func geometryEqualsItsDefinition(ranks: Int) throws {
        let (rows, columns) = (7, 3)
        func unit(_ phase: Double) -> [[Double]] {
            (0..<rows).map { row in
                let vector = (0..<columns).map { sin(Double(row * columns + $0) * 1.7 + phase) }
                let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
                return vector.map { $0 / norm }
            }
        }
        let (z, w) = (unit(0), unit(0.4))
        func distance(_ a: [Double], _ b: [Double]) -> Double {
            zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        func uniformity(_ x: [[Double]]) -> Double {
            var sum = 0.0
            for i in 0..<rows { for j in 0..<rows where i != j { sum += exp(-2 * distance(x[i], x[j])) } }
            return log(sum / Double(rows * (rows - 1)))
        }
        let alignment = zip(z, w).reduce(0) { $0 + distance($1.0, $1.1) } / Double(rows)

        let geometry = try onRanks(ranks) { communicator in
            let mine = share(rows, communicator.rank, communicator.size)
            let floats = { (x: [[Double]]) in Floats(x.joined().map(Float.init)) }
            return try EmbeddingGeometry(
                queries: floats(Array(z[mine])), targets: floats(Array(w[mine])), allQueries: floats(z),
                allTargets: floats(w),
                columns: columns, firstRow: mine.lowerBound, communicator: communicator)
        }
        // Unit rows in float32: each product errs by some 1e-7.
        #expect(abs(geometry.alignment - alignment) < 1e-6)
        #expect(abs(geometry.uniformity - (uniformity(z) + uniformity(w)) / 2) < 1e-5)
        #expect(geometry.effectiveRank > 1 && geometry.effectiveRank <= 3)
    }

    /// The byte order mark before the first class is no part of its name.
    @Test func classesBehindAByteOrderMark() throws {
        let path = NSTemporaryDirectory() + "classes-\(UUID().uuidString).txt"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("\u{FEFF}cat\ta cat\r\ndog\r\n".utf8).write(to: URL(fileURLWithPath: path))
        let classes = try ZeroShotClasses(classes: path, templates: nil, labels: [])
        #expect(classes.labels[0].utf8.elementsEqual("cat".utf8) && classes.names == ["a cat", "dog"])
    }
}
