// Which rows of the data a step trains on, and which of them a rank holds. Not here: dealing an epoch (EpochPlan), reading rows (BatchLoader).
//
// Shapes: n rows, N rows of a global batch, S steps an epoch, W ranks.

import Failures
import Randomness
import Synchronization

/// What becomes of the rows at the end of an epoch that do not fill a batch.
public enum LastBatch: String, Sendable, CaseIterable {
    /// They make a batch of fewer rows.
    case mask
    /// They are left out; others in each epoch.
    case drop
}

/// The rows of one step, of all ranks together.
public struct GlobalBatch: Sendable, Equatable {
    /// 0 for the first.
    public var epoch: Int
    /// 0 ..< `stepsPerEpoch`.
    public var indexInEpoch: Int
    /// N rows of the data or, in the last batch of an epoch, fewer.
    public var rows: [Int]

    /// The part of rank `rank` of `size`: contiguous parts in rank order; the first n mod W ranks have a row more than the others.
    public func shard(rank: Int, of size: Int) -> Range<Int> { evenRange(of: rows.count, part: rank, of: size) }
}

/// Part `part` of 0 ..< `count` cut into `parts` contiguous ranges whose sizes differ by at most one, the longer ones first.
public func evenRange(of count: Int, part: Int, of parts: Int) -> Range<Int> {
    precondition(parts > 0 && part >= 0 && part < parts, "part \(part) of \(parts)")
    let (size, longer) = count.quotientAndRemainder(dividingBy: parts)
    let start = part * size + min(part, longer)
    return start..<start + size + (part < longer ? 1 : 0)
}

/// Shuffling as a function: the batch of a step follows from (seed, step) and the data alone, whatever the number of ranks.
///
/// An epoch visits every row once (with `drop`, all but n mod N). With distinct ids a concept is at most once in a batch, rows that
/// would repeat it waiting for a later batch of the epoch; only a concept with more rows than the epoch has batches must repeat,
/// evenly, and the loss does not count equal ids as negatives. An epoch always has the same number of steps.
///
/// Any step may be asked for in any order and from any thread; the last epoch asked for is remembered. Cost O(n) a new epoch.
public final class GlobalSampler: Sendable {
    public let count: Int
    /// N.
    public let globalBatch: Int
    /// S.
    public let stepsPerEpoch: Int
    public let last: LastBatch
    public let distinctIDs: Bool
    private let shuffle: RandomField
    private let concepts: [Int]
    private let conceptCount: Int
    private let current = Mutex<(epoch: Int, rows: [Int])?>(nil)

    /// - Parameters:
    ///   - ids: concept of each row; n entries.
    ///   - globalBatch: N.
    /// - Throws: `Failure(.configuration)` if an epoch would have no step.
    public init(ids: [Int64], globalBatch: Int, seed: UInt64, last: LastBatch = .mask, distinctIDs: Bool = true) throws
    {
        precondition(globalBatch > 0, "a global batch of \(globalBatch) rows")
        count = ids.count
        self.globalBatch = globalBatch
        self.last = last
        self.distinctIDs = distinctIDs
        stepsPerEpoch = last == .drop ? ids.count / globalBatch : (ids.count + globalBatch - 1) / globalBatch
        guard stepsPerEpoch > 0 else {
            throw Failure(
                .configuration,
                ids.isEmpty
                    ? "there are no rows to train on"
                    : "batch.global is \(globalBatch), but there are \(ids.count) rows and batch.last is drop: no batch is ever full"
            )
        }
        shuffle = RandomField(seed: seed, purpose: .shuffle)
        var numbers: [Int64: Int] = [:]
        if distinctIDs { for id in ids where numbers[id] == nil { numbers[id] = numbers.count } }
        concepts = distinctIDs ? ids.compactMap { numbers[$0] } : []
        conceptCount = numbers.count
    }

    /// The batch of a step, counted from 1.
    public func batch(step: Int) -> GlobalBatch {
        precondition(step >= 1, "step \(step); the first is 1")
        let (epoch, index) = (step - 1).quotientAndRemainder(dividingBy: stepsPerEpoch)
        let rows = current.withLock { current in
            let rows = current.flatMap { $0.epoch == epoch ? $0.rows : nil } ?? order(epoch: epoch)
            current = (epoch, rows)
            return rows
        }
        let range = index * globalBatch..<min((index + 1) * globalBatch, rows.count)
        return GlobalBatch(epoch: epoch, indexInEpoch: index, rows: Array(rows[range]))
    }

    /// All rows of an epoch, batch after batch.
    private func order(epoch: Int) -> [Int] {
        var order = shuffle.permutation(count: count, step: epoch)
        if last == .drop { order.removeLast(count % globalBatch) }
        guard distinctIDs, conceptCount < count else { return order }
        return EpochPlan(concepts: concepts, conceptCount: conceptCount, order: order, batch: globalBatch).rows
    }
}
