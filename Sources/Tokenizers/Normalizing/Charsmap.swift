// SentencePiece's compiled normalisation. Not here: where it is written (NormalizerReading).

import Foundation

/// A `precompiled_charsmap`: a double array of what is replaced, and the replacements one after the other.
///
/// The array is Darts-clone's: a 32-bit unit holds a label, an offset to its children, and whether a value ends there (SentencePiece,
/// `normalizer.cc`). As in `tokenizers`, a grapheme cluster of under 6 bytes is looked up as a whole, other text scalar by scalar, and
/// of what is found the shortest counts.
struct Charsmap: Sendable {
    private let units: [UInt32]
    private let replacements: [UInt8]

    /// What is wrong with a map.
    struct Malformed: Error { var message: String }

    init(_ data: [UInt8]) throws(Malformed) {
        guard data.count >= 4 else {
            throw Malformed(message: "has \(data.count) bytes, too few for the size of its array")
        }
        func word(_ place: Int) -> UInt32 {
            UInt32(data[place]) | UInt32(data[place + 1]) << 8 | UInt32(data[place + 2]) << 16 | UInt32(data[place + 3])
                << 24
        }
        let size = Int(word(0))
        guard size % 4 == 0, size >= 4, size <= data.count - 4 else {
            throw Malformed(message: "says that its array takes \(size) of the \(data.count - 4) bytes that follow")
        }
        units = (0..<size / 4).map { word(4 + 4 * $0) }
        replacements = Array(data[(4 + size)...])
        guard String(validating: replacements, as: UTF8.self) != nil else {
            throw Malformed(message: "has replacements that are not UTF-8")
        }
    }

    func apply(_ text: inout [UInt8], beginsText: inout Bool) {
        var new: [UInt8] = []
        new.reserveCapacity(text.count + 8)
        let begins = beginsText
        var removesFirst = false
        text.withUnsafeBufferPointer { bytes in
            var position = 0
            while position < bytes.count {
                // Between two characters of ASCII there is always a boundary, but for the end of a line.
                let isSingle =
                    bytes[position] < 0x80 && bytes[position] != 13
                    && (position + 1 == bytes.count || bytes[position + 1] < 0x80)
                let end = isSingle ? position + 1 : GraphemeClusters.end(bytes, position)
                if end - position < 6, let found = replacement(bytes, position..<end) {
                    if position == 0, found.isEmpty { removesFirst = true }
                    new.append(contentsOf: replacements[found])
                    position = end
                    continue
                }
                while position < end {
                    let next = position + UTF8Text.length(bytes[position])
                    if let found = replacement(bytes, position..<next) {
                        if position == 0, found.isEmpty { removesFirst = true }
                        new.append(contentsOf: replacements[found])
                    } else {
                        for place in position..<next { new.append(bytes[place]) }
                    }
                    position = next
                }
            }
        }
        beginsText = begins && !removesFirst
        text = new
    }

    /// The replacement of the shortest entry that the bytes begin with.
    private func replacement(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Range<Int>? {
        var node = offset(units[0])
        for place in range {
            let byte = UInt32(bytes[place])
            if byte == 0 { return nil }
            node ^= Int(byte)
            guard node < units.count else { return nil }
            let unit = units[node]
            guard unit & 0x8000_00FF == byte else { return nil }
            node ^= offset(unit)
            guard node < units.count else { return nil }
            if unit >> 8 & 1 == 1 {
                let start = Int(units[node] & 0x7FFF_FFFF)
                // A replacement that begins inside a scalar would make text that is no UTF-8.
                guard start < replacements.count, replacements[start] & 0xC0 != 0x80 else { return nil }
                let end = replacements[start...].firstIndex(of: 0) ?? replacements.count
                return start..<end
            }
        }
        return nil
    }

    @inline(__always)
    private func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & 0x200) >> 6)) }
}
