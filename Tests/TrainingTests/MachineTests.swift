// Reading the machine and judging the set-up.

import Collectives
import Foundation
import Testing

@testable import Training

@Suite struct MachineTests {
    private static let good = Machine(
        processor: "a", cores: 8, coreList: Array(0..<8), physicalCores: 4, memoryBytes: 1 << 34, simd: .avx512,
        sharedMemoryBytes: 1 << 30,
        diskBytes: 1 << 40)

    @Test func thisMachineIsPlausible() {
        let machine = Machine.current()
        #expect(machine.cores >= 1 && machine.physicalCores >= 1 && machine.physicalCores <= machine.cores)
        #expect(machine.memoryBytes > 1 << 20 && (machine.diskBytes ?? 1) >= 0)
        #expect(machine.simd == Machine.simdLevel)
    }

    @Test func processorInformation() {
        let text =
            "processor\t: 0\nmodel name\t: AMD EPYC\nmodel\t\t: 2\nflags\t\t: fma avx2 avx512f avx512dq\nbugs\t: x\n"
        #expect(Machine.field("model name", in: text) == "AMD EPYC" && Machine.field("model", in: text) == "2")
        #expect(Machine.field("absent", in: text) == nil)
        #expect(Machine.simdLevel(flags: Machine.cpuFlags(in: text)) == .avx2)
        #expect(Machine.simdLevel(flags: ["avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"]) == .avx512)
        #expect(Machine.simdLevel(flags: ["avx2"]) == .baseline && Machine.simdLevel(flags: []) == .baseline)
    }

    @Test(arguments: [("0-1", 2), ("0", 1), ("0-3,8", 5), ("", nil), ("x", nil), ("3-1", nil)] as [(String, Int?)])
    func lists(text: String, expected: Int?) { #expect(Machine.members(ofList: text)?.count == expected) }

    /// Bound or not, with a quota or without: never more threads than cores.
    @Test(
        arguments: [
            ([0, 1], [[0, 1]], nil, 2), ([0, 1], [[0, 1], [0, 1]], nil, 1), ([0], [[0], [1]], nil, 1),
            ([0, 1, 2, 3], [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]], nil, 1), ([0, 1], [[0, 1], [2, 3]], nil, 2),
            ([0], [[0], [0], [0]], nil, 1), ([0, 1, 2], [[0, 1, 2], [2]], nil, 2), (Array(0..<8), [Array(0..<8)], 3, 3),
            (Array(0..<8), [Array(0..<8), Array(0..<8)], 3, 1),
        ] as [([Int], [[Int]], Int?, Int)])
    func coresAreDividedAmongThoseWhoMayUseThem(own: [Int], masks: [[Int]], quota: Int?, threads: Int) {
        #expect(CoreShare.share(of: own, among: masks, quota: quota) == threads)
    }

    @Test func aWorldAgreesOnItsCores() throws {
        var machine = Self.good
        machine.coreList = [0, 1, 2]
        let (alone, three) = (machine, machine)
        let solo = try CoreShare.agree(machine: alone, communicator: SoloWorld())
        #expect(solo.words == "1 rank × 3 threads on 3 cores" && solo.remark == nil)
        for share in try ThreadWorld.run(ranks: 4, { try CoreShare.agree(machine: three, communicator: $0) }) {
            #expect(share.words == "4 ranks × 1 thread on 3 cores" && share.totalThreads == 4)
            #expect(share.remark?.contains("start at most 3") == true)
        }
        let told = try CoreShare.agree(on: .value(5), machine: alone, communicator: SoloWorld())
        #expect(told.remark?.contains("5 threads on 3 core(s)") == true)
    }

    @Test(
        arguments: [
            (SIMDLevel.avx512, "Haswell", [:], "SkylakeX"), (.avx512, "Zen", [:], "SkylakeX"),
            (.avx512, "SkylakeX", [:], nil),
            (.avx512, "Cooperlake", [:], nil), (.avx2, "Haswell", [:], nil), (.avx512, "Barcelona", [:], "SkylakeX"),
            (.avx2, "Barcelona", [:], "Haswell"), (.baseline, "Barcelona", [:], nil),
            (.avx512, "Haswell", ["OPENBLAS_CORETYPE": "Haswell"], nil),
        ] as [(SIMDLevel, String, [String: String], String?)])
    func coreTypeIsCorrectedOnlyWhenMissed(
        simd: SIMDLevel, core: String, environment: [String: String], expected: String?
    ) {
        #expect(SetupAdvice.missedCoreType(simd: simd, blasCore: core, environment: environment) == expected)
    }

    @Test func aGoodSetupGetsNoAdvice() {
        let speed = MachineSpeed(gemmOneCore: 100, gemmAllCores: 380, threads: 8, triadOneCore: 10, triadAllCores: 20)
        let environment = ["OMP_NUM_THREADS": "4", "OMPI_COMM_WORLD_LOCAL_SIZE": "2"]
        #expect(
            SetupAdvice.advice(machine: Self.good, blasCore: "SkylakeX", environment: environment, speed: speed).isEmpty
        )
        #expect(SetupAdvice.layout(for: Self.good) == .init(ranks: 4, threadsPerRank: 1))
    }

    struct Mistake: Sendable {
        var core = "SkylakeX"
        var environment: [String: String] = [:]
        var sharedMemory = 1 << 30
        var disk = 1 << 40
        var allCores = 380.0
        let expected: String
    }

    @Test(arguments: [
        Mistake(core: "Haswell", expected: "OPENBLAS_CORETYPE=SkylakeX"),
        Mistake(core: "Haswell", environment: ["OPENBLAS_CORETYPE": "Haswell"], expected: "unset it"),
        Mistake(core: "Prescott", expected: "Prescott kernels on a processor with AVX-512"),
        Mistake(environment: ["OMP_NUM_THREADS": "9"], expected: "9 threads on 8 core(s)"),
        Mistake(
            environment: ["OPENBLAS_NUM_THREADS": "4", "OMPI_COMM_WORLD_LOCAL_SIZE": "4"],
            expected: "16 threads on 8 core(s)"),
        Mistake(environment: ["OMP_NUM_THREADS": "all"], expected: "OMP_NUM_THREADS=all"),
        Mistake(environment: ["OMPI_COMM_WORLD_LOCAL_SIZE": "9"], expected: "9 ranks share 8 core(s)"),
        Mistake(environment: ["USER": "root"], expected: "OMPI_ALLOW_RUN_AS_ROOT"),
        Mistake(sharedMemory: 64 << 20, expected: "/dev/shm has 64 MiB free"),
        Mistake(disk: 1 << 30, expected: "the disk has 1024 MiB free"),
        Mistake(allCores: 200, expected: "8 threads multiply matrices at 200 GFLOP/s"),
    ])
    func eachMistakeGetsOneSentence(mistake: Mistake) {
        var machine = Self.good
        machine.sharedMemoryBytes = mistake.sharedMemory
        machine.diskBytes = mistake.disk
        let speed = MachineSpeed(
            gemmOneCore: 100, gemmAllCores: mistake.allCores, threads: 8, triadOneCore: 10, triadAllCores: 20)
        let advice = SetupAdvice.advice(
            machine: machine, blasCore: mistake.core, environment: mistake.environment, speed: speed)
        #expect(advice.count == 1 && advice.first?.contains(mistake.expected) == true, "\(advice)")
    }

    @Test func speedIsMeasured() {
        let speed = MachineSpeed.measure(threads: 1, seconds: 0.1)
        // Any machine that runs this does more than a tenth of these; none does a thousand times.
        #expect(
            speed.gemmOneCore > 1 && speed.gemmOneCore < 1e4 && speed.triadOneCore > 0.2 && speed.triadOneCore < 2e3)
    }
}
