// Attention against naive float64 at every packing and head width that matters, its backward against central differences.

import Buffers
import Foundation
import Kernels
import Testing

/// Attention as its formula reads, in float64, forward and backward.
struct AttentionOracle {
    let offsets: [Int]
    let heads: Int
    let width: Int
    let causal: Bool
    /// Added to the scores of head h at distance query − key: element h · (2 · longest − 1) + distance + longest − 1.
    var bias: [Double] = []
    var longest: Int { zip(offsets, offsets.dropFirst()).reduce(0) { max($0, $1.1 - $1.0) } }
    var headWidth: Int { width / heads }
    var scale: Double { 1 / Double(headWidth).squareRoot() }

    /// Calls `body` with (head, query row, its keys, the probability of each, the log-sum-exp).
    private func forEachQuery(_ qkv: [Double], _ body: (Int, Int, Range<Int>, [Double], Double) -> Void) {
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            for head in 0..<heads {
                for query in start..<end {
                    let keys = start..<(causal ? query + 1 : end)
                    let scores = keys.map { key in
                        scale
                            * (0..<headWidth).reduce(0) { $0 + qkv[at(query, 0, head, $1)] * qkv[at(key, 1, head, $1)] }
                            + (bias.isEmpty ? 0 : bias[place(head, query - key)])
                    }
                    let top = scores.max() ?? 0
                    let logSumExp = top + log(scores.reduce(0) { $0 + exp($1 - top) })
                    body(head, query, keys, scores.map { exp($0 - logSumExp) }, logSumExp)
                }
            }
        }
    }

    /// Index of a head's bias at a distance.
    private func place(_ head: Int, _ distance: Int) -> Int { head * (2 * longest - 1) + distance + longest - 1 }

    /// Index of column k of a head of the queries (part 0), keys (1) or values (2) of a row.
    private func at(_ row: Int, _ part: Int, _ head: Int, _ k: Int) -> Int {
        (row * 3 + part) * width + head * headWidth + k
    }

    func forward(_ qkv: [Double]) -> (y: [Double], logSumExp: [Double]) {
        let rows = offsets[offsets.count - 1]
        var y = [Double](repeating: 0, count: rows * width)
        var lse = [Double](repeating: 0, count: rows * heads)
        forEachQuery(qkv) { head, query, keys, p, logSumExp in
            lse[query * heads + head] = logSumExp
            for (key, p) in zip(keys, p) {
                for k in 0..<headWidth { y[query * width + head * headWidth + k] += p * qkv[at(key, 2, head, k)] }
            }
        }
        return (y, lse)
    }

    func backward(_ dy: [Double], _ qkv: [Double]) -> [Double] { gradients(dy, qkv).dqkv }

    func gradients(_ dy: [Double], _ qkv: [Double]) -> (dqkv: [Double], dbias: [Double]) {
        var dqkv = [Double](repeating: 0, count: qkv.count)
        var dbias = [Double](repeating: 0, count: bias.count)
        forEachQuery(qkv) { head, query, keys, p, _ in
            let dyRow = (0..<headWidth).map { dy[query * width + head * headWidth + $0] }
            let dp = keys.map { key in (0..<headWidth).reduce(0) { $0 + dyRow[$1] * qkv[at(key, 2, head, $1)] } }
            let mean = zip(p, dp).reduce(0) { $0 + $1.0 * $1.1 }
            for (index, key) in keys.enumerated() {
                let dscore = scale * p[index] * (dp[index] - mean)
                if !bias.isEmpty { dbias[place(head, query - key)] += dscore / scale }
                for k in 0..<headWidth {
                    dqkv[at(query, 0, head, k)] += dscore * qkv[at(key, 1, head, k)]
                    dqkv[at(key, 1, head, k)] += dscore * qkv[at(query, 0, head, k)]
                    dqkv[at(key, 2, head, k)] += p[index] * dyRow[k]
                }
            }
        }
        return (dqkv, dbias)
    }
}

struct AttentionTests {
    /// Short and long sequences, alone and mixed; more pairs of a sequence and a head than go side by side; both sides of what is short.
    static let packings: [[Int]] = [
        [1], [5], [17], [2], [64], [130], [1, 5, 17, 2, 64, 130], [0, 3, 0], [],
        [7, 7, 3, 7, 7, 7, 3, 7, 7, 7, 7, 7, 3],
        [32, 33, 16, 17, 8, 9, 31],
    ]

    static func offsets(_ lengths: [Int]) -> [Int] { lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) } }

    @Test(arguments: [8, 20, 32, 64, 128], [false, true])
    func matchesOracle(headWidth: Int, causal: Bool) {
        for lengths in Self.packings {
            let oracle = AttentionOracle(offsets: Self.offsets(lengths), heads: 2, width: 2 * headWidth, causal: causal)
            let rows = lengths.reduce(0, +)
            let qkv = sample(rows * 3 * oracle.width, 1)
            let dy = sample(rows * oracle.width, 2)
            let (y, lse, dqkv) = run(oracle, qkv, dy)
            let expected = oracle.forward(qkv.doubles)
            // A score is a sum of K products of order one; its rounding, at most K u, becomes a relative error of a probability. Inputs
            // reach 4, so scores are wrong by some 16 √K u / √K; the sums over keys add √S u. 200 u covers both with a margin of 3.
            let tolerance = 200 * unitRoundoff
            expectClose(y, expected.y, tolerance: tolerance, "y \(lengths)")
            expectClose(lse, expected.logSumExp, tolerance: tolerance, "log-sum-exp \(lengths)")
            expectClose(dqkv, oracle.backward(dy.doubles, qkv.doubles), tolerance: tolerance, "dqkv \(lengths)")
        }
    }

    /// Biases by distance, with rows made for a longer sequence than there is: as chunks of a batch have them.
    @Test(arguments: [8, 20, 64], [false, true])
    func biasMatchesOracle(headWidth: Int, causal: Bool) {
        for lengths in Self.packings where lengths.contains(where: { $0 > 0 }) {
            var oracle = AttentionOracle(offsets: Self.offsets(lengths), heads: 2, width: 2 * headWidth, causal: causal)
            let (rows, longest) = (lengths.reduce(0, +), oracle.longest + 3)
            let qkv = sample(rows * 3 * oracle.width, 9)
            let dy = sample(rows * oracle.width, 10)
            let stride = AttentionBias.stride(longest: longest)
            let bias = AttentionBias(values: sample(2 * stride, 11), longest: longest)
            let distances = (0..<2).flatMap { head in
                (1 - oracle.longest..<oracle.longest).map { head * stride + $0 + longest - 1 }
            }
            oracle.bias = distances.map { Double(bias.values[$0]) }
            let (y, lse, dqkv) = (unwritten(rows * oracle.width), unwritten(rows * 2), unwritten(qkv.count))
            let dbias = Floats(repeating: 1, count: bias.values.count)
            attentionForward(
                qkv: qkv, offsets: oracle.offsets, heads: 2, width: oracle.width, causal: causal, bias: bias, into: y,
                logSumExp: lse)
            attentionBackward(
                dy: dy, qkv: qkv, y: y, logSumExp: lse, offsets: oracle.offsets, heads: 2, width: oracle.width,
                causal: causal, bias: bias, into: dqkv, dbias: dbias)
            let expected = oracle.gradients(dy.doubles, qkv.doubles)
            let tolerance = 200 * unitRoundoff
            expectClose(y, oracle.forward(qkv.doubles).y, tolerance: tolerance, "y \(lengths)")
            expectClose(dqkv, expected.dqkv, tolerance: tolerance, "dqkv \(lengths)")
            // A sum over all pairs at a distance: up to 130 of them in 9 sequences.
            let found = Floats(distances.map { dbias[$0] - 1 })
            if lengths.allSatisfy({ $0 < 2 }) {
                // One score has a softmax of 1, whatever it is.
                #expect(found.array.allSatisfy { abs($0) < Float(2000 * unitRoundoff) }, "dbias \(lengths)")
            } else {
                expectClose(found, expected.dbias, tolerance: 2000 * unitRoundoff, "dbias \(lengths)")
            }
            let untouched = dbias.array.indices.filter { !distances.contains($0) }
            #expect(untouched.allSatisfy { dbias[$0] == 1 })
        }
    }

    @Test func oracleOfTheBiasMatchesCentralDifferences() {
        var oracle = AttentionOracle(offsets: [0, 1, 4, 9], heads: 2, width: 6, causal: false)
        let qkv = sample(9 * 18, 12).doubles
        let dy = sample(9 * 6, 13).doubles
        oracle.bias = sample(2 * 9, 14).doubles
        let numeric = centralDifferences(at: oracle.bias) { bias in
            var moved = oracle
            moved.bias = bias
            return weighted(moved.forward(qkv).y, dy)
        }
        #expect(worstError(oracle.gradients(dy, qkv).dbias, numeric).error < 1e-8)
    }

    @Test(arguments: [false, true])
    func oracleMatchesCentralDifferences(causal: Bool) {
        let oracle = AttentionOracle(offsets: [0, 1, 4, 9], heads: 2, width: 6, causal: causal)
        let qkv = sample(9 * 18, 3).doubles
        let dy = sample(9 * 6, 4).doubles
        let numeric = centralDifferences(at: qkv) { weighted(oracle.forward($0).y, dy) }
        #expect(worstError(oracle.backward(dy, qkv), numeric).error < 1e-8)
    }

    /// Scores of ±10⁴ and more: nothing overflows, the largest key takes all.
    @Test func survivesLargeScores() {
        let oracle = AttentionOracle(offsets: [0, 17], heads: 1, width: 32, causal: false)
        let qkv = sample(17 * 96, 5, scale: 100)
        let dy = sample(17 * 32, 6)
        let (y, lse, dqkv) = run(oracle, qkv, dy)
        #expect(allFinite(y) && allFinite(lse) && allFinite(dqkv))
        // The scores, of order 10⁴, round by up to K u · 10⁴ = 2e-2 absolutely, which is the relative error of a probability.
        expectClose(y, oracle.forward(qkv.doubles).y, tolerance: 2e-2, "y")
    }

    /// Later rows of a causal sequence, and other sequences, have no influence: bit for bit.
    @Test func sequencesAreIndependent() {
        let oracle = AttentionOracle(offsets: [0, 20, 37], heads: 2, width: 64, causal: true)
        let qkv = sample(37 * 192, 7)
        let dy = sample(37 * 64, 8)
        let first = run(oracle, qkv, dy)
        for i in 10 * 192..<37 * 192 { qkv[i] += 1 }
        let second = run(oracle, qkv, dy)
        #expect(first.y.array[..<(10 * 64)] == second.y.array[..<(10 * 64)])
        #expect(first.y.array[(10 * 64)...] != second.y.array[(10 * 64)...])
    }

    /// A sequence's results are the same to the bit whatever is beside it: those of its own length, longer and shorter ones.
    @Test(arguments: [false, true])
    func companyDoesNotMatter(causal: Bool) {
        let lengths = [17, 4, 17, 17, 40, 4, 17, 17, 6, 4, 17, 1, 30, 7, 16, 3, 2, 29, 5, 18]
        let together = AttentionOracle(offsets: Self.offsets(lengths), heads: 3, width: 60, causal: causal)
        let rows = lengths.reduce(0, +)
        let (qkv, dy) = (sample(rows * 180, 15), sample(rows * 60, 16))
        let all = run(together, qkv, dy)
        for (start, length) in zip(together.offsets, lengths) {
            let end = start + length
            let alone = run(
                AttentionOracle(offsets: [0, length], heads: 3, width: 60, causal: causal),
                qkv[start * 180..<end * 180], dy[start * 60..<end * 60])
            #expect(alone.y.array == all.y[start * 60..<end * 60].array)
            #expect(alone.logSumExp.array == all.logSumExp[start * 3..<end * 3].array)
            #expect(alone.dqkv.array == all.dqkv[start * 180..<end * 180].array)
        }
    }

    private func run(_ shape: AttentionOracle, _ qkv: Floats, _ dy: Floats) -> (
        y: Floats, logSumExp: Floats, dqkv: Floats
    ) {
        let rows = shape.offsets[shape.offsets.count - 1]
        let (y, lse, dqkv) = (unwritten(rows * shape.width), unwritten(rows * shape.heads), unwritten(qkv.count))
        attentionForward(
            qkv: qkv, offsets: shape.offsets, heads: shape.heads, width: shape.width, causal: shape.causal, into: y,
            logSumExp: lse)
        attentionBackward(
            dy: dy, qkv: qkv, y: y, logSumExp: lse, offsets: shape.offsets, heads: shape.heads, width: shape.width,
            causal: shape.causal,
            into: dqkv)
        return (y, lse, dqkv)
    }
}
