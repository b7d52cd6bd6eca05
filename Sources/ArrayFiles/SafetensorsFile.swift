// Reading safetensors files by mapping them. Not here: the header's rules (SafetensorsHeader.swift), writing (SafetensorsWriter.swift).

public import Buffers
import Failures
import Foundation

/// A safetensors file mapped into memory: opening reads the header, and a tensor's pages are read when they are touched.
///
/// A tensor of the asked type is a view of the mapping, shared with every other process that reads the file; writing to such a view
/// changes this process's private copy of the page, never the file. Other types are converted into memory of their own. The file must
/// not be shortened while it is open. Local.
public final class SafetensorsFile: Sendable {
    public let path: String
    /// In the order of their bytes.
    public let entries: [SafetensorsEntry]
    /// The file's `__metadata__`.
    public let metadata: [String: String]
    private let memory: Memory
    private let dataOffset: Int
    private let indexByName: [String: Int]

    /// - Throws: `Failure(.inputMissing)` when there is no such file; `Failure(.data)` when it breaks a rule of the format.
    public init(path: String) throws {
        precondition(1.littleEndian == 1, "big-endian machines are not supported")
        let file = try InputFile(path: path)
        let header = try SafetensorsHeader(file: file)
        self.path = path
        entries = header.entries
        metadata = header.metadata
        memory = try file.map()
        dataOffset = header.dataOffset
        indexByName = try Dictionary(members: header.entries.enumerated().map { ($1.name, $0) }, of: path)
    }

    /// Names of the tensors, in the order of their bytes.
    public var names: [String] { entries.map(\.name) }

    /// Type, shape and place of a tensor; nil when there is none of that name.
    public func entry(_ name: String) -> SafetensorsEntry? { indexByName[name].map { entries[$0] } }

    /// Gives back the memory of the pages read so far; what is touched again is read again. Views must not have been written to.
    public func releasePages() { madvise(memory.address, memory.byteCount, MADV_DONTNEED) }

    /// A tensor as float32: a view when stored so, else converted (float64 rounds to nearest-even, the 16-bit types are exact).
    ///
    /// - Throws: `Failure(.data)` when there is no such tensor, when it does not hold floating-point numbers, or when a finite float64
    ///   exceeds float32's range.
    public func floats(_ name: String) throws -> Floats {
        let entry = try require(name)
        let number = try floating(entry)
        if entry.type == .float32, let view = view(entry, of: Float.self) { return view }
        let result = Floats(count: entry.count)
        let wrong = withExtendedLifetime(memory) {
            number.floats(address(entry), count: entry.count, into: result.base, stride: 1)
        }
        if let wrong {
            throw Failure(
                .data,
                "\(path): tensor '\(name)', element \(wrong): a number beyond float32's range; read it as float64")
        }
        return result
    }

    /// A tensor as float64: a view when stored so, else converted exactly.
    ///
    /// - Throws: `Failure(.data)` when there is no such tensor or it does not hold floating-point numbers.
    public func doubles(_ name: String) throws -> Doubles {
        let entry = try require(name)
        if entry.type == .float64 {
            if let view = view(entry, of: Double.self) { return view }
            let result = Doubles(count: entry.count)
            withExtendedLifetime(memory) {
                UnsafeMutableRawPointer(result.base).copyMemory(from: address(entry), byteCount: entry.bytes.count)
            }
            return result
        }
        let narrow = try floats(name)
        let result = Doubles(count: narrow.count)
        withExtendedLifetime(narrow.memory) {
            for index in 0..<narrow.count { result.base[index] = Double(narrow.base[index]) }
        }
        return result
    }

    /// A tensor of integers or booleans: a view when stored as int64, else converted exactly.
    ///
    /// - Throws: `Failure(.data)` when there is no such tensor, when it does not hold integers, or when one is 2⁶³ or more.
    public func integers(_ name: String) throws -> Buffer<Int64> {
        let entry = try require(name)
        guard let number = entry.type.number, !number.isFloating else {
            throw Failure(.data, "\(path): tensor '\(name)': expected integers, found \(entry.type.rawValue)")
        }
        if entry.type == .int64, let view = view(entry, of: Int64.self) { return view }
        let result = Buffer<Int64>(count: entry.count)
        try withExtendedLifetime(memory) {
            for index in 0..<entry.count {
                guard let value = number.integer(address(entry), index) else {
                    throw Failure(.data, "\(path): tensor '\(name)', element \(index): an integer of 2⁶³ or more")
                }
                result.base[index] = value
            }
        }
        return result
    }

    /// A tensor's bytes as they lie in the file, whatever the type: a view. For storage formats that a kernel reads itself.
    public func bytes(_ name: String) throws -> Buffer<UInt8> {
        let entry = try require(name)
        return Buffer(memory: memory, byteOffset: dataOffset + entry.bytes.lowerBound, count: entry.bytes.count)
    }

    private func require(_ name: String) throws -> SafetensorsEntry {
        guard let entry = entry(name) else {
            let present =
                names.prefix(8).joined(separator: ", ") + (names.count > 8 ? " and \(names.count - 8) more" : "")
            throw Failure(
                .data, "\(path): expected a tensor '\(name)', found \(names.isEmpty ? "none at all" : present)")
        }
        return entry
    }

    private func floating(_ entry: SafetensorsEntry) throws -> StoredNumber {
        guard let number = entry.type.number, number.isFloating else {
            throw Failure(
                .data, "\(path): tensor '\(entry.name)': expected F32, F64, F16 or BF16, found \(entry.type.rawValue)")
        }
        return number
    }

    private func address(_ entry: SafetensorsEntry) -> UnsafeMutableRawPointer {
        memory.address + dataOffset + entry.bytes.lowerBound
    }

    /// Nil when the header's length leaves the tensor misaligned, which the format allows: then it is copied.
    private func view<Element>(_ entry: SafetensorsEntry, of: Element.Type) -> Buffer<Element>? {
        let offset = dataOffset + entry.bytes.lowerBound
        guard offset % MemoryLayout<Element>.alignment == 0 else { return nil }
        return Buffer(memory: memory, byteOffset: offset, count: entry.count)
    }
}
