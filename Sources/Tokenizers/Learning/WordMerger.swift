// Applies learned merges to one word. Not here: learning them (BPETrainer), splitting text into words (WordSplitter).

/// The merges of a vocabulary, in order of precedence.
struct WordMerger: Sendable {
    private struct Rule: Sendable {
        let rank: Int32
        let result: Int32
    }

    private struct Candidate: Comparable {
        let rank: Int32
        let place: Int32
        let left: Int32
        let right: Int32

        /// The earlier rule first; of one rule, the leftmost place.
        static func < (a: Candidate, b: Candidate) -> Bool { a.rank != b.rank ? a.rank < b.rank : a.place < b.place }
    }

    private let byteTokens: [Int32]
    private var rules: [UInt64: Rule]

    /// - Parameters:
    ///   - byteTokens: token of each of the 256 bytes.
    ///   - merges: pairs of tokens and what they become, first the pair that is merged first.
    init(byteTokens: [Int32], merges: [(left: Int32, right: Int32, result: Int32)]) {
        precondition(byteTokens.count == 256, "\(byteTokens.count) byte tokens")
        self.byteTokens = byteTokens
        rules = Dictionary(minimumCapacity: merges.count)
        for (rank, merge) in merges.enumerated() {
            rules[Self.pair(merge.left, merge.right)] = Rule(rank: Int32(rank), result: merge.result)
        }
    }

    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Tokens of any bytes: of all neighbours that a rule joins, those of the earliest rule are joined first, from the left.
    /// O(n log n) for n bytes.
    func tokens(of word: some Collection<UInt8>) -> [Int32] {
        var symbol = word.map { byteTokens[Int($0)] }
        let count = Int32(symbol.count)
        guard count > 1 else { return symbol }
        var next = (1...count).map { $0 == count ? -1 : $0 }
        var previous = (0..<count).map { $0 - 1 }
        var heap = BinaryHeap<Candidate>()
        func offer(_ left: Int32, _ right: Int32) {
            let (a, b) = (symbol[Int(left)], symbol[Int(right)])
            guard let rule = rules[Self.pair(a, b)] else { return }
            heap.insert(Candidate(rank: rule.rank, place: left, left: a, right: b))
        }
        for place in 0..<count - 1 { offer(place, place + 1) }
        while let best = heap.popMinimum() {
            let place = Int(best.place)
            guard symbol[place] == best.left, next[place] >= 0, symbol[Int(next[place])] == best.right,
                let rule = rules[Self.pair(best.left, best.right)]
            else { continue }
            let gone = Int(next[place])
            symbol[place] = rule.result
            symbol[gone] = -1
            next[place] = next[gone]
            if next[place] >= 0 {
                previous[Int(next[place])] = best.place
                offer(best.place, next[place])
            }
            if previous[place] >= 0 { offer(previous[place], best.place) }
        }
        symbol.removeAll { $0 < 0 }
        return symbol
    }
}
