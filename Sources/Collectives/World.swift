// Where a program's ranks come from, and how the whole job ends. Not here: collectives (Communicator.swift and its three worlds).

private import CMPI
public import Failures
import Foundation

/// The ranks of this job: started by `mpirun` or `srun`, threads of this process, or this process alone.
public enum World {
    /// The most ranks that are threads of one process.
    static let mostThreads = 1024

    /// Whether a launcher has started this process as a rank: Open MPI's `mpirun`, or `srun --mpi=pmix|pmi2`.
    public static var isLaunchedByMPI: Bool { isLaunchedByMPI(ProcessInfo.processInfo.environment) }

    static func isLaunchedByMPI(_ environment: [String: String]) -> Bool {
        ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"].contains { environment[$0] != nil }
    }

    /// Whether MPI has been initialised in this process; it is only when a launcher started it and `run` was called.
    public static var isMPIInitialized: Bool {
        var flag: Int32 = 0
        return cmpi_initialized(&flag) == cmpi_success && flag != 0
    }

    /// The MPI library's name and version, its first line up to a comma: `Open MPI v4.1.4`. MPI need not be initialised.
    public static var libraryVersion: String {
        var text = [CChar](repeating: 0, count: Int(cmpi_library_version_size))
        guard cmpi_library_version(&text) == cmpi_success else { return "unknown" }
        let line = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return String(line.prefix { $0 != "," && $0 != "\n" })
    }

    /// The exit code that says to a launcher what `error` is: a `Failure`'s own, 75 or 70 of a `CollectiveError`, 70 otherwise.
    public static func exitCode(of error: any Error) -> Int32 {
        switch error {
        case let failure as Failure: failure.exitCode
        case let failure as CollectiveError: failure.exitCode
        default: Failure.Kind.internal.rawValue
        }
    }

    /// Runs `body` on every rank and returns the process's exit code, 0 when all ranks returned.
    ///
    /// Under a launcher this process is one rank of an `MPIWorld`; otherwise `ranks` > 1 makes a `ThreadWorld`, and nil or 1 a
    /// `SoloWorld` on the calling thread; MPI is then never initialised. The first rank that throws ends the job at once: its
    /// message is written once to standard error, as `[rank r host] message` (`PROGRAM: message` in a world of one process and one
    /// rank). Under MPI that ends all processes with the exit code, this function does not return, and MPI is not finalised.
    ///
    /// - Parameters:
    ///   - ranks: as the user asked for; under a launcher it must be nil or the number of ranks there are, without one at most 1024 (else code 64).
    ///   - deadline: of every collective; nil: `FANOISE_DEADLINE` seconds, else 300 s.
    ///   - checks: whether ranks compare every collective; nil: `FANOISE_CHECK_COLLECTIVES`, else no.
    ///   - chunk: most elements of one message; nil: the default. For tests.
    public static func run(
        ranks: Int? = nil, deadline: Duration? = nil, checks: Bool? = nil, chunk: Int? = nil,
        _ body: @escaping @Sendable (any Communicator) throws -> Void
    ) -> Int32 {
        if isLaunchedByMPI { return runMPI(ranks: ranks, deadline: deadline, checks: checks, chunk: chunk, body) }
        do {
            let settings = try settings(deadline, checks, chunk)
            guard let ranks, ranks != 1 else {
                try body(SoloWorld(deadline: settings.deadline))
                return 0
            }
            guard ranks > 1 else { throw Failure(.usage, "a world of \(ranks) ranks: --ranks must be at least 1") }
            guard ranks <= mostThreads else {
                throw Failure(
                    .usage, "a world of \(ranks) ranks: without mpirun, --ranks must be at most \(mostThreads)")
            }
            let host = hostName
            let outcome = ThreadWorld.outcome(
                ranks: ranks, settings: settings, whenOneFails: { write(line("\($0)", host, $1)) }, body)
            switch outcome {
            case .success: return 0
            case .failure(let failure): return exitCode(of: failure.error)
            }
        } catch {
            write("\(ProcessInfo.processInfo.processName): \(error)")
            return exitCode(of: error)
        }
    }

    /// Ends this process at once, from any thread, for a rank whose own thread no longer can: writes the message as `run` does, and leaves
    /// without MPI. The launcher sees the exit code and ends the other ranks.
    public static func leave(rank: Int, of size: Int, _ failure: Failure) -> Never {
        write(
            size == 1 ? "\(ProcessInfo.processInfo.processName): \(failure)" : line("\(rank)", hostName, failure))
        _exit(failure.exitCode)
    }

    private static func settings(_ deadline: Duration?, _ checks: Bool?, _ chunk: Int?) throws -> CollectiveSettings {
        var settings = try CollectiveSettings.resolve(deadline: deadline, checks: checks)
        if let chunk { settings.chunk = chunk }
        return settings
    }

    private static func runMPI(
        ranks: Int?, deadline: Duration?, checks: Bool?, chunk: Int?, _ body: (any Communicator) throws -> Void
    ) -> Int32 {
        let host = hostName
        let launched = launchedRank
        var world: MPIWorld?
        // A setting that is wrong is told of when there are ranks to agree on who tells.
        let bound = (try? settings(deadline, checks, chunk).deadline) ?? CollectiveSettings().deadline
        let start = StartWatch(deadline: bound) {
            write(line(launched, host, $0))
            _exit(exitCode(of: $0))
        }
        do {
            let isSerialized = try initialize()
            let joined = try MPIWorld(host: host)
            start.end()
            world = joined
            joined.settings = try settings(deadline, checks, chunk)
            if joined.spansHosts { try joined.agreeOnNodes() }
            joined.startProgress(isAllowed: isSerialized)
            try agree(ranks, with: joined.size)
            try body(joined)
            try joined.finish()
            try check(cmpi_finalize(), "MPI_Finalize")
            return 0
        } catch {
            start.end()
            // What ends this rank from here on is another rank's failure, and no request to be told of.
            signal(SIGTERM, SIG_DFL)
            let name = world.map { "\($0.rank)" } ?? launched
            if world?.claimFailure() ?? true {
                write(line(name, host, error))
            } else {
                sleep(5)  // another rank has spoken and ends the job, and with it this one
            }
            guard isMPIInitialized else { return exitCode(of: error) }
            cmpi_abort(exitCode(of: error))
        }
    }

    /// Defaults that the user's environment overrides, then MPI.
    /// - Returns: whether several threads may call MPI, one at a time.
    private static func initialize() throws -> Bool {
        setenv("OMPI_MCA_btl_base_warn_component_unused", "0", 0)
        var funneled: Int32 = 0
        var serialized: Int32 = 0
        try check(cmpi_init(&funneled, &serialized), "MPI_Init_thread")
        guard funneled != 0 else {
            throw CollectiveError(.transport, "this MPI does not allow threads beside the main one")
        }
        return serialized != 0
    }

    /// The launcher's, the user's and MPI's ideas of the number of ranks.
    private static func agree(_ ranks: Int?, with size: Int) throws {
        if let ranks, ranks != size {
            throw Failure(.usage, "--ranks \(ranks), but the launcher started \(size); leave --ranks out under mpirun")
        }
        let environment = ProcessInfo.processInfo.environment
        let expected =
            environment["OMPI_COMM_WORLD_SIZE"] ?? environment["PMI_SIZE"] ?? environment["SLURM_STEP_NUM_TASKS"]
        guard let expected = expected.flatMap({ Int($0) }), expected != size else { return }
        throw Failure(
            .usage,
            "the launcher started \(expected) ranks, but MPI sees \(size): it does not speak this MPI's protocol (srun: --mpi=pmix)"
        )
    }

    /// This rank's number by the launcher, before MPI knows it.
    private static var launchedRank: String {
        let environment = ProcessInfo.processInfo.environment
        return environment["OMPI_COMM_WORLD_RANK"] ?? environment["PMIX_RANK"] ?? "?"
    }

    private static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "?" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A rank's message. One that names the rank itself, as what the ranks have agreed on does, names it once.
    static func line(_ rank: String, _ host: String, _ error: any Error) -> String {
        let (message, name) = ("\(error)", "rank \(rank): ")
        return "[rank \(rank) \(host)] \(message.hasPrefix(name) ? String(message.dropFirst(name.count)) : message)"
    }

    /// One line, in one piece, to standard error.
    private static func write(_ line: String) {
        // Where even that fails, the exit code is what is left to say.
        try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
    }
}
