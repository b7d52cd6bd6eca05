// A cheap hash of bytes and numbers. Not here: digests that withstand an attacker (Checkpoints).

/// FNV-1a over words of eight bytes, the last one padded with zeros; equal for equal bytes however they are cut into pieces.
///
///     h ← 0xcbf29ce484222325;  for each word: h ← (h xor word) · 0x100000001b3  (mod 2⁶⁴);  at the end the same with the length
struct Fingerprint {
    private var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    private var word: UInt64 = 0
    /// Bytes so far; those of an unfinished word are in `word`.
    private var count = 0

    mutating func add(_ number: Int) { add(word: UInt64(bitPattern: Int64(number))) }

    private mutating func add(word: UInt64) { hash = (hash ^ word) &* 0x100_0000_01b3 }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var index = 0
        while index < bytes.count, count % 8 != 0 || bytes.count - index < 8 {
            word |= UInt64(bytes[index]) << UInt64(8 * (count % 8))
            index += 1
            count += 1
            if count % 8 == 0 {
                add(word: word)
                word = 0
            }
        }
        let words = (bytes.count - index) / 8
        for place in 0..<words {
            add(word: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index + 8 * place, as: UInt64.self)))
        }
        index += 8 * words
        count += 8 * words
        if index < bytes.count { add(UnsafeRawBufferPointer(rebasing: bytes[index...])) }
    }

    mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
        add(text.utf8.count)
    }

    var value: UInt64 {
        var copy = self
        copy.add(word: word)
        copy.add(count)
        return copy.hash
    }

    /// That of a source of which rows were chosen.
    static func of(_ source: any PairSource, rows: [Int]) -> UInt64 {
        var fingerprint = Fingerprint()
        fingerprint.add(Int(bitPattern: UInt(source.fingerprint)))
        for row in rows { fingerprint.add(row) }
        return fingerprint.value
    }
}
