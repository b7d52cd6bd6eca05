// Merging symbols of a word. Not here: reading vocabularies and merges (ModelReading).

/// Byte pair encoding with every switch of `tokenizer.json`.
///
/// A word's scalars are looked up as tokens (with the prefix of those that go on and the suffix of the last one); what has no token is
/// its bytes' tokens, or unknown, or left out. Then neighbours merge, the earliest rule first, of one rule the leftmost place.
struct BPEModel: Sendable {
    struct Rule: Sendable {
        let rank: Int32
        let result: Int32
    }

    let tokens: ByteTrie
    let rules: PairTable
    /// The token of what is unknown; nil to leave it out.
    let unknown: Int32?
    let fusesUnknown: Bool
    /// Whether a word that is a token stays whole.
    let ignoresMerges: Bool
    let prefix: [UInt8]
    let suffix: [UInt8]
    /// Tokens of the 256 bytes, -1 for none; empty without byte fallback.
    let byteTokens: [Int32]

    /// Memory that is used again for each word.
    struct Work {
        fileprivate var symbols: [Int32] = []
        fileprivate var next: [Int32] = []
        fileprivate var previous: [Int32] = []
        fileprivate var heap = BinaryHeap<Candidate>()
        fileprivate var spelling: [UInt8] = []
        init() {}
    }

    fileprivate struct Candidate: Comparable {
        let rank: Int32
        let place: Int32
        let result: Int32

        static func < (a: Candidate, b: Candidate) -> Bool { a.rank != b.rank ? a.rank < b.rank : a.place < b.place }
    }

    /// O(n log n) for n bytes.
    func append(_ word: UnsafeBufferPointer<UInt8>, to ids: inout [Int32], _ work: inout Work) {
        if ignoresMerges, let id = tokens.id(of: word) { return ids.append(id) }
        spell(word, &work)
        merge(&work)
        for symbol in work.symbols where symbol >= 0 { ids.append(symbol) }
    }

    /// The tokens of the scalars. An unknown one is held back until the next known one, and so comes after bytes that stand between,
    /// as in `tokenizers`.
    private func spell(_ word: UnsafeBufferPointer<UInt8>, _ work: inout Work) {
        work.symbols.removeAll(keepingCapacity: true)
        var heldBack: Int32?
        var position = 0
        while position < word.count {
            let end = position + UTF8Text.length(word[position])
            work.spelling.removeAll(keepingCapacity: true)
            if position > 0 { work.spelling.append(contentsOf: prefix) }
            for place in position..<end { work.spelling.append(word[place]) }
            if end == word.count { work.spelling.append(contentsOf: suffix) }
            position = end
            if let id = tokens.id(of: work.spelling) {
                if let unknown = heldBack { work.symbols.append(unknown) }
                heldBack = nil
                work.symbols.append(id)
            } else if !byteTokens.isEmpty, work.spelling.allSatisfy({ byteTokens[Int($0)] >= 0 }) {
                for byte in work.spelling { work.symbols.append(byteTokens[Int(byte)]) }
            } else if let unknown {
                if let last = heldBack, !fusesUnknown { work.symbols.append(last) }
                heldBack = unknown
            }
        }
        if let unknown = heldBack { work.symbols.append(unknown) }
    }

    private func merge(_ work: inout Work) {
        let count = Int32(work.symbols.count)
        guard count > 1 else { return }
        work.next.removeAll(keepingCapacity: true)
        work.previous.removeAll(keepingCapacity: true)
        work.heap.removeAll()
        for place in 0..<count {
            work.next.append(place + 1 == count ? -1 : place + 1)
            work.previous.append(place - 1)
        }
        for place in 0..<count - 1 { offer(place, place + 1, &work) }
        while let best = work.heap.popMinimum() {
            let place = Int(best.place)
            // A rule may have changed what stood here; `tokenizers` asks only whether the result would be the same.
            guard work.symbols[place] >= 0, work.next[place] >= 0 else { continue }
            let gone = Int(work.next[place])
            guard rules[work.symbols[place], work.symbols[gone]]?.result == best.result else { continue }
            work.symbols[place] = best.result
            work.symbols[gone] = -1
            work.next[place] = work.next[gone]
            if work.next[place] >= 0 {
                work.previous[Int(work.next[place])] = best.place
                offer(best.place, work.next[place], &work)
            }
            if work.previous[place] >= 0 { offer(work.previous[place], best.place, &work) }
        }
    }

    @inline(__always)
    private func offer(_ left: Int32, _ right: Int32, _ work: inout Work) {
        guard let rule = rules[work.symbols[Int(left)], work.symbols[Int(right)]] else { return }
        work.heap.insert(Candidate(rank: rule.rank, place: left, result: rule.result))
    }
}

/// Rules by the pair of tokens they join, in one open-addressed table.
struct PairTable: Sendable {
    private var keys: [UInt64]
    private var rules: [BPEModel.Rule]

    /// - Parameter capacity: the number of pairs at most.
    init(capacity: Int) {
        var size = 16
        while size < 2 * capacity { size *= 2 }
        keys = [UInt64](repeating: .max, count: size)
        rules = [BPEModel.Rule](repeating: BPEModel.Rule(rank: 0, result: 0), count: size)
    }

    @inline(__always)
    private func slot(_ key: UInt64) -> Int {
        let mask = keys.count - 1
        var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
        while keys[slot] != .max, keys[slot] != key { slot = (slot + 1) & mask }
        return slot
    }

    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always)
    subscript(_ left: Int32, _ right: Int32) -> BPEModel.Rule? {
        let key = Self.key(left, right)
        let slot = slot(key)
        return keys[slot] == key ? rules[slot] : nil
    }

    /// Sets the rule of a pair; the last one counts.
    mutating func set(_ left: Int32, _ right: Int32, _ rule: BPEModel.Rule) {
        let key = Self.key(left, right)
        let slot = slot(key)
        keys[slot] = key
        rules[slot] = rule
    }
}
