// Spectra that begin while the next side is still being made: nothing changes but when messages travel. Not here: what spectra are.

import Buffers
import Collectives
import FANoise
import Failures
import Testing

/// A world that counts what is started and what is waited for.
private final class CountingWorld: Communicator {
    private final class Request: CollectiveRequest {
        let request: any CollectiveRequest
        let world: CountingWorld

        init(_ request: any CollectiveRequest, _ world: CountingWorld) { (self.request, self.world) = (request, world) }

        func test() throws -> Bool { try request.test() }
        func wait() throws {
            try request.wait()
            world.waited += 1
        }
    }

    private let world: any Communicator
    private(set) var started = 0
    fileprivate(set) var waited = 0

    init(_ world: any Communicator) { self.world = world }

    var rank: Int { world.rank }
    var size: Int { world.size }
    var ranksOnThisHost: Int { world.ranksOnThisHost }
    var nodes: [[Int]] { world.nodes }
    var sharesProcess: Bool { world.sharesProcess }
    var sharingRefusal: String? { world.sharingRefusal }
    var deadline: Duration { world.deadline }
    var step: Int {
        get { world.step }
        set { world.step = newValue }
    }
    func start(_ collective: Collective) throws -> any CollectiveRequest {
        started += 1
        return Request(try world.start(collective), self)
    }
    func nodeMemory(_ kind: NodeMemoryKind, byteCount: Int) throws -> NodeMemory {
        try world.nodeMemory(kind, byteCount: byteCount)
    }
}

@Suite struct NoiseBeginningTests {
    /// The rows of one rank of side `side` at `step`.
    private static func side(
        _ side: Int, step: Int, rows m: Int, columns n: Int, counts: [Int], rank: Int
    ) -> NoiseSide {
        let values = BatchKind.random.values(rows: m + 2 * side, columns: n).map { $0 * Float(step + 1) + Float(side) }
        let first = counts[..<rank].reduce(0, +)
        return NoiseSide(
            Floats(Array(values[first * n..<(first + counts[rank]) * n])), rows: counts[rank], firstRow: first,
            globalRows: m)
    }

    private static let options: [NoiseOptions] = [
        NoiseOptions(), NoiseOptions(center: true), NoiseOptions(solver: .gram32), NoiseOptions(solver: .svd),
        NoiseOptions(solver: .randomized, sketch: 3), NoiseOptions(refresh: 2), NoiseOptions(spectrum: .joint),
        NoiseOptions(scope: .rank), NoiseOptions(scaling: .gaussian), NoiseOptions(scaling: .none),
        NoiseOptions(strength: 0), NoiseOptions(schedule: .decay(from: 0, to: 2)),
    ]

    /// What `begin` starts at each of four steps: one gather or sum where the side's own spectrum is taken then, and nothing else.
    private static func due(_ options: NoiseOptions, step: Int) -> Bool {
        options.exponent != nil && options.strength(at: step) > 0 && step % options.refresh == 0
            && ![.svd, .randomized].contains(options.solver) && options.spectrum == .separate
            && options.scope == .global
    }

    /// Four steps of two sides, of which none, one or both are begun early: the same bits, all that is started is waited for, and `begin` itself
    /// waits for nothing.
    @Test(arguments: options.indices, 1...4) func beginningEarlyChangesNoBit(which: Int, ranks: Int) throws {
        for (m, n) in [(24, 5), (5, 24)] {
            for sharding in Sharding.allCases {
                let counts = sharding.counts(rows: m, ranks: ranks)
                let runs = try (0...2).map { early in
                    try inWorld(ranks) { world -> [[Float]] in
                        let communicator = CountingWorld(world)
                        let shaper = try NoiseShaper(options: Self.options[which], columns: n, seed: 5)
                        return try (0..<4).flatMap { step -> [[Float]] in
                            let sides = (0..<2).map {
                                Self.side(
                                    $0, step: step, rows: m, columns: n, counts: counts, rank: communicator.rank)
                            }
                            let before = (communicator.started, communicator.waited)
                            for side in sides.prefix(early) {
                                try shaper.begin(side, counts: counts, step: step, communicator: communicator)
                            }
                            let isDue = ranks > 1 && Self.due(Self.options[which], step: step)
                            #expect(communicator.started - before.0 == (isDue ? early : 0))
                            #expect(communicator.waited == before.1)
                            let results = try shaper.perturb(sides, step: step, communicator: communicator)
                            #expect(communicator.waited == communicator.started)
                            return results.map(\.perturbed.array)
                        }
                    }
                }
                #expect(runs[1] == runs[0] && runs[2] == runs[0], "\(m)×\(n) on \(ranks) ranks, \(sharding)")
            }
        }
    }

    /// A side that was begun and is not finite is refused on every rank, and the ranks are still in step.
    @Test(.timeLimit(.minutes(1)), arguments: 2...4, [(24, 5), (5, 24)])
    func whatIsNotFiniteIsRefusedAfterwards(ranks: Int, shape: (Int, Int)) throws {
        let (m, n) = shape
        let counts = Sharding.even.counts(rows: m, ranks: ranks)
        let messages = try inWorld(ranks) { world -> String in
            let communicator = CountingWorld(world)
            let shaper = try NoiseShaper(options: NoiseOptions(), columns: n, seed: 5)
            let sides = (0..<2).map {
                Self.side($0, step: 0, rows: m, columns: n, counts: counts, rank: communicator.rank)
            }
            if communicator.rank == 1 { sides[0].values_BN[0] = .nan }
            try shaper.begin(sides[0], counts: counts, step: 0, communicator: communicator)
            let failure = #expect(throws: Failure.self) {
                try shaper.perturb(sides, step: 0, communicator: communicator)
            }
            #expect(communicator.waited == communicator.started)
            try communicator.barrier()
            // And the shaper goes on: with what is finite, to what it would have given.
            if communicator.rank == 1 { sides[0].values_BN[0] = 1 }
            try shaper.begin(sides[0], counts: counts, step: 0, communicator: communicator)
            let again = try shaper.perturb(sides, step: 0, communicator: communicator)
            #expect(again.allSatisfy { $0.report.noiseToSignal > 0 })
            return failure?.message ?? ""
        }
        #expect(Set(messages).count == 1 && messages[0].contains("on rank 1"))
    }
}
