// The checksum of TensorFlow's record files. Not here: the records (EventRecord.swift).

/// The Castagnoli cyclic redundancy check (RFC 3720, appendix B.4): polynomial 0x1EDC6F41, reflected.
enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
    }

    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        ~table.withUnsafeBufferPointer { table in
            bytes.reduce(~UInt32(0)) { $0 >> 8 ^ table[Int(($0 ^ UInt32($1)) & 255)] }
        }
    }

    /// The checksum turned and shifted by a constant, as the records hold it: data that contain their own checksum would confuse it.
    static func masked(_ bytes: some Sequence<UInt8>) -> UInt32 {
        let value = checksum(bytes)
        return (value >> 15 | value << 17) &+ 0xA282_EAD8
    }
}
