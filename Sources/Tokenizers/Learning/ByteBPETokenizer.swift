// Text to tokens and back. Not here: files (TokenizerFile), learning (BPETrainer), the rule for words (WordSplitter).

import Synchronization

/// Byte-level byte pair encoding: every text has tokens, and the tokens give back every byte of it.
///
/// Tokens 0 and 1 mark start and end of a text, 2 ..< 258 are the bytes in order, then come the learned ones. There is no padding
/// token: text is packed. Marks written out in a text (`<|endoftext|>`) are text like any other and never become tokens 0 or 1.
/// Files are those of Hugging Face's `tokenizers`, which gives equal tokens (with `encode_special_tokens = True` also for such marks).
///
/// May be used from several threads; tokens of words are remembered.
public final class ByteBPETokenizer: Sendable {
    /// What is done to a text before it is split into words.
    public struct Options: Sendable, Equatable {
        /// Whether letter case is given up; decoding then gives lower case.
        public var lowercases: Bool
        /// Whether a space is put in front, so that a text's first word has the tokens that it has elsewhere; decoding takes it away.
        public var prependsSpace: Bool

        public init(lowercases: Bool = true, prependsSpace: Bool = true) {
            self.lowercases = lowercases
            self.prependsSpace = prependsSpace
        }
    }

    public static let startOfTextName = "<|startoftext|>"
    public static let endOfTextName = "<|endoftext|>"

    public let options: Options
    public let startOfText: Int32
    public let endOfText: Int32
    /// Bytes of each token; those of the two marks are the UTF-8 of their names.
    let tokens: [[UInt8]]
    /// Pairs of tokens in order of precedence, and what they become.
    let merges: [(left: Int32, right: Int32, result: Int32)]
    private let splitter: WordSplitter
    private let merger: WordMerger
    private let known = Mutex([ArraySlice<UInt8>: [Int32]]())
    private static let knownLimit = 1 << 16
    /// Longer words seldom come again, and tens of thousands of them would fill the memory.
    private static let knownLength = 64

    /// Words remembered now.
    var knownWords: Int { known.withLock { $0.count } }

    /// Number of tokens V, marks included.
    public var vocabularySize: Int { tokens.count }

    /// - Precondition: each byte is a token in `tokens`, the two marks are in it, and merges lead to tokens.
    init(
        options: Options, tokens: [[UInt8]], merges: [(left: Int32, right: Int32, result: Int32)], startOfText: Int32,
        endOfText: Int32
    ) {
        self.options = options
        self.tokens = tokens
        self.merges = merges
        self.startOfText = startOfText
        self.endOfText = endOfText
        splitter = WordSplitter(lowercases: options.lowercases, prependsSpace: options.prependsSpace)
        var byteTokens = [Int32](repeating: -1, count: 256)
        for (token, bytes) in tokens.enumerated() where bytes.count == 1 { byteTokens[Int(bytes[0])] = Int32(token) }
        precondition(!byteTokens.contains(-1), "byte \(byteTokens.firstIndex(of: -1) ?? 0) has no token")
        merger = WordMerger(byteTokens: byteTokens, merges: merges)
    }

    /// Learns a vocabulary from `texts`; equal texts in any order give equal tokens.
    /// - Parameters:
    ///   - vocabularySize: V to reach, at least 258 (marks and bytes); stays below it when pairs become rarer than `minimumCount`.
    public static func train(
        texts: some Sequence<String>, vocabularySize: Int, options: Options = Options(), minimumCount: Int = 2
    ) -> ByteBPETokenizer {
        precondition(
            vocabularySize >= 258, "a vocabulary of \(vocabularySize) tokens cannot hold 256 bytes and two marks")
        let splitter = WordSplitter(lowercases: options.lowercases, prependsSpace: options.prependsSpace)
        var words: [[UInt8]: Int] = [:]
        for text in texts {
            splitter.forEachWord(in: text) { word in
                words[Array(word), default: 0] += 1
                return true
            }
        }
        let trainer = BPETrainer(words: words, symbolCount: vocabularySize - 2, minimumCount: max(1, minimumCount))
        let marks = [startOfTextName, endOfTextName].map { Array($0.utf8) }
        return ByteBPETokenizer(
            options: options, tokens: marks + trainer.symbols,
            merges: trainer.merges.map { ($0.left + 2, $0.right + 2, $0.result + 2) }, startOfText: 0, endOfText: 1)
    }

    /// The text's tokens between start and end of text, cut so that with both marks there are at most `contextLength`.
    /// - Precondition: `contextLength >= 2`.
    public func encode(_ text: String, contextLength: Int) -> [Int32] {
        precondition(contextLength >= 2, "a context of \(contextLength) tokens cannot hold start and end of text")
        var result = [startOfText]
        append(text, limit: contextLength - 1, to: &result)
        result.append(endOfText)
        return result
    }

    /// All of the text's tokens, without marks.
    public func encode(_ text: String) -> [Int32] {
        var result: [Int32] = []
        append(text, limit: .max, to: &result)
        return result
    }

    private func append(_ text: String, limit: Int, to result: inout [Int32]) {
        splitter.forEachWord(in: text) { word in
            result.append(contentsOf: tokens(of: word))
            return result.count < limit
        }
        if result.count > limit { result.removeLast(result.count - limit) }
    }

    /// Tokens of one word, of any bytes; no byte is changed.
    func tokens(of word: ArraySlice<UInt8>) -> [Int32] {
        guard word.count <= Self.knownLength else { return merger.tokens(of: word) }
        if let tokens = known.withLock({ $0[word] }) { return tokens }
        let tokens = merger.tokens(of: word)
        // A slice would keep the whole text alive.
        let copy = ArraySlice(Array(word))
        known.withLock { if $0.count < Self.knownLimit { $0[copy] = tokens } }
        return tokens
    }

    /// The text of `tokens`, marks left out; bytes that are no UTF-8 (a text cut inside a character) become U+FFFD.
    /// - Precondition: every token is below `vocabularySize`.
    public func decode(_ tokens: some Sequence<Int32>) -> String {
        let bytes = decodeBytes(tokens)
        let prepended = options.prependsSpace && bytes.first == UInt8(ascii: " ")
        return String(decoding: bytes.dropFirst(prepended ? 1 : 0), as: UTF8.self)
    }

    /// The bytes of `tokens`, a prepended space included, marks left out.
    public func decodeBytes(_ tokens: some Sequence<Int32>) -> [UInt8] {
        var bytes: [UInt8] = []
        for token in tokens where token != startOfText && token != endOfText {
            precondition(
                self.tokens.indices.contains(Int(token)), "token \(token) of a vocabulary of \(vocabularySize)")
            bytes.append(contentsOf: self.tokens[Int(token)])
        }
        return bytes
    }
}
