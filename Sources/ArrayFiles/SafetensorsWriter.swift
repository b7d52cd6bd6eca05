// Writing safetensors files, the same bytes for the same tensors. Not here: reading (SafetensorsFile.swift).

public import Buffers
import Failures

/// The values of a tensor to be written.
public enum SafetensorsPayload: Sendable {
    case floats(Floats)
    case doubles(Doubles)
    case integers(Buffer<Int64>)
    /// Bytes of any type, in the format's order (little-endian).
    case bytes(Buffer<UInt8>, SafetensorsType)

    var type: SafetensorsType {
        switch self {
        case .floats: .float32
        case .doubles: .float64
        case .integers: .int64
        case .bytes(_, let type): type
        }
    }

    /// The values as bytes; valid while the payload's memory lives.
    var raw: UnsafeRawBufferPointer {
        switch self {
        case .floats(let values): UnsafeRawBufferPointer(start: values.base, count: values.count * 4)
        case .doubles(let values): UnsafeRawBufferPointer(start: values.base, count: values.count * 8)
        case .integers(let values): UnsafeRawBufferPointer(start: values.base, count: values.count * 8)
        case .bytes(let values, _): UnsafeRawBufferPointer(start: values.base, count: values.count)
        }
    }
}

/// A tensor to be written: its name, its shape, its values in C order.
public typealias SafetensorsTensor = (name: String, shape: [Int], payload: SafetensorsPayload)

/// Writes safetensors files.
public enum SafetensorsWriter {
    /// Writes `tensors` to `path`, which is replaced whole, durably, or left as it was.
    ///
    /// Tensors are ordered by the size of their elements, largest first, then by name, and the header is padded to a multiple of
    /// 8 bytes: so every element is aligned, and equal tensors make equal files whatever order they are given in.
    ///
    /// - Parameter observe: sees every byte of the file once, in order: for a checksum.
    /// - Throws: `Failure(.cannotCreate)` or `Failure(.inputOutput)`.
    /// - Precondition: names are unique and not `__metadata__`; each payload has the elements of its shape.
    public static func write(
        path: String, tensors: [SafetensorsTensor], metadata: [String: String] = [:],
        observe: ((UnsafeRawBufferPointer) -> Void)? = nil
    ) throws {
        precondition(1.littleEndian == 1, "big-endian machines are not supported")
        let ordered = Self.ordered(tensors)
        let header = Self.header(ordered, metadata)
        let output = try OutputFile(path: path, observe: observe)
        try header.withUnsafeBytes { try output.write($0) }
        for tensor in ordered { try withExtendedLifetime(tensor.payload) { try output.write(tensor.payload.raw) } }
        try output.commit()
    }

    /// The bytes of the file that `write` would make.
    public static func data(tensors: [SafetensorsTensor], metadata: [String: String] = [:]) -> [UInt8] {
        let ordered = Self.ordered(tensors)
        return ordered.reduce(into: header(ordered, metadata)) { bytes, tensor in
            withExtendedLifetime(tensor.payload) { bytes.append(contentsOf: tensor.payload.raw) }
        }
    }

    /// The size of the file that `write` would make.
    public static func byteCount(tensors: [SafetensorsTensor], metadata: [String: String] = [:]) -> Int {
        header(ordered(tensors), metadata).count + tensors.reduce(0) { $0 + $1.payload.raw.count }
    }

    private static func ordered(_ tensors: [SafetensorsTensor]) -> [SafetensorsTensor] {
        tensors.sorted { ($1.payload.type.byteCount, $0.name) < ($0.payload.type.byteCount, $1.name) }
    }

    private static func header(_ tensors: [SafetensorsTensor], _ metadata: [String: String]) -> [UInt8] {
        var members: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map {
                StrictJSON.quoted($0.key) + ":" + StrictJSON.quoted($0.value)
            }
            members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var names: Set<String> = ["__metadata__"]
        var offset = 0
        for (name, shape, payload) in tensors {
            precondition(names.insert(name).inserted, "the tensor name '\(name)' is taken")
            let bytes = payload.raw.count
            precondition(
                NPYHeader.product(shape).map { $0 * payload.type.byteCount } == bytes,
                "\(bytes) bytes of \(payload.type.rawValue) for tensor '\(name)' of shape \(shape)")
            let dimensions = shape.map(String.init).joined(separator: ",")
            members.append(
                "\(StrictJSON.quoted(name)):{\"dtype\":\"\(payload.type.rawValue)\",\"shape\":[\(dimensions)],"
                    + "\"data_offsets\":[\(offset),\(offset + bytes)]}")
            offset += bytes
        }
        var text = Array("{\(members.joined(separator: ","))}".utf8)
        text += Array(repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
        precondition(
            text.count <= SafetensorsHeader.maximumLength, "a header of \(text.count) bytes exceeds the format's limit")
        return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
    }
}
