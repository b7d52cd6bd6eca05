// Mistakes in the set-up that cost speed or end runs, found from facts alone. Not here: how the facts are found.

/// Advice from facts about the machine, the environment and the libraries.
public enum SetupAdvice {
    /// The suggested use of one machine.
    public struct Layout: Sendable, Equatable, Encodable {
        public var ranks: Int
        public var threadsPerRank: Int
    }

    /// One rank of one thread on every physical core: faster than fewer ranks of more threads in every measured pair (two ranks of one
    /// thread against one of two: 1.1 to 1.9 times).
    public static func layout(for machine: Machine) -> Layout {
        Layout(ranks: max(1, machine.physicalCores), threadsPerRank: 1)
    }

    /// Names of OpenBLAS's kernel families for processors without AVX2.
    static let familiesBeforeAVX2: Set<String> = [
        "Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Atom", "Sandybridge", "Opteron", "Barcelona", "Bobcat",
        "Bulldozer",
        "Piledriver", "Steamroller",
    ]
    /// Those for processors with AVX2 and without AVX-512.
    static let familiesOfAVX2: Set<String> = ["Haswell", "Zen", "Excavator"]

    /// The `OPENBLAS_CORETYPE` to set, where OpenBLAS took the processor for a lesser one; nil where it did not, or where the user chose.
    ///
    /// OpenBLAS recognises processors by a table, and a version older than the processor may miss: 0.3.8 runs Barcelona's kernels on a
    /// Zen 3 at two fifths of the speed (OpenMathLib/OpenBLAS issue 3620). On a Zen 5, AVX2 kernels make 131 and AVX-512 kernels 254
    /// GFLOP/s a core (measured with 0.3.21, which recognises it).
    public static func missedCoreType(simd: SIMDLevel, blasCore: String, environment: [String: String]) -> String? {
        guard environment["OPENBLAS_CORETYPE"] == nil else { return nil }
        return betterFamily(simd: simd, than: blasCore)
    }

    private static func betterFamily(simd: SIMDLevel, than family: String) -> String? {
        switch simd {
        case .avx512 where familiesOfAVX2.contains(family) || familiesBeforeAVX2.contains(family): "SkylakeX"
        case .avx2 where familiesBeforeAVX2.contains(family): "Haswell"
        case .avx512, .avx2, .baseline: nil
        }
    }

    /// One sentence for each mistake: what is, what it costs, what to do. Empty when there is nothing to say.
    public static func advice(machine: Machine, blasCore: String, environment: [String: String], speed: MachineSpeed?)
        -> [String]
    {
        libraries(machine, blasCore, environment) + threads(machine, environment) + space(machine)
            + launcher(environment)
            + speeds(machine, speed)
    }

    private static func libraries(_ machine: Machine, _ blasCore: String, _ environment: [String: String]) -> [String] {
        guard let better = betterFamily(simd: machine.simd, than: blasCore) else { return [] }
        let cost =
            "OpenBLAS runs its \(blasCore) kernels on a processor with \(machine.simd == .avx512 ? "AVX-512" : "AVX2")"
        if let chosen = environment["OPENBLAS_CORETYPE"] {
            return [
                "\(cost), because OPENBLAS_CORETYPE=\(chosen) is set: unset it, unless results must be those of other machines."
            ]
        }
        return [
            "\(cost), at about half the speed or less: set OPENBLAS_CORETYPE=\(better), or install a newer OpenBLAS."
        ]
    }

    private static func threads(_ machine: Machine, _ environment: [String: String]) -> [String] {
        let ranks = environment["OMPI_COMM_WORLD_LOCAL_SIZE"].flatMap { Int($0) } ?? 1
        var advice: [String] = []
        for name in ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"] {
            guard let text = environment[name] else { continue }
            guard let count = Int(text), count >= 1 else {
                advice.append("\(name)=\(text) is not a number of threads: unset it.")
                continue
            }
            if count * ranks > machine.cores {
                advice.append(
                    "\(name)=\(count) in \(ranks) rank(s) on this machine asks for \(count * ranks) threads on \(machine.cores) core(s): unset it; the key threads decides."
                )
            }
        }
        if ranks > machine.cores {
            advice.append(
                "\(ranks) ranks share \(machine.cores) core(s): start fewer, or let them yield with --mca mpi_yield_when_idle 1."
            )
        }
        return advice
    }

    private static func space(_ machine: Machine) -> [String] {
        var advice: [String] = []
        if let bytes = machine.sharedMemoryBytes, bytes < 256 << 20 {
            advice.append(
                "/dev/shm has \(bytes >> 20) MiB free; MPI's messages inside a machine pass through it, and a rank ends by SIGBUS when it is full: enlarge it (docker run --shm-size=1g)."
            )
        }
        if let bytes = machine.diskBytes, bytes < 2 << 30 {
            advice.append(
                "the disk has \(bytes >> 20) MiB free; checkpoints may not fit: free some, or set output to another disk."
            )
        }
        return advice
    }

    private static func launcher(_ environment: [String: String]) -> [String] {
        guard environment["USER"] == "root" || environment["HOME"] == "/root",
            environment["OMPI_ALLOW_RUN_AS_ROOT"] != "1" || environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] != "1"
        else { return [] }
        return [
            "mpirun refuses to run as root: use another user, or set OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1."
        ]
    }

    private static func speeds(_ machine: Machine, _ speed: MachineSpeed?) -> [String] {
        guard let speed, speed.threads > 1,
            speed.gemmAllCores < 0.6 * speed.gemmOneCore * Double(min(speed.threads, machine.physicalCores))
        else { return [] }
        return [
            "\(speed.threads) threads multiply matrices at \(Int(speed.gemmAllCores)) GFLOP/s, one at \(Int(speed.gemmOneCore)): other work shares the cores, or they slow down together."
        ]
    }
}
