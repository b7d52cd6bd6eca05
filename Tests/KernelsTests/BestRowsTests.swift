// The best rows of many queries against a sort. Not here: scores.

import Buffers
import Kernels
import Randomness
import Testing

@Suite struct BestRowsTests {
    /// Few different scores, so that most rows are tied; some NaN and infinities.
    private static func scores(_ count: Int, seed: UInt64) -> [Float] {
        let field = RandomField(seed: seed, purpose: .test)
        return (0..<count).map { row in
            switch field.integer(below: 40, row: row) {
            case 0: .nan
            case 1: -.infinity
            case 2: .infinity
            case let value: Float(value % 7) / 8 - 0.5
            }
        }
    }

    @Test(arguments: [0, 1, 2, 15, 16, 17, 127, 128, 129, 1000, 5000], [1, 2, 7, 100, 1000])
    func equalsASort(_ count: Int, _ depth: Int) {
        let scores = Self.scores(count, seed: UInt64(count * depth))
        let expected = scores.indices.filter { !scores[$0].isNaN }.sorted { (scores[$1], $0) < (scores[$0], $1) }
        // In runs of several lengths, the last ones first: the order of the offers does not matter.
        for run in [1, 16, 37, max(count, 1)] where run > 1 || count < 200 {
            var best = BestRows(queries: 3, depth: depth)
            for first in stride(from: 0, to: count, by: run).reversed() {
                Array(scores[first..<min(first + run, count)]).withUnsafeBufferPointer { part in
                    guard let base = part.baseAddress else { return }
                    best.offer(base, count: part.count, firstRow: first, query: 1)
                }
            }
            #expect(best.sorted(query: 1).map(\.row) == Array(expected.prefix(depth)), "runs of \(run)")
            #expect(best.sorted(query: 1).map(\.score) == expected.prefix(depth).map { scores[$0] })
            #expect(best.sorted(query: 0).isEmpty && best.sorted(query: 2).isEmpty)
        }
    }

    @Test(arguments: [1, 5, 60]) func keysDecideBetweenEqualScores(_ depth: Int) {
        let scores = Self.scores(300, seed: 9)
        let keys = (0..<300).map { Int32(($0 * 7919) % 100) }
        var best = BestRows(queries: 1, depth: depth)
        for first in stride(from: 0, to: 300, by: 50) {
            scores[first..<first + 50].withUnsafeBufferPointer { part in
                keys[first..<first + 50].withUnsafeBufferPointer { own in
                    guard let base = part.baseAddress else { return }
                    best.offer(base, count: 50, firstRow: first, keys: own.baseAddress, query: 0)
                }
            }
        }
        let expected = scores.indices.filter { !scores[$0].isNaN }.sorted {
            (scores[$1], keys[$0], $0) < (scores[$0], keys[$1], $1)
        }
        #expect(best.sorted(query: 0).map(\.row) == Array(expected.prefix(depth)))
    }
}
