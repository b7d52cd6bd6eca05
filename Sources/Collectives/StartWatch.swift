// A bound on the start of MPI, which waits for every rank and has none of its own. Not here: collectives' deadlines (MPIWorld.swift).

import Failures
import Foundation

/// Ends the process when the ranks have not found each other in time: one is stopped, or its host does not answer. A thread, for the one
/// that starts MPI is inside its calls.
final class StartWatch: Sendable {
    /// Beyond the deadline: processes are started, and libraries loaded, one after the other on a machine that has other work.
    private static let patience = Duration.seconds(20)

    private let ended = DispatchSemaphore(value: 0)

    /// - Parameter leave: ends the process with a message; called on the thread.
    init(deadline: Duration, leave: @escaping @Sendable (CollectiveError) -> Never) {
        let limit = deadline + Self.patience
        let thread = Thread { [ended] in
            guard ended.wait(timeout: .now() + limit / .seconds(1)) == .timedOut else { return }
            leave(
                CollectiveError(
                    .deadline,
                    "the ranks have not found each other in \(limit / .seconds(1)) s: one does not start, is stopped, or its host does not "
                        + "answer"))
        }
        thread.name = "fanoise start"
        thread.stackSize = 1 << 19
        thread.start()
    }

    /// MPI has started, or has failed to.
    func end() { ended.signal() }
}
