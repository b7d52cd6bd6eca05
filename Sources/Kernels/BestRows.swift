// The best-scored rows of many queries, kept while scores stream by. Not here: the scores (Gemm), the index (Training/Use).
//
// Shapes: Q queries, k rows kept of each.

private import CVectorMath

/// For each of Q queries the k rows with the highest scores among all that were offered; of equal scores the smaller key, then the
/// smaller row. What is kept does not depend on the order of the offers.
///
/// Each query has a binary heap with its worst row on top. A run of scores is searched 16 at a time for one that is at least as good as
/// that: nearly all are not, so an offer costs little more than reading the scores. NaN is never kept.
public struct BestRows {
    /// A row that was kept.
    public struct Entry: Sendable, Equatable {
        public var row: Int
        public var score: Float
        /// Decides between equal scores, before the row.
        var key: Int32

        /// A row with a score of which no other has the same key.
        public init(row: Int, score: Float, key: Int32 = 0) {
            (self.row, self.score, self.key) = (row, score, key)
        }

        /// Whether this one comes after `other`.
        @inline(__always) func isWorse(than other: Entry) -> Bool {
            if score != other.score { return score < other.score }
            return (key, row) > (other.key, other.row)
        }
    }

    public let queries: Int
    /// k.
    public let depth: Int
    /// Q heaps of at most k entries each.
    private var heaps: [Entry]
    private var counts: [Int]

    public init(queries: Int, depth: Int) {
        precondition(queries >= 0 && depth > 0, "\(depth) best rows of \(queries) queries")
        self.queries = queries
        self.depth = depth
        heaps = Array(repeating: Entry(row: 0, score: 0), count: queries * depth)
        counts = Array(repeating: 0, count: queries)
    }

    /// Offers rows `firstRow` ..< `firstRow + count` with their scores to one query.
    /// - Parameter keys: of these rows; nil when the row alone decides between equal scores.
    public mutating func offer(
        _ scores: UnsafePointer<Float>, count: Int, firstRow: Int, keys: UnsafePointer<Int32>? = nil, query: Int
    ) {
        precondition(query >= 0 && query < queries && count >= 0, "query \(query) of \(queries), \(count) scores")
        let depth = depth
        heaps.withUnsafeMutableBufferPointer { heaps in
            guard let base = heaps.baseAddress else { return }
            let heap = base + query * depth
            var filled = counts[query]
            var place = 0
            while place < count {
                let threshold = filled < depth ? -Float.infinity : heap[0].score
                let found = fanoise_first_at_least(scores + place, count - place, threshold)
                guard found >= 0 else { break }
                place += found
                let entry = Entry(row: firstRow + place, score: scores[place], key: keys?[place] ?? 0)
                if filled < depth {
                    heap[filled] = entry
                    filled += 1
                    Self.siftUp(heap, filled - 1)
                } else if heap[0].isWorse(than: entry) {
                    heap[0] = entry
                    Self.siftDown(heap, filled)
                }
                place += 1
            }
            counts[query] = filled
        }
    }

    /// Offers one row to one query.
    public mutating func offer(_ entry: Entry, query: Int) {
        var (score, key) = (entry.score, entry.key)
        offer(&score, count: 1, firstRow: entry.row, keys: &key, query: query)
    }

    /// The rows of a query, best first; fewer than k when fewer were offered.
    public func sorted(query: Int) -> [Entry] {
        heaps[query * depth..<query * depth + counts[query]].sorted { $1.isWorse(than: $0) }
    }

    private static func siftUp(_ heap: UnsafeMutablePointer<Entry>, _ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isWorse(than: heap[parent]) else { return }
            swap(&heap[child], &heap[parent])
            child = parent
        }
    }

    private static func siftDown(_ heap: UnsafeMutablePointer<Entry>, _ count: Int) {
        var parent = 0
        while true {
            var worst = parent
            for child in (2 * parent + 1)..<(2 * parent + 3)
            where child < count && heap[child].isWorse(than: heap[worst]) {
                worst = child
            }
            guard worst != parent else { return }
            swap(&heap[parent], &heap[worst])
            parent = worst
        }
    }
}
