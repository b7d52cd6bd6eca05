// Protocol buffers' wire format, as much as events need. Not here: which fields there are (Event.swift).

/// A message under construction. Fields are written in the order of the calls, those with default values too.
struct ProtobufMessage {
    private(set) var bytes: [UInt8] = []

    /// How a field's value is laid out; the lower three bits of its key.
    private enum WireType: UInt64 { case variable = 0, eightBytes = 1, delimited = 2, fourBytes = 5 }

    mutating func add(_ field: Int, _ value: Int) {
        key(field, .variable)
        variable(UInt64(bitPattern: Int64(value)))
    }

    mutating func add(_ field: Int, _ value: Double) {
        key(field, .eightBytes)
        fixed(value.bitPattern)
    }

    mutating func add(_ field: Int, _ value: Float) {
        key(field, .fourBytes)
        fixed(value.bitPattern)
    }

    mutating func add(_ field: Int, _ value: String) { add(field, Array(value.utf8)) }

    mutating func add(_ field: Int, _ message: ProtobufMessage) { add(field, message.bytes) }

    mutating func add(_ field: Int, _ value: [UInt8]) {
        key(field, .delimited)
        variable(UInt64(value.count))
        bytes += value
    }

    /// A packed repeated field.
    mutating func add(_ field: Int, _ values: [Double]) {
        key(field, .delimited)
        variable(UInt64(8 * values.count))
        for value in values { fixed(value.bitPattern) }
    }

    private mutating func key(_ field: Int, _ type: WireType) { variable(UInt64(field) << 3 | type.rawValue) }

    /// Seven bits a byte, the lowest first.
    private mutating func variable(_ value: UInt64) {
        var rest = value
        while rest >= 128 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 128)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func fixed(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }
}
