// One piece of work on a thread of its own. Not here: what the work is (PendingSave.swift).

import Foundation

/// Runs a closure on a thread and keeps its result. Local; used by the one thread that made it.
///
/// The thread calls no collectives: MPI belongs to the main thread.
final class BackgroundWork<Value: Sendable>: Sendable {
    private let outcome: Outcome

    /// What the thread leaves behind; it holds this and not the work, so that dropping the work waits for the thread.
    private final class Outcome: @unchecked Sendable {
        // Used under `condition` alone.
        private let condition = NSCondition()
        private var result: Result<Value, any Error>?

        func set(_ result: Result<Value, any Error>) {
            condition.lock()
            self.result = result
            condition.broadcast()
            condition.unlock()
        }

        var present: Result<Value, any Error>? {
            condition.lock()
            defer { condition.unlock() }
            return result
        }

        func wait() -> Result<Value, any Error> {
            condition.lock()
            defer { condition.unlock() }
            while true {
                if let result { return result }
                condition.wait()
            }
        }
    }

    init(name: String, _ body: @escaping @Sendable () throws -> Value) {
        let outcome = Outcome()
        self.outcome = outcome
        let thread = Thread { outcome.set(Result { try body() }) }
        thread.name = name
        thread.start()
    }

    deinit { _ = outcome.wait() }

    /// Whether the result is there; does not wait.
    var isDone: Bool { outcome.present != nil }

    /// The result, once it is there.
    func value() throws -> Value { try outcome.wait().get() }
}
