// Reading numbers that are written as text. Not here: what they mean (ScalarProperties), how they are written (unicode_tables.py).

/// Numbers in base 32, the most significant digit first: the last digit is one of `0…9A…V`, those before it of `a…zWXYZ_-`.
struct PackedNumbers {
    private let text: StaticString
    private var position = 0

    init(_ text: StaticString) { self.text = text }

    private static let digits: [UInt8] = {
        var digits = [UInt8](repeating: 0, count: 128)
        for (value, digit) in "0123456789ABCDEFGHIJKLMNOPQRSTUV".utf8.enumerated() { digits[Int(digit)] = UInt8(value) }
        for (value, digit) in "abcdefghijklmnopqrstuvwxyzWXYZ_-".utf8.enumerated() {
            digits[Int(digit)] = UInt8(value) | 0x80
        }
        return digits
    }()

    /// The next number; nil at the end.
    mutating func next() -> Int? {
        var value = 0
        while position < text.utf8CodeUnitCount {
            let digit = Self.digits[Int(text.utf8Start[position])]
            position += 1
            value = value << 5 | Int(digit & 0x1F)
            if digit & 0x80 == 0 { return value }
        }
        return nil
    }

    /// The next number, of which even ones are positive.
    mutating func nextSigned() -> Int? {
        next().map { $0 & 1 == 0 ? $0 >> 1 : -(($0 + 1) >> 1) }
    }
}

/// A value for each of Unicode's 0x110000 code points in pages of 256, equal pages stored once.
struct ScalarTable<Value: FixedWidthInteger & Sendable>: Sendable {
    private var pages: [UInt16] = []
    private var values: [Value] = []

    /// - Parameter all: 0x110000 values.
    init(_ all: [Value]) {
        precondition(all.count == 0x110000, "\(all.count) values for 0x110000 code points")
        var known: [ArraySlice<Value>: UInt16] = [:]
        pages.reserveCapacity(0x1100)
        for start in stride(from: 0, to: all.count, by: 256) {
            let page = all[start..<start + 256]
            if let index = known[page] {
                pages.append(index)
            } else {
                let index = UInt16(values.count >> 8)
                known[page] = index
                pages.append(index)
                values.append(contentsOf: page)
            }
        }
    }

    subscript(_ scalar: UInt32) -> Value {
        values[Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 0xFF)]
    }
}
