// Saving checkpoints so that one is always whole, and finding the newest. Not here: what a checkpoint gives back (Checkpoint.swift).

import ArrayFiles
public import Buffers
public import Collectives
import Failures
public import Foundation

/// The folder of a run's checkpoints.
///
/// A save writes `step-N.partial`, makes every file and directory durable, writes the manifest last and renames: at any moment, power
/// cuts included, the folder holds the previous checkpoint whole or the new one whole. The folder is one that all ranks see.
public struct CheckpointStore: Sendable {
    /// `RUN/checkpoints`; made by the first save.
    public let directory: String
    /// Checkpoints kept, the newest; at least 1.
    public let keep: Int
    /// Bytes that can be written below a path, nil if unknown; tests fill disks with it.
    var freeBytes: @Sendable (String) -> Int? = { StepDirectory.freeBytes(at: $0) }

    public init(directory: String, keep: Int) {
        precondition(keep >= 1, "keep \(keep) checkpoints: at least 1 is needed to resume")
        self.directory = directory
        self.keep = keep
    }

    /// Saves a step: every rank its optimizer shards, rank 0 everything else. *Collective*; all ranks return, or all throw the same
    /// failure, and then the checkpoints from before are untouched.
    ///
    /// A checkpoint of the same step is replaced. Afterwards the newest `keep` of the steps up to this one remain; an earlier one that
    /// cannot be used does not count. Later steps, from a run that was resumed further back, are left alone.
    ///
    /// - Parameters:
    ///   - parameters: the flat buffer of `layout`; rank 0's is written.
    ///   - optimizer: this rank's part of each flat buffer; together the ranks hold what will be loaded.
    ///   - state: JSON, for `Checkpoint.stateData`; rank 0's is written, as are `config` and `extraFiles` (plain file names).
    ///   - warn: receives a sentence when the save succeeded but an old checkpoint could not be removed.
    /// - Throws: `Failure(.cannotCreate)` when the folder cannot be written to, `Failure(.inputOutput)` when the disk is full or fails.
    public func save(
        step: Int, layout: ParameterLayout, parameters: Floats, optimizer: [OptimizerShard], state: Data,
        config: String,
        extraFiles: [String: Data] = [:], communicator: any Communicator, warn: (String) -> Void = { _ in }
    ) throws {
        precondition(step >= 0, "step \(step) is negative")
        precondition(parameters.count == layout.count, "\(parameters.count) parameters for a layout of \(layout.count)")
        try agreeOn(step, layout, communicator)
        let isFirst = communicator.rank == 0
        var share = Share(shard: Manifest.shard(communicator.rank, of: communicator.size), optimizer: optimizer)
        if isFirst {
            share.addModel(layout, parameters, step: step)
            share.addFiles(state: state, config: config, extraFiles: extraFiles)
        }
        let partial = "\(directory)/\(StepDirectory(step: step).name).partial"
        let total = try communicator.allGather(share.byteCount).reduce(0, +)
        do {
            try agreed(communicator) { if isFirst { try prepare(partial) } }
            // Before any rank writes: what one has written would look to another like space that is missing.
            try agreed(communicator) { try checkSpace(for: total) }
            let own = try agreed(communicator) { try share.write(in: partial) }
            let shards = try gather(own[0], communicator)
            try agreed(communicator) {
                if isFirst {
                    try commit(Manifest(step: step, ranks: communicator.size, files: shards + own.dropFirst()), partial)
                }
            }
        } catch {
            // After a failure of the ranks' connection the others may still be writing; the next save removes the rest.
            if isFirst, error is Failure { try? FileManager.default.removeItem(atPath: partial) }
            throw error
        }
        if isFirst { removeOld(before: step, warn: warn) }
        try communicator.barrier()
    }

    /// The newest checkpoint of the folder whose files all match its manifest; nil when there is none. *Collective*.
    ///
    /// - Parameter warn: on every rank, receives a sentence for each newer one that was skipped: its directory, the file, what is wrong.
    public func latest(communicator: any Communicator, warn: (String) -> Void) throws -> Checkpoint? {
        let names = try agreed(communicator) {
            communicator.rank == 0 ? try StepDirectory.list(in: directory).map(\.name) : []
        }
        let list = try communicator.broadcast(Array(names.joined(separator: "\n").utf8), root: 0)
        for name in String(decoding: list, as: UTF8.self).split(separator: "\n") {
            do {
                let checkpoint = try open(path: "\(directory)/\(name)", communicator: communicator)
                if checkpoint.step == StepDirectory(name: String(name))?.step { return checkpoint }
                warn("\(directory)/\(name) is skipped: it holds step \(checkpoint.step)")
            } catch let failure as Failure {
                warn("\(directory)/\(name) is skipped: \(failure.message)")
            }
        }
        return nil
    }

    /// The checkpoint at an explicit path: an invalid one is an error, as `Checkpoint.open`. *Collective*.
    public func open(path: String, communicator: any Communicator) throws -> Checkpoint {
        try Checkpoint.open(path: path, communicator: communicator)
    }

    // MARK: - Saving, local

    /// The ranks save one step of one model.
    private func agreeOn(_ step: Int, _ layout: ParameterLayout, _ communicator: any Communicator) throws {
        let print = Digest.of(layout.fingerprint.utf8).prefix(7).reduce(0) { $0 << 8 | Int($1) }
        for (what, values) in [
            ("steps", try communicator.allGather(step)), ("layouts", try communicator.allGather(print)),
        ]
        where values.contains(where: { $0 != values[0] }) {
            throw Failure(.internal, "the ranks save different \(what): \(values); they have run apart")
        }
    }

    private func prepare(_ partial: String) throws {
        try StepDirectory.make(directory)
        try StepDirectory.removeRemains(in: directory)
        try StepDirectory.make(partial)
    }

    private func checkSpace(for bytes: Int) throws {
        // File systems need something for themselves; a thousandth and a megabyte cover their blocks and directories.
        let needed = bytes + bytes / 1000 + 1 << 20
        guard let free = freeBytes(directory), free < needed else { return }
        throw Failure(
            .inputOutput,
            "\(directory): a checkpoint needs \(needed) bytes, found \(free) free; free space there, keep fewer checkpoints (now \(keep)) "
                + "or write elsewhere")
    }

    /// Every rank's shard, in rank order.
    private func gather(_ own: Manifest.File, _ communicator: any Communicator) throws -> [Manifest.File] {
        let sizes = try communicator.allGather(own.bytes)
        let digits = Array(own.sha256.utf8)
        let all = Buffer<UInt8>(count: communicator.size * digits.count)
        try communicator.allGather(Buffer<UInt8>(digits), into: all)
        return sizes.enumerated().map { rank, bytes in
            let sha256 = String(decoding: all[rank * digits.count..<(rank + 1) * digits.count].array, as: UTF8.self)
            return Manifest.File(name: Manifest.shard(rank, of: communicator.size), bytes: bytes, sha256: sha256)
        }
    }

    /// The manifest, then the name: from here on the checkpoint exists.
    private func commit(_ manifest: Manifest, _ partial: String) throws {
        _ = try Share.write(manifest.encoded(), as: Manifest.name, in: partial)
        let final = String(partial.dropLast(".partial".count))
        if FileManager.default.fileExists(atPath: final) { try StepDirectory.move(final, to: final + ".replaced") }
        try StepDirectory.move(partial, to: final)
    }

    /// Keeps the newest usable ones of the steps up to `step`, which is one of them, and removes the other earlier ones.
    private func removeOld(before step: Int, warn: (String) -> Void) {
        do {
            var usable = 0
            for entry in try StepDirectory.list(in: directory) where entry.step <= step {
                let path = "\(directory)/\(entry.name)"
                let isUsable =
                    (try? Manifest(directory: path)).map {
                        (try? $0.verify(path, part: $0.files.indices, depth: .sizes)) != nil
                    } ?? false
                if usable < keep, isUsable, !(entry.step == step && entry.isReplaced) {
                    usable += 1
                } else {
                    try StepDirectory.remove(path)
                }
            }
        } catch let failure as Failure {
            warn("step \(step) is saved, but old checkpoints could not be removed: \(failure.message)")
        } catch { warn("step \(step) is saved, but old checkpoints could not be removed: \(error)") }
    }
}
