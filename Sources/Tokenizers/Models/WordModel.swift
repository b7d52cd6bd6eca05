// From a word to ids. Not here: splitting into words (PreTokenizer), remembering words (WordCache).

/// The `model` of a `tokenizer.json`.
enum WordModel: Sendable {
    case wordPiece(WordPieceModel)
    case bpe(BPEModel)
    case unigram(UnigramModel)
    case wordLevel(WordLevelModel)

    /// Appends the ids of a word that is not empty.
    func append(_ word: UnsafeBufferPointer<UInt8>, to ids: inout [Int32], _ work: inout BPEModel.Work) {
        switch self {
        case .wordPiece(let model): model.append(word, to: &ids)
        case .bpe(let model): model.append(word, to: &ids, &work)
        case .unigram(let model): model.append(word, to: &ids)
        case .wordLevel(let model): ids.append(model.tokens.id(of: word) ?? model.unknown)
        }
    }

    /// Id of a token; nil if it is not in the vocabulary.
    func id(of token: some Sequence<UInt8>) -> Int32? {
        switch self {
        case .wordPiece(let model): model.tokens.id(of: token)
        case .bpe(let model): model.tokens.id(of: token)
        case .unigram(let model): model.tokens.id(of: token)
        case .wordLevel(let model): model.tokens.id(of: token)
        }
    }
}

/// Words that are tokens, and one token for all others.
struct WordLevelModel: Sendable {
    let tokens: ByteTrie
    let unknown: Int32
}

/// The longest token that a word begins with, then the longest that goes on, or unknown.
///
/// Source: Schuster, Nakajima, "Japanese and Korean voice search", ICASSP 2012; the greedy form is BERT's.
struct WordPieceModel: Sendable {
    let tokens: ByteTrie
    /// Those that go on, without their prefix.
    let continuations: ByteTrie
    let unknown: Int32
    /// Longer words are unknown.
    let maximumScalars: Int

    func append(_ word: UnsafeBufferPointer<UInt8>, to ids: inout [Int32]) {
        guard word.count <= maximumScalars || word.count(where: { $0 & 0xC0 != 0x80 }) <= maximumScalars else {
            return ids.append(unknown)
        }
        let count = ids.count
        var position = 0
        while position < word.count {
            let trie = position == 0 ? tokens : continuations
            guard let (id, end) = trie.longestMatch(word, position) else {
                ids.removeLast(ids.count - count)
                return ids.append(unknown)
            }
            ids.append(id)
            position = end
        }
    }
}
