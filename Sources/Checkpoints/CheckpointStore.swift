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

    /// Runs on each rank's thread before it writes; tests hold the disk up, or break it, with it.
    var beforeWriting: @Sendable () throws -> Void = {}

    public init(directory: String, keep: Int) {
        precondition(keep >= 1, "keep \(keep) checkpoints: at least 1 is needed to resume")
        self.directory = directory
        self.keep = keep
    }

    /// Saves a step and waits until the checkpoint is there: `begin` and `PendingSave.finish`. *Collective.*
    public func save(
        step: Int, layout: ParameterLayout, parameters: Floats, optimizer: [OptimizerShard], state: Data,
        config: String, extraFiles: [String: Data] = [:], best: BestCheckpoint? = nil, communicator: any Communicator,
        warn: @escaping (String) -> Void = { _ in }
    ) throws {
        try begin(
            step: step, layout: layout, parameters: parameters, optimizer: optimizer, state: state, config: config,
            extraFiles: extraFiles, best: best, communicator: communicator, warn: warn
        ).finish()
    }

    /// Begins to save a step: every rank its optimizer shards, rank 0 everything else. *Collective*; all ranks return, or all throw
    /// the same failure, and then the checkpoints from before are untouched.
    ///
    /// A checkpoint of the same step is replaced. Afterwards the newest `keep` of the steps up to this one remain, and the best; an
    /// earlier one that cannot be used does not count. Later steps are left alone (`abandon`).
    ///
    /// - Parameters:
    ///   - parameters: the flat buffer of `layout`; rank 0's is written. Not to be changed until the save has ended.
    ///   - optimizer: this rank's part of each flat buffer; together the ranks hold what will be loaded. Not to be changed either.
    ///   - state: JSON, for `Checkpoint.stateData`; rank 0's is written, as are `config` and `extraFiles` (plain file names).
    ///   - best: the step that did best so far, this one or an earlier one; it is marked in `best.json` and kept.
    ///   - warn: at rank 0, receives a sentence when the save succeeded but an old checkpoint could not be removed.
    /// - Throws: `Failure(.cannotCreate)` when the folder cannot be written to, `Failure(.inputOutput)` when the disk is full or fails.
    /// - Precondition: no other save is under way.
    public func begin(
        step: Int, layout: ParameterLayout, parameters: Floats, optimizer: [OptimizerShard], state: Data,
        config: String, extraFiles: [String: Data] = [:], best: BestCheckpoint? = nil, communicator: any Communicator,
        warn: @escaping (String) -> Void = { _ in }
    ) throws -> PendingSave {
        precondition(step >= 0, "step \(step) is negative")
        precondition(parameters.count == layout.count, "\(parameters.count) parameters for a layout of \(layout.count)")
        try agreeOn(step, layout, communicator)
        let isFirst = communicator.rank == 0
        var share = Share(shard: Manifest.shard(communicator.rank, of: communicator.size), optimizer: optimizer)
        if isFirst {
            share.addModel(layout, parameters, step: step)
            share.addFiles(state: state, config: config, extraFiles: extraFiles)
        }
        let total = try communicator.allGather(share.byteCount).reduce(0, +)
        do {
            try agreed(communicator) { if isFirst { try prepare(partial(step)) } }
            // Before any rank writes: what one has written would look to another like space that is missing.
            try agreed(communicator) { try checkSpace(for: total) }
        } catch {
            if isFirst, error is Failure { try? FileManager.default.removeItem(atPath: partial(step)) }
            throw error
        }
        return PendingSave(step: step, share: share, store: self, best: best, communicator: communicator, warn: warn)
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

    /// Makes the checkpoint at `start`, of step `step`, the newest of the folder: a run goes on from there on another course. Local, to
    /// one rank.
    ///
    /// One of the folder's own steps stays with those before it; later ones are renamed to `step-N.abandoned`, or `step-N.abandoned-2`
    /// and so on where there is one. Any other, of another run or abandoned itself, is put into the folder as its step, and all that were
    /// there are renamed. Nothing resumes from renamed ones by itself, and nothing removes them. Stopped at any call, the folder's newest
    /// is one of the course before, or already `start`.
    /// - Parameter best: the step that did best until `step`, for `best.json`.
    /// - Returns: the new names, the latest step first.
    public func abandon(for start: String, step: Int, best: BestCheckpoint?) throws -> [String] {
        let own = "\(directory)/\(StepDirectory(step: step).name)"
        let isOwn = Self.isSame(start, own)
        let others = try StepDirectory.list(in: directory).filter { $0.step > step || !isOwn }
        guard !others.isEmpty || !isOwn else { return [] }
        let taken = try isOwn ? [] : adopt(start, as: own)
        // The newest first, so that what is left is a course as far as it goes.
        var names = try others.filter { $0.step > step }.map { try setAside($0.name) } + taken
        if let best, isOwn || best.step == step {
            _ = try Share.write(best.encoded(), as: BestCheckpoint.file, in: directory)
        } else {
            unlink("\(directory)/\(BestCheckpoint.file)")
        }
        names += try others.filter { $0.step < step }.map { try setAside($0.name) }
        return names
    }

    /// Gives the checkpoint at `start` the place `own` in the folder, and sets aside what is there. Before later ones are set aside: at
    /// no moment the folder is without a checkpoint, which a run would take for a fresh start.
    /// - Returns: the new names of what was there.
    private func adopt(_ start: String, as own: String) throws -> [String] {
        let (adopted, replaced) = ("\(own).partial", "\(own).replaced")
        try StepDirectory.make(directory)
        // It may be this one itself, where a save was interrupted just before its end.
        if !Self.isSame(start, adopted) {
            if FileManager.default.fileExists(atPath: adopted) { try StepDirectory.remove(adopted) }
            try StepDirectory.copy(start, to: adopted)
        }
        var names: [String] = []
        let step = (own as NSString).lastPathComponent
        func setAsideReplaced() throws {
            guard FileManager.default.fileExists(atPath: replaced) else { return }
            names.append(try setAside("\(step).replaced", as: step))
        }
        if FileManager.default.fileExists(atPath: own) {
            try setAsideReplaced()
            try StepDirectory.move(own, to: replaced)
        }
        try StepDirectory.move(adopted, to: own)
        try setAsideReplaced()
        return names
    }

    /// Renames a directory so that nothing finds it by itself.
    /// - Parameter stem: what the new name begins with; nil: the present name.
    /// - Returns: the new name.
    private func setAside(_ entry: String, as stem: String? = nil) throws -> String {
        let stem = stem ?? entry
        var (name, number) = ("\(stem).abandoned", 1)
        while FileManager.default.fileExists(atPath: "\(directory)/\(name)") {
            number += 1
            name = "\(stem).abandoned-\(number)"
        }
        try StepDirectory.move("\(directory)/\(entry)", to: "\(directory)/\(name)")
        return name
    }

    /// Whether two paths are one directory.
    private static func isSame(_ first: String, _ second: String) -> Bool {
        var (a, b) = (stat(), stat())
        return stat(first, &a) == 0 && stat(second, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino
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
            "\(directory): a checkpoint needs \(needed) bytes, found \(free) free; free space there, keep fewer checkpoints (now \(keep), "
                + "and the one being written comes on top) or write elsewhere")
    }

    // MARK: - The end of a save, local to rank 0, on a thread

    /// Where a step is written before it has its name.
    func partial(_ step: Int) -> String { "\(directory)/\(StepDirectory(step: step).name).partial" }

    /// The manifest, then the name: from here on the checkpoint exists. Then old ones go.
    /// - Returns: what could not be done although the checkpoint is there.
    func commit(_ manifest: Manifest, best: BestCheckpoint?) throws -> [String] {
        let partial = partial(manifest.step)
        _ = try Share.write(manifest.encoded(), as: Manifest.name, in: partial)
        try readBack(manifest, in: partial)
        let final = String(partial.dropLast(".partial".count))
        if FileManager.default.fileExists(atPath: final) { try StepDirectory.move(final, to: final + ".replaced") }
        try StepDirectory.move(partial, to: final)
        var warnings: [String] = []
        func attempt(_ what: String, _ body: () throws -> Void) {
            do { try body() } catch {
                warnings.append(
                    "step \(manifest.step) is saved, but \(what): \((error as? Failure)?.message ?? "\(error)")")
            }
        }
        if let best {
            attempt("\(BestCheckpoint.file) is not up to date") {
                _ = try Share.write(best.encoded(), as: BestCheckpoint.file, in: directory)
            }
        }
        attempt("old checkpoints could not be removed") { try removeOld(before: manifest.step, best: best?.step) }
        return warnings
    }

    /// Before anything older goes: what was written is what will be found.
    private func readBack(_ manifest: Manifest, in partial: String) throws {
        do {
            guard try Manifest(directory: partial) == manifest else {
                throw Failure(.inputOutput, "\(partial)/\(Manifest.name): another manifest was found")
            }
            try manifest.verify(partial, part: manifest.files.indices, depth: .sizes)
        } catch let failure as Failure {
            throw Failure(
                .inputOutput, "the checkpoint does not read back as written: \(failure.message); check the device")
        }
    }

    /// Keeps the newest usable ones of the steps up to `step`, which is one of them, and the best; removes the other earlier ones.
    private func removeOld(before step: Int, best: Int?) throws {
        var usable = 0
        for entry in try StepDirectory.list(in: directory) where entry.step <= step {
            let path = "\(directory)/\(entry.name)"
            let isUsable =
                (try? Manifest(directory: path)).map {
                    (try? $0.verify(path, part: $0.files.indices, depth: .sizes)) != nil
                } ?? false
            let isSuperseded = entry.step == step && entry.isReplaced
            if usable < keep, isUsable, !isSuperseded {
                usable += 1
            } else if entry.step != best || !isUsable || isSuperseded {
                try StepDirectory.remove(path)
            }
        }
    }
}
