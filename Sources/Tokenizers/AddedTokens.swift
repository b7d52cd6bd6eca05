// Tokens that are looked for in the text itself. Not here: which there are (AddedTokenReading).

/// One entry of `added_tokens`.
struct AddedToken: Sendable {
    var id: Int32
    var content: [UInt8]
    var isSingleWord: Bool
    var stripsLeft: Bool
    var stripsRight: Bool
    var isNormalized: Bool
}

/// Added tokens of one kind: those found in the text as it is given, or those found in the normalised one.
struct AddedTokens: Sendable {
    private let tokens: [AddedToken]
    private let contents: ByteTrie
    private var firstBytes = [Bool](repeating: false, count: 256)

    var isEmpty: Bool { tokens.isEmpty }

    /// - Parameter tokens: with what is looked for as content; of equal ones the first counts, empty ones are never found.
    init(_ tokens: [AddedToken]) {
        self.tokens = tokens
        var contents = ByteTrie()
        for (index, token) in tokens.enumerated() {
            guard let first = token.content.first, contents.id(of: token.content) == nil else { continue }
            contents.insert(token.content, id: Int32(index))
            firstBytes[Int(first)] = true
        }
        self.contents = contents
    }

    /// Gives each part of the text, in order, and the id of the token that it is, to `body`: of the leftmost tokens the longest.
    func forEachPart(of text: [UInt8], _ body: (Range<Int>, Int32?) -> Void) {
        var done = 0
        text.withUnsafeBufferPointer { bytes in
            var position = 0
            while position < bytes.count {
                guard firstBytes[Int(bytes[position])], let (index, end) = contents.longestMatch(bytes, position) else {
                    position += 1
                    continue
                }
                let token = tokens[Int(index)]
                let match = position..<end
                position = end
                if token.isSingleWord, Self.isInsideWord(bytes, match) { continue }
                let start = token.stripsLeft ? max(Self.spaceStart(bytes, match.lowerBound), done) : match.lowerBound
                let stop = token.stripsRight ? Self.spaceEnd(bytes, end) : end
                if done < start { body(done..<start, nil) }
                body(start..<stop, token.id)
                done = stop
            }
        }
        if done < text.count { body(done..<text.count, nil) }
    }

    private static func isInsideWord(_ bytes: UnsafeBufferPointer<UInt8>, _ match: Range<Int>) -> Bool {
        func isWord(_ position: Int) -> Bool { ScalarFlags.of(UTF8Text.scalar(bytes, position).scalar).contains(.word) }
        return (match.lowerBound > 0 && isWord(before(bytes, match.lowerBound)))
            || (match.upperBound < bytes.count && isWord(match.upperBound))
    }

    /// Where the scalar before `position` begins.
    private static func before(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int {
        var start = position - 1
        while bytes[start] & 0xC0 == 0x80 { start -= 1 }
        return start
    }

    private static func isSpace(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int) -> Bool {
        ScalarFlags.of(UTF8Text.scalar(bytes, position).scalar).contains(.space)
    }

    private static func spaceStart(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int {
        var start = position
        while start > 0, isSpace(bytes, before(bytes, start)) { start = before(bytes, start) }
        return start
    }

    private static func spaceEnd(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int {
        var end = position
        while end < bytes.count, isSpace(bytes, end) { end += UTF8Text.length(bytes[end]) }
        return end
    }
}
