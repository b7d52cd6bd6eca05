// What must happen before any library is used. Not here: anything that depends on the command line.

import Foundation
import Kernels
import Training

/// Corrections to the process itself, made once at its start.
enum ProcessSetup {
    /// Says that this process was started anew by itself: it is not done twice, whatever the library then says.
    private static let guardName = "FANOISE_STARTED_ANEW"

    /// Gives standard input, output and error a descriptor each where they are closed, for else the next file that is opened becomes one
    /// of them, and what is said goes into it. Reading there and writing there fail as they do on closed descriptors.
    ///
    /// To be called before anything else in `main`.
    static func occupyStandardStreams() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest descriptor that is free: this one.
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// Starts the program anew with `OPENBLAS_CORETYPE` set where OpenBLAS took the processor for a lesser one, at half the speed or
    /// less (`SetupAdvice.missedCoreType`); returns where it did not, where the user set the variable, and where starting anew fails,
    /// since the program then works too, only slower.
    ///
    /// OpenBLAS reads the variable in its library constructor, before `main`: setting it from inside comes too late for this process
    /// image. The new image has the same process id, files and arguments: to `mpirun` nothing happened.
    ///
    /// To be called early in `main`, before `MPI_Init`, before threads, before output.
    static func chooseBLASKernels() {
        let environment = ProcessInfo.processInfo.environment
        guard environment[guardName] == nil,
            let type = SetupAdvice.missedCoreType(
                simd: Machine.simdLevel, blasCore: blasCoreName(), environment: environment)
        else { return }
        setenv("OPENBLAS_CORETYPE", type, 1)
        setenv(guardName, "1", 1)
        startAnew()
        unsetenv("OPENBLAS_CORETYPE")
        unsetenv(guardName)
    }

    /// Replaces this process image by a new one with the same arguments; returns only on failure.
    private static func startAnew() {
        let link = "/proc/self/exe"
        // The link's target keeps the program's name in `ps`; the link itself works even when the file was replaced meanwhile.
        if let path = try? FileManager.default.destinationOfSymbolicLink(atPath: link), path.hasPrefix("/") {
            execv(path, CommandLine.unsafeArgv)
        }
        execv(link, CommandLine.unsafeArgv)
    }
}
