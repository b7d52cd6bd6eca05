// The header of safetensors files and the rules that make one valid. Not here: values (SafetensorsFile.swift), writing.

import Failures

/// Element types of safetensors files; the raw value is the format's name.
public enum SafetensorsType: String, Sendable, CaseIterable {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case float8e4m3 = "F8_E4M3"
    case float8e5m2 = "F8_E5M2"
    case int64 = "I64"
    case int32 = "I32"
    case int16 = "I16"
    case int8 = "I8"
    case uint64 = "U64"
    case uint32 = "U32"
    case uint16 = "U16"
    case uint8 = "U8"
    case boolean = "BOOL"

    public var byteCount: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .float8e4m3, .float8e5m2, .int8, .uint8, .boolean: 1
        }
    }

    /// How an element is converted; nil for the types that are carried but not read.
    var number: StoredNumber? {
        switch self {
        case .float64, .float32, .float16: StoredNumber(kind: .float, byteCount: byteCount)
        case .bfloat16: StoredNumber(kind: .brain, byteCount: byteCount)
        case .float8e4m3, .float8e5m2: nil
        case .int64, .int32, .int16, .int8: StoredNumber(kind: .integer, byteCount: byteCount)
        case .uint64, .uint32, .uint16, .uint8: StoredNumber(kind: .unsigned, byteCount: byteCount)
        case .boolean: StoredNumber(kind: .boolean, byteCount: byteCount)
        }
    }
}

/// One named tensor of a safetensors file.
public struct SafetensorsEntry: Sendable, Equatable {
    public let name: String
    public let type: SafetensorsType
    public let shape: [Int]
    /// Where its bytes lie, from the end of the header.
    public let bytes: Range<Int>

    public var count: Int { bytes.count / type.byteCount }
}

/// A header, parsed and verified against the size of the file.
///
/// ```
/// length(8 bytes, little-endian) { "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, … }␣␣ elements
/// ```
///
/// Source: huggingface/safetensors, README "Format". Stricter than its reader where that lets different readers see different
/// tensors: equal keys are refused. Tensors fill the file from the header to the end, in the order of their offsets: no holes, no
/// overlap, nothing behind the last.
struct SafetensorsHeader {
    /// In the order of their bytes.
    let entries: [SafetensorsEntry]
    /// The `__metadata__` map.
    let metadata: [String: String]
    /// Offset of the first tensor's bytes in the file.
    let dataOffset: Int

    /// The format's own limit.
    static let maximumLength = 100_000_000

    /// - Throws: `Failure(.data)`: the file, the tensor, the rule.
    init(file: InputFile) throws {
        let path = file.path
        guard file.byteCount >= 8 else {
            throw Failure(
                .data,
                "\(path): expected a safetensors header of at least 8 bytes, found a file of \(file.byteCount) bytes")
        }
        let length = try file.bytes(at: 0, count: 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        if try file.bytes(at: 0, count: 8).elementsEqual("version ".utf8) {
            throw Failure(
                .data,
                "\(path): expected a safetensors file, found what Git LFS leaves in the place of one; fetch it with git lfs pull"
            )
        }
        guard length <= Self.maximumLength else {
            throw Failure(
                .data,
                "\(path): expected a safetensors header of at most \(Self.maximumLength) bytes, found \(length): not such a file?"
            )
        }
        guard Int(length) <= file.byteCount - 8 else {
            throw Failure(
                .data,
                "\(path): expected a header of \(length) bytes, found the end of the file after \(file.byteCount) bytes"
            )
        }
        let text = try file.bytes(at: 8, count: Int(length))
        guard text.first == UInt8(ascii: "{") else {
            throw Failure(
                .data,
                "\(path): expected a header that begins with '{', found byte \(text.first.map(String.init) ?? "none")")
        }
        dataOffset = 8 + Int(length)
        do {
            guard case .object(let members) = try text.withUnsafeBytes({ try StrictJSON(parsing: $0) }) else {
                throw Failure(.data, "\(path): expected a header that is a JSON object")
            }
            metadata = try Self.metadata(members.first { $0.key == "__metadata__" }?.value, path: path)
            entries = try members.filter { $0.key != "__metadata__" }
                .map { try Self.entry(name: $0.key, value: $0.value, path: path) }
                .sorted {
                    ($0.bytes.lowerBound, $0.bytes.upperBound, $0.name) < (
                        $1.bytes.lowerBound, $1.bytes.upperBound, $1.name
                    )
                }
        } catch let error as StrictJSON.Malformed {
            throw Failure(
                .data, "\(path): header, byte \(8 + error.byte): expected \(error.expected), found \(error.found)")
        }
        try Self.checkOrder(entries, byteCount: file.byteCount - dataOffset, path: path)
    }

    private static func metadata(_ value: StrictJSON?, path: String) throws -> [String: String] {
        guard let value else { return [:] }
        guard case .object(let members) = value else {
            throw Failure(.data, "\(path): expected __metadata__ to be an object of strings")
        }
        let texts = try members.map { key, value in
            guard case .string(let text) = value else {
                throw Failure(.data, "\(path): expected __metadata__ '\(key)' to be a string")
            }
            return (key, text)
        }
        return try Dictionary(members: texts, of: "\(path): __metadata__")
    }

    private static func entry(name: String, value: StrictJSON, path: String) throws -> SafetensorsEntry {
        func failure(_ sentence: String) -> Failure { Failure(.data, "\(path): tensor '\(name)': \(sentence)") }
        func naturals(_ value: StrictJSON, _ key: String) throws -> [Int] {
            guard case .array(let elements) = value else { throw failure("expected '\(key)' to be an array") }
            return try elements.map {
                guard case .integer(let number) = $0, number >= 0 else {
                    throw failure("expected '\(key)' to hold integers from 0 to 2⁶³ − 1")
                }
                return number
            }
        }
        guard case .object(let members) = value else { throw failure("expected an object") }
        var type: SafetensorsType?
        var shape: [Int]?
        var offsets: [Int]?
        for (key, value) in members {
            switch (key, value) {
            case ("dtype", .string(let text)):
                type = SafetensorsType(rawValue: text)
                if type == nil { throw failure("dtype '\(text)' is not supported; convert it to F32, F16 or BF16") }
            case ("dtype", _): throw failure("expected 'dtype' to be a string")
            case ("shape", _): shape = try naturals(value, key)
            case ("data_offsets", _): offsets = try naturals(value, key)
            default: throw failure("expected the keys 'dtype', 'shape' and 'data_offsets', found '\(key)'")
            }
        }
        guard let type else { throw failure("the key 'dtype' is missing") }
        guard let shape else { throw failure("the key 'shape' is missing") }
        guard let offsets else { throw failure("the key 'data_offsets' is missing") }
        guard offsets.count == 2 else { throw failure("expected 2 data_offsets, found \(offsets.count)") }
        guard offsets[0] <= offsets[1] else { throw failure("data_offsets \(offsets) end before they begin") }
        guard let count = NPYHeader.product(shape),
            case (let bytes, false) = count.multipliedReportingOverflow(by: type.byteCount)
        else {
            throw failure("the shape \(shape) has more elements than can be addressed")
        }
        guard offsets[1] - offsets[0] == bytes else {
            throw failure(
                "expected \(bytes) bytes for \(type.rawValue) of shape \(shape), found data_offsets \(offsets)")
        }
        return SafetensorsEntry(name: name, type: type, shape: shape, bytes: offsets[0]..<offsets[1])
    }

    /// The tensors follow one another from 0 to the end of the file.
    private static func checkOrder(_ entries: [SafetensorsEntry], byteCount: Int, path: String) throws {
        var end = 0
        for entry in entries {
            guard entry.bytes.upperBound <= byteCount else {
                throw Failure(
                    .data,
                    "\(path): tensor '\(entry.name)' ends at byte \(entry.bytes.upperBound) of \(byteCount): the file is truncated"
                )
            }
            guard entry.bytes.lowerBound == end else {
                let what = entry.bytes.lowerBound < end ? "overlaps the tensor before it" : "leaves a hole before it"
                throw Failure(
                    .data,
                    "\(path): tensor '\(entry.name)' begins at byte \(entry.bytes.lowerBound), expected \(end): it \(what)"
                )
            }
            end = entry.bytes.upperBound
        }
        guard end == byteCount else {
            throw Failure(
                .data, "\(path): expected the last tensor to end the file, found \(byteCount - end) bytes behind it")
        }
    }
}
