// Activations and linear layers against float64, their backwards against central differences.

import Buffers
import Foundation
import Kernels
import Testing

/// The activation and its derivative as their formulas read, in float64.
func oracleActivation(_ activation: Activation, _ x: Double) -> Double {
    switch activation {
    case .identity: x
    case .geluTanh: x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case .geluErf: x / 2 * erfc(-x / 2.0.squareRoot())
    case .quickGelu: x / (1 + exp(-1.702 * x))
    case .relu: max(x, 0)
    case .silu: x / (1 + exp(-x))
    case .tanh: tanh(x)
    }
}

/// −20 … 20 densely, with the ends of every branch, and zeros of both signs.
private let activationInputs =
    Floats((0...4000).map { Float($0 - 2000) * 0.01 } + [0, -0.0, 1e-30, -1e-30, 88, -88, 100, -100, 1e4, -1e4])

struct ActivationTests {
    /// One evaluation rounds a dozen times, each by u, on numbers of at most max(1, |x|): 12 u is 7e-7; polynomials, and the quotient for
    /// the normal tail, are fitted to below u. The argument x² / 2 of the normal tail, up to 13, rounds by 13 u where the tail is e^−13.
    static let tolerance = 12 * unitRoundoff

    @Test(arguments: Activation.allCases)
    func forwardMatchesFormula(activation: Activation) {
        let x = activationInputs
        let y = unwritten(x.count)
        biasActivationForward(x, bias: nil, activation: activation, rows: 1, columns: x.count, into: y)
        for i in 0..<x.count {
            let expected = oracleActivation(activation, Double(x[i]))
            #expect(abs(Double(y[i]) - expected) <= Self.tolerance * max(1, abs(expected)), "\(activation) at \(x[i])")
        }
    }

    @Test(arguments: Activation.allCases)
    func backwardMatchesCentralDifferences(activation: Activation) {
        let x = activationInputs[0..<4001]
        let dx = unwritten(x.count)
        activationBackward(
            Floats(repeating: 1, count: x.count), preactivation: x, activation: activation, rows: 1, columns: x.count,
            into: dx, dbias: nil)
        // The ramp has no derivative at 0.
        for i in 0..<x.count where activation != .relu || x[i] != 0 {
            let h = 1e-5
            let (below, above) = (Double(x[i]) - h, Double(x[i]) + h)
            let slope = (oracleActivation(activation, above) - oracleActivation(activation, below)) / (2 * h)
            // x · σ(1 − σ) and x · φ multiply the rounding of σ and φ by |x|, but only where the product is below 1.2.
            #expect(abs(Double(dx[i]) - slope) <= 2 * Self.tolerance, "\(activation) at \(x[i])")
        }
    }

    @Test(arguments: edgeSizes)
    func biasIsAddedAndItsGradientAccumulated(columns: Int) {
        let rows = 7
        let (pre, bias, dy) = (sample(rows * columns, 1), sample(columns, 2), sample(rows * columns, 3))
        let before = pre.doubles
        let (y, dx, dbias) = (
            unwritten(rows * columns), unwritten(rows * columns), Floats(repeating: 5, count: columns)
        )
        biasActivationForward(pre, bias: bias, activation: .geluErf, rows: rows, columns: columns, into: y)
        let shifted = before.indices.map { before[$0] + Double(bias[$0 % columns]) }
        expectClose(pre, shifted, tolerance: 2 * unitRoundoff, "preactivation")
        expectClose(y, shifted.map { oracleActivation(.geluErf, $0) }, tolerance: Self.tolerance, "y")
        activationBackward(
            dy, preactivation: pre, activation: .geluErf, rows: rows, columns: columns, into: dx, dbias: dbias)
        let sums = (0..<columns).map { c in 5 + (0..<rows).reduce(0) { $0 + Double(dx[$1 * columns + c]) } }
        // Eight additions.
        expectClose(dbias, sums, tolerance: 8 * unitRoundoff, "dbias")
        let alias = Floats(dy.array)
        activationBackward(
            alias, preactivation: pre, activation: .geluErf, rows: rows, columns: columns, into: alias, dbias: nil)
        #expect(alias.array == dx.array)
    }

    @Test func notANumberStaysVisible() {
        for activation in Activation.allCases {
            let y = unwritten(17)
            let x = Floats(repeating: 1, count: 17)
            x[3] = .nan
            x[16] = .nan
            biasActivationForward(x, bias: nil, activation: activation, rows: 1, columns: 17, into: y)
            #expect(y[3].isNaN && y[16].isNaN && y[4].isFinite)
        }
    }
}

struct LinearTests {
    /// The last: biases' gradients summed over several blocks of rows, whole groups of outputs and a rest.
    @Test(arguments: [(0, 3, 4), (1, 1, 1), (5, 17, 3), (33, 16, 64), (7, 1, 130), (600, 5, 211)], [false, true])
    func matchesOracle(shape: (Int, Int, Int), biased: Bool) {
        let (rows, inputs, outputs) = shape
        let (x, w, b) = (sample(rows * inputs, 1), sample(outputs * inputs, 2), sample(outputs, 3))
        let dy = sample(rows * outputs, 4)
        let (xs, ws, dys) = (x.doubles, w.doubles, dy.doubles)
        let y = unwritten(rows * outputs)
        linearForward(
            x, weight: w, bias: biased ? b : nil, rows: rows, inputs: inputs, outputs: outputs, into: y)
        let expected = (0..<rows * outputs).map { index in
            let (r, o) = (index / outputs, index % outputs)
            return (biased ? Double(b[o]) : 0)
                + (0..<inputs).reduce(0.0) { $0 + xs[r * inputs + $1] * ws[o * inputs + $1] }
        }
        // A sum of n products of normals (magnitude up to 16) rounds by at most n u · 16 in terms of a result of magnitude above 1.
        let longest = Double(max(rows, inputs, outputs))
        let tolerance = 16 * (longest + 1) * unitRoundoff
        expectClose(y, expected, tolerance: tolerance, "y")

        let (dx, dw, db) = (
            unwritten(rows * inputs), Floats(repeating: 2, count: outputs * inputs),
            Floats(repeating: 3, count: outputs)
        )
        linearBackward(
            dy, x: x, weight: w, rows: rows, inputs: inputs, outputs: outputs, dx: dx, dweight: dw, dbias: db)
        let dxs = (0..<rows * inputs).map { index in
            (0..<outputs).reduce(0.0) { $0 + dys[index / inputs * outputs + $1] * ws[$1 * inputs + index % inputs] }
        }
        let dws = (0..<outputs * inputs).map { index in
            (0..<rows).reduce(2.0) { $0 + dys[$1 * outputs + index / inputs] * xs[$1 * inputs + index % inputs] }
        }
        let dbs = (0..<outputs).map { o in (0..<rows).reduce(3.0) { $0 + dys[$1 * outputs + o] } }
        expectClose(dx, dxs, tolerance: tolerance, "dx")
        expectClose(dw, dws, tolerance: tolerance, "dweight")
        expectClose(db, dbs, tolerance: tolerance, "dbias")
    }

    /// Biases' gradients are summed beside the product, whose parts are rows of it or columns: each sum once, in one order.
    @Test(arguments: [(700, 384, 96), (700, 96, 384)])
    func threadsChangeNothing(shape: (rows: Int, inputs: Int, outputs: Int)) {
        let (rows, inputs, outputs) = shape
        let (x, w, dy) = (sample(rows * inputs, 1), sample(outputs * inputs, 2), sample(rows * outputs, 3))
        let threads = blasThreads()
        defer { setBLASThreads(threads) }
        let results = [1, 2, 3].map { count -> [[Float]] in
            setBLASThreads(count)
            let dw = Floats(repeating: 0, count: outputs * inputs)
            let db = Floats(repeating: 1, count: outputs)
            linearBackward(
                dy, x: x, weight: w, rows: rows, inputs: inputs, outputs: outputs, dx: nil, dweight: dw, dbias: db)
            return [dw.array, db.array]
        }
        #expect(results[1] == results[0] && results[2] == results[0])
    }

    @Test func gradientsThatAreNotNeededAreNotTouched() {
        let (x, w, dy) = (sample(6, 1), sample(12, 2), sample(8, 3))
        let dw = Floats(repeating: 0, count: 12)
        linearBackward(dy, x: x, weight: w, rows: 2, inputs: 3, outputs: 4, dx: nil, dweight: dw, dbias: nil)
        #expect(sumOfSquares(dw) > 0)
    }
}
