// A tokenizer that a tokenizer.json describes. Not here: reading the file (Reading), the steps themselves.

public import Foundation
import Synchronization

/// What `tokenizer.json` says, done as the package `tokenizers` does it, id for id.
///
/// A text goes through these steps: added tokens are cut out, what lies between them is normalised, added tokens that look at
/// normalised text are cut out, the rest is split into words, the model turns each word into ids, the ids are truncated, and the
/// post-processor puts special tokens around them.
///
/// May be used from several threads; ids of words are remembered, in under 10 MB a thread.
public final class Tokenizer: TextTokenizer {
    /// One part of what the post-processor makes: the text's ids, or special ones.
    enum TemplatePart: Sendable, Equatable {
        case text
        case special([Int32])
    }

    /// Everything that a file says.
    struct Rules: Sendable {
        var normalizer: Normalizer?
        var preTokenizer: PreTokenizer?
        var model: WordModel
        var rawTokens: AddedTokens
        var normalizedTokens: AddedTokens
        /// Applied one after the other.
        var templates: [[TemplatePart]]
        /// Whether a long text loses its beginning.
        var truncatesLeft: Bool
        var contextLength: Int?
        var vocabularySize: Int
        /// Ids of added tokens by content.
        var addedIDs: [[UInt8]: Int32]
    }

    let rules: Rules
    private let json: Data
    public let specialTokenCount: Int

    /// What a thread needs; handed out one by one.
    private final class Work {
        var cache = WordCache()
        var bpe = BPEModel.Work()
    }
    private let idle = Mutex<[UncheckedWork]>([])
    private struct UncheckedWork: @unchecked Sendable { let work: Work }

    init(_ rules: Rules, json: Data) {
        self.rules = rules
        self.json = json
        specialTokenCount = rules.templates.joined().reduce(0) { count, part in
            if case .special(let ids) = part { count + ids.count } else { count }
        }
    }

    public var vocabularySize: Int { rules.vocabularySize }

    /// `max_length` of the file's truncation, if it has one: what other programs cut texts to.
    public var contextLength: Int? { rules.contextLength }

    /// The id of a token, added ones included; nil for none.
    public func id(of token: String) -> Int32? {
        rules.addedIDs[Array(token.utf8)] ?? rules.model.id(of: Array(token.utf8))
    }

    public func file(contextLength: Int) -> Data { json }

    public func encode(_ text: String, contextLength: Int) -> [Int32] {
        precondition(
            contextLength >= specialTokenCount,
            "a context of \(contextLength) tokens cannot hold \(specialTokenCount) special tokens")
        let room = contextLength - specialTokenCount
        var ids = ids(of: text, limit: rules.truncatesLeft ? .max : room)
        if ids.count > room {
            if rules.truncatesLeft { ids.removeFirst(ids.count - room) } else { ids.removeLast(ids.count - room) }
        }
        return surround(ids)
    }

    /// All ids of the text, with or without special tokens.
    public func encode(_ text: String, addsSpecialTokens: Bool = true) -> [Int32] {
        let ids = ids(of: text, limit: .max)
        return addsSpecialTokens ? surround(ids) : ids
    }

    private func surround(_ ids: [Int32]) -> [Int32] {
        rules.templates.reduce(ids) { ids, template in
            template.flatMap { part -> [Int32] in
                switch part {
                case .text: ids
                case .special(let special): special
                }
            }
        }
    }

    /// Ids of the text; those beyond the first `limit` may be missing.
    private func ids(of text: String, limit: Int) -> [Int32] {
        let work = idle.withLock { $0.popLast() }?.work ?? Work()
        defer { idle.withLock { $0.append(UncheckedWork(work: work)) } }
        var ids: [Int32] = []
        let bytes = Array(text.utf8)
        if rules.rawTokens.isEmpty {
            appendNormalized(bytes, beginsText: true, limit, &ids, work)
        } else {
            rules.rawTokens.forEachPart(of: bytes) { range, id in
                if ids.count >= limit { return }
                if let id {
                    ids.append(id)
                } else {
                    let part = range.count == bytes.count ? bytes : Array(bytes[range])
                    appendNormalized(part, beginsText: range.lowerBound == 0, limit, &ids, work)
                }
            }
        }
        return ids
    }

    private func appendNormalized(_ part: [UInt8], beginsText: Bool, _ limit: Int, _ ids: inout [Int32], _ work: Work) {
        var text = part
        var begins = beginsText
        rules.normalizer?.apply(&text, beginsText: &begins)
        guard !rules.normalizedTokens.isEmpty else { return appendWords(text, begins, limit, &ids, work) }
        rules.normalizedTokens.forEachPart(of: text) { range, id in
            if let id {
                ids.append(id)
            } else {
                appendWords(Array(text[range]), begins && range.lowerBound == 0, limit, &ids, work)
            }
        }
    }

    private func appendWords(
        _ text: [UInt8], _ beginsText: Bool, _ limit: Int, _ ids: inout [Int32], _ work: Work
    ) {
        var pieces = PieceList(text, beginsText: beginsText)
        rules.preTokenizer?.apply(&pieces)
        pieces.bytes.withUnsafeBufferPointer { bytes in
            for range in pieces.ranges {
                if ids.count >= limit { return }
                let word = UnsafeBufferPointer(rebasing: bytes[range])
                guard word.count <= WordCache.maximumLength else {
                    rules.model.append(word, to: &ids, &work.bpe)
                    continue
                }
                let hash = WordCache.hash(word)
                if work.cache.append(word, hash, to: &ids) { continue }
                let start = ids.count
                rules.model.append(word, to: &ids, &work.bpe)
                work.cache.insert(word, hash, ids: ids[start...])
            }
        }
    }
}
