// Batches of one rank, prepared ahead. Not here: which rows (GlobalSampler), how rows become numbers (RowPreparer).

import Failures

/// What loading did so far.
public struct LoaderStatistics: Sendable, Equatable {
    /// Rows that could not be read and were replaced in the batches given to this rank. Ranks may meet the same ones.
    public var replacedRows: Set<Int> = []
    /// Seconds that `next()` waited for batches.
    public var secondsWaited = 0.0
    /// Decoded pictures kept in memory, and the bytes of their pixels.
    public var keptPictures = 0
    public var keptBytes = 0
}

/// Gives a rank its part of the global batches, step after step, while a thread prepares the following ones.
///
/// What is given depends on data, seed, step, rank and world size alone: not on prefetching, nor on memory. Local; stays on one thread.
public final class BatchLoader {
    private let preparer: RowPreparer
    private let prefetcher: Prefetcher<PairBatch>?
    private let make: @Sendable (Int) throws -> PairBatch
    private var nextStep: Int
    private let lastStep: Int
    private var secondsWaited = 0.0
    private var replacedRows: Set<Int> = []

    /// - Parameters:
    ///   - rank: this rank, 0 ..< `worldSize`.
    ///   - steps: the steps to come, counted from 1; a resumed run begins where it stopped.
    ///   - maximumNegatives: negatives of a row used at most; a batch uses as many as the richest row of its sources has.
    ///   - prefetch: batches prepared ahead; with 0, `next()` prepares them itself.
    ///   - cacheBytes: memory for decoded pictures and rows.
    /// - Throws: `Failure(.configuration)` if a column holds something else than its preparation expects.
    public init(
        source: any PairSource, sampler: GlobalSampler, preparation: PairPreparation, seed: UInt64, rank: Int = 0,
        worldSize: Int = 1, steps: ClosedRange<Int>, maximumNegatives: Int = 0, prefetch: Int = 2,
        cacheBytes: Int = 512 << 20
    ) throws {
        precondition(sampler.count == source.count, "a sampler of \(sampler.count) rows for \(source.count)")
        precondition(rank >= 0 && rank < worldSize, "rank \(rank) of \(worldSize)")
        precondition(steps.lowerBound >= 1, "step \(steps.lowerBound); the first is 1")
        precondition(prefetch >= 0, "a depth of \(prefetch)")
        let preparer = try RowPreparer(source: source, preparation: preparation, seed: seed, cacheBytes: cacheBytes)
        let make: @Sendable (Int) throws -> PairBatch = { step in
            let global = sampler.batch(step: step)
            let part = global.shard(rank: rank, of: worldSize)
            let negatives = min(
                maximumNegatives, global.sources.map { source.parts[$0].maximumNegatives }.max() ?? 0)
            let local = try preparer.training(
                rows: Array(global.rows[part]), step: step, firstRow: part.lowerBound, negatives: negatives)
            var batch = PairBatch(
                step: step, epoch: global.epoch, queries: local.queries, targets: local.targets,
                targetsPerRow: 1 + negatives, ids: local.rows.map { source.ids[$0] }, targetIDs: local.targetIDs,
                firstRow: part.lowerBound, globalRows: global.rows.count, rowIndices: local.rows)
            batch.replacedRows = local.replaced
            return batch
        }
        self.preparer = preparer
        self.make = make
        (nextStep, lastStep) = (steps.lowerBound, steps.upperBound)
        prefetcher = prefetch > 0 ? Prefetcher(steps, depth: prefetch, make: make) : nil
    }

    deinit { stop() }

    /// The batch of the next step; waits until it is prepared.
    /// - Throws: what went wrong while preparing it: `Failure` naming file, line and picture.
    /// - Precondition: the last step was not given yet, and `stop()` was not called.
    public func next() throws -> PairBatch {
        precondition(nextStep <= lastStep, "step \(nextStep) of a loader whose last is \(lastStep)")
        let clock = ContinuousClock()
        let start = clock.now
        defer { secondsWaited += (clock.now - start) / .seconds(1) }
        let batch = try prefetcher.map { try $0.next() } ?? make(nextStep)
        guard let batch else { throw Failure(.internal, "a batch was asked for after the loader was stopped") }
        nextStep += 1
        replacedRows.formUnion(batch.replacedRows)
        return batch
    }

    /// Stops preparing batches; returns when the thread has nothing left to do, or after a second.
    public func stop() { prefetcher?.stop() }

    public var statistics: LoaderStatistics {
        let kept = preparer.kept
        return LoaderStatistics(
            replacedRows: replacedRows, secondsWaited: secondsWaited,
            keptPictures: kept.pictures,
            keptBytes: kept.bytes)
    }
}
