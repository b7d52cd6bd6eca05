// Stable 64-bit ids of concepts. Not here: which rows share a batch (GlobalSampler), masking (Losses).

import Failures

/// Turns the ids of a file into 64-bit numbers, the same in every run and on every machine, and watches for collisions.
///
/// The number is FNV-1a of the id's UTF-8 (an integer id is taken as its decimal digits, so 7 and "7" are one concept):
///
///     h ← 0xcbf29ce484222325;  for each byte: h ← (h xor byte) · 0x100000001b3  (mod 2⁶⁴)
///
/// Source: Fowler, Noll, Vo; RFC 9923. A second hash of each id is kept to notice two ids with one number.
struct ConceptIDs: Sendable {
    private var seen: [Int64: UInt64] = [:]
    private let hash: @Sendable (ArraySlice<UInt8>) -> Int64

    init(hash: @escaping @Sendable (ArraySlice<UInt8>) -> Int64 = { ConceptIDs.hash($0) }) { self.hash = hash }

    /// FNV-1a, 64 bits.
    static func hash(_ bytes: some Sequence<UInt8>) -> Int64 {
        Int64(bitPattern: fnv(bytes, from: 0xcbf2_9ce4_8422_2325))
    }

    private static func fnv(_ bytes: some Sequence<UInt8>, from start: UInt64) -> UInt64 {
        bytes.reduce(start) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    /// The number of a concept that one row alone has: `row` names it among all data.
    static func own(_ row: String) -> Int64 { hash("\0row \(row)".utf8) }

    /// The number of an id.
    /// - Throws: `Failure(.data)` if another id has it already: practically never below a thousand million ids.
    mutating func number(of id: ArraySlice<UInt8>, place: @autoclosure () -> String) throws(Failure) -> Int64 {
        let number = hash(id)
        // Another start and another order make the check independent of the number.
        let check = Self.fnv(id.reversed(), from: 0x9e37_79b9_7f4a_7c15 ^ UInt64(id.count))
        if let known = seen.updateValue(check, forKey: number), known != check {
            throw Failure(
                .data,
                "\(place()): the id \(String(decoding: id, as: UTF8.self)) has the number of another id; change either")
        }
        return number
    }
}
