// From a text to the text that is split. Not here: reading the rules (NormalizerReading), the tables behind them (Unicode).

/// One rule of `normalizer`; the names are those of `tokenizer.json`.
indirect enum Normalizer: Sendable {
    case sequence([Normalizer])
    case bert(BertNormalizer)
    case form(NormalForm)
    case lowercase
    case stripAccents
    case strip(left: Bool, right: Bool)
    case replace(Pattern, [UInt8])
    case prepend([UInt8])
    case precompiled(Charsmap)
    case byteLevel
    case nmt

    /// Replaces `text` by its normal form.
    /// - Parameter beginsText: becomes false where the first scalar is removed.
    func apply(_ text: inout [UInt8], beginsText: inout Bool) {
        switch self {
        case .sequence(let rules): for rule in rules { rule.apply(&text, beginsText: &beginsText) }
        case .bert(let rule): rule.apply(&text, beginsText: &beginsText)
        case .form(let form): text = form.apply(text)
        case .lowercase: text = Self.lowercased(text)
        case .stripAccents: Self.remove(.mark, from: &text, &beginsText)
        case .strip(let left, let right): Self.strip(&text, left: left, right: right, &beginsText)
        case .replace(let pattern, let content): Self.replace(pattern, by: content, in: &text, &beginsText)
        case .prepend(let prefix): if !text.isEmpty { text.insert(contentsOf: prefix, at: 0) }
        case .precompiled(let charsmap): charsmap.apply(&text, beginsText: &beginsText)
        case .byteLevel:
            var new: [UInt8] = []
            ByteLevel.append(text, to: &new)
            text = new
        case .nmt: Self.applyNMT(&text, &beginsText)
        }
    }

    static func lowercased(_ text: [UInt8]) -> [UInt8] {
        var new: [UInt8] = []
        new.reserveCapacity(text.count)
        UTF8Text.forEachScalar(in: text[...]) { scalar, range in
            if scalar < 0x80 {
                new.append(UInt8(0x41...0x5A ~= scalar ? scalar + 0x20 : scalar))
            } else if ScalarFlags.of(scalar).contains(.hasLowercase), let lower = ScalarMapping.lowercase[scalar] {
                for scalar in lower { UTF8Text.append(scalar, to: &new) }
            } else {
                new.append(contentsOf: text[range])
            }
        }
        return new
    }

    /// Removes all scalars that have a flag.
    static func remove(_ flag: ScalarFlags, from text: inout [UInt8], _ beginsText: inout Bool) {
        var new: [UInt8] = []
        new.reserveCapacity(text.count)
        UTF8Text.forEachScalar(in: text[...]) { scalar, range in
            if !ScalarFlags.of(scalar).contains(flag) {
                new.append(contentsOf: text[range])
            } else if range.lowerBound == 0 {
                beginsText = false
            }
        }
        text = new
    }

    /// Removes white space from the ends.
    private static func strip(_ text: inout [UInt8], left: Bool, right: Bool, _ beginsText: inout Bool) {
        var (start, end) = (text.count, 0)
        UTF8Text.forEachScalar(in: text[...]) { scalar, range in
            guard !ScalarFlags.of(scalar).contains(.space) else { return }
            start = min(start, range.lowerBound)
            end = range.upperBound
        }
        // White space alone is removed once, from either end.
        if end == 0 { (start, end) = (0, 0) }
        let kept = (left ? start : 0)..<(right ? end : text.count)
        if kept.isEmpty || (end == 0 && (left || right)) {
            text = []
        } else {
            if kept.lowerBound > 0 { beginsText = false }
            text = Array(text[kept])
        }
    }

    private static func replace(
        _ pattern: Pattern, by content: [UInt8], in text: inout [UInt8], _ beginsText: inout Bool
    ) {
        var new: [UInt8] = []
        var start = 0
        pattern.forEachMatch(in: text[...]) { match in
            new.append(contentsOf: text[start..<match.lowerBound])
            new.append(contentsOf: content)
            if match.lowerBound == 0, !match.isEmpty, content.isEmpty { beginsText = false }
            start = match.upperBound
        }
        new.append(contentsOf: text[start...])
        text = new
    }

    /// SentencePiece's `nmt` rules: control characters go, unusual spaces become spaces.
    private static func applyNMT(_ text: inout [UInt8], _ beginsText: inout Bool) {
        var new: [UInt8] = []
        new.reserveCapacity(text.count)
        UTF8Text.forEachScalar(in: text[...]) { scalar, range in
            switch scalar {
            case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: if range.lowerBound == 0 { beginsText = false }
            case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
                new.append(0x20)
            default: new.append(contentsOf: text[range])
            }
        }
        text = new
    }
}

/// What BERT does to a text: cleaning, spaces around ideographs, no accents, lower case; each can be left out.
struct BertNormalizer: Sendable {
    var cleans: Bool
    var padsIdeographs: Bool
    var stripsAccents: Bool
    var lowercases: Bool

    func apply(_ text: inout [UInt8], beginsText: inout Bool) {
        var isASCII = true
        var new: [UInt8] = []
        new.reserveCapacity(text.count + 16)
        var begins = beginsText
        UTF8Text.forEachScalar(in: text[...]) { scalar, range in
            if 0x20..<0x7F ~= scalar {
                return new.append(UInt8(lowercases && 0x41...0x5A ~= scalar ? scalar + 0x20 : scalar))
            }
            let flags = ScalarFlags.of(scalar)
            if cleans {
                if scalar == 0 || scalar == 0xFFFD
                    || (flags.contains(.control) && !(scalar == 9 || scalar == 10 || scalar == 13))
                {
                    if range.lowerBound == 0 { begins = false }
                    return
                }
                if flags.contains(.space) { return new.append(0x20) }
            }
            if padsIdeographs, flags.contains(.ideograph) {
                isASCII = false
                new.append(0x20)
                new.append(contentsOf: text[range])
                new.append(0x20)
            } else {
                if scalar >= 0x80 { isASCII = false }
                new.append(contentsOf: text[range])
            }
        }
        beginsText = begins
        text = new
        guard !isASCII else { return }
        if stripsAccents {
            text = NormalForm.decomposed.apply(text)
            Normalizer.remove(.nonspacing, from: &text, &beginsText)
        }
        if lowercases { text = Normalizer.lowercased(text) }
    }
}
