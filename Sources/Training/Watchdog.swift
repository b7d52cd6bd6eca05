// Ends a rank that is stuck in something that is not a collective: a read that does not return. Not here: ranks that wait for others,
// which a collective's own deadline ends (Collectives), and what others see of a run (Heartbeat).

import Collectives
import Datasets
import Failures
import Foundation
import Synchronization

/// A thread that ends the process once the process has done nothing for the deadline: it used next to no processor time, and no phase
/// began or step ended. A rank that waits for others under MPI asks for messages all the time, and so is never idle; one that waits for a
/// file server, a pipe or a device is. One that waits for another to read its data or to write its part of a checkpoint is not, as long as that
/// one gets on (`agreedPatiently`, `PendingSave.finish`). Slow work is work: there is no bound on it here.
///
/// After a request to stop five seconds of this suffice, except in the middle of a checkpoint.
final class Watchdog: Sendable {
    /// Less than this share of a processor is nothing.
    private static let idleShare = 0.002
    /// How long a process that was asked to stop may get nowhere.
    private static let stopPatience = Duration.seconds(5)

    private let isStopped = Atomic<Bool>(false)
    /// Whether the process has got on since the heartbeat was renewed.
    private let hasMoved = Atomic<Bool>(false)
    /// Processor time of the thread that renews it, in nanoseconds: no sign of life.
    private let renewing = Atomic<Int>(0)

    /// - Parameters:
    ///   - stopRequested: whether this process has been asked to stop.
    ///   - end: ends the process with a message; called once, on the watchdog's thread.
    init(
        _ heartbeat: Heartbeat, communicator: any Communicator,
        stopRequested: @escaping @Sendable () -> Bool = { StopSignals.request != 0 },
        end: (@Sendable (Failure) -> Void)? = nil
    ) {
        let (rank, size, deadline) = (communicator.rank, communicator.size, communicator.deadline)
        let end = end ?? { World.leave(rank: rank, of: size, $0) }
        let interval = min(max(deadline / 40, .milliseconds(50)), .seconds(1))
        let thread = Thread { [weak self] in
            var idle = Idleness(heartbeat)
            while true {
                usleep(UInt32(interval / .microseconds(1)))
                // Gone, too, when making the trainer has failed.
                guard let self, !self.isStopped.load(ordering: .relaxed) else { return }
                let (time, state) = idle.look(
                    heartbeat, share: Self.idleShare, leavingOut: self.renewing.load(ordering: .relaxed))
                if time == .zero { self.hasMoved.store(true, ordering: .relaxed) }
                // In a step, a rank that does nothing waits for others, who are about to be named by the collective.
                if state.phase == .step, size > 1 { continue }
                let isAsked = stopRequested() && state.phase != .checkpoint
                guard time >= (isAsked ? min(deadline, Self.stopPatience) : deadline) else { continue }
                end(Self.failure(state, time, isAsked: isAsked))
                return
            }
        }
        thread.name = "fanoise watchdog"
        thread.stackSize = 1 << 19
        thread.start()
        if rank == 0 { renew(heartbeat, every: interval) }
    }

    /// Renews the heartbeat as long as the process gets on, on a thread of its own: where the run's folder does not answer either, who watches
    /// must not wait for it.
    private func renew(_ heartbeat: Heartbeat, every interval: Duration) {
        let thread = Thread { [weak self] in
            while true {
                usleep(UInt32(interval / .microseconds(1)))
                guard let self, !self.isStopped.load(ordering: .relaxed) else { return }
                if self.hasMoved.exchange(false, ordering: .relaxed) { heartbeat.renew() }
                var time = timespec()
                clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
                self.renewing.store(time.tv_sec * 1_000_000_000 + time.tv_nsec, ordering: .relaxed)
            }
        }
        thread.name = "fanoise heartbeat"
        thread.stackSize = 1 << 19
        thread.start()
    }

    deinit { stop() }

    /// Ends the watch; it notices at its next look.
    func stop() { isStopped.store(true, ordering: .relaxed) }

    private static func failure(_ state: Heartbeat.State, _ time: Duration, isAsked: Bool) -> Failure {
        let seconds = (time / .seconds(1)).formatted(
            .number.precision(.fractionLength(0...1)).locale(Locale(identifier: "en")))
        let place =
            switch state.phase {
            case .start: "start-up: reading data or a checkpoint"
            case .data: "step \(state.step + 1): waiting for its batch"
            case .step: "step \(state.step + 1)"
            case .evaluation: "evaluation after step \(state.step)"
            case .checkpoint: "checkpoint of step \(state.step)"
            }
        let calls = StuckCalls.descriptions
        let files = calls.isEmpty ? "" : " (\(calls.joined(separator: "; ")))"
        return Failure(
            .resumable,
            "\(place): \(isAsked ? "asked to stop, but " : "")nothing has moved for \(seconds) s\(files): a file, a file server or a device "
                + "does not answer; the job ends, and goes on from its newest checkpoint when it is started again")
    }
}

/// How long the process has done nothing.
private struct Idleness {
    private var idle = Duration.zero
    private var lastLook = ContinuousClock.now
    private var lastTime = Self.processTime
    private var lastBeat: ContinuousClock.Instant
    private var lastUnpacking = Unpacking.progress

    init(_ heartbeat: Heartbeat) { lastBeat = heartbeat.state.since }

    /// The time so far, and where the rank was all the while. Time in which the process was itself stopped does not count: of a long
    /// absence, a second.
    /// - Parameter nanoseconds: processor time so far that is no work.
    mutating func look(_ heartbeat: Heartbeat, share: Double, leavingOut nanoseconds: Int) -> (
        Duration, Heartbeat.State
    ) {
        let (now, state) = (ContinuousClock.now, heartbeat.state)
        let time = Self.processTime - .nanoseconds(nanoseconds)
        let (elapsed, unpacking) = (now - lastLook, Unpacking.progress)
        let hasMoved = state.since != lastBeat || unpacking != lastUnpacking
        let isIdle = time - lastTime < elapsed * share + .microseconds(200) && !hasMoved
        idle = isIdle ? idle + min(elapsed, .seconds(1)) : .zero
        (lastLook, lastTime, lastBeat, lastUnpacking) = (now, time, state.since, unpacking)
        return (idle, state)
    }

    /// Processor time of all threads so far.
    private static var processTime: Duration {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
