// Matrix products of every transposition, stride and scale, alone and in strided batches, on either
// unit, against a Double oracle.

import Buffers
import Kernels
import Testing

/// One operand: op(A) is `rows` × `columns`, stored with some columns to spare.
private struct Operand {
    let matrix: Matrix
    let transposition: Transposition

    init(rows: Int, columns: Int, _ transposition: Transposition, spare: Int, offset: Int, seed: UInt32) {
        let (stored, width) = transposition == .none ? (rows, columns) : (columns, rows)
        let values = sample(offset + max(stored, 1) * (width + spare) + 64, seed)
        matrix = Matrix(values, offset: offset, rows: stored, columns: width, stride: width + spare)
        self.transposition = transposition
    }

    /// Element (i, j) of op(A), of the matrix that begins `shift` elements later.
    func element(_ i: Int, _ j: Int, shift: Int = 0) -> Double {
        let (row, column) = transposition == .none ? (i, j) : (j, i)
        return Double(matrix.values[matrix.offset + shift + row * matrix.stride + column])
    }
}

struct GemmTests {
    static let transpositions: [(Transposition, Transposition)] = [
        (.none, .none), (.none, .transposed), (.transposed, .none), (.transposed, .transposed),
    ]

    @Test(
        // The last but three are cut into blocks: of K, of B's columns, of the columns of a transposed A, of B's columns on either unit. The
        // last three have strips of A that are packed while others are multiplied: two, with a tail, in two blocks of K.
        arguments: [
            (1, 1, 1), (3, 5, 2), (17, 31, 13), (64, 8, 33), (5, 3, 0), (0, 4, 3), (7, 50, 1600), (9, 600, 350),
            (150, 20, 300), (40, 700, 350), (64, 20, 32), (97, 33, 64), (70, 36, 416),
        ],
        [(1, 0), (0.5, 0), (2, 1), (1, -0.5)] as [(Float, Float)])
    func equalsTheDefinition(shape: (m: Int, n: Int, k: Int), scales: (alpha: Float, beta: Float)) {
        for (unit, (left, right)) in ProductUnit.present.flatMap({ unit in Self.transpositions.map { (unit, $0) } }) {
            let a = Operand(rows: shape.m, columns: shape.k, left, spare: 3, offset: 2, seed: 1)
            let b = Operand(rows: shape.k, columns: shape.n, right, spare: 1, offset: 5, seed: 2)
            let start = sample(shape.m * (shape.n + 2) + 4, 3)
            let c = Matrix(Floats(start.array), offset: 1, rows: shape.m, columns: shape.n, stride: shape.n + 2)
            gemm(a.matrix, left, b.matrix, right, into: c, alpha: scales.alpha, beta: scales.beta, on: unit)
            for i in 0..<shape.m {
                for j in 0..<shape.n {
                    let products = (0..<shape.k).map { a.element(i, $0) * b.element($0, j) }
                    let old = Double(start[1 + i * (shape.n + 2) + j])
                    let expected = Double(scales.alpha) * products.reduce(0, +) + Double(scales.beta) * old
                    // k + 2 roundings of 2⁻²⁴ relative to the sum of magnitudes.
                    let size =
                        abs(Double(scales.alpha)) * products.reduce(0) { $0 + abs($1) } + abs(Double(scales.beta) * old)
                    #expect(
                        abs(Double(c.values[1 + i * (shape.n + 2) + j]) - expected) <= Double(shape.k + 2) * 0x1p-24
                            * size + 1e-30)
                }
                if i + 1 < shape.m {
                    #expect(
                        c.values[1 + i * (shape.n + 2) + shape.n] == start[1 + i * (shape.n + 2) + shape.n],
                        "spare columns are left alone")
                }
            }
        }
    }
}
