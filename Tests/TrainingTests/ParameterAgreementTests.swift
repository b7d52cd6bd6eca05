// Ranks whose parameters have run apart are found, named, and save nothing. Not here: ranks that run different things (WorldTests).

import Autograd
import Buffers
import Collectives
import Failures
import Foundation
import Testing

@testable import Training

/// A world in which one bit of what a rank receives in one step's all-gather of floats changes.
private func faultyWorld(_ world: any Communicator, rank: Int, step: Int, element: Int) -> TamperedWorld {
    TamperedWorld(
        world,
        after: { collective, world in
            guard case .allGather(_, _, let result) = collective, let values = result.elements(Float.self),
                world.rank == rank, world.step == step, values.indices.contains(element)
            else { return }
            values[element] = Float(bitPattern: values[element].bitPattern ^ 1)
        })
}

@Suite struct ParameterAgreementTests {
    /// Every bit of every element matters, wherever it lies, and so does the order.
    @Test(arguments: [1, 15, 16, 17, 31, 1000]) func anyBitChangesTheChecksum(count: Int) {
        let values = Floats((0..<count).map { Float($0) * 0.1 })
        let sound = ParameterAgreement.checksum(values)
        var seen: Set<Int> = [sound]
        for element in Set([0, count / 2, count - 1]) {
            for bit in 0..<32 {
                let kept = values[element]
                values[element] = Float(bitPattern: kept.bitPattern ^ 1 << UInt32(bit))
                #expect(seen.insert(ParameterAgreement.checksum(values)).inserted, "bit \(bit) of \(element)")
                values[element] = kept
            }
        }
        #expect(ParameterAgreement.checksum(values) == sound)
        if count > 16 {
            (values[0], values[16]) = (values[16], values[0])
            #expect(ParameterAgreement.checksum(values) != sound)
        }
    }

    /// Two signs that change in one lane do not make up for one another.
    @Test func pairsOfChangesAreSeen() {
        let values = Floats(repeating: 1, count: 4096)
        let sound = ParameterAgreement.checksum(values)
        for distance in [16, 32, 512, 1024] {
            for element in [0, distance] { values[element] = -values[element] }
            #expect(ParameterAgreement.checksum(values) != sound, "\(distance)")
            for element in [0, distance] { values[element] = -values[element] }
        }
    }

    @Test(
        arguments: [
            ([7, 7, 7], nil), ([7], nil), ([7, 8, 7], [1]), ([8, 7, 7], [0]), ([7, 8], [1]), ([1, 2, 3, 2], [0, 2]),
            ([5, 5, 6, 6], [2, 3]),
        ] as [([Int], [Int]?)]) func thoseThatDifferFromMostAreNamed(values: [Int], expected: [Int]?)
    {
        #expect(ParameterAgreement.minority(values) == expected)
    }

    @Test(arguments: [(2, 1), (3, 0), (3, 2), (4, 1)]) func aDamagedParameterEndsTheRunBeforeItIsSaved(
        _ ranks: Int, _ faulty: Int
    ) throws {
        let configuration = try TinyRun.shared.get().configuration([
            "steps=9", "checkpoint={every: 2, keep: 9}", "agreement.every=5",
        ])
        let outcomes = try ThreadWorld.run(ranks: ranks) { world in
            let damaged = faultyWorld(world, rank: faulty, step: 6, element: 40)
            let trainer = try Trainer(configuration: configuration, progress: .silent, communicator: damaged)
            let entry = try #require(trainer.model.parameters.layout.entries.first { $0.range.contains(40) })
            do {
                _ = try trainer.run()
                return (nil as Failure?, entry.name)
            } catch let failure as Failure { return (failure, entry.name) }
        }
        for (failure, name) in outcomes {
            #expect(try #require(failure).exitCode == 70)
            let message = try #require(failure?.message)
            // Of two ranks nobody can say which is right.
            let expected = ranks == 2 ? "rank 1 differs" : "rank \(faulty) differs"
            for part in ["step 6: ", expected, "'\(name)'", "nothing was saved"] {
                #expect(message.contains(part), "\(message)")
            }
        }
        let steps = try FileManager.default.contentsOfDirectory(atPath: RunFolder(configuration.folder).checkpoints)
        #expect(steps.sorted() == ["step-00000002", "step-00000004"])
    }

    /// Nobody is accused in a run without faults, and the comparison can be turned off.
    @Test(arguments: ["1", "null"]) func soundRunsEnd(every: String) throws {
        let configuration = try TinyRun.shared.get().configuration(["steps=4", "agreement.every=\(every)"])
        #expect(try train(configuration, ranks: 3).summary.step == 4)
    }

    @Test(arguments: [1, 2, 3]) func versionsAreCompared(ranks: Int) throws {
        let failures = try inWorld(of: ranks) { world in
            do {
                _ = try agreeOnWorld(
                    version: world.rank == ranks - 1 ? "9.9" : Program.version, threads: 1, communicator: world)
                return nil as Failure?
            } catch let failure as Failure { return failure }
        }
        for failure in failures where ranks > 1 {
            #expect(try #require(failure).kind == .configuration)
            #expect(failure?.message.contains("rank \(ranks - 1) has another version of the program") == true)
        }
        #expect(ranks > 1 || failures[0] == nil)
    }

    @Test(arguments: [([1, 1, 1], nil), ([1, 2, 1], "threads 1, 2, 1")] as [([Int], String?)])
    func unevenLayoutsAreToldOf(threads: [Int], expected: String?) throws {
        let sentences = try ThreadWorld.run(ranks: 3) { world in
            try agreeOnWorld(threads: threads[world.rank], communicator: world)
        }
        for sentence in sentences {
            #expect((sentence == nil) == (expected == nil))
            if let expected { #expect(sentence?.contains(expected) == true) }
        }
    }
}
