// Philox 4x32-10, the counter-based generator. Not here: what the bits are used for (RandomField.swift).

/// Philox 4×32-10: a bijection of 128-bit counters, one per 64-bit key, whose outputs pass for random.
///
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3; tested against the
/// known answers of its reference implementation (Random123 `kat_vectors`).
public enum Philox {
    /// The 128 random bits of `counter` under `key`.
    @inlinable public static func bits(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var counter = counter
        var key = key
        for _ in 0..<10 {
            let product0 = UInt64(counter[0]) &* 0xD251_1F53
            let product1 = UInt64(counter[2]) &* 0xCD9E_8D57
            counter = SIMD4(
                UInt32(truncatingIfNeeded: product1 >> 32) ^ counter[1] ^ key[0], UInt32(truncatingIfNeeded: product1),
                UInt32(truncatingIfNeeded: product0 >> 32) ^ counter[3] ^ key[1], UInt32(truncatingIfNeeded: product0))
            key = key &+ SIMD2(0x9E37_79B9, 0xBB67_AE85)
        }
        return counter
    }
}
