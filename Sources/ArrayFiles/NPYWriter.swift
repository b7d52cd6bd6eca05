// A .npy file written row by row, for arrays that never lie in memory whole. Not here: reading (NPYArray.swift).

public import Buffers
import Failures

/// Writes a float32 array whose shape is known and whose rows come one after the other.
///
/// Version 1.0, C order, elements at a multiple of 64 bytes. The file appears at its path, whole and durable, when `finish` returns;
/// dropped before that, it leaves nothing behind.
public final class NPYWriter {
    private let output: OutputFile
    private let path: String
    private let shape: [Int]
    private var missing: Int

    /// - Throws: `Failure(.cannotCreate)` when `path` cannot be written to.
    /// - Precondition: no dimension is negative, and their product can be addressed.
    public init(path: String, shape: [Int]) throws {
        precondition(shape.allSatisfy { $0 >= 0 }, "a dimension of \(shape) is negative")
        let count = NPYHeader.product(shape)
        precondition(count != nil, "the shape \(shape) has more elements than can be addressed")
        self.path = path
        self.shape = shape
        missing = count ?? 0
        output = try OutputFile(path: path)
        try NPYHeader.bytes(descriptor: "<f4", shape: shape).withUnsafeBytes { try output.write($0) }
    }

    /// Appends the next elements in C order: usually whole rows, though any division will do.
    ///
    /// - Throws: `Failure(.inputOutput)` when the device refuses them.
    /// - Precondition: no more elements than `shape` has.
    public func append(_ rows: Floats) throws {
        precondition(
            rows.count <= missing,
            "appending \(rows.count) elements where \(missing) of shape \(shape) are missing: \(path)")
        precondition(1.littleEndian == 1, "big-endian machines are not supported")
        try output.write(UnsafeRawBufferPointer(start: rows.base, count: rows.count * MemoryLayout<Float>.stride))
        missing -= rows.count
    }

    /// Makes the file durable and gives it its name.
    ///
    /// - Throws: `Failure(.inputOutput)`.
    /// - Precondition: every element has been appended.
    public func finish() throws {
        precondition(missing == 0, "\(missing) elements of shape \(shape) were never appended: \(path)")
        try output.commit()
    }
}
