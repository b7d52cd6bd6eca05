// Bytes as symbols, in words like GPT-2's. Not here: the symbols (ByteSymbols).

/// The pre-tokenizer and normaliser `ByteLevel`.
enum ByteLevel {
    /// UTF-8 of each byte's symbol.
    private static let symbols: [[UInt8]] = ByteSymbols.characters.map { Array(String($0).utf8) }

    @inline(__always)
    static func append(_ bytes: some Sequence<UInt8>, to new: inout [UInt8]) {
        for byte in bytes {
            if 0x21...0x7E ~= byte { new.append(byte) } else { new.append(contentsOf: symbols[Int(byte)]) }
        }
    }

    static func apply(_ pieces: inout PieceList, _ addsPrefixSpace: Bool, splits: Bool) {
        if addsPrefixSpace {
            pieces.replace { piece, _, new in
                if piece.first != 0x20 { new.append(0x20) }
                new.append(contentsOf: piece)
            }
        }
        if splits {
            pieces.split { piece, result in
                var position = piece.startIndex
                while position < piece.endIndex {
                    let end = wordEnd(piece, position)
                    result.append(position..<end)
                    position = end
                }
            }
        }
        pieces.replace { piece, _, new in append(piece, to: &new) }
    }

    private enum Kind { case letter, number, space, other }

    @inline(__always)
    private static func kind(_ flags: ScalarFlags) -> Kind {
        flags.contains(.letter)
            ? .letter : flags.contains(.number) ? .number : flags.contains(.space) ? .space : .other
    }

    /// The end of the word at `start` by GPT-2's pattern:
    ///
    ///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
    private static func wordEnd(_ piece: ArraySlice<UInt8>, _ start: Int) -> Int {
        piece.withUnsafeBufferPointer { bytes in
            let first = start - piece.startIndex
            return start + (wordEnd(bytes, first) - first)
        }
    }

    private static func wordEnd(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        if bytes[start] == UInt8(ascii: "'"), let end = endingEnd(bytes, start + 1) { return end }
        var position = start
        if bytes[start] == 0x20, start + 1 < bytes.count,
            kind(ScalarFlags.of(UTF8Text.scalar(bytes, start + 1).scalar)) != .space
        {
            position += 1
        }
        let runKind = kind(ScalarFlags.of(UTF8Text.scalar(bytes, position).scalar))
        var lastStart = position
        while position < bytes.count {
            let (scalar, length) = UTF8Text.scalar(bytes, position)
            guard kind(ScalarFlags.of(scalar)) == runKind else { break }
            lastStart = position
            position += length
        }
        // White space leaves its last scalar to the word that follows.
        return runKind == .space && position < bytes.count && lastStart > start ? lastStart : position
    }

    private static func endingEnd(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int? {
        guard position < bytes.count else { return nil }
        switch bytes[position] {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return position + 1
        case let first:
            guard position + 1 < bytes.count else { return nil }
            let pair = [first, bytes[position + 1]]
            return ["re", "ve", "ll"].contains { Array($0.utf8) == pair } ? position + 2 : nil
        }
    }
}
