// Matrix products through OpenBLAS. Not here: anything element-wise, factorisations (LinearAlgebra.swift).

public import Buffers
private import COpenBLAS

/// Whether a matrix enters a product as stored or transposed.
public enum Transposition: Sendable {
    case none, transposed

    fileprivate var cblas: CBLAS_TRANSPOSE { self == .none ? CblasNoTrans : CblasTrans }
}

/// A row-major matrix inside a buffer: element (i, j) at `offset + i * stride + j`.
public struct DenseMatrix<Element: BitwiseCopyable>: @unchecked Sendable {
    public let values: Buffer<Element>
    public let offset: Int
    public let rows: Int
    public let columns: Int
    /// Elements from one row to the next; at least `columns`.
    public let stride: Int

    public init(_ values: Buffer<Element>, offset: Int = 0, rows: Int, columns: Int, stride: Int? = nil) {
        let stride = stride ?? columns
        precondition(
            rows >= 0 && columns >= 0 && stride >= columns, "matrix \(rows)×\(columns) with row stride \(stride)")
        precondition(
            rows == 0 || columns == 0 || (offset >= 0 && offset + (rows - 1) * stride + columns <= values.count),
            "matrix \(rows)×\(columns), stride \(stride), offset \(offset) exceeds \(values.count) elements")
        self.values = values
        self.offset = offset
        self.rows = rows
        self.columns = columns
        self.stride = stride
    }

    var base: UnsafeMutablePointer<Element> { values.base + offset }

    /// The matrix of the same shape that begins `elements` later in the buffer.
    fileprivate func moved(by elements: Int) -> DenseMatrix {
        DenseMatrix(values, offset: offset + elements, rows: rows, columns: columns, stride: stride)
    }
}

/// float32, what training multiplies.
public typealias Matrix = DenseMatrix<Float>
/// float64, for spectra and references.
public typealias DoubleMatrix = DenseMatrix<Double>

/// `C = α · op(A) · op(B) + β · C` in float32. Overwrites (β = 0) or updates `c`, which must not alias `a` or `b`.
///
/// - Precondition: op(A) is M×K, op(B) is K×N, C is M×N. Empty products leave β · C.
public func gemm(
    _ a: Matrix, _ transposeA: Transposition = .none, _ b: Matrix, _ transposeB: Transposition = .none, into c: Matrix,
    alpha: Float = 1, beta: Float = 0
) {
    let (m, k) = transposeA == .none ? (a.rows, a.columns) : (a.columns, a.rows)
    let (bK, n) = transposeB == .none ? (b.rows, b.columns) : (b.columns, b.rows)
    precondition(
        k == bK && c.rows == m && c.columns == n, "product of \(m)×\(k) and \(bK)×\(n) into \(c.rows)×\(c.columns)")
    guard m > 0, n > 0 else { return }
    guard k > 0 else {
        for row in 0..<m {
            for column in 0..<n {
                c.base[row * c.stride + column] = beta == 0 ? 0 : beta * c.base[row * c.stride + column]
            }
        }
        return
    }
    cblas_sgemm(
        CblasRowMajor, transposeA.cblas, transposeB.cblas, blasInt(m), blasInt(n), blasInt(k), alpha, a.base,
        blasInt(a.stride), b.base,
        blasInt(b.stride), beta, c.base, blasInt(c.stride))
}

/// The same in float64. K is above 0.
public func gemm(
    _ a: DoubleMatrix, _ transposeA: Transposition = .none, _ b: DoubleMatrix, _ transposeB: Transposition = .none,
    into c: DoubleMatrix,
    alpha: Double = 1, beta: Double = 0
) {
    let (m, k) = transposeA == .none ? (a.rows, a.columns) : (a.columns, a.rows)
    let (bK, n) = transposeB == .none ? (b.rows, b.columns) : (b.columns, b.rows)
    precondition(
        k == bK && k > 0 && c.rows == m && c.columns == n,
        "product of \(m)×\(k) and \(bK)×\(n) into \(c.rows)×\(c.columns)")
    guard m > 0, n > 0 else { return }
    cblas_dgemm(
        CblasRowMajor, transposeA.cblas, transposeB.cblas, blasInt(m), blasInt(n), blasInt(k), alpha, a.base,
        blasInt(a.stride), b.base,
        blasInt(b.stride), beta, c.base, blasInt(c.stride))
}

/// `C_s = α · op(A_s) · op(B_s) + β · C_s` for s in 0 ..< `count`, where matrix s of an operand begins `step` elements behind matrix s − 1.
///
/// - Parameters:
///   - a, b, c: the first matrices; a step of 0 uses one matrix for all products (not for `c`).
/// - Precondition: every matrix lies in its buffer; those of `c` do not overlap.
public func gemm(
    count: Int, _ a: Matrix, step stepA: Int, _ transposeA: Transposition = .none, _ b: Matrix, step stepB: Int,
    _ transposeB: Transposition = .none, into c: Matrix, step stepC: Int, alpha: Float = 1, beta: Float = 0
) {
    precondition(
        count <= 1 || abs(stepC) >= (c.rows - 1) * c.stride + c.columns,
        "results of \(c.rows)×\(c.columns) overlap at step \(stepC)")
    for index in 0..<count {
        gemm(
            a.moved(by: index * stepA), transposeA, b.moved(by: index * stepB), transposeB,
            into: c.moved(by: index * stepC), alpha: alpha,
            beta: beta)
    }
}

/// BLAS counts are 32-bit: a dimension beyond them is a broken contract, never a truncation.
func blasInt(_ value: Int) -> Int32 {
    precondition(value <= Int(Int32.max), "dimension \(value) exceeds BLAS's 32-bit integers")
    return Int32(value)
}

/// Threads that OpenBLAS may use inside one product, for the whole process.
public func setBLASThreads(_ count: Int) { openblas_set_num_threads(Int32(count)) }

/// Threads that OpenBLAS may use now.
public func blasThreads() -> Int { Int(openblas_get_num_threads()) }

/// The kernel family that OpenBLAS chose for this CPU, for example `SkylakeX`.
public func blasCoreName() -> String { String(cString: openblas_get_corename()) }
