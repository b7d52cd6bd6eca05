// A two-dimensional array that stays in its file: rows are read when they are asked for. Not here: formats (NPYHeader, SafetensorsFile).

public import Buffers
import Failures
import Foundation

/// The rows of a `.npy` file or of a tensor of a safetensors file, memory-mapped, so that the array may be larger than memory.
///
/// Local; rows may be asked for from any thread. The file must not be shortened while it is open.
public final class StoredMatrix: Sendable {
    /// For messages: the file, and the tensor where it has several.
    public let name: String
    public let rows: Int
    public let columns: Int
    private let bytes: Buffer<UInt8>
    private let number: StoredNumber
    private let isFortranOrder: Bool

    private init(name: String, shape: [Int], bytes: Buffer<UInt8>, number: StoredNumber, isFortranOrder: Bool) throws {
        guard shape.count == 2, shape[1] > 0, shape[1] <= Int(Int32.max) else {
            throw Failure(.data, "\(name): expected an array of rows and columns, found one of shape \(shape)")
        }
        (self.name, rows, columns) = (name, shape[0], shape[1])
        (self.bytes, self.number, self.isFortranOrder) = (bytes, number, isFortranOrder)
    }

    /// A `.npy` file of any numeric dtype.
    /// - Throws: `Failure(.inputMissing)` when there is no such file; `Failure(.data)` when it is not one array of two dimensions.
    public convenience init(npy path: String) throws {
        let file = try InputFile(path: path)
        let header = try NPYHeader(file: file)
        let size = header.count * header.element.byteCount
        try self.init(
            name: path, shape: header.shape,
            bytes: Buffer(memory: try file.map(), byteOffset: size == 0 ? 0 : header.dataOffset, count: size),
            number: header.element, isFortranOrder: header.isFortranOrder)
    }

    /// A tensor of floating-point numbers.
    /// - Throws: `Failure(.data)` when there is no such tensor, or it has another number of dimensions or another type.
    public convenience init(_ file: SafetensorsFile, tensor: String) throws {
        let bytes = try file.bytes(tensor)
        let name = "\(file.path): tensor '\(tensor)'"
        guard let entry = file.entry(tensor), let number = entry.type.number, number.isFloating else {
            let found = file.entry(tensor)?.type.rawValue ?? "nothing"
            throw Failure(.data, "\(name): expected F32, F64, F16 or BF16, found \(found)")
        }
        try self.init(name: name, shape: entry.shape, bytes: bytes, number: number, isFortranOrder: false)
    }

    /// Whether rows lie in the file as float32 one behind the other, so that `view` costs nothing.
    private var isPlain: Bool {
        number.kind == .float && number.byteCount == 4 && !number.isSwapped && (!isFortranOrder || columns == 1)
            && UInt(bitPattern: bytes.base) % UInt(MemoryLayout<Float>.alignment) == 0
    }

    /// The rows `range` as float32, [range, columns]: a view of the file where it holds them so, else converted.
    ///
    /// - Throws: `Failure(.data)` naming the row, when a number has no float32 counterpart.
    /// - Precondition: `range` lies in 0 ..< `rows`.
    public func floats(_ range: Range<Int>) throws -> Floats {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
        if isPlain {
            return Floats(memory: bytes.memory, byteOffset: offset(range.lowerBound), count: range.count * columns)
        }
        let result = Floats(count: range.count * columns)
        try read(range, into: result)
        return result
    }

    /// Where row `row` begins in the mapped file.
    private func offset(_ row: Int) -> Int {
        bytes.memory.address.distance(to: UnsafeMutableRawPointer(bytes.base)) + row * columns * number.byteCount
    }

    /// The same into memory of the caller's, `range.count * columns` elements, overwritten.
    public func read(_ range: Range<Int>, into target: Floats) throws {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
        precondition(target.count == range.count * columns, "\(range.count) rows of \(columns) into \(target.count)")
        guard !range.isEmpty else { return }
        let wrongRow: Int? = withExtendedLifetime((bytes.memory, target.memory)) {
            let source = UnsafeRawPointer(bytes.base)
            guard isFortranOrder else {
                let start = source + range.lowerBound * columns * number.byteCount
                return number.floats(start, count: target.count, into: target.base, stride: 1).map { $0 / columns }
            }
            for column in 0..<columns {
                let start = source + (column * rows + range.lowerBound) * number.byteCount
                let wrong = number.floats(start, count: range.count, into: target.base + column, stride: columns)
                if let wrong { return wrong }
            }
            return nil
        }
        if let wrongRow {
            throw Failure(
                .data, "\(name): row \(range.lowerBound + wrongRow) has a number that float32 cannot hold")
        }
    }

    /// A hash of the shape, the type and every byte (FNV-1a over words of eight, four side by side): tells whether the array is what
    /// it was, not who changed it. Reads the whole file.
    public var fingerprint: UInt64 {
        let prime: UInt64 = 0x100_0000_01b3
        var lanes = SIMD4<UInt64>(
            0xcbf2_9ce4_8422_2325 ^ UInt64(rows), UInt64(columns), UInt64(number.byteCount), isFortranOrder ? 1 : 2)
        return withExtendedLifetime(bytes.memory) {
            let raw = UnsafeRawBufferPointer(start: bytes.base, count: bytes.count)
            for block in 0..<raw.count / 32 {
                lanes = (lanes ^ raw.loadUnaligned(fromByteOffset: 32 * block, as: SIMD4<UInt64>.self)) &* prime
            }
            var hash = (0..<4).reduce(prime) { ($0 ^ lanes[$1]) &* prime }
            for byte in raw[(raw.count / 32 * 32)...] { hash = (hash ^ UInt64(byte)) &* prime }
            return hash
        }
    }
}
