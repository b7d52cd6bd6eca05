// The likeliest tokens of a text. Not here: reading scores (ModelReading).

/// Tokens with logarithms of probabilities; of all ways to write a text with them the most probable one.
///
/// Source: Kudo, "Subword regularization", ACL 2018; the details are those of `tokenizers`: of equal paths to a place the one found
/// first stays, and neighbouring unknowns are one.
struct UnigramModel: Sendable {
    let tokens: ByteTrie
    let scores: [Double]
    let unknown: Int32
    /// Tokens of the 256 bytes, -1 for none; empty without byte fallback.
    let byteTokens: [Int32]

    private let unknownScore: Double
    private static let unknownPenalty = 10.0

    init(tokens: ByteTrie, scores: [Double], unknown: Int32, byteTokens: [Int32]) {
        self.tokens = tokens
        self.scores = scores
        self.unknown = unknown
        self.byteTokens = byteTokens
        unknownScore = (scores.min() ?? 0) - Self.unknownPenalty
    }

    private struct Place {
        var score = 0.0
        var start: Int32 = -1
        var id: Int32 = 0
    }

    /// O(n × longest token), 16 bytes a byte.
    func append(_ word: UnsafeBufferPointer<UInt8>, to ids: inout [Int32]) {
        var places = [Place](repeating: Place(), count: word.count + 1)
        var start = 0
        while start < word.count {
            let length = UTF8Text.length(word[start])
            let score = places[start].score
            var hasSingle = false
            var node = ByteTrie.root
            var end = start
            while end < word.count, let next = tokens.child(node, word[end]) {
                node = next
                end += 1
                let id = tokens.id(node)
                guard id >= 0 else { continue }
                Self.offer(Place(score: scores[Int(id)] + score, start: Int32(start), id: id), to: &places[end])
                if end - start == length { hasSingle = true }
            }
            if !hasSingle {
                let place = Place(score: unknownScore + score, start: Int32(start), id: unknown)
                Self.offer(place, to: &places[start + length])
            }
            start += length
        }
        trace(word, places, &ids)
    }

    @inline(__always)
    private static func offer(_ new: Place, to place: inout Place) {
        if place.start < 0 || new.score > place.score { place = new }
    }

    private func trace(_ word: UnsafeBufferPointer<UInt8>, _ places: [Place], _ ids: inout [Int32]) {
        var pieces: [(range: Range<Int>, id: Int32)] = []
        var end = word.count
        while end > 0 {
            let place = places[end]
            let start = Int(place.start)
            if place.id == unknown, let last = pieces.last, last.id == unknown {
                pieces[pieces.count - 1].range = start..<last.range.upperBound
            } else {
                pieces.append((start..<end, place.id))
            }
            end = start
        }
        for piece in pieces.reversed() {
            guard piece.id == unknown else {
                ids.append(piece.id)
                continue
            }
            let bytes = word[piece.range]
            if let id = tokens.id(of: bytes) {
                ids.append(id)
            } else if byteTokens.isEmpty || bytes.contains(where: { byteTokens[Int($0)] < 0 }) {
                ids.append(unknown)
            } else {
                for byte in bytes { ids.append(byteTokens[Int(byte)]) }
            }
        }
    }
}
