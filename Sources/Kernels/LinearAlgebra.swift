// Dense float64 factorisations through LAPACK: symmetric eigenproblem, SVD, orthonormalisation, compression of rows.
// Not here: products of float32 batches in float64 (LinearAlgebraGram.swift), what the factors are for (FANoise).
//
// Everything is row-major. LAPACK reads the same memory as the transposed column-major matrix, which is why a list of vectors
// (one a row) is here what LAPACK calls the columns. Every `info` is checked: a positive one is an error that the caller
// handles, a negative one an argument that this file got wrong.

public import Buffers
private import COpenBLAS
private import Failures

/// The eigenvectors and eigenvalues of a symmetric matrix, in place, by divide and conquer (`dsyevd`).
///
/// ```
/// A = Σ_j λ_j v_jᵀ v_j        λ ascending
/// ```
/// Local. Cost about 9 n³ flops and n² + 2n² numbers of workspace. The workspace is sized by the formula of the reference manual
/// (`1 + 6n + 2n²`, `3 + 5n`), never by a query: the float32 query of the same routine is rounded down from n = 2895 on.
///
/// - Parameter matrix: n × n, the upper triangle (column ≥ row) is read; overwritten: row j becomes the unit eigenvector of λ_j.
/// - Returns: the n eigenvalues, ascending.
/// - Throws: `Failure(.internal)` when the iteration does not converge, which finite input has not been seen to cause.
public func symmetricEigen(_ matrix: Doubles, order n: Int) throws -> Doubles {
    precondition(matrix.count == n * n, "eigenproblem of order \(n) in \(matrix.count) elements")
    let values = Doubles(count: n)
    guard n > 0 else { return values }
    let workCount = 1 + 6 * n + 2 * n * n
    let integerCount = 3 + 5 * n
    let work = Doubles(count: workCount)
    let integers = Buffer<Int32>(count: integerCount)
    let info = LAPACKE_dsyevd_work(
        LAPACK_COL_MAJOR, Int8(UInt8(ascii: "V")), Int8(UInt8(ascii: "L")), blasInt(n), matrix.base, blasInt(n),
        values.base,
        work.base, blasInt(workCount), integers.base, blasInt(integerCount))
    try check(info, "dsyevd", "order \(n)")
    return values
}

/// The singular values and right singular vectors of a float64 matrix (`dgesdd`).
///
/// ```
/// A = U diag(σ) Vᵀ        σ descending, k = min(rows, columns) of them
/// ```
/// Local; backward stable: σ_j is off by a small multiple of 2⁻⁵³ σ_1. Cost about 6 to 20 · rows · columns · k flops.
///
/// - Parameter matrix: rows × columns; destroyed.
/// - Returns: σ, and Vᵀ as k × columns, one unit vector a row.
/// - Throws: `Failure(.internal)` when the iteration does not converge.
public func singularDecomposition(
    destroying matrix: Doubles, rows: Int, columns: Int
) throws -> (values: Doubles, rightVectors: Doubles) {
    precondition(matrix.count == rows * columns, "SVD of \(rows)×\(columns) in \(matrix.count) elements")
    let k = min(rows, columns)
    let values = Doubles(count: k)
    let right = Doubles(count: k * columns)
    guard k > 0 else { return (values, right) }
    let left = Doubles(count: rows * k)
    // The column-major matrix in this memory is Aᵀ = V Σ Uᵀ: LAPACK's left vectors are the right ones of A.
    let info = LAPACKE_dgesdd(
        LAPACK_COL_MAJOR, Int8(UInt8(ascii: "S")), blasInt(columns), blasInt(rows), matrix.base, blasInt(columns),
        values.base,
        right.base, blasInt(columns), left.base, blasInt(k))
    try check(info, "dgesdd", "\(rows)×\(columns)")
    return (values, right)
}

/// At most `columns` rows with the same Gram matrix as the given ones: the triangle of a QR factorisation.
///
/// ```
/// A = Q R        RᵀR = AᵀA,  so R has A's singular values and right vectors
/// ```
/// Local. Stacking the compressed rows of several ranks and compressing again is the QR of all rows ("tall-skinny QR", Demmel,
/// Grigori, Hoemmen, Langou, SIAM J. Sci. Comput. 34, 2012): no rank ever holds the whole batch.
///
/// - Parameter matrix: rows × columns; destroyed.
/// - Returns: min(rows, columns) × columns; the matrix itself when rows ≤ columns.
public func compressedRows(destroying matrix: Doubles, rows: Int, columns: Int) throws -> Doubles {
    precondition(matrix.count == rows * columns, "compression of \(rows)×\(columns) in \(matrix.count) elements")
    guard rows > columns, columns > 0 else { return matrix }
    let scales = Doubles(count: columns)
    // Column-major Aᵀ = L Qᵀ, and Lᵀ is the R of A; L's unused upper part lies where R has its zeros.
    let info = LAPACKE_dgelqf(
        LAPACK_COL_MAJOR, blasInt(columns), blasInt(rows), matrix.base, blasInt(columns), scales.base)
    try check(info, "dgelqf", "\(rows)×\(columns)")
    for row in 1..<columns { (matrix.base + row * columns).update(repeating: 0, count: row) }
    return matrix[0..<columns * columns]
}

/// Replaces `count` vectors, one a row, by an orthonormal basis of a space that contains them (`dgeqrf`, `dorgqr`).
///
/// Local. Dependent vectors are completed by arbitrary orthonormal ones, so the rows are orthonormal always.
///
/// - Parameter vectors: count × length; overwritten.
/// - Precondition: count ≤ length.
public func orthonormalize(_ vectors: Doubles, count: Int, length: Int) throws {
    precondition(
        vectors.count == count * length && count <= length,
        "\(count) vectors of length \(length) in \(vectors.count) elements")
    guard count > 0 else { return }
    let scales = Doubles(count: count)
    try check(
        LAPACKE_dgeqrf(LAPACK_COL_MAJOR, blasInt(length), blasInt(count), vectors.base, blasInt(length), scales.base),
        "dgeqrf", "\(count) vectors of \(length)")
    try check(
        LAPACKE_dorgqr(
            LAPACK_COL_MAJOR, blasInt(length), blasInt(count), blasInt(count), vectors.base, blasInt(length),
            scales.base),
        "dorgqr", "\(count) vectors of \(length)")
}

private func check(_ info: Int32, _ routine: String, _ what: String) throws {
    precondition(info >= 0, "argument \(-info) of \(routine) (\(what)) had an illegal value")
    if info > 0 {
        throw Failure(
            .internal,
            "\(routine) did not converge for a matrix of \(what) (info \(info)): look for overflow in the representations"
        )
    }
}
