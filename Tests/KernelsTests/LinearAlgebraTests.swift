// Factorisations and float64 Gram products against their defining equations. Not here: what FANoise makes of them.

import Buffers
import Kernels
import Randomness
import Testing

/// rows × columns normals in float64, values of float32.
private func normals(_ rows: Int, _ columns: Int, step: Int = 0) -> (Floats, Doubles) {
    let floats = RandomField(seed: 3, purpose: .test).normals(step: step, firstRow: 0, rows: rows, columns: columns)
    return (floats, Doubles(floats.array.map { Double($0) }))
}

/// op(A) op(B) by definition.
private func product(
    _ a: Doubles, _ b: Doubles, rows: Int, inner: Int, columns: Int, transposeA: Bool = false, transposeB: Bool = false
) -> [Double] {
    var result = Array(repeating: 0.0, count: rows * columns)
    for row in 0..<rows {
        for column in 0..<columns {
            for index in 0..<inner {
                result[row * columns + column] +=
                    a[transposeA ? index * rows + row : row * inner + index]
                    * b[transposeB ? column * inner + index : index * columns + column]
            }
        }
    }
    return result
}

private func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
}

@Suite struct LinearAlgebraTests {
    /// Backward stable routines: residuals of a few n · 2⁻⁵³ · ‖A‖; ‖A‖ is under 40² here, n at most 40.
    static let tolerance = 40 * 0x1p-52 * 1600.0

    @Test(arguments: [0, 1, 2, 7, 40]) func eigenvectorsRebuildTheMatrix(n: Int) throws {
        let (_, x) = normals(n + 3, n)
        let full = product(x, x, rows: n, inner: n + 3, columns: n, transposeA: true)
        let matrix = Doubles(full)
        // Only the upper triangle may be read.
        for row in 0..<n { for column in 0..<row { matrix[row * n + column] = .nan } }
        let values = try symmetricEigen(matrix, order: n)
        #expect(values.array == values.array.sorted())
        let scaled = Doubles((0..<n * n).map { values[$0 / n] * matrix[$0] })
        #expect(
            largestDifference(product(matrix, scaled, rows: n, inner: n, columns: n, transposeA: true), full)
                < Self.tolerance)
    }

    @Test(arguments: [(1, 1), (1, 6), (6, 1), (9, 4), (4, 9), (31, 31)]) func singularVectorsDiagonalise(m: Int, n: Int)
        throws
    {
        let (_, x) = normals(m, n)
        let k = min(m, n)
        let (values, right) = try singularDecomposition(destroying: Doubles(x.array), rows: m, columns: n)
        #expect(values.array == values.array.sorted(by: >))
        let scaled = Doubles((0..<k * n).map { values[$0 / n] * values[$0 / n] * right[$0] })
        let gram = product(x, x, rows: n, inner: m, columns: n, transposeA: true)
        #expect(
            largestDifference(product(right, scaled, rows: n, inner: k, columns: n, transposeA: true), gram)
                < Self.tolerance)
    }

    @Test(arguments: [(0, 3), (2, 5), (5, 5), (17, 5), (40, 1)]) func compressionKeepsTheGramMatrix(m: Int, n: Int)
        throws
    {
        let (_, x) = normals(m, n)
        let compressed = try compressedRows(destroying: Doubles(x.array), rows: m, columns: n)
        #expect(compressed.count == min(m, n) * n)
        let gram = product(x, x, rows: n, inner: m, columns: n, transposeA: true)
        let again = product(compressed, compressed, rows: n, inner: min(m, n), columns: n, transposeA: true)
        #expect(largestDifference(again, gram) < Self.tolerance)
    }

    @Test func orthonormalizationSpansAndCompletes() throws {
        let (_, x) = normals(4, 9)
        for column in 0..<9 { x[2 * 9 + column] = x[column] - 2 * x[9 + column] }
        let basis = Doubles(x.array)
        try orthonormalize(basis, count: 4, length: 9)
        let gram = product(basis, basis, rows: 4, inner: 9, columns: 4, transposeB: true)
        #expect(largestDifference(gram, (0..<16).map { $0 % 5 == 0 ? 1 : 0 }) < 1e-14)
        let coordinates = Doubles(product(x, basis, rows: 4, inner: 9, columns: 4, transposeB: true))
        #expect(largestDifference(product(coordinates, basis, rows: 4, inner: 4, columns: 9), x.array) < 1e-13)
    }

    @Test(arguments: [Transposition.none, .transposed], [Transposition.none, .transposed])
    func productsFollowTheDefinition(a: Transposition, b: Transposition) {
        let (_, left) = normals(5, 3)
        let (_, right) = normals(3, 4, step: 1)
        let result = Doubles(repeating: .nan, count: 20)
        let matrix = { (values: Doubles, rows: Int, columns: Int, how: Transposition) in
            how == .none
                ? DoubleMatrix(values, rows: rows, columns: columns)
                : DoubleMatrix(values, rows: columns, columns: rows)
        }
        gemm(matrix(left, 5, 3, a), a, matrix(right, 3, 4, b), b, into: DoubleMatrix(result, rows: 5, columns: 4))
        let expected = product(
            left, right, rows: 5, inner: 3, columns: 4, transposeA: a == .transposed, transposeB: b == .transposed)
        #expect(largestDifference(result.array, expected) < 1e-13)
    }
}

@Suite struct CentredRowsTests {
    /// Sizes across the block length of 128, in both directions, and none at all. Sums of at most 300 products below 25: 300 · 25 · 2⁻⁵².
    static let sizes = [(0, 4), (1, 1), (3, 129), (128, 5), (129, 7), (300, 3), (5, 300)]
    static let tolerance = 300 * 25 * 0x1p-52

    private func batch(_ m: Int, _ n: Int, centred: Bool) -> (CentredRows, Doubles) {
        let (floats, doubles) = normals(m, n)
        let mean = centred ? Doubles((0..<n).map { 0.25 * Double($0 % 5) - 0.3 }) : nil
        if let mean { for index in 0..<m * n { doubles[index] -= mean[index % n] } }
        return (CentredRows(floats, rows: m, columns: n, mean_N: mean), doubles)
    }

    private func upper(_ values: [Double], _ n: Int) -> [Double] {
        values.indices.filter { $0 % n >= $0 / n }.map { values[$0] }
    }

    @Test(arguments: sizes, [false, true]) func gramMatrices(size: (Int, Int), centred: Bool) {
        let (m, n) = size
        let (rows, x) = batch(m, n, centred: centred)
        let columnGram = Doubles(repeating: 1, count: n * n)
        rows.addColumnGram(to: columnGram)
        let expected = product(x, x, rows: n, inner: m, columns: n, transposeA: true).map { $0 + 1 }
        #expect(largestDifference(upper(columnGram.array, n), upper(expected, n)) < Self.tolerance)
        let rowGram = Doubles(repeating: .nan, count: m * m)
        rows.rowGram(into: rowGram)
        let other = product(x, x, rows: m, inner: n, columns: m, transposeB: true)
        #expect(largestDifference(upper(rowGram.array, max(m, 1)), upper(other, max(m, 1))) < Self.tolerance)
    }

    /// Sizes across the 128 numbers that are summed in float32 and the 256 rows that are formed together.
    @Test(arguments: sizes + [(600, 300), (300, 600)], [false, true])
    func gramMatricesOfSingleProducts(size: (Int, Int), centred: Bool) {
        let (m, n) = size
        let (rows, x) = batch(m, n, centred: centred)
        let gram = Doubles(repeating: 1, count: n * n)
        rows.addSingleColumnGram(to: gram)
        let expected = product(x, x, rows: n, inner: m, columns: n, transposeA: true)
        expectSingle(gram.array.map { $0 - 1 }, expected, order: n)
        let rowGram = Doubles(repeating: .nan, count: m * m)
        rows.singleRowGram(into: rowGram)
        expectSingle(rowGram.array, product(x, x, rows: m, inner: n, columns: m, transposeB: true), order: m)
    }

    /// Upper triangles differ by 65 · 2⁻²⁴ of the lengths of an element's two vectors at most: what the code says of 128 float32 sums.
    private func expectSingle(_ found: [Double], _ expected: [Double], order: Int) {
        for row in 0..<order {
            for column in row..<order {
                let lengths = (expected[row * order + row] * expected[column * order + column]).squareRoot()
                let place = row * order + column
                #expect(abs(found[place] - expected[place]) <= 65 * 0x1p-24 * lengths)
            }
        }
    }

    @Test(arguments: sizes, [false, true]) func productsWithVectors(size: (Int, Int), centred: Bool) {
        let (m, n) = size
        let k = 2
        let (rows, x) = batch(m, n, centred: centred)
        let (_, vectors) = normals(k, n, step: 1)
        let projected = Doubles(product(vectors, x, rows: k, inner: n, columns: m, transposeB: true))
        let expected = product(projected, x, rows: k, inner: m, columns: n)
        let result = Doubles(repeating: 0, count: k * n)
        rows.addGramProduct(of: vectors, count: k, to: result)
        let scale = 1 + expected.reduce(0) { max($0, abs($1)) }
        #expect(largestDifference(result.array, expected) < Self.tolerance * scale)
        let gram = Doubles(repeating: 0, count: k * k)
        rows.addProjectedGram(on: vectors, count: k, to: gram)
        let gramExpected = product(projected, projected, rows: k, inner: m, columns: k, transposeB: true)
        #expect(largestDifference(upper(gram.array, k), upper(gramExpected, k)) < Self.tolerance * scale * Double(n))
        #expect(rows.doubles().array == x.array)
    }

    @Test(arguments: sizes, [false, true]) func rightVectorsAreUnitRows(size: (Int, Int), centred: Bool) {
        let (m, n) = size
        let (rows, x) = batch(m, n, centred: centred)
        let left = Doubles(Array(repeating: 0.0, count: m) + (0..<m).map { 1 + Double($0 % 3) })
        let vectors = rows.unitRightVectors(of: left, count: 2).array.map { Double($0) }
        let expected = product(left, x, rows: 2, inner: m, columns: n)
        let norm = expected.reduce(0) { $0 + $1 * $1 }.squareRoot()
        // Stored as float32 twice: half a unit in the last place each time.
        #expect(largestDifference(vectors, expected.map { norm > 0 ? $0 / norm : 0 }) <= 0x1p-23)
    }

    @Test(arguments: sizes) func moments(m: Int, n: Int) {
        let (rows, x) = batch(m, n, centred: true)
        let sums = Doubles(repeating: 2, count: n)
        let squares = rows.addMoments(to: sums)
        let expected = (0..<n).map { column in (0..<m).reduce(2.0) { $0 + x[$1 * n + column] } }
        #expect(largestDifference(sums.array, expected) < Self.tolerance)
        #expect(abs(squares - x.array.reduce(0) { $0 + $1 * $1 }) < Self.tolerance * Double(n * m + 1))
    }
}
