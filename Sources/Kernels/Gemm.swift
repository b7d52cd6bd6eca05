// Matrix products: float32 by own loops (CVectorMath/Product.c, MatrixUnit.c), float64 through OpenBLAS. Not here: factorisations (LinearAlgebra.swift).

public import Buffers
private import COpenBLAS
private import CVectorMath
private import Dispatch

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
}

/// float32, what training multiplies.
public typealias Matrix = DenseMatrix<Float>
/// float64, for spectra and references.
public typealias DoubleMatrix = DenseMatrix<Double>

/// `C = α · op(A) · op(B) + β · C` in float32. Overwrites (β = 0) or updates `c`, which must not alias `a` or `b`.
///
/// - Parameter unit: What forms the products; one of `ProductUnit.present`.
/// - Precondition: op(A) is M×K, op(B) is K×N, C is M×N. Empty products leave β · C.
public func gemm(
    _ a: Matrix, _ transposeA: Transposition = .none, _ b: Matrix, _ transposeB: Transposition = .none, into c: Matrix,
    alpha: Float = 1, beta: Float = 0, on unit: ProductUnit = .used
) {
    let (m, k) = transposeA == .none ? (a.rows, a.columns) : (a.columns, a.rows)
    let (bK, n) = transposeB == .none ? (b.rows, b.columns) : (b.columns, b.rows)
    precondition(
        k == bK && c.rows == m && c.columns == n, "product of \(m)×\(k) and \(bK)×\(n) into \(c.rows)×\(c.columns)")
    guard m > 0, n > 0 else { return }
    guard k > 0 else {
        for row in 0..<m where beta == 0 { (c.base + row * c.stride).update(repeating: 0, count: n) }
        if beta != 0 { scaleRows(of: c, by: beta) }
        return
    }
    if beta != 0 && beta != 1 { scaleRows(of: c, by: beta) }
    product(a, transposeA, b, transposeB, into: c, alpha: alpha, accumulates: beta != 0, on: unit)
}

/// What is done to a product while it is in cache: `C += bias + residual`, `activated = act(C)`; or, backwards, `C = C ⊙ act′(differentiated)`,
/// `differentiated = act(differentiated)`. Matrices beside C are dense.
struct Epilogue: Sendable {
    var bias: Floats?
    var residual: Floats?
    var activation = Activation.identity
    /// May be C.
    var activated: Floats?
    var differentiated: Floats?
}

/// `C (+)= α · op(A) · op(B)`, then the epilogue. M, N, K are above 0, and C is dense where there is an epilogue.
///
/// An element's sum has one order, whatever the rows and columns beside it and the threads: rows do not depend on their batch.
/// - Parameter rowSums: M numbers, to which the sums of op(A)'s rows are added; for a transposed A.
func product(
    _ a: Matrix, _ transposeA: Transposition, _ b: Matrix, _ transposeB: Transposition, into c: Matrix,
    alpha: Float = 1, accumulates: Bool = false, epilogue: Epilogue? = nil, rowSums: Floats? = nil,
    on unit: ProductUnit = .used
) {
    let (m, n, k) = (c.rows, c.columns, transposeA == .none ? a.columns : a.rows)
    precondition(unit == .vector || ProductUnit.present.contains(unit), "this machine has no \(unit) unit")
    precondition(epilogue == nil || c.stride == n, "an epilogue on rows of \(n), \(c.stride) apart")
    precondition(rowSums == nil || transposeA == .transposed, "sums of the rows of a matrix that is not transposed")
    let onUnit: Int32 = unit == .matrix ? 1 : 0
    /// The part of C with these rows and columns.
    @Sendable func compute(_ rows: Range<Int>, _ columns: Range<Int>) {
        guard !rows.isEmpty && !columns.isEmpty else { return }
        let (firstRow, firstColumn) = (rows.lowerBound, columns.lowerBound)
        let corner = firstRow * c.stride + firstColumn
        let scratch = Floats(
            count: fanoise_product_scratch(onUnit, columns.count, k, transposeA == .none ? 0 : 1))
        func multiply(_ epilogue: UnsafePointer<fanoise_epilogue>?) {
            fanoise_product(
                onUnit, rows.count, columns.count, k, a.base + (transposeA == .none ? firstRow * a.stride : firstRow),
                a.stride, transposeA == .none ? 0 : 1,
                b.base + (transposeB == .none ? firstColumn : firstColumn * b.stride), b.stride,
                transposeB == .none ? 0 : 1, alpha, accumulates ? 1 : 0, c.base + corner, c.stride, epilogue,
                firstColumn == 0 ? rowSums.map { $0.base + firstRow } : nil, scratch.base)
        }
        withExtendedLifetime(scratch) {
            guard let epilogue else { return multiply(nil) }
            var here = fanoise_epilogue()
            here.bias = epilogue.bias.map { UnsafePointer($0.base + firstColumn) }
            here.residual = epilogue.residual.map { UnsafePointer($0.base + corner) }
            here.activation = epilogue.activation.code
            here.activated = epilogue.activated.map { $0.base + corner }
            here.differentiated = epilogue.differentiated.map { $0.base + corner }
            here.stride = n
            multiply(&here)
        }
    }
    let threads = min(blasThreads(), m * n * k / leastWork)
    guard threads > 1 else { return compute(0..<m, 0..<n) }
    // Along the longer side: what is copied for each part is the shorter one's. Several parts a thread, where that costs little, so that one
    // that is held up leaves some of its own to the others; as many for each, or all would wait for those that have one more.
    let parts = threads * max(1, min(partsPerThread, max(m, n) / (longPart * threads)))
    DispatchQueue.concurrentPerform(iterations: parts) { part in
        if m >= n {
            compute(m * part / parts..<m * (part + 1) / parts, 0..<n)
        } else {
            compute(0..<m, n * part / parts..<n * (part + 1) / parts)
        }
    }
}

/// Rows (or columns) of a part beside which copying the shorter side is nothing.
private let longPart = 1024

/// Multiply-adds that are worth a thread of their own: some ten times what it costs to hand them over.
private let leastWork = 1 << 22

/// `C = β · C`.
private func scaleRows(of c: Matrix, by beta: Float) {
    for row in 0..<c.rows { fanoise_scale(c.base + row * c.stride, beta, c.columns) }
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

/// BLAS counts are 32-bit: a dimension beyond them is a broken contract, never a truncation.
func blasInt(_ value: Int) -> Int32 {
    precondition(value <= Int(Int32.max), "dimension \(value) exceeds BLAS's 32-bit integers")
    return Int32(value)
}

/// Threads that one product may use, for the whole process.
public func setBLASThreads(_ count: Int) { openblas_set_num_threads(Int32(count)) }

/// Threads that one product may use now.
public func blasThreads() -> Int { Int(openblas_get_num_threads()) }

/// The kernel family that OpenBLAS chose for this CPU, for example `SkylakeX`.
public func blasCoreName() -> String { String(cString: openblas_get_corename()) }
