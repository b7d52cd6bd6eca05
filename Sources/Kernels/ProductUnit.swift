// What of the CPU forms float32 products. Not here: the products (CVectorMath).

private import CVectorMath
private import Foundation

/// The part of the CPU that forms float32 products.
///
/// Both are as precise as float32: the matrix unit sums six products of bfloat16 parts (`CVectorMath/MatrixUnit.c`). To the bit, results
/// are equal on the same part only.
public enum ProductUnit: String, Sendable, Encodable {
    /// Vector registers, which every CPU has.
    case vector
    /// Tiles: Intel AMX with bfloat16, on Xeons since 2023.
    case matrix

    /// Those of this machine that this process may use.
    public static let present: [ProductUnit] = fanoise_has_matrix_unit() == 0 ? [.vector] : [.vector, .matrix]

    /// The one that is used: the matrix unit where it is present, unless the environment has `FANOISE_MATRIX_UNIT=0`.
    public static let used: ProductUnit =
        ProcessInfo.processInfo.environment["FANOISE_MATRIX_UNIT"] != "0" && present.contains(.matrix)
        ? .matrix : .vector
}
