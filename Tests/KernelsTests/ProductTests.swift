// What a product promises beside its values: rows that do not depend on their batch, threads that change nothing, what follows in the
// same pass.

import Buffers
import Testing

@testable import Kernels

struct ProductTests {
    /// Whole numbers of up to twelve bits: every part, product and sum is exact, whatever forms them.
    @Test(arguments: ProductUnit.present)
    func wholeNumbersAreExact(unit: ProductUnit) {
        let (m, n, k) = (33, 47, 100)
        let a = Floats((0..<m * k).map { Float($0 * 7919 % 4001 - 2000) })
        let b = Floats((0..<k * n).map { Float($0 * 104_729 % 61 - 30) })
        let c = Floats(count: m * n)
        gemm(
            Matrix(a, rows: m, columns: k), .none, Matrix(b, rows: k, columns: n),
            into: Matrix(c, rows: m, columns: n), on: unit)
        for row in 0..<m {
            for column in 0..<n {
                let sum = (0..<k).reduce(0) { $0 + Int(a[row * k + $1]) * Int(b[$1 * n + column]) }
                #expect(c[row * n + column] == Float(sum))
            }
        }
    }

    /// Sums of a transposed operand's columns, beside products of one block of columns and of several, on one thread and on three: each sum once.
    @Test(arguments: [(m: 71, n: 1300), (m: 130, n: 40), (m: 5, n: 3)], [1, 3])
    func rowSumsBesideAProduct(shape: (m: Int, n: Int), threads: Int) {
        let ((m, n), k) = (shape, 600)
        let (a, b) = (sample(k * m, 1), sample(k * n, 2))
        let before = blasThreads()
        setBLASThreads(threads)
        defer { setBLASThreads(before) }
        for unit in ProductUnit.present {
            let (c, sums) = (Floats(repeating: 0, count: m * n), Floats(repeating: 2, count: m))
            product(
                Matrix(a, rows: k, columns: m), .transposed, Matrix(b, rows: k, columns: n), .none,
                into: Matrix(c, rows: m, columns: n), rowSums: sums, on: unit)
            let expected = (0..<m).map { row in (0..<k).reduce(2.0) { $0 + Double(a[$1 * m + row]) } }
            expectClose(sums, expected, tolerance: 4 * Double(k) * unitRoundoff, "sums on the \(unit) unit")
        }
    }

    /// What is not finite stays visible, in its row and in no other; magnitudes near the ends of the range lose nothing.
    @Test(arguments: ProductUnit.present)
    func theEndsOfTheRange(unit: ProductUnit) {
        for (special, finite) in [
            (Float.nan, false), (.infinity, false), (-.infinity, false), (Float(bitPattern: 0x7FFF_FFFF), false),
            (3e38, true), (1e-30, true), (0, true),
        ] {
            let a = Floats([1, 2, 3, special])
            let b = Floats([0.75, 0.5])
            let c = Floats(count: 8)
            gemm(
                Matrix(a, rows: 4, columns: 1), .none, Matrix(b, rows: 1, columns: 2),
                into: Matrix(c, rows: 4, columns: 2), on: unit)
            #expect(c.array[..<6] == [0.75, 0.5, 1.5, 1, 2.25, 1.5])
            #expect(c[6].isFinite == finite && c[7].isFinite == finite)
            if finite {
                let error = max(abs(c[6] - special * 0.75), abs(c[7] - special * 0.5))
                #expect(error <= abs(special) * 0x1p-23)
            }
        }
    }

    /// In the last, with more blocks of columns than rows that are packed beside them.
    @Test(
        arguments: [(61, 130, 900), (61, 48, 900), (3, 17, 5), (97, 33, 64), (64, 1056, 32)],
        GemmTests.transpositions.indices)
    func rowsDoNotDependOnTheirBatch(shape: (m: Int, n: Int, k: Int), which: Int) {
        for unit in ProductUnit.present { rowsDoNotDependOnTheirBatch(shape, which, unit) }
    }

    private func rowsDoNotDependOnTheirBatch(_ shape: (m: Int, n: Int, k: Int), _ which: Int, _ unit: ProductUnit) {
        let (left, right) = GemmTests.transpositions[which]
        let (m, n, k) = shape
        let a = sample(m * k, 1)
        let b =
            right == .none
            ? Matrix(sample(k * n, 2), rows: k, columns: n) : Matrix(sample(n * k, 2), rows: n, columns: k)
        let whole = Floats(count: m * n)
        let stored = left == .none ? Matrix(a, rows: m, columns: k) : Matrix(a, rows: k, columns: m)
        gemm(stored, left, b, right, into: Matrix(whole, rows: m, columns: n), on: unit)
        for row in 0..<m {
            let alone = Floats(count: n)
            let part =
                left == .none
                ? Matrix(a, offset: row * k, rows: 1, columns: k)
                : Matrix(a, offset: row, rows: k, columns: 1, stride: m)
            gemm(part, left, b, right, into: Matrix(alone, rows: 1, columns: n), on: unit)
            #expect(alone.array == whole[row * n..<(row + 1) * n].array)
        }
    }

    /// Large enough to be cut among threads, along either side.
    @Test(arguments: [(700, 90, 300), (90, 700, 300)], GemmTests.transpositions.indices)
    func threadsChangeNothing(shape: (m: Int, n: Int, k: Int), which: Int) {
        let (left, right) = GemmTests.transpositions[which]
        let (m, n, k) = shape
        let a =
            left == .none
            ? Matrix(sample(m * k, 1), rows: m, columns: k) : Matrix(sample(m * k, 1), rows: k, columns: m)
        let b =
            right == .none
            ? Matrix(sample(k * n, 2), rows: k, columns: n) : Matrix(sample(n * k, 2), rows: n, columns: k)
        let before = blasThreads()
        defer { setBLASThreads(before) }
        for unit in ProductUnit.present {
            let results = [1, 3].map { threads in
                setBLASThreads(threads)
                let c = sample(m * n, 3)
                gemm(a, left, b, right, into: Matrix(c, rows: m, columns: n), alpha: 0.5, beta: 1, on: unit)
                return c.array
            }
            #expect(results[0] == results[1], "\(unit)")
        }
    }

    @Test(
        arguments: [(1, 1, 1), (19, 50, 33), (40, 520, 800), (9, 900, 40)],
        [(true, true), (true, false), (false, true), (false, false)])
    func whatFollowsAProduct(shape: (rows: Int, inputs: Int, outputs: Int), has: (bias: Bool, residual: Bool)) {
        let (rows, inputs, outputs) = shape
        let x = sample(rows * inputs, 1)
        let weight = sample(outputs * inputs, 2)
        let bias = has.bias ? sample(outputs, 3) : nil
        let residual = has.residual ? sample(rows * outputs, 4) : nil
        let (y, activated) = (Floats(count: rows * outputs), Floats(count: rows * outputs))
        linearForward(
            x, weight: weight, bias: bias, residual: residual, rows: rows, inputs: inputs, outputs: outputs, into: y,
            activation: .geluErf, activated: activated)
        for row in 0..<rows {
            for output in 0..<outputs {
                var (sum, size) = (0.0, 0.0)
                for input in 0..<inputs {
                    let term = Double(x[row * inputs + input]) * Double(weight[output * inputs + input])
                    sum += term
                    size += abs(term)
                }
                for term in [bias?[output], residual?[row * outputs + output]].compactMap({ $0 }) {
                    sum += Double(term)
                    size += abs(Double(term))
                }
                #expect(abs(Double(y[row * outputs + output]) - sum) <= Double(inputs + 3) * 0x1p-24 * size)
            }
        }
        let expected = Floats(count: rows * outputs)
        biasActivationForward(y, bias: nil, activation: .geluErf, rows: rows, columns: outputs, into: expected)
        #expect(activated.array == expected.array)
        linearForward(
            x, weight: weight, bias: bias, residual: residual, rows: rows, inputs: inputs, outputs: outputs, into: y,
            activation: .geluErf, activated: y)
        #expect(y.array == expected.array, "in place")
    }

    /// What a sum begins with is the same wherever rows or columns are cut, among threads or at the edge of a tile.
    @Test func rowsWithABiasDoNotDependOnTheirBatch() {
        let (inputs, outputs) = (1536, 390)
        let x = sample(40 * inputs, 1)
        let (weight, bias) = (sample(outputs * inputs, 2), sample(outputs, 3))
        let before = blasThreads()
        defer { setBLASThreads(before) }
        var results: [[Float]] = []
        for rows in [1, 20, 40] {
            for threads in [1, 3, 5] {
                setBLASThreads(threads)
                let y = Floats(count: rows * outputs)
                linearForward(
                    x[0..<rows * inputs], weight: weight, bias: bias, rows: rows, inputs: inputs, outputs: outputs,
                    into: y)
                results.append(y.array)
            }
        }
        for result in results { #expect(result[...] == results[results.count - 1][..<result.count]) }
    }

    /// To the bit the same as one after the other, so that an activation computed again is the one that was.
    @Test(arguments: [(1, 1, 1), (19, 50, 33), (70, 520, 40)], Activation.allCases)
    func backThroughAnActivation(shape: (rows: Int, inputs: Int, outputs: Int), activation: Activation) {
        let (rows, inputs, outputs) = shape
        let (dy, weight) = (sample(rows * outputs, 1), sample(outputs * inputs, 2))
        let p = sample(rows * inputs, 3)
        let (expected, activated) = (Floats(count: rows * inputs), Floats(count: rows * inputs))
        gemm(
            Matrix(dy, rows: rows, columns: outputs), .none, Matrix(weight, rows: outputs, columns: inputs), .none,
            into: Matrix(expected, rows: rows, columns: inputs))
        activationBackward(
            expected, preactivation: p, activation: activation, rows: rows, columns: inputs, into: expected, dbias: nil)
        biasActivationForward(p, bias: nil, activation: activation, rows: rows, columns: inputs, into: activated)
        let dp = unwritten(rows * inputs)
        activatedLinearBackward(
            dy, weight: weight, rows: rows, inputs: inputs, outputs: outputs, activation: activation, preactivation: p,
            into: dp)
        #expect(dp.array == expected.array)
        #expect(p.array == activated.array)
    }
}
