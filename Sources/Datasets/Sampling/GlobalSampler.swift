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

/// Which batches the rows of a source are in.
public enum BatchMixing: String, Sendable, CaseIterable {
    /// Those that all such sources share.
    case mixed
    /// Batches of their own: all negatives come from the same source.
    case sameSource = "same_source"
}

/// One source of a mixture, as the sampler sees it.
public struct SampledPart: Sendable, Equatable {
    /// Its rows, of all.
    public var rows: Range<Int>
    /// Rows drawn in proportion to the other sources' weights; nil, in all sources alike, for every row once an epoch.
    public var weight: Double?
    public var mixing: BatchMixing

    public init(rows: Range<Int>, weight: Double? = nil, mixing: BatchMixing = .mixed) {
        self.rows = rows
        self.weight = weight
        self.mixing = mixing
    }
}

/// The rows of one step, of all ranks together.
public struct GlobalBatch: Sendable, Equatable {
    /// 0 for the first.
    public var epoch: Int
    /// 0 ..< `stepsPerEpoch`.
    public var indexInEpoch: Int
    /// N rows of the data or, in a group's last batch of an epoch, fewer.
    public var rows: [Int]
    /// The sources that the rows may come from.
    public var sources: [Int]

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
/// Without weights an epoch visits every row once (with `drop`, all but those that fill no batch). With weights an epoch has as many
/// rows as the data, of which source s gives c_s = n · w_s / Σ w, rounded; the rows of a source are drawn one pass after the other, so
/// that none comes again before all others of the source have come, over the ends of epochs too.
///
/// Sources with batches of their own make one group each, all others one together; batches of the groups follow each other in random
/// order. With distinct ids a concept is at most once in a batch, rows that would repeat it waiting for a later batch of the epoch;
/// only a concept with more rows than the epoch has batches must repeat, evenly, and the loss does not count equal ids as negatives.
/// An epoch always has the same number of steps.
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
    private let seed: UInt64
    private let parts: [SampledPart]
    /// c_s of each part.
    private let draws: [Int]
    /// Parts whose rows share batches.
    private let groups: [[Int]]
    private let concepts: [Int]
    private let conceptCount: Int
    private let current = Mutex<Epoch?>(nil)

    private struct Epoch {
        var number: Int
        /// Batch after batch.
        var rows: [Int] = []
        var batches: [(rows: Range<Int>, group: Int)] = []
    }

    /// Streams of the shuffle: groups, then parts, then the order of batches.
    private static let partStream: UInt32 = 1 << 20
    private static let orderStream: UInt32 = 1 << 21

    /// - Parameters:
    ///   - ids: concept of each row; n entries.
    ///   - parts: the sources, in order; nil for one.
    ///   - globalBatch: N.
    /// - Throws: `Failure(.configuration)` if an epoch, or a group's part of it, would have no step.
    public init(
        ids: [Int64], parts: [SampledPart]? = nil, globalBatch: Int, seed: UInt64, last: LastBatch = .mask,
        distinctIDs: Bool = true
    ) throws {
        precondition(globalBatch > 0, "a global batch of \(globalBatch) rows")
        let parts = parts ?? [SampledPart(rows: 0..<ids.count)]
        precondition(
            parts.reduce(0) { $0 + $1.rows.count } == ids.count && parts.count < 1 << 20,
            "\(parts.count) parts of \(ids.count) rows")
        count = ids.count
        self.globalBatch = globalBatch
        self.last = last
        self.distinctIDs = distinctIDs
        self.seed = seed
        self.parts = parts
        let draws = Self.draws(parts)
        self.draws = draws
        guard !zip(parts, draws).contains(where: { !$0.rows.isEmpty && $1 == 0 }) else {
            throw Failure(
                .configuration,
                "a source's weight is so small that an epoch has none of its rows; raise it or leave the source out")
        }
        let together = parts.indices.filter { parts[$0].mixing == .mixed }
        groups =
            (together.isEmpty ? [] : [together]) + parts.indices.filter { parts[$0].mixing == .sameSource }.map { [$0] }
        var steps = 0
        for group in groups {
            let rows = group.reduce(0) { $0 + draws[$1] }
            let batches = last == .drop ? rows / globalBatch : (rows + globalBatch - 1) / globalBatch
            guard batches > 0 else {
                throw Failure(
                    .configuration,
                    ids.isEmpty
                        ? "there are no rows to train on"
                        : "batch.global is \(globalBatch), but there are \(rows) rows and batch.last is drop: no batch is ever full"
                )
            }
            steps += batches
        }
        stepsPerEpoch = steps
        var numbers: [Int64: Int] = [:]
        if distinctIDs { for id in ids where numbers[id] == nil { numbers[id] = numbers.count } }
        concepts = distinctIDs ? ids.compactMap { numbers[$0] } : []
        conceptCount = numbers.count
    }

    /// c_s: all rows, or the largest remainders' share of n.
    private static func draws(_ parts: [SampledPart]) -> [Int] {
        let weights = parts.compactMap(\.weight)
        precondition(weights.isEmpty || weights.count == parts.count, "weights of some sources")
        precondition(weights.allSatisfy { $0 > 0 && $0.isFinite }, "weights \(weights)")
        guard !weights.isEmpty else { return parts.map(\.rows.count) }
        let rows = parts.reduce(0) { $0 + $1.rows.count }
        // Against the greatest, so that no sum is beyond all numbers.
        let greatest = weights.max() ?? 1
        let sum = weights.reduce(0) { $0 + $1 / greatest }
        let exact = weights.map { Double(rows) * ($0 / greatest / sum) }
        var result = exact.map { Int($0) }
        let missing = rows - result.reduce(0, +)
        let order = parts.indices.sorted { (exact[$1] - Double(result[$1]), $0) < (exact[$0] - Double(result[$0]), $1) }
        for part in order.prefix(max(0, missing)) { result[part] += 1 }
        return result
    }

    /// The batch of a step, counted from 1.
    public func batch(step: Int) -> GlobalBatch {
        precondition(step >= 1, "step \(step); the first is 1")
        let (number, index) = (step - 1).quotientAndRemainder(dividingBy: stepsPerEpoch)
        return current.withLock { current in
            let epoch = current.flatMap { $0.number == number ? $0 : nil } ?? epoch(number)
            current = epoch
            let batch = epoch.batches[index]
            return GlobalBatch(
                epoch: number, indexInEpoch: index, rows: Array(epoch.rows[batch.rows]), sources: groups[batch.group])
        }
    }

    private func epoch(_ number: Int) -> Epoch {
        var epoch = Epoch(number: number)
        for group in groups.indices {
            let first = epoch.rows.count
            epoch.rows += order(group: group, epoch: number)
            for start in stride(from: first, to: epoch.rows.count, by: globalBatch) {
                epoch.batches.append((start..<min(start + globalBatch, epoch.rows.count), group))
            }
        }
        if groups.count > 1 {
            let order = RandomField(seed: seed, purpose: .shuffle, stream: Self.orderStream).permutation(
                count: epoch.batches.count, step: number)
            epoch.batches = order.map { epoch.batches[$0] }
        }
        return epoch
    }

    /// The rows of a group in one epoch, batch after batch.
    private func order(group: Int, epoch: Int) -> [Int] {
        let drawn = groups[group].flatMap { rows(part: $0, epoch: epoch) }
        var order = RandomField(seed: seed, purpose: .shuffle, stream: UInt32(group)).permutation(
            count: drawn.count, step: epoch)
        if last == .drop { order.removeLast(drawn.count % globalBatch) }
        let repeats = groups[group].contains { draws[$0] > parts[$0].rows.count }
        if distinctIDs, conceptCount < count || repeats {
            order =
                EpochPlan(
                    concepts: drawn.map { concepts[$0] }, conceptCount: conceptCount, order: order, batch: globalBatch
                ).rows
        }
        return order.map { drawn[$0] }
    }

    /// The rows that a part gives to an epoch: all, or the next of its endless passes.
    private func rows(part: Int, epoch: Int) -> [Int] {
        let rows = parts[part].rows
        guard parts[part].weight != nil else { return Array(rows) }
        let field = RandomField(seed: seed, purpose: .shuffle, stream: Self.partStream + UInt32(part))
        var result: [Int] = []
        result.reserveCapacity(draws[part])
        var next = epoch * draws[part]
        while result.count < draws[part] {
            let (pass, place) = next.quotientAndRemainder(dividingBy: rows.count)
            let run = field.permutation(count: rows.count, step: pass)[place...].prefix(draws[part] - result.count)
            result += run.map { rows.lowerBound + $0 }
            next += run.count
        }
        return result
    }
}
