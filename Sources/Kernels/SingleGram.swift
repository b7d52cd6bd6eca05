// Gram matrices of float32 products, for batches so tall or wide that forming the matrix is what takes time. Not here: the same in float64
// (LinearAlgebraGram.swift).
//
// Products are formed in float32 over `terms` numbers at a time, and these are added up in float64. An element then differs from the exact
// one by at most 2⁻²⁴ (terms/2 + 1) of Σ|x y|, as it nearly may where all terms are equal, and by far less where they are not.

public import Buffers

/// Numbers that are summed in float32.
private let terms = 128
/// Rows of the Gram matrix that are formed together: below the diagonal nothing is, but inside a block.
private let height = 256

extension CentredRows {
    /// As `addColumnGram(to:)`, of float32 products. Cost m n² flops, and m n h for blocks of h rows.
    public func addSingleColumnGram(to gram_NN: Doubles) {
        precondition(
            gram_NN.count == columns * columns, "Gram matrix of \(columns) columns in \(gram_NN.count) elements")
        for first in stride(from: 0, to: rows, by: terms) {
            let part = floats(first..<min(first + terms, rows), 0..<columns)
            addUpperTriangle(to: gram_NN, order: columns) { block, result in
                gemm(
                    part.part(columns: block), .transposed, part.part(columns: block.lowerBound..<columns),
                    into: result)
            }
        }
    }

    /// As `rowGram(into:)`, of float32 products. Cost n m² flops, and n m h for blocks of h rows.
    public func singleRowGram(into gram_MM: Doubles) {
        precondition(gram_MM.count == rows * rows, "Gram matrix of \(rows) rows in \(gram_MM.count) elements")
        gram_MM.fill(0)
        for first in stride(from: 0, to: columns, by: terms) {
            let part = floats(0..<rows, first..<min(first + terms, columns))
            addUpperTriangle(to: gram_MM, order: rows) { block, result in
                gemm(part.part(rows: block), .none, part.part(rows: block.lowerBound..<rows), .transposed, into: result)
            }
        }
    }

    /// Adds to an upper triangle what `form` writes for each block of rows, from its diagonal on.
    private func addUpperTriangle(to gram: Doubles, order: Int, _ form: (Range<Int>, Matrix) -> Void) {
        let scratch = Floats(count: min(height, order) * order)
        for first in stride(from: 0, to: order, by: height) {
            let block = first..<min(first + height, order)
            let width = order - first
            form(block, Matrix(scratch, rows: block.count, columns: width))
            for row in block {
                let (source, target) = (scratch.base + (row - first) * width - first, gram.base + row * order)
                for column in row..<order { target[column] += Double(source[column]) }
            }
        }
    }

    /// X − 1 μ there: where it lies, or a copy.
    private func floats(_ range: Range<Int>, _ panel: Range<Int>) -> Matrix {
        guard let mean_N else {
            return Matrix(
                values_MN, offset: range.lowerBound * columns + panel.lowerBound, rows: range.count,
                columns: panel.count, stride: columns)
        }
        let copy = Floats(count: range.count * panel.count)
        for (index, row) in range.enumerated() {
            for (place, column) in panel.enumerated() {
                copy.base[index * panel.count + place] = Float(
                    Double(values_MN.base[row * columns + column]) - mean_N.base[column])
            }
        }
        return Matrix(copy, rows: range.count, columns: panel.count)
    }
}

extension DenseMatrix {
    fileprivate func part(rows range: Range<Int>) -> DenseMatrix {
        DenseMatrix(
            values, offset: offset + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
    }

    fileprivate func part(columns range: Range<Int>) -> DenseMatrix {
        DenseMatrix(values, offset: offset + range.lowerBound, rows: rows, columns: range.count, stride: stride)
    }
}
