// Learns which bytes to merge from the words of a corpus. Not here: splitting into words (WordSplitter), applying merges (WordMerger).

/// Byte pair encoding: the most frequent pair of neighbouring symbols becomes a symbol, again and again.
///
/// Pair counts are kept up to date as symbols merge, the most frequent pair comes from a heap: after the first count, the cost is that
/// of the places that change. Among equally frequent pairs the one with the smaller (left, right) ids wins, so the result depends on
/// the words and their counts alone, not on their order.
/// Source: Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units", ACL 2016, on bytes.
struct BPETrainer {
    /// Bytes of each symbol; the first 256 are the bytes themselves.
    private(set) var symbols: [[UInt8]] = (0..<256).map { [UInt8($0)] }
    /// Pairs of symbols in the order in which they are merged, and what they become.
    private(set) var merges: [(left: Int32, right: Int32, result: Int32)] = []

    private struct Candidate: Comparable {
        let count: Int
        let pair: UInt64

        /// The more frequent first.
        static func < (a: Candidate, b: Candidate) -> Bool { a.count != b.count ? a.count > b.count : a.pair < b.pair }
    }

    // All words one behind the other, as doubly linked lists: -1 ends a word, and marks a symbol that was merged into its left neighbour.
    private var symbol: [Int32] = []
    private var next: [Int32] = []
    private var previous: [Int32] = []
    private var weight: [Int] = []

    private var counts: [UInt64: Int] = [:]
    private var places: [UInt64: [Int32]] = [:]
    private var heap = BinaryHeap<Candidate>()
    private var indexByBytes: [[UInt8]: Int32] = [:]
    private var learned: [UInt64: Int32] = [:]

    /// Learns at most `symbolCount - 256` new symbols; fewer when no pair occurs `minimumCount` times.
    init(words: [[UInt8]: Int], symbolCount: Int, minimumCount: Int) {
        for (word, count) in words { append(word, count: count) }
        for (pair, count) in counts { heap.insert(Candidate(count: count, pair: pair)) }
        for (index, bytes) in symbols.enumerated() { indexByBytes[bytes] = Int32(index) }
        while symbols.count < symbolCount, let best = heap.popMinimum() {
            let count = counts[best.pair, default: 0]
            // An outdated entry goes back with today's count.
            guard count == best.count else {
                if count > 0 { heap.insert(Candidate(count: count, pair: best.pair)) }
                continue
            }
            guard count >= minimumCount else { break }
            merge(best.pair)
        }
    }

    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private mutating func append(_ word: [UInt8], count: Int) {
        let first = symbol.count
        for (offset, byte) in word.enumerated() {
            let place = Int32(first + offset)
            symbol.append(Int32(byte))
            previous.append(offset == 0 ? -1 : place - 1)
            next.append(offset == word.count - 1 ? -1 : place + 1)
            weight.append(count)
            guard offset + 1 < word.count else { continue }
            let key = Self.pair(Int32(byte), Int32(word[offset + 1]))
            counts[key, default: 0] += count
            places[key, default: []].append(place)
        }
    }

    private mutating func merge(_ pair: UInt64) {
        let left = Int32(bitPattern: UInt32(pair >> 32))
        let right = Int32(bitPattern: UInt32(truncatingIfNeeded: pair))
        let result = symbolOf(left, right, pair)
        // Left to right, so that a run of equal symbols merges from its start.
        let all = (places.removeValue(forKey: pair) ?? []).sorted()
        var changed: Set<UInt64> = []
        for place in all.lazy.map({ Int($0) }) where symbol[place] == left {
            let second = Int(next[place])
            guard second >= 0, symbol[second] == right else { continue }
            let (before, after) = (previous[place], next[second])
            if before >= 0 {
                count(symbol[Int(before)], left, -weight[place])
                changed.insert(count(symbol[Int(before)], result, weight[place], at: before))
            }
            if after >= 0 {
                count(right, symbol[Int(after)], -weight[place])
                changed.insert(count(result, symbol[Int(after)], weight[place], at: Int32(place)))
                previous[Int(after)] = Int32(place)
            }
            symbol[place] = result
            symbol[second] = -1
            next[place] = after
        }
        counts[pair] = nil
        for pair in changed {
            if let count = counts[pair], count > 0 { heap.insert(Candidate(count: count, pair: pair)) }
        }
    }

    /// The symbol that a pair becomes: a known one where other pairs already spell the same bytes (a·bc and ab·c).
    private mutating func symbolOf(_ left: Int32, _ right: Int32, _ pair: UInt64) -> Int32 {
        if let known = learned[pair] { return known }
        let bytes = symbols[Int(left)] + symbols[Int(right)]
        let result = indexByBytes[bytes] ?? Int32(symbols.count)
        if indexByBytes[bytes] == nil {
            indexByBytes[bytes] = result
            symbols.append(bytes)
        }
        learned[pair] = result
        merges.append((left, right, result))
        return result
    }

    @discardableResult
    private mutating func count(_ left: Int32, _ right: Int32, _ change: Int, at place: Int32? = nil) -> UInt64 {
        let key = Self.pair(left, right)
        counts[key, default: 0] += change
        if let place { places[key, default: []].append(place) }
        return key
    }
}
