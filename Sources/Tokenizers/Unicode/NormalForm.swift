// Unicode's normal forms of the version that `tokenizers` knows. Not here: the data (UnicodeTables).

/// NFD, NFC, NFKD or NFKC (Unicode Standard Annex 15).
enum NormalForm: Sendable, Equatable {
    case decomposed, composed, compatiblyDecomposed, compatiblyComposed

    private static let classes: ScalarTable<UInt8> = {
        var all = [UInt8](repeating: 0, count: 0x110000)
        ScalarFlags.forEachRun(UnicodeTables.combiningClasses) { range, value in
            if value != 0 { for scalar in range { all[scalar] = UInt8(value) } }
        }
        return ScalarTable(all)
    }()

    private static let compositions: [UInt64: UInt32] = {
        var numbers = PackedNumbers(UnicodeTables.compositions)
        var pairs: [UInt64: UInt32] = [:]
        while let first = numbers.next(), let second = numbers.next(), let result = numbers.next() {
            pairs[UInt64(first) << 32 | UInt64(second)] = UInt32(result)
        }
        return pairs
    }()

    private var isCompatible: Bool { self == .compatiblyDecomposed || self == .compatiblyComposed }
    private var composes: Bool { self == .composed || self == .compatiblyComposed }

    /// The text in this form. O(n log n): marks after one base are sorted.
    func apply(_ text: [UInt8]) -> [UInt8] {
        if text.allSatisfy({ $0 < 0x80 }) { return text }
        var scalars = decompose(text)
        Self.order(&scalars)
        if composes { Self.compose(&scalars) }
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        for scalar in scalars { UTF8Text.append(scalar, to: &result) }
        return result
    }

    private func decompose(_ text: [UInt8]) -> [UInt32] {
        let mapping = isCompatible ? ScalarMapping.compatible : ScalarMapping.canonical
        var scalars: [UInt32] = []
        scalars.reserveCapacity(text.count)
        UTF8Text.forEachScalar(in: text[...]) { scalar, _ in
            guard scalar >= 0x80, ScalarFlags.of(scalar).contains(.decomposes) else { return scalars.append(scalar) }
            if 0xAC00...0xD7A3 ~= scalar {
                let index = scalar - 0xAC00
                scalars.append(0x1100 + index / 588)
                scalars.append(0x1161 + index % 588 / 28)
                if index % 28 != 0 { scalars.append(0x11A7 + index % 28) }
            } else if let new = mapping[scalar] {
                scalars.append(contentsOf: new)
            } else {
                scalars.append(scalar)
            }
        }
        return scalars
    }

    /// Sorts marks by class, stably, within each run of marks.
    private static func order(_ scalars: inout [UInt32]) {
        var start = 0
        while start < scalars.count {
            guard scalars[start] >= 0x300, classes[scalars[start]] != 0 else {
                start += 1
                continue
            }
            var end = start + 1
            var sorted = true
            while end < scalars.count, classes[scalars[end]] != 0 {
                if classes[scalars[end]] < classes[scalars[end - 1]] { sorted = false }
                end += 1
            }
            if !sorted {
                let run = scalars[start..<end].enumerated().sorted {
                    (classes[$0.element], $0.offset) < (classes[$1.element], $1.offset)
                }
                scalars.replaceSubrange(start..<end, with: run.map(\.element))
            }
            start = end
        }
    }

    private static func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if 0x1100...0x1112 ~= first, 0x1161...0x1175 ~= second {
            return 0xAC00 + ((first - 0x1100) * 21 + second - 0x1161) * 28
        }
        if 0xAC00...0xD7A3 ~= first, (first - 0xAC00) % 28 == 0, 0x11A8...0x11C2 ~= second {
            return first + second - 0x11A7
        }
        return compositions[UInt64(first) << 32 | UInt64(second)]
    }

    /// Joins each scalar with the last starter before it unless something of at least its class lies between.
    private static func compose(_ scalars: inout [UInt32]) {
        var starter = -1
        var lastClass = -1
        var write = 0
        for read in scalars.indices {
            let scalar = scalars[read]
            let kind = Int(classes[scalar])
            if starter >= 0, lastClass < kind || lastClass == -1, let joined = composition(scalars[starter], scalar) {
                scalars[starter] = joined
                continue
            }
            scalars[write] = scalar
            if kind == 0 {
                starter = write
                lastClass = -1
            } else {
                lastClass = kind
            }
            write += 1
        }
        scalars.removeLast(scalars.count - write)
    }
}
