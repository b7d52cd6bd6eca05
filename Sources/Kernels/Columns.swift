// Some columns of a matrix. Not here: products, which take strides themselves (Gemm.swift).

public import Buffers

/// `y_rc = x_rc` for the first `columns` of each row; rows lie `stride` apart. What lies between is left alone.
public func copyColumns(
    _ x: Floats, stride xStride: Int, into y: Floats, stride yStride: Int, rows: Int, columns: Int
) {
    precondition(
        columns <= xStride && columns <= yStride && rows >= 0 && x.count >= (rows - 1) * xStride + columns
            && y.count >= (rows - 1) * yStride + columns,
        "\(rows) rows of \(columns) columns, \(xStride) apart in \(x.count), into \(yStride) apart in \(y.count)")
    for row in 0..<rows { (y.base + row * yStride).update(from: x.base + row * xStride, count: columns) }
}
