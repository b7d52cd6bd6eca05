// Which emojis are never seen in training, and which drawings of the others. Not here: what an emoji's base is (EmojiBase.swift).

/// A split that is a function of names alone: no generator, no order of files, no counts enter it.
public struct EmojiSplit: Sendable {
    /// Expected share of bases whose emojis are never seen in training, in [0, 1).
    public let heldOut: Double
    /// Expected share of the other bases whose emojis give one drawing to set A, in [0, 1].
    public let seenShare: Double

    public init(heldOut: Double, seenShare: Double = 1) {
        precondition(heldOut >= 0 && heldOut < 1, "a held-out share of \(heldOut) does not lie in [0, 1)")
        precondition(seenShare >= 0 && seenShare <= 1, "a share of \(seenShare) does not lie in [0, 1]")
        self.heldOut = heldOut
        self.seenShare = seenShare
    }

    /// Whether all emojis of a base are kept for set B.
    public func isUnseen(base: String) -> Bool { StableHash.fraction("base/" + base) < heldOut }

    /// The drawing that set A shows and training does not: the first of a base's own order of drawings.
    ///
    /// The order depends on the base and not on the emoji, so that of a profession's three genders not two are trained on in the
    /// very style in which the third is asked for.
    /// - Returns: nil unless the base takes part in set A and at least two drawings are there to choose from.
    public func heldOutDrawing(base: String, among drawings: [String]) -> String? {
        guard drawings.count > 1, StableHash.fraction("seen/" + base) < seenShare else { return nil }
        return drawings.min {
            (StableHash.value("drawing/\(base)/\($0)"), $0) < (StableHash.value("drawing/\(base)/\($1)"), $1)
        }
    }
}

/// A hash that is the same in every run, on every machine and in every language.
///
/// FNV-1a with 64 bits over the UTF-8 bytes (offset 0xcbf29ce484222325, prime 0x100000001b3), then the finaliser of
/// SplitMix64, because the high bits of FNV hardly depend on the last bytes of short strings.
enum StableHash {
    static func value(_ text: String) -> UInt64 { finalised(fnv1a(text.utf8)) }

    /// In [0, 1): the upper 53 bits of `value` over 2⁵³.
    static func fraction(_ text: String) -> Double { Double(value(text) >> 11) / 9_007_199_254_740_992 }

    static func fnv1a(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    private static func finalised(_ hash: UInt64) -> UInt64 {
        var z = hash &+ 0x9e37_79b9_7f4a_7c15
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
