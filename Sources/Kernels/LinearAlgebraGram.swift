// Float64 products of float32 batches, a block at a time, so that a float64 copy of the batch never exists.
// Not here: factorisations (LinearAlgebra.swift), sums over ranks (FANoise).
//
// Why float64: FANoise takes fourth roots of these matrices' eigenvalues, and a fourth root turns float32's round-off of 1e-7
// in the null space into 2e-2; float64's 1e-16 becomes 1e-4 of σ_1 and is cut off by the tolerance of the singular values.

public import Buffers
private import COpenBLAS

/// Rows (or columns) converted at a time: a block of 128 × 1536 float64 is 1.5 MB, half of a core's second-level cache.
private let blockLength = 128

/// A float32 matrix that float64 kernels read as X − 1 μ, block by block. Local.
public struct CentredRows: @unchecked Sendable {
    /// m × n, row-major, without padding.
    public let values_MN: Floats
    public let rows: Int
    public let columns: Int
    /// μ, n numbers to subtract from every row; nil subtracts nothing.
    public let mean_N: Doubles?

    public init(_ values_MN: Floats, rows: Int, columns: Int, mean_N: Doubles? = nil) {
        precondition(values_MN.count == rows * columns, "\(rows)×\(columns) rows in \(values_MN.count) elements")
        precondition(
            mean_N.map { $0.count == columns } ?? true, "a mean of \(mean_N?.count ?? 0) for \(columns) columns")
        self.values_MN = values_MN
        self.rows = rows
        self.columns = columns
        self.mean_N = mean_N
    }

    /// Writes rows `range`, columns `panel` as float64 into `block`, dense.
    private func convert(_ range: Range<Int>, _ panel: Range<Int>, into block: UnsafeMutablePointer<Double>) {
        let width = panel.count
        for (index, row) in range.enumerated() {
            let source = values_MN.base + row * columns + panel.lowerBound
            let target = block + index * width
            if let mean_N {
                let mean = mean_N.base + panel.lowerBound
                for column in 0..<width { target[column] = Double(source[column]) - mean[column] }
            } else {
                for column in 0..<width { target[column] = Double(source[column]) }
            }
        }
    }

    /// Calls `body` with consecutive blocks of whole rows in float64.
    private func forEachRowBlock(_ body: (UnsafeMutablePointer<Double>, Int) -> Void) {
        let block = Doubles(count: min(blockLength, rows) * columns)
        for first in stride(from: 0, to: rows, by: blockLength) {
            let range = first..<min(first + blockLength, rows)
            convert(range, 0..<columns, into: block.base)
            body(block.base, range.count)
        }
    }

    /// Calls `body` with consecutive panels of whole columns in float64, dense: m × width.
    private func forEachColumnPanel(_ body: (UnsafeMutablePointer<Double>, Range<Int>) -> Void) {
        let block = Doubles(count: rows * min(blockLength, columns))
        for first in stride(from: 0, to: columns, by: blockLength) {
            let panel = first..<min(first + blockLength, columns)
            convert(0..<rows, panel, into: block.base)
            body(block.base, panel)
        }
    }

    /// Adds the upper triangle (column ≥ row) of XᵀX to `gram_NN`. Cost m n² flops.
    public func addColumnGram(to gram_NN: Doubles) {
        precondition(
            gram_NN.count == columns * columns, "Gram matrix of \(columns) columns in \(gram_NN.count) elements")
        guard columns > 0 else { return }
        forEachRowBlock { block, count in
            cblas_dsyrk(
                CblasRowMajor, CblasUpper, CblasTrans, blasInt(columns), blasInt(count), 1, block, blasInt(columns), 1,
                gram_NN.base, blasInt(columns))
        }
    }

    /// Overwrites the upper triangle (column ≥ row) of `gram_MM` with that of X Xᵀ. Cost n m² flops.
    public func rowGram(into gram_MM: Doubles) {
        precondition(gram_MM.count == rows * rows, "Gram matrix of \(rows) rows in \(gram_MM.count) elements")
        gram_MM.fill(0)
        guard rows > 0 else { return }
        forEachColumnPanel { block, panel in
            cblas_dsyrk(
                CblasRowMajor, CblasUpper, CblasNoTrans, blasInt(rows), blasInt(panel.count), 1, block,
                blasInt(panel.count), 1,
                gram_MM.base, blasInt(rows))
        }
    }

    /// The right vectors that belong to left vectors: rows of U_KM X, each scaled to unit length, as float32.
    ///
    /// Dividing by the length found, instead of by σ, keeps the vectors of the smallest singular values unit vectors too.
    /// A zero row stays zero. Cost 2 k m n flops.
    /// - Parameter left_KM: k × m, one left singular vector a row.
    public func unitRightVectors(of left_KM: Doubles, count k: Int) -> Floats {
        precondition(left_KM.count == k * rows, "\(k) left vectors of \(rows) rows in \(left_KM.count) elements")
        let result_KN = Floats(count: k * columns)
        guard k > 0 else { return result_KN }
        let squares_K = Doubles(repeating: 0, count: k)
        let product = Doubles(count: k * min(blockLength, columns))
        forEachColumnPanel { block, panel in
            cblas_dgemm(
                CblasRowMajor, CblasNoTrans, CblasNoTrans, blasInt(k), blasInt(panel.count), blasInt(rows), 1,
                left_KM.base,
                blasInt(rows), block, blasInt(panel.count), 0, product.base, blasInt(panel.count))
            for vector in 0..<k {
                let source = product.base + vector * panel.count
                let target = result_KN.base + vector * columns + panel.lowerBound
                var squares = 0.0
                for column in 0..<panel.count {
                    squares += source[column] * source[column]
                    target[column] = Float(source[column])
                }
                squares_K.base[vector] += squares
            }
        }
        for vector in 0..<k where squares_K.base[vector] > 0 {
            let scale = 1 / squares_K.base[vector].squareRoot()
            let row = result_KN.base + vector * columns
            for column in 0..<columns { row[column] = Float(Double(row[column]) * scale) }
        }
        return result_KN
    }

    /// Adds `Q Xᵀ X` to `result_KN`: one step of subspace iteration on k vectors, one a row. Cost 4 k m n flops.
    public func addGramProduct(of vectors_KN: Doubles, count k: Int, to result_KN: Doubles) {
        precondition(
            vectors_KN.count == k * columns && result_KN.count == k * columns,
            "\(k) vectors of \(columns) in \(vectors_KN.count) and \(result_KN.count) elements")
        guard k > 0, columns > 0 else { return }
        let projected = Doubles(count: min(blockLength, rows) * k)
        forEachRowBlock { block, count in
            project(block, count, vectors_KN, k, into: projected.base)
            cblas_dgemm(
                CblasRowMajor, CblasTrans, CblasNoTrans, blasInt(k), blasInt(columns), blasInt(count), 1,
                projected.base, blasInt(k),
                block, blasInt(columns), 1, result_KN.base, blasInt(columns))
        }
    }

    /// Adds the upper triangle of `Q XᵀX Qᵀ` to `gram_KK`: the Gram matrix of X's coordinates in the basis Q. Cost 2 k m n flops.
    public func addProjectedGram(on vectors_KN: Doubles, count k: Int, to gram_KK: Doubles) {
        precondition(
            vectors_KN.count == k * columns && gram_KK.count == k * k,
            "\(k) vectors of \(columns) in \(vectors_KN.count), Gram matrix in \(gram_KK.count) elements")
        guard k > 0, columns > 0 else { return }
        let projected = Doubles(count: min(blockLength, rows) * k)
        forEachRowBlock { block, count in
            project(block, count, vectors_KN, k, into: projected.base)
            cblas_dsyrk(
                CblasRowMajor, CblasUpper, CblasTrans, blasInt(k), blasInt(count), 1, projected.base, blasInt(k), 1,
                gram_KK.base,
                blasInt(k))
        }
    }

    /// block (count × n) · Qᵀ (n × k).
    private func project(
        _ block: UnsafeMutablePointer<Double>, _ count: Int, _ vectors_KN: Doubles, _ k: Int,
        into result: UnsafeMutablePointer<Double>
    ) {
        cblas_dgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, blasInt(count), blasInt(k), blasInt(columns), 1, block,
            blasInt(columns),
            vectors_KN.base, blasInt(columns), 0, result, blasInt(k))
    }

    /// All of X − 1 μ in float64: for the SVD route, which pays with memory for not squaring the condition number.
    public func doubles() -> Doubles {
        let result = Doubles(count: rows * columns)
        convert(0..<rows, 0..<columns, into: result.base)
        return result
    }

    /// Adds the sum of the rows to `sums_N` and returns the sum of the squares of all elements (of X − 1 μ both).
    public func addMoments(to sums_N: Doubles) -> Double {
        precondition(sums_N.count == columns, "sums of \(columns) columns in \(sums_N.count) elements")
        var squares = 0.0
        forEachRowBlock { block, count in
            for row in 0..<count {
                let values = block + row * columns
                for column in 0..<columns { sums_N.base[column] += values[column] }
            }
            squares += cblas_ddot(blasInt(count * columns), block, 1, block, 1)
        }
        return squares
    }
}
