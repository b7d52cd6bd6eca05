// Attention of one query against a naive float64 formula and central differences.

import Buffers
import Foundation
import Kernels
import Testing

/// y_b of every sequence and head, as the formula reads.
private func oracle(_ query: [Double], _ keyValue: [Double], offsets: [Int], heads: Int, width: Int) -> [Double] {
    let headWidth = width / heads
    return zip(offsets, offsets.dropFirst()).flatMap { start, end in
        (0..<width).map { column -> Double in
            let head = column / headWidth * headWidth..<(column / headWidth + 1) * headWidth
            let scores = (start..<end).map { row in
                head.reduce(0) { $0 + query[$1] * keyValue[row * 2 * width + $1] } / Double(headWidth).squareRoot()
            }
            let top = scores.max() ?? 0
            let sum = scores.reduce(0) { $0 + exp($1 - top) }
            return zip(start..<end, scores).reduce(0) {
                $0 + exp($1.1 - top) / sum * keyValue[$1.0 * 2 * width + width + column]
            }
        }
    }
}

struct QueryAttentionTests {
    @Test(arguments: [1, 3], [4, 17])
    func matchesOracle(heads: Int, headWidth: Int) {
        let (offsets, width) = ([0, 1, 6, 23], heads * headWidth)
        let (query, keyValue) = (sample(width, 1), sample(23 * 2 * width, 2))
        let dy = sample(3 * width, 3)
        let (y, p) = (unwritten(3 * width), unwritten(23 * heads))
        queryAttentionForward(
            query: query, keyValue: keyValue, offsets: offsets, heads: heads, width: width, into: y, probabilities: p)
        expectClose(
            y, oracle(query.doubles, keyValue.doubles, offsets: offsets, heads: heads, width: width),
            tolerance: 200 * unitRoundoff, "y")
        let (dquery, dkeyValue) = (unwritten(width), unwritten(keyValue.count))
        queryAttentionBackward(
            dy: dy, query: query, keyValue: keyValue, probabilities: p, offsets: offsets, heads: heads, width: width,
            into: dquery, dkeyValue: dkeyValue)
        func loss(_ query: [Double], _ keyValue: [Double]) -> Double {
            weighted(oracle(query, keyValue, offsets: offsets, heads: heads, width: width), dy.doubles)
        }
        // Differences are exact to 1e-8; the rest is float32's rounding over 23 keys and 17 columns.
        expectClose(
            dquery, centralDifferences(at: query.doubles) { loss($0, keyValue.doubles) }, tolerance: 400 * unitRoundoff,
            "dquery")
        expectClose(
            dkeyValue, centralDifferences(at: keyValue.doubles) { loss(query.doubles, $0) },
            tolerance: 400 * unitRoundoff, "dkeyValue")
    }
}
