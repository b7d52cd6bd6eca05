// Walking over UTF-8 that is known to be valid. Not here: what scalars are (ScalarProperties).

/// UTF-8 in arrays of bytes.
///
/// Everything in this target works on bytes of a `String`'s UTF-8, which is valid; slices end where scalars end.
enum UTF8Text {
    /// Length of the sequence that begins with `byte`.
    @inline(__always)
    static func length(_ byte: UInt8) -> Int { byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4 }

    /// The scalar at `position` and its length.
    @inline(__always)
    static func scalar(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int) -> (scalar: UInt32, length: Int) {
        let first = UInt32(bytes[position])
        if first < 0x80 { return (first, 1) }
        let second = UInt32(bytes[position + 1]) & 0x3F
        if first < 0xE0 { return ((first & 0x1F) << 6 | second, 2) }
        let third = UInt32(bytes[position + 2]) & 0x3F
        if first < 0xF0 { return ((first & 0x0F) << 12 | second << 6 | third, 3) }
        return ((first & 0x07) << 18 | second << 12 | third << 6 | UInt32(bytes[position + 3]) & 0x3F, 4)
    }

    /// Gives each scalar and the range of its bytes, counted as the slice's, to `body`.
    @inline(__always)
    static func forEachScalar(in bytes: ArraySlice<UInt8>, _ body: (UInt32, Range<Int>) -> Void) {
        let first = bytes.startIndex
        bytes.withUnsafeBufferPointer { bytes in
            var position = 0
            while position < bytes.count {
                let (scalar, length) = scalar(bytes, position)
                body(scalar, first + position..<first + position + length)
                position += length
            }
        }
    }

    @inline(__always)
    static func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
        if scalar < 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: scalar))
        } else if scalar < 0x800 {
            bytes.append(UInt8(truncatingIfNeeded: 0xC0 | scalar >> 6))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        } else if scalar < 0x10000 {
            bytes.append(UInt8(truncatingIfNeeded: 0xE0 | scalar >> 12))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        } else {
            bytes.append(UInt8(truncatingIfNeeded: 0xF0 | scalar >> 18))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 12 & 0x3F))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        }
    }
}
