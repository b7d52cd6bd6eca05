// Which emojis are variations of one thing. Not here: which of those things are held out (EmojiSplit.swift).

extension EmojiConcept {
    /// The identifier of what this emoji is a variation of: emojis of one base look alike and have nearly equal names, so they
    /// must lie on the same side of a split.
    ///
    /// Skin tones, variation selectors and the gender signs are dropped; man, woman and person in a profession or with a hair
    /// style are one; so are the ages of a person, royalty, dancers, Santa Claus, the pregnant, and all kisses, couples,
    /// families and people holding hands. Everything else, every flag among it, is its own base.
    public var base: String {
        let plain = plainCodePoints.filter { !Self.skinTones.contains($0) }
        if Self.isFlag(plain) { return Self.key(plain) }
        if let crowd = Self.crowds[name.prefix { $0 != ":" }.lowercased()] { return crowd }
        var points = Self.withoutGender(plain)
        if points.count > 1, Self.adults.contains(points[0]) { points[0] = Self.person }
        // A person with a hair style is a person.
        if points.count == 3, points[0] == Self.person, Self.hairStyles.contains(points[2]) { points = [Self.person] }
        if points == [Self.person, Self.joiner, 0x1F384] { points = [0x1F385] }
        if points.count == 1, let representative = Self.representatives[points[0]] { points = [representative] }
        return Self.key(points)
    }

    private static let person: UInt32 = 0x1F9D1
    private static let adults: Set<UInt32> = [0x1F468, 0x1F469, 0x1F9D1]
    private static let hairStyles: ClosedRange<UInt32> = 0x1F9B0...0x1F9B3

    /// Names before the colon whose emojis differ only in who takes part.
    private static let crowds: [String: String] = [
        "kiss": "kiss", "couple with heart": "couple-with-heart", "family": "family", "handshake": "handshake",
        "people holding hands": "holding-hands", "women holding hands": "holding-hands",
        "men holding hands": "holding-hands", "woman and man holding hands": "holding-hands",
    ]

    /// Single code points that are one thing at another age or gender, and the one that stands for them.
    private static let representatives: [UInt32: UInt32] = [
        0x1F468: 0x1F9D1, 0x1F469: 0x1F9D1,  // man, woman: person
        0x1F466: 0x1F9D2, 0x1F467: 0x1F9D2,  // boy, girl: child
        0x1F474: 0x1F9D3, 0x1F475: 0x1F9D3,  // old man, old woman: older person
        0x1F478: 0x1FAC5, 0x1F934: 0x1FAC5,  // princess, prince: person with crown
        0x1F57A: 0x1F483,  // man dancing: woman dancing
        0x1F936: 0x1F385,  // Mrs. Claus: Santa Claus
        0x1FAC3: 0x1F930, 0x1FAC4: 0x1F930,  // pregnant man, person: woman
    ]

    private static func isFlag(_ points: [UInt32]) -> Bool {
        // None is left of an emoji that is nothing but variations.
        guard let first = points.first else { return false }
        return (0x1F1E6...0x1F1FF).contains(first) || first == 0x1F3F4 || first == 0x1F3F3
    }

    /// Drops a trailing joiner with the female or male sign.
    private static func withoutGender(_ points: [UInt32]) -> [UInt32] {
        guard points.count > 2, points[points.count - 2] == joiner, [0x2640, 0x2642].contains(points[points.count - 1])
        else {
            return points
        }
        return Array(points.dropLast(2))
    }
}
