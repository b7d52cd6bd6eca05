// A request to stop, as launchers and people send it. Not here: what the trainer does about it.

import Foundation
import Synchronization

/// Remembers SIGTERM, SIGINT and SIGUSR1 (Slurm's warning before the time limit), so that a run can finish its step, save, and end
/// with exit code 75. A second SIGINT ends the process at once, with 130.
public enum StopSignals {
    private static let received = Atomic<Int32>(0)
    private static let interrupts = Atomic<Int32>(0)
    private static let hasNothingToSave = Atomic<Bool>(false)
    private static let speaks = Atomic<Bool>(true)

    /// The last signal that asked to stop, or 0.
    public static var request: Int32 { received.load(ordering: .relaxed) }

    /// Installs the handlers; to be called before MPI is initialised and before there are threads.
    ///
    /// The signals are unblocked, too: a process inherits its parent thread's mask, and threads of many services block everything.
    public static func install() {
        // Before MPI is initialised, only the launcher's variables tell who is rank 0.
        let environment = ProcessInfo.processInfo.environment
        let rank = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"].compactMap { environment[$0] }.first ?? "0"
        speaks.store(rank == "0", ordering: .relaxed)
        var mask = sigset_t()
        sigemptyset(&mask)
        for signal in [SIGTERM, SIGINT, SIGUSR1] {
            Foundation.signal(signal) { StopSignals.receive($0) }
            sigaddset(&mask, signal)
        }
        pthread_sigmask(SIG_UNBLOCK, &mask, nil)
    }

    /// Whether a signal ends the process there and then, with exit code 75, because there is nothing to save yet: reading data and
    /// building a model may take minutes, and nobody looks at a request meanwhile.
    public static func endAtOnce(_ isOn: Bool) { hasNothingToSave.store(isOn, ordering: .relaxed) }

    /// The handler: nothing but atomics and system calls.
    private static func receive(_ number: Int32) {
        received.store(number, ordering: .relaxed)
        if hasNothingToSave.load(ordering: .relaxed) {
            let message: StaticString =
                "fanoise: stopped by a signal before the first step; the same command starts again\n"
            if speaks.load(ordering: .relaxed) { write(STDERR_FILENO, message.utf8Start, message.utf8CodeUnitCount) }
            _exit(75)
        }
        guard number == SIGINT else { return }
        if interrupts.wrappingAdd(1, ordering: .relaxed).newValue > 1 { _exit(128 + SIGINT) }
    }
}
