// Makes PNG files byte by byte, without libpng: sound ones of any kind, and broken ones. Not here: tests.

import Foundation

/// A PNG as a list of chunks; checksums are computed, the image data are stored without compression.
struct PNGBuilder {
    var signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    var chunks: [(type: String, data: [UInt8])]

    /// - Parameter rows: the filtered scan lines, each beginning with its filter byte.
    init(
        width: Int, height: Int, depth: UInt8 = 8, colourType: UInt8, interlaced: Bool = false,
        before: [(String, [UInt8])] = [], rows: [[UInt8]]
    ) {
        let header = Self.word(width) + Self.word(height) + [depth, colourType, 0, 0, interlaced ? 1 : 0]
        chunks = [("IHDR", header)] + before + [("IDAT", Self.stored(rows.flatMap { $0 })), ("IEND", [])]
    }

    var bytes: [UInt8] {
        chunks.reduce(signature) { result, chunk in
            let body = Array(chunk.type.utf8) + chunk.data
            return result + Self.word(chunk.data.count) + body + Self.word(Int(Self.crc(body)))
        }
    }

    static func word(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(value >> (24 - 8 * $0) & 255) } }

    /// zlib with one stored block (RFC 1950, RFC 1951).
    static func stored(_ data: [UInt8]) -> [UInt8] {
        let size = [UInt8(data.count & 255), UInt8(data.count >> 8)]
        var a = 1
        var b = 0
        for byte in data {
            a = (a + Int(byte)) % 65521
            b = (b + a) % 65521
        }
        return [0x78, 0x01, 0x01] + size + size.map { ~$0 } + data + word(b << 16 | a)
    }

    /// CRC-32 of the PNG specification, annex D.
    static func crc(_ data: [UInt8]) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in data {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }
}
