// A request to stop, as launchers and people send it. Not here: what the trainer does about it.

import Foundation
import Synchronization

/// Remembers SIGTERM, SIGINT and SIGUSR1 (Slurm's warning before the time limit), so that a run can finish its step, save, and end
/// with exit code 75. A second SIGINT ends the process at once.
public enum StopSignals {
    private static let received = Atomic<Int32>(0)
    private static let interrupts = Atomic<Int32>(0)

    /// The last signal that asked to stop, or 0.
    public static var request: Int32 { received.load(ordering: .relaxed) }

    /// Installs the handlers; to be called before MPI is initialised and before there are threads.
    ///
    /// The signals are unblocked, too: a process inherits its parent thread's mask, and threads of many services block everything.
    public static func install() {
        var mask = sigset_t()
        sigemptyset(&mask)
        for signal in [SIGTERM, SIGINT, SIGUSR1] {
            Foundation.signal(signal) { StopSignals.receive($0) }
            sigaddset(&mask, signal)
        }
        pthread_sigmask(SIG_UNBLOCK, &mask, nil)
    }

    private static func receive(_ number: Int32) {
        received.store(number, ordering: .relaxed)
        guard number == SIGINT else { return }
        if interrupts.wrappingAdd(1, ordering: .relaxed).newValue > 1 { _exit(128 + SIGINT) }
    }
}
