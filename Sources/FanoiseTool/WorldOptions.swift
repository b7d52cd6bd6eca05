// Ranks and threads as every computing command takes them. Not here: worlds (Collectives).

import ArgumentParser
import Collectives
import Failures
import Foundation
import Kernels
import Training

/// `--ranks` and `--deadline`.
struct WorldOptions: ParsableArguments {
    @Option(
        help:
            "Without mpirun: run this many ranks as threads of one process. Under mpirun: its number of ranks, or left out."
    )
    var ranks: Int?
    @Option(
        help:
            "Seconds after which a collective that has not completed ends the job (default: FANOISE_DEADLINE, else 300)."
    )
    var deadline: Double?

    func validate() throws {
        guard let deadline else { return }
        guard deadline > 0, deadline <= CollectiveSettings.longestDeadline else {
            throw ValidationError("--deadline \(deadline) must be above 0 and at most 1e9 seconds")
        }
    }

    /// Runs `body` on every rank with a fair share of the machine's cores; leaves the process when the job ends badly.
    func run(threads: Automatic<Int> = .automatic, _ body: @escaping @Sendable (any Communicator) throws -> Void) throws
    {
        let code = World.run(ranks: ranks, deadline: deadline.map { .seconds($0) }) { communicator in
            setBLASThreads(try CoreShare.agree(on: threads, communicator: communicator).threads)
            try body(communicator)
        }
        if code != 0 { throw ExitCode(code) }
    }

    /// Runs `body` on the one rank of a command that needs no others; under mpirun, on rank 0 of it.
    static func alone(_ body: @escaping @Sendable (any Communicator) throws -> Void) throws {
        let code = World.run { communicator in
            setBLASThreads(1)
            if communicator.rank == 0 { try body(SoloWorld()) }
            try communicator.barrier()
        }
        if code != 0 { throw ExitCode(code) }
    }
}
