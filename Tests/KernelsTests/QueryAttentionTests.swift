// Attention of one query against a naive float64 formula and central differences.

import Buffers
import Foundation
import Kernels
import Testing

/// y_b of every sequence and head, as the formula reads; `query` is one for all, or one for each.
private func oracle(
    _ query: [Double], _ keyValue: [Double], packing: QueryPacking, heads: Int, width: Int
) -> [Double] {
    let headWidth = width / heads
    return zip(packing.offsets, packing.ends).enumerated().flatMap { sequence, rows in
        let own = query.count == width ? 0 : sequence * width
        return (0..<width).map { column -> Double in
            let head = column / headWidth * headWidth..<(column / headWidth + 1) * headWidth
            let scores = (rows.0..<rows.1).map { row in
                head.reduce(0) { $0 + query[own + $1] * keyValue[row * 2 * width + $1] }
                    / Double(headWidth).squareRoot()
            }
            let top = scores.max() ?? 0
            let sum = scores.reduce(0) { $0 + exp($1 - top) }
            return zip(rows.0..<rows.1, scores).reduce(0) {
                $0 + exp($1.1 - top) / sum * keyValue[$1.0 * 2 * width + width + column]
            }
        }
    }
}

struct QueryAttentionTests {
    @Test(arguments: [(1, 4), (3, 17), (2, 32)], [(true, true), (true, false), (false, true), (false, false)])
    func matchesOracle(shape: (heads: Int, headWidth: Int), one: (query: Bool, hides: Bool)) {
        let (heads, width) = (shape.heads, shape.heads * shape.headWidth)
        let packing = QueryPacking(offsets: [0, 1, 6, 23], ends: one.hides ? [1, 4, 23] : nil)
        let (query, keyValue) = (sample((one.query ? 1 : 3) * width, 1), sample(23 * 2 * width, 2))
        let dy = sample(3 * width, 3)
        let (y, p) = (unwritten(3 * width), unwritten(23 * heads))
        queryAttentionForward(
            query: query, keyValue: keyValue, packing: packing, heads: heads, width: width, into: y, probabilities: p)
        expectClose(
            y, oracle(query.doubles, keyValue.doubles, packing: packing, heads: heads, width: width),
            tolerance: 200 * unitRoundoff, "y")
        let (dquery, dkeyValue) = (unwritten(query.count), unwritten(keyValue.count))
        queryAttentionBackward(
            dy: dy, query: query, keyValue: keyValue, y: y, probabilities: p, packing: packing, heads: heads,
            width: width, into: dquery, dkeyValue: dkeyValue)
        func loss(_ query: [Double], _ keyValue: [Double]) -> Double {
            weighted(oracle(query, keyValue, packing: packing, heads: heads, width: width), dy.doubles)
        }
        // Differences are exact to 1e-8; the rest is float32's rounding over 23 keys and 32 columns.
        expectClose(
            dquery, centralDifferences(at: query.doubles) { loss($0, keyValue.doubles) }, tolerance: 400 * unitRoundoff,
            "dquery")
        expectClose(
            dkeyValue, centralDifferences(at: keyValue.doubles) { loss(query.doubles, $0) },
            tolerance: 400 * unitRoundoff, "dkeyValue")
    }

    /// Rows that a query does not see may hold anything, forwards and backwards.
    @Test func whatIsNotSeenChangesNothing() {
        let packing = QueryPacking(offsets: [0, 3, 8], ends: [1, 6])
        let (query, dy) = (sample(2 * 8, 1), sample(2 * 8, 2))
        func results(_ keyValue: Floats) -> [[Float]] {
            let (y, p) = (unwritten(2 * 8), unwritten(8 * 2))
            let (dquery, dkeyValue) = (unwritten(2 * 8), unwritten(8 * 16))
            queryAttentionForward(
                query: query, keyValue: keyValue, packing: packing, heads: 2, width: 8, into: y, probabilities: p)
            queryAttentionBackward(
                dy: dy, query: query, keyValue: keyValue, y: y, probabilities: p, packing: packing, heads: 2,
                width: 8, into: dquery, dkeyValue: dkeyValue)
            return [y.array, dquery.array, dkeyValue.array]
        }
        let keyValue = sample(8 * 16, 3)
        let before = results(keyValue)
        for row in [1, 2, 6, 7] { keyValue[row * 16..<(row + 1) * 16].fill(.nan) }
        #expect(results(keyValue) == before)
        #expect(before[2][16..<48].allSatisfy { $0 == 0 })
    }
}
