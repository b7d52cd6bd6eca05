// Matrix products in float64 on parts of buffers. Not here: float32, what training uses (Gemm.swift).

public import Buffers
private import COpenBLAS

/// A row-major float64 matrix inside a buffer: element (i, j) at `offset + i * stride + j`.
public struct DoubleMatrix: @unchecked Sendable {
    public let values: Doubles
    public let offset: Int
    public let rows: Int
    public let columns: Int
    /// Elements from one row to the next; at least `columns`.
    public let stride: Int

    public init(_ values: Doubles, offset: Int = 0, rows: Int, columns: Int, stride: Int? = nil) {
        let stride = stride ?? columns
        precondition(
            rows >= 0 && columns >= 0 && stride >= columns, "matrix \(rows)×\(columns) with row stride \(stride)")
        precondition(
            rows == 0 || columns == 0 || offset + (rows - 1) * stride + columns <= values.count,
            "matrix \(rows)×\(columns), stride \(stride), offset \(offset) exceeds \(values.count) elements")
        self.values = values
        self.offset = offset
        self.rows = rows
        self.columns = columns
        self.stride = stride
    }
}

/// `C = α · op(A) · op(B) + β · C` in float64. Overwrites (β = 0) or updates `c`, which must not alias `a` or `b`.
///
/// - Precondition: op(A) is M×K, op(B) is K×N, C is M×N, and K > 0.
public func gemm(
    _ a: DoubleMatrix, _ transposeA: Transposition = .none, _ b: DoubleMatrix, _ transposeB: Transposition = .none,
    into c: DoubleMatrix, alpha: Double = 1, beta: Double = 0
) {
    let (m, k) = transposeA == .none ? (a.rows, a.columns) : (a.columns, a.rows)
    let (bK, n) = transposeB == .none ? (b.rows, b.columns) : (b.columns, b.rows)
    precondition(
        k == bK && k > 0 && c.rows == m && c.columns == n,
        "product of \(m)×\(k) and \(bK)×\(n) into \(c.rows)×\(c.columns)")
    guard m > 0, n > 0 else { return }
    cblas_dgemm(
        CblasRowMajor, transposeA == .none ? CblasNoTrans : CblasTrans, transposeB == .none ? CblasNoTrans : CblasTrans,
        blasInt(m), blasInt(n), blasInt(k), alpha, a.values.base + a.offset, blasInt(a.stride),
        b.values.base + b.offset, blasInt(b.stride), beta, c.values.base + c.offset, blasInt(c.stride))
}
