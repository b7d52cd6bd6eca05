// One epoch's rows dealt into batches. Not here: which step is which batch (GlobalSampler).
//
// Shapes: n rows of C concepts, N rows a batch, S batches, m_c rows of concept c.

/// Deals rows in random order into batches so that a concept is at most once in a batch, wherever that is possible.
///
/// Batches are filled one after the other from the shuffled rows. A row whose concept is in the batch already waits; waiting rows come
/// first in the next batch. So that nothing is left over at the end, concepts of which as many rows remain as batches are taken
/// before all others. The exact rule: concept c may occur q_c times in a batch,
///
///     q_c = ⌈m_c / S⌉        (1 unless it has more rows than there are batches)
///
/// and with R batches to fill (this one included) and r_c rows remaining, at least r_c − q_c (R − 1) rows of c are taken now. Then
/// r_c ≤ q_c R holds before every batch, so Σ_c max(0, r_c − q_c (R − 1)) ≤ Σ r_c / R = N ≤ Σ_c min(q_c, r_c): the rows that must be
/// taken fit, and those that may be taken suffice. Every row is dealt once, every batch is full, no q_c is exceeded.
///
/// The short batch of n mod N rows, last in the epoch, is filled first (as if its missing rows were concepts of their own). Should
/// the rows that must be in it not fit, it is left to the full batches to hold everything: q_c = ⌈m_c / (S − 1)⌉.
/// Cost O(n + S N).
struct EpochPlan {
    /// Rows of all batches one behind the other; all but the last have N.
    private(set) var rows: [Int] = []

    private let concepts: [Int]
    private let order: [Int]
    private var nextInOrder = 0
    /// r_c, q_c.
    private var remaining: [Int]
    private var quota: [Int]
    /// Waiting rows of each concept, first come first, and the concepts that have any.
    private var waiting: [Int: Queue] = [:]
    private var waitingConcepts: [Int] = []
    private var byConcept: RowsByConcept
    /// Rows of each concept in the batch being filled.
    private var inBatch: [Int: Int] = [:]
    private var taken: [Bool]

    /// - Parameters:
    ///   - concepts: concept of each row, 0 ..< `conceptCount`.
    ///   - order: the rows to deal, shuffled.
    init(concepts: [Int], conceptCount: Int, order: [Int], batch: Int) {
        self.concepts = concepts
        self.order = order
        remaining = [Int](repeating: 0, count: conceptCount)
        taken = [Bool](repeating: false, count: concepts.count)
        for row in order { remaining[concepts[row]] += 1 }
        let batches = (order.count + batch - 1) / batch
        let short = order.count % batch
        let full = order.count / batch
        quota = remaining.map { ($0 + batches - 1) / max(1, batches) }
        let mustBeInShort = zip(remaining, quota).reduce(0) { $0 + max(0, $1.0 - $1.1 * full) }
        if short > 0, full > 0, mustBeInShort > short { quota = remaining.map { ($0 + full - 1) / full } }

        byConcept = RowsByConcept(concepts: concepts, conceptCount: conceptCount, order: order)
        // Concepts by falling number of rows: only the first ones can press.
        let crowded = remaining.indices.filter { remaining[$0] > 0 }.sorted {
            (remaining[$1], $0) < (remaining[$0], $1)
        }
        let initial = remaining
        rows.reserveCapacity(order.count)
        var shortRows: [Int] = []
        for (index, size) in ([short] + [Int](repeating: batch, count: full)).enumerated() where size > 0 {
            let left = full - index
            var chosen: [Int] = []
            inBatch.removeAll(keepingCapacity: true)
            for concept in crowded {
                // r ≤ m, so a concept with m ≤ q · left cannot press, nor can any after it with its quota of 1.
                if quota[concept] == 1, initial[concept] <= left { break }
                let pressing = remaining[concept] - quota[concept] * left
                if pressing > 0 { take(pressing, of: concept, size: size, into: &chosen) }
            }
            fill(size: size, into: &chosen)
            if index == 0 { shortRows = chosen } else { rows += chosen }
        }
        rows += shortRows
    }

    private mutating func take(_ count: Int, of concept: Int, size: Int, into chosen: inout [Int]) {
        var needed = min(count, size - chosen.count)
        while needed > 0, let row = byConcept.next(of: concept) {
            guard !taken[row] else { continue }
            choose(row, into: &chosen)
            needed -= 1
        }
    }

    private mutating func choose(_ row: Int, into chosen: inout [Int]) {
        taken[row] = true
        remaining[concepts[row]] -= 1
        inBatch[concepts[row], default: 0] += 1
        chosen.append(row)
    }

    /// Waiting rows first, then new ones.
    private mutating func fill(size: Int, into chosen: inout [Int]) {
        var still: [Int] = []
        for concept in waitingConcepts {
            while let row = waiting[concept]?.first {
                if !taken[row] {
                    guard chosen.count < size, inBatch[concept, default: 0] < quota[concept] else { break }
                    choose(row, into: &chosen)
                }
                waiting[concept]?.removeFirst()
            }
            if waiting[concept]?.first != nil { still.append(concept) }
        }
        // Those that had their turn go behind those that had none.
        waitingConcepts = still.filter { inBatch[$0] == nil } + still.filter { inBatch[$0] != nil }
        while chosen.count < size, nextInOrder < order.count {
            let row = order[nextInOrder]
            nextInOrder += 1
            guard !taken[row] else { continue }
            let concept = concepts[row]
            guard inBatch[concept, default: 0] >= quota[concept] else {
                choose(row, into: &chosen)
                continue
            }
            if waiting[concept]?.first == nil { waitingConcepts.append(concept) }
            waiting[concept, default: Queue()].rows.append(row)
        }
    }
}

/// Rows that wait, first come first.
private struct Queue {
    var rows: [Int] = []
    private var head = 0

    var first: Int? { head < rows.count ? rows[head] : nil }

    mutating func removeFirst() { head += 1 }
}

/// The rows of each concept in a given order, in one array, each given out once.
private struct RowsByConcept {
    private var heads: [Int]
    private let ends: [Int]
    private var rows: [Int]

    init(concepts: [Int], conceptCount: Int, order: [Int]) {
        var next = [Int](repeating: 0, count: conceptCount + 1)
        for row in order { next[concepts[row] + 1] += 1 }
        for concept in 0..<conceptCount { next[concept + 1] += next[concept] }
        heads = next
        rows = [Int](repeating: 0, count: order.count)
        for row in order {
            rows[next[concepts[row]]] = row
            next[concepts[row]] += 1
        }
        ends = next
    }

    mutating func next(of concept: Int) -> Int? {
        guard heads[concept] < ends[concept] else { return nil }
        heads[concept] += 1
        return rows[heads[concept] - 1]
    }
}
