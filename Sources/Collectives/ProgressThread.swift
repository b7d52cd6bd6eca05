// A thread that moves messages on while its rank computes. Not here: what moving on means (MPIWorld.swift).

import Foundation

/// Calls `turn` every 400 µs as long as it says that there is something to do, and sleeps in between until it is woken.
///
/// Each turn takes 10 to 15 µs: with pauses of 100 µs two ranks that share a core took a tenth of it and more from the products
/// (docs/scaling.md).
final class ProgressThread: @unchecked Sendable {
    private static let pause: UInt32 = 400

    private let condition = NSCondition()
    /// How often it was woken, and how many of these have been seen to: equal when there is nothing to do.
    private var wakes = 0
    private var settled = 0
    private var isStopped = false
    private var hasEnded = false

    /// - Parameter turn: moves everything on, without blocking; false when nothing is under way. Called on the thread.
    init(_ turn: @escaping () -> Bool) {
        let work = Turn(run: turn)
        let thread = Thread { [self] in
            while let woken = awaitWork() {
                if !work.run() { rest(woken) }
                usleep(Self.pause)
            }
            condition.lock()
            hasEnded = true
            condition.broadcast()
            condition.unlock()
        }
        thread.name = "fanoise progress"
        thread.stackSize = 1 << 20
        thread.start()
    }

    private struct Turn: @unchecked Sendable { let run: () -> Bool }

    /// There is something to do.
    func wake() {
        condition.lock()
        wakes += 1
        condition.signal()
        condition.unlock()
    }

    /// Returns when the thread calls nothing any more, or is stuck in a call: after a second.
    func stop() {
        condition.lock()
        isStopped = true
        condition.broadcast()
        let end = Date(timeIntervalSinceNow: 1)
        while !hasEnded, condition.wait(until: end) {}
        condition.unlock()
    }

    /// The wakes so far, once there is one to see to; nil at the end.
    private func awaitWork() -> Int? {
        condition.lock()
        defer { condition.unlock() }
        while wakes == settled, !isStopped { condition.wait() }
        return isStopped ? nil : wakes
    }

    /// What the thread was woken for is done; not what it was woken for since.
    private func rest(_ woken: Int) {
        condition.lock()
        settled = woken
        condition.unlock()
    }
}
