// Arrays in NumPy's .npy files, read as float32 or integers in C order. Not here: the header's grammar, writing by rows (NPYWriter.swift).

public import Buffers
import Failures
import Foundation

/// An array of float32 with its shape, C order (the last index varies fastest).
///
/// Every function is *local*. Reading accepts format versions 1.0 to 3.0, f2/f4/f8, signed and unsigned integers and booleans, either
/// byte order, C and Fortran order. Errors: `Failure(.inputMissing)` when there is no such file, `Failure(.data)` when it is not
/// exactly one array of a supported dtype, or a value has no float32 counterpart (an integer of 2²⁴ or more, a float64 beyond its range).
public struct NPYArray: Sendable {
    /// Dimensions, outermost first; empty for a single number.
    public let shape: [Int]
    /// `shape.reduce(1, *)` elements.
    public let values: Floats

    /// The whole array.
    public static func read(path: String) throws -> NPYArray {
        let file = try InputFile(path: path)
        let header = try NPYHeader(file: file)
        return try read(file, header, rows: 0..<(header.shape.first ?? 1))
    }

    /// Rows `range` (of the first dimension) alone: the others are not read when the file is in C order.
    ///
    /// - Throws: also `Failure(.data)` when the array has no rows or fewer than `range` needs.
    public static func readRows(path: String, _ range: Range<Int>) throws -> NPYArray {
        let file = try InputFile(path: path)
        let header = try NPYHeader(file: file)
        guard let rows = header.shape.first, range.lowerBound >= 0, range.upperBound <= rows else {
            throw Failure(
                .data,
                "\(path): expected rows \(range.lowerBound) to \(range.upperBound), found an array of shape \(header.shape)"
            )
        }
        return try read(file, header, rows: range)
    }

    /// The shape, from the header; the elements are not read, but the file has room for exactly them.
    public static func shape(path: String) throws -> [Int] { try NPYHeader(file: InputFile(path: path)).shape }

    /// An array of integers or booleans, exactly.
    public static func readIntegers(path: String) throws -> (shape: [Int], values: [Int64]) {
        let file = try InputFile(path: path)
        let header = try NPYHeader(file: file)
        guard !header.element.isFloating else {
            throw Failure(
                .data,
                "\(path): expected integers, found floating-point numbers; convert them with .astype(numpy.int64)")
        }
        var values = [Int64](repeating: 0, count: header.count)
        try eachRun(file, header, rows: 0..<(header.shape.first ?? 1)) { source, count, first, stride in
            for index in 0..<count {
                guard let value = header.element.integer(source, index) else {
                    throw Failure(
                        .data,
                        "\(path): expected integers below 2⁶³, found a larger one at element \(first + index * stride)")
                }
                values[first + index * stride] = value
            }
        }
        return (header.shape, values)
    }

    /// Writes float32, version 1.0, C order, elements at a multiple of 64 bytes; replaces `path` whole or leaves it as it was.
    ///
    /// - Precondition: `values` has as many elements as `shape`.
    /// - Throws: `Failure(.cannotCreate)` or `Failure(.inputOutput)`.
    public static func write(path: String, shape: [Int], values: Floats) throws {
        let writer = try NPYWriter(path: path, shape: shape)
        try writer.append(values)
        try writer.finish()
    }

    /// The same for int64.
    public static func write(path: String, shape: [Int], integers: [Int64]) throws {
        precondition(NPYHeader.product(shape) == integers.count, "\(integers.count) values for shape \(shape)")
        let output = try OutputFile(path: path)
        try NPYHeader.bytes(descriptor: "<i8", shape: shape).withUnsafeBytes { try output.write($0) }
        try integers.map(\.littleEndian).withUnsafeBytes { try output.write($0) }
        try output.commit()
    }

    // MARK: - Reading

    private static func read(_ file: InputFile, _ header: NPYHeader, rows: Range<Int>) throws -> NPYArray {
        let shape = header.shape.isEmpty ? [] : [rows.count] + header.shape.dropFirst()
        let values = Floats(count: header.count == 0 ? 0 : header.count / max(header.shape.first ?? 1, 1) * rows.count)
        let inOrder = !header.isFortranOrder || header.shape.count < 2
        if inOrder, header.element.kind == .float, header.element.byteCount == 4, !header.element.isSwapped,
            values.count > 0
        {
            let offset = header.dataOffset + values.count / rows.count * rows.lowerBound * 4
            try file.read(into: UnsafeMutableRawBufferPointer(start: values.base, count: values.count * 4), at: offset)
            return NPYArray(shape: shape, values: values)
        }
        try eachRun(file, header, rows: rows) { source, count, first, stride in
            if let wrong = header.element.floats(source, count: count, into: values.base + first, stride: stride) {
                let reason =
                    header.element.kind == .float
                    ? "a number beyond float32's range" : "an integer of 2²⁴ or more, which float32 cannot hold"
                throw Failure(.data, "\(file.path): element \(first + wrong * stride) of the rows \(rows) is \(reason)")
            }
        }
        return NPYArray(shape: shape, values: values)
    }

    /// Calls `body(source, count, first, stride)` for runs of elements that lie together in the file: element i of a run belongs at
    /// `first + i · stride` of the C-ordered result, which holds `rows` only.
    ///
    /// In Fortran order the file is a sequence of columns (the first index varies fastest), so a run is a part of one column.
    private static func eachRun(
        _ file: InputFile, _ header: NPYHeader, rows: Range<Int>,
        _ body: (UnsafeRawPointer, Int, Int, Int) throws -> Void
    ) throws {
        guard header.count > 0, !rows.isEmpty else { return }
        let size = header.element.byteCount
        let allRows = header.shape.first ?? 1
        let columns = header.count / allRows
        let inOrder = !header.isFortranOrder || header.shape.count < 2
        let chunk = min(1 << 17, header.count)
        let scratch = Memory(byteCount: chunk * size)
        func run(at element: Int, _ count: Int, first: Int, stride: Int) throws {
            for start in Swift.stride(from: 0, to: count, by: chunk) {
                let part = min(chunk, count - start)
                let bytes = UnsafeMutableRawBufferPointer(start: scratch.address, count: part * size)
                try withExtendedLifetime(scratch) {
                    try file.read(into: bytes, at: header.dataOffset + (element + start) * size)
                    try body(scratch.address, part, first + start * stride, stride)
                }
            }
        }
        if inOrder { return try run(at: rows.lowerBound * columns, rows.count * columns, first: 0, stride: 1) }
        for column in 0..<columns {
            // Column `column` of the file has the indices (i₁, i₂, …) with i₁ varying fastest; here the last varies fastest.
            var rest = column
            var target = 0
            var weight = columns
            for dimension in header.shape.dropFirst() {
                weight /= dimension
                target += rest % dimension * weight
                rest /= dimension
            }
            try run(at: column * allRows + rows.lowerBound, rows.count, first: target, stride: columns)
        }
    }
}
