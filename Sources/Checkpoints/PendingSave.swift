// A checkpoint on its way to the disk. Not here: how it begins and what is kept (CheckpointStore.swift), what is written (Share.swift).

import Buffers
import Collectives
import Failures
import Foundation

/// A save under way: a thread of each rank writes that rank's files; then a thread of rank 0 writes the manifest, gives the directory
/// its name and removes old checkpoints. The checkpoint exists once *every* rank's files are durable, and not before.
///
/// Progress is agreed on inside `poll` and `finish`, which all ranks call at the same points; the threads call no collectives. The
/// buffers given to `CheckpointStore.begin` belong to the save until it has ended.
public final class PendingSave {
    public let step: Int
    /// Seconds from the beginning until the checkpoint was there and the old ones were gone; nil before.
    public private(set) var seconds: Double?

    private enum Stage {
        case writing(BackgroundWork<[Manifest.File]>)
        /// Rank 0's work; the others have none.
        case committing(BackgroundWork<[String]>?)
        case ended
    }
    private var stage: Stage
    private let store: CheckpointStore
    private let best: BestCheckpoint?
    private let communicator: any Communicator
    private let warn: (String) -> Void
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant

    init(
        step: Int, share: Share, store: CheckpointStore, best: BestCheckpoint?, communicator: any Communicator,
        warn: @escaping (String) -> Void
    ) {
        self.step = step
        self.store = store
        self.best = best
        self.communicator = communicator
        self.warn = warn
        start = clock.now
        stage = .writing(
            BackgroundWork(name: "fanoise save") {
                try store.beforeWriting()
                return try share.write(in: store.partial(step))
            })
    }

    /// Moves the save on if it can be, without waiting for the disk. *Collective.*
    ///
    /// - Returns: whether the checkpoint is there.
    /// - Throws: on every rank alike, `Failure(.inputOutput)` or `Failure(.cannotCreate)` when some rank could not write; what was
    ///   written is removed then, the checkpoints from before are untouched, and the save has ended.
    public func poll() throws -> Bool {
        try advance { try communicator.allReduce($0 ? 1 : 0, .minimum) == 1 }
    }

    /// - Parameter isDoneEverywhere: asks the ranks. *Collective.*
    private func advance(_ isDoneEverywhere: (Bool) throws -> Bool) throws -> Bool {
        do {
            switch stage {
            case .writing(let work):
                guard try isDoneEverywhere(work.isDone) else { return false }
                let own = try agreed(communicator) { try work.value() }
                stage = .committing(try commit(own))
                return false
            case .committing(let work):
                guard try isDoneEverywhere(work?.isDone ?? true) else { return false }
                for warning in try agreed(communicator, { try work?.value() ?? [] }) { warn(warning) }
                seconds = (clock.now - start) / .seconds(1)
                stage = .ended
                return true
            case .ended: return seconds != nil
            }
        } catch {
            stage = .ended
            // After a failure of the ranks' connection others may still be writing; the next save removes the rest.
            if communicator.rank == 0, error is Failure {
                try? FileManager.default.removeItem(atPath: store.partial(step))
            }
            throw error
        }
    }

    /// Waits until the checkpoint is there. *Collective.* No rank waits longer than a moment inside one collective, so a slow disk at
    /// one rank breaks no deadline. The ranks ask ever more seldom, so that a process whose disk does not answer is seen to be idle.
    ///
    /// - Parameter whileWaiting: called now and then on a rank that has nothing left to write, and waits for another's disk.
    /// - Throws: as `poll`.
    public func finish(whileWaiting: () -> Void = {}) throws {
        var pause = 0.0005
        while true {
            if case .ended = stage { return }
            if try advance({ try communicator.isDoneEverywhere($0) }) { return }
            if !isWriting { whileWaiting() }
            Thread.sleep(forTimeInterval: pause)
            pause = min(pause * 1.2, 1)
        }
    }

    /// Whether this rank has something left to write.
    private var isWriting: Bool {
        switch stage {
        case .writing(let work): !work.isDone
        case .committing(let work): work.map { !$0.isDone } ?? false
        case .ended: false
        }
    }

    /// Starts rank 0's part, once it knows every rank's shard.
    private func commit(_ own: [Manifest.File]) throws -> BackgroundWork<[String]>? {
        let shards = try gather(own[0])
        guard communicator.rank == 0 else { return nil }
        let manifest = Manifest(step: step, ranks: communicator.size, files: shards + own.dropFirst())
        let (store, best) = (store, best)
        return BackgroundWork(name: "fanoise save") { try store.commit(manifest, best: best) }
    }

    /// Every rank's shard, in rank order.
    private func gather(_ own: Manifest.File) throws -> [Manifest.File] {
        let sizes = try communicator.allGather(own.bytes)
        let digits = Array(own.sha256.utf8)
        let all = Buffer<UInt8>(count: communicator.size * digits.count)
        try communicator.allGather(Buffer<UInt8>(digits), into: all)
        return sizes.enumerated().map { rank, bytes in
            let sha256 = String(decoding: all[rank * digits.count..<(rank + 1) * digits.count].array, as: UTF8.self)
            return Manifest.File(name: Manifest.shard(rank, of: communicator.size), bytes: bytes, sha256: sha256)
        }
    }
}
