// Signs of life for whoever watches a run from outside: where it is, and that it is done. Not here: who reads them (launch/supervise),
// what a rank does about itself when it is stuck (Watchdog).

import Foundation
import Synchronization

/// What a rank is doing.
enum Phase: String, Sendable {
    /// Reading data, building the model, restoring a checkpoint.
    case start
    /// Waiting for a batch.
    case data
    case step
    case evaluation
    case checkpoint
}

/// Where a rank is, in memory; and, from rank 0, in the file `heartbeat.json` of the run's folder.
///
/// The file is `{"phase":"step","ranks":2,"step":120,"steps":700,"time":1764159837.25}`: the last step that was completed, the phase
/// that followed it, and when (seconds since 1970). It is replaced whole, at most four times a second while steps follow each other,
/// and at once when another phase begins; in a start-up, and while a checkpoint is waited for, every second in which the rank has got on. It is
/// a sign, not a record: it is not made durable, and where the disk is full only its modification time changes.
final class Heartbeat: Sendable {
    struct State: Sendable {
        var phase = Phase.start
        /// The last step that was completed.
        var step = 0
        var since = ContinuousClock.now
    }
    private struct File: Sendable {
        let path: String
        var written: ContinuousClock.Instant?
    }

    private let ranks: Int
    private let steps = Mutex(0)
    private let current = Mutex(State())
    private let file = Mutex<File?>(nil)

    init(ranks: Int) { self.ranks = ranks }

    var state: State { current.withLock { $0 } }

    /// The file is kept from now on where a supervisor has prepared that: the folder is there, and no heartbeat in it, which might be
    /// that of another process that trains there.
    func announce(at path: String) {
        let (files, folder) = (FileManager.default, (path as NSString).deletingLastPathComponent)
        if files.fileExists(atPath: folder), !files.fileExists(atPath: path) { write(to: path, steps: 0) }
    }

    /// Renews the file in a start-up and while a checkpoint is waited for, where no steps do, and which may take any time. Called as long
    /// as the rank gets on (Watchdog).
    func renew() {
        file.withLock { file in
            let now = self.state
            guard let path = file?.path, [.start, .checkpoint].contains(now.phase) else { return }
            put(now.phase, now.step, path)
        }
    }

    /// From now on the file is kept, too.
    /// - Parameter count: of the whole run; 0 while that is not known.
    func write(to path: String, steps count: Int) {
        steps.withLock { $0 = count }
        file.withLock { $0 = File(path: path) }
        let state = state
        beat(state.phase, step: state.step)
    }

    /// Notes that `phase` begins, after `step` completed steps.
    func beat(_ phase: Phase, step: Int) {
        let now = ContinuousClock.now
        current.withLock { $0 = State(phase: phase, step: step, since: now) }
        let isFrequent = phase == .data || phase == .step
        file.withLock { file in
            guard let path = file?.path else { return }
            if isFrequent, let written = file?.written, now - written < .milliseconds(250) { return }
            file?.written = now
            put(phase, step, path)
        }
    }

    /// Replaces a file whole, without waiting for the disk as `Data.write` and `RunFolder.write` do: steps wait for the heartbeat.
    private static func replace(_ path: String, by text: String) -> Bool {
        let next = (path as NSString).deletingLastPathComponent + "/.heartbeat.json"
        // One that a killed process left, perhaps of another user.
        unlink(next)
        let descriptor = open(next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return false }
        let bytes = Array(text.utf8)
        let written = Foundation.write(descriptor, bytes, bytes.count)
        // File systems of a network say no more than here that they are full.
        let isClosed = close(descriptor) == 0
        if written == bytes.count, isClosed, rename(next, path) == 0 { return true }
        unlink(next)
        return false
    }

    private func put(_ phase: Phase, _ step: Int, _ path: String) {
        let (steps, time) = (steps.withLock { $0 }, Date().timeIntervalSince1970)
        let line =
            #"{"phase":"\#(phase.rawValue)","ranks":\#(ranks),"step":\#(step),"steps":\#(steps),"time":\#((time * 1000).rounded() / 1000)}"#
        if !Self.replace(path, by: line + "\n") { utimes(path, nil) }
    }
}

extension RunFolder {
    /// `{"step":700}` once a run has done all its steps, their evaluation and their checkpoint; absent while there is something to do.
    public var doneMarker: String { "\(path)/done.json" }
    public var heartbeat: String { "\(path)/heartbeat.json" }

    /// Says that nothing is left to do.
    func markDone(step: Int) throws { try Self.write(Data("{\"step\":\(step)}\n".utf8), to: doneMarker) }

    /// Says that there is something to do.
    func unmarkDone() {
        // Where there is no marker there is nothing to remove, and a folder that cannot be written to is found out elsewhere.
        unlink(doneMarker)
    }
}
