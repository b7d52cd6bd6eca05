// From a normalised text to the words a model sees. Not here: reading the rules (PreTokenizerReading).

/// One rule of `pre_tokenizer`; the names are those of `tokenizer.json`.
indirect enum PreTokenizer: Sendable {
    /// When `metaspace` puts its mark in front.
    enum PrependScheme: String, CaseIterable, Sendable { case first, never, always }

    case sequence([PreTokenizer])
    case bert
    case byteLevel(addsPrefixSpace: Bool, splits: Bool)
    case metaspace(replacement: [UInt8], scheme: PrependScheme, splits: Bool)
    case split(Pattern, SplitBehaviour, inverts: Bool)
    case delimiter(UInt32)
    case whitespace
    case whitespaceSplit
    case punctuation(SplitBehaviour)
    case digits(individual: Bool)
    case unicodeScripts
    case fixedLength(Int)

    func apply(_ pieces: inout PieceList) {
        switch self {
        case .sequence(let rules): for rule in rules { rule.apply(&pieces) }
        case .bert: pieces.split(Self.splitLikeBert)
        case .byteLevel(let addsPrefixSpace, let splits): ByteLevel.apply(&pieces, addsPrefixSpace, splits: splits)
        case .metaspace(let replacement, let scheme, let splits):
            Self.applyMetaspace(&pieces, replacement, scheme, splits: splits)
        case .split(let pattern, let behaviour, let inverts):
            pieces.split { piece, result in
                behaviour.append(Self.parts(of: piece, pattern, inverts: inverts), to: &result)
            }
        case .delimiter(let delimiter):
            pieces.split { Self.split($0, .removed, to: &$1) { scalar in scalar == delimiter } }
        case .whitespace: pieces.split(Self.splitIntoWords)
        case .whitespaceSplit:
            pieces.split { Self.split($0, .removed, to: &$1) { ScalarFlags.of($0).contains(.space) } }
        case .punctuation(let behaviour):
            pieces.split { Self.split($0, behaviour, to: &$1) { ScalarFlags.of($0).contains(.punctuation) } }
        case .digits(let individual):
            pieces.split {
                Self.split($0, individual ? .isolated : .contiguous, to: &$1) { ScalarFlags.of($0).contains(.numeric) }
            }
        case .unicodeScripts: pieces.split(UnicodeScripts.split)
        case .fixedLength(let length):
            pieces.split { piece, result in
                var (start, count) = (piece.startIndex, 0)
                UTF8Text.forEachScalar(in: piece) { _, range in
                    count += 1
                    guard count == length else { return }
                    result.append(start..<range.upperBound)
                    (start, count) = (range.upperBound, 0)
                }
                result.append(start..<piece.endIndex)
            }
        }
    }

    /// Splits where a scalar matches; each is a match by itself.
    private static func split(
        _ piece: ArraySlice<UInt8>, _ behaviour: SplitBehaviour, to result: inout [Range<Int>],
        _ matches: (UInt32) -> Bool
    ) {
        var parts: [(range: Range<Int>, matches: Bool)] = []
        var start = piece.startIndex
        UTF8Text.forEachScalar(in: piece) { scalar, range in
            guard matches(scalar) else { return }
            if start < range.lowerBound { parts.append((start..<range.lowerBound, false)) }
            parts.append((range, true))
            start = range.upperBound
        }
        if start < piece.endIndex { parts.append((start..<piece.endIndex, false)) }
        behaviour.append(parts, to: &result)
    }

    private static func parts(
        of piece: ArraySlice<UInt8>, _ pattern: Pattern, inverts: Bool
    ) -> [(range: Range<Int>, matches: Bool)] {
        var parts: [(range: Range<Int>, matches: Bool)] = []
        var start = piece.startIndex
        pattern.forEachMatch(in: piece) { match in
            if start != match.lowerBound { parts.append((start..<match.lowerBound, inverts)) }
            parts.append((match, !inverts))
            start = match.upperBound
        }
        if start != piece.endIndex { parts.append((start..<piece.endIndex, inverts)) }
        return parts
    }

    /// White space goes, each punctuation mark is a word.
    private static func splitLikeBert(_ piece: ArraySlice<UInt8>, _ result: inout [Range<Int>]) {
        var start = piece.startIndex
        UTF8Text.forEachScalar(in: piece) { scalar, range in
            let flags = ScalarFlags.of(scalar)
            guard !flags.isDisjoint(with: [.space, .punctuation]) else { return }
            if start < range.lowerBound { result.append(start..<range.lowerBound) }
            if !flags.contains(.space) { result.append(range) }
            start = range.upperBound
        }
        if start < piece.endIndex { result.append(start..<piece.endIndex) }
    }

    /// `\w+|[^\w\s]+`
    private static func splitIntoWords(_ piece: ArraySlice<UInt8>, _ result: inout [Range<Int>]) {
        var start = piece.startIndex
        var last: ScalarFlags = .space
        UTF8Text.forEachScalar(in: piece) { scalar, range in
            let kind = ScalarFlags.of(scalar).intersection([.space, .word])
            if kind != last {
                if last != .space, start < range.lowerBound { result.append(start..<range.lowerBound) }
                (start, last) = (range.lowerBound, kind)
            }
        }
        if last != .space { result.append(start..<piece.endIndex) }
    }

    private static func applyMetaspace(
        _ pieces: inout PieceList, _ replacement: [UInt8], _ scheme: PrependScheme, splits: Bool
    ) {
        let beginsText = pieces.beginsText
        pieces.replace { piece, isFirst, new in
            let startsWithMark = piece.starts(with: replacement) || piece.first == 0x20
            if !startsWithMark, scheme == .always || (scheme == .first && isFirst && beginsText) {
                new.append(contentsOf: replacement)
            }
            for byte in piece {
                if byte == 0x20 { new.append(contentsOf: replacement) } else { new.append(byte) }
            }
        }
        guard splits else { return }
        pieces.split { piece, result in
            var parts: [(range: Range<Int>, matches: Bool)] = []
            var start = piece.startIndex
            UTF8Text.forEachScalar(in: piece) { _, range in
                guard piece[range].elementsEqual(replacement) else { return }
                if start < range.lowerBound { parts.append((start..<range.lowerBound, false)) }
                parts.append((range, true))
                start = range.upperBound
            }
            if start < piece.endIndex { parts.append((start..<piece.endIndex, false)) }
            SplitBehaviour.mergedWithNext.append(parts, to: &result)
        }
    }
}
