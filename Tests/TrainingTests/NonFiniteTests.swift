// Values that are not finite end a run on all ranks alike, before the update. Not here: the checks inside FANoise and Losses.

import Autograd
import Buffers
import Collectives
import Failures
import Foundation
import Testing

@testable import Training

@Suite(.serialized) struct NonFiniteTests {
    /// What became of a step on one rank.
    struct Outcome: Sendable {
        var message: String?
        var kind: Failure.Kind?
        /// Whether the failing step left parameters and moments as they were.
        var isUnchanged = false
    }

    /// Takes steps until one fails, at most `limit`; every rank catches its own failure, so that the ranks can be compared.
    private static func outcomes(
        _ options: [String], ranks: Int, limit: Int = 4, prepare: @escaping @Sendable (DualEncoder) -> Void = { _ in },
        world: @escaping @Sendable (any Communicator) -> any Communicator = { $0 }
    ) throws -> [Outcome] {
        let configuration = try TinyRun.shared.get().configuration(options)
        return try inWorld(of: ranks) { communicator in
            let stepper = try Stepper(configuration, steps: limit, communicator: world(communicator))
            prepare(stepper.model)
            for _ in 1...limit {
                let state = stepper.optimizer.state
                let before = ([stepper.model.parameters.values] + state.buffers).map {
                    $0.array.map(\.bitPattern)
                }
                do { _ = try stepper.next() } catch let failure as Failure {
                    let after = ([stepper.model.parameters.values] + state.buffers).map {
                        $0.array.map(\.bitPattern)
                    }
                    return Outcome(message: failure.message, kind: failure.kind, isUnchanged: before == after)
                }
            }
            return Outcome()
        }
    }

    private static func expectOneFailure(_ outcomes: [Outcome], says words: [String]) {
        for outcome in outcomes {
            #expect(outcome.kind == .data && outcome.isUnchanged)
            #expect(outcome.message == outcomes[0].message)
            for rank in ["", "[rank 1 a.b] "] { #expect(Divergence.isMeant(by: rank + (outcome.message ?? ""))) }
            for word in words {
                #expect(outcome.message?.contains(word) == true, "\(word) in \(outcome.message ?? "no failure")")
            }
        }
    }

    /// A NaN in a weight: found in the representations (or the tokens), named with step and row.
    @Test(arguments: [1, 3], ["output", "input", "none"]) func aWeightThatIsNaN(_ ranks: Int, _ noise: String) throws {
        let options = noise == "none" ? ["noise.scaling=none"] : ["noise.position=\(noise)"]
        let outcomes = try Self.outcomes(options, ranks: ranks) { model in
            guard let entry = model.parameters.layout.entries.first(where: { $0.name == "query.positions" }) else {
                return
            }
            model.parameters.values[entry.offset] = .nan
        }
        Self.expectOneFailure(outcomes, says: ["step 1: ", "row ", "rank 0"])
    }

    /// Without noise the loss finds the row, and its rank knows where in the data it is.
    @Test(arguments: [1, 3]) func theRowOfTheDataIsNamed(_ ranks: Int) throws {
        let outcomes = try Self.outcomes(["noise.scaling=none"], ranks: ranks) { model in
            guard let entry = model.parameters.layout.entries.first(where: { $0.name == "target.positions" }) else {
                return
            }
            model.parameters.values[entry.offset] = .infinity
        }
        Self.expectOneFailure(outcomes, says: ["step 1: the loss is not finite", " of the training data"])
    }

    @Test(arguments: [1, 3], [[], ["noise.scaling=none"], ["loss.kind=sigmoid"]]) func aLearningRateThatExplodes(
        _ ranks: Int, _ options: [String]
    ) throws {
        let outcomes = try Self.outcomes(options + ["optimizer.learning_rate=1e30"], ranks: ranks)
        Self.expectOneFailure(outcomes, says: ["step 2: ", "not finite"])
    }

    /// A gradient that overflows on one rank after a finite loss: that rank's rows are named, by all.
    ///
    /// The others send the culprit gradients of its queries of 10³⁸, finite in float32 even in sum; its backward overflows. (So would the
    /// temperature's gradient, which belongs to no rank.)
    @Test(arguments: [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]) func aGradientThatOverflows(_ ranks: Int, _ culprit: Int)
        throws
    {
        let outcomes = try Self.outcomes(
            ["loss.temperature.learned=false"], ranks: ranks,
            world: { world in
                TamperedWorld(
                    world,
                    before: { collective, world in
                        guard world.step == 2, case .reduceScatter(let payload, let counts, _, _) = collective,
                            let queries = payload.elements(Double.self)
                        else { return }
                        let first = counts.prefix(culprit).reduce(0, +)
                        for index in first..<first + counts[culprit] { queries[index] = 1e38 }
                    })
            })
        Self.expectOneFailure(outcomes, says: ["step 2: the gradient is not finite: query.", "on rank \(culprit). "])
    }

    /// A sum that is not finite although every rank's part was: nobody's rows are blamed.
    @Test(arguments: [1, 3]) func aSumThatOverflows(_ ranks: Int) throws {
        let outcomes = try Self.outcomes(
            [], ranks: ranks,
            world: { world in
                TamperedWorld(
                    world,
                    before: { collective, world in
                        guard world.step == 2, case .reduceScatter(let payload, _, _, _) = collective else { return }
                        payload.elements(Float.self)?[0] = .infinity
                    })
            })
        Self.expectOneFailure(
            outcomes, says: ["step 2: the gradient is not finite: every rank's part of it is, but not their sum"])
    }

    /// Input that is not finite is a mistake in the data, and no outcome of training.
    @Test(arguments: [
        ("a.npy: row 17 has a number that is not finite", false),
        ("step 5.npy: row 1 has a number that is not finite", false),
        ("[rank 0 host] a.npy: row 17 has a number that is not finite", false),
        ("step 9: the job's data a.npy: row 17 has a number that is not finite", false),
        ("the model's embeddings are not finite: its weights have diverged", true),
        ("[rank 0 host] step 12: the loss is not finite: logit of row 3", true),
    ]) func divergenceIsToldFromBadInput(_ message: String, _ isMeant: Bool) {
        #expect(Divergence.isMeant(by: message) == isMeant)
    }

    /// The whole run ends so, with the exit code of bad data, and the checkpoint from before stays.
    @Test(arguments: [1, 3]) func theRunEnds(_ ranks: Int) throws {
        let tiny = try TinyRun.shared.get()
        let name = "exploding-\(UUID())"
        try train(tiny.configuration(["steps=3"], name: name), ranks: ranks)
        let exploding = try tiny.configuration(["steps=9", "optimizer.learning_rate=1e30"], name: name)
        let failure = #expect(throws: Failure.self) {
            try train(exploding, ranks: ranks, allowedChanges: ["optimizer.learning_rate"])
        }
        #expect(failure?.exitCode == 65 && failure?.message.hasPrefix("step 5: ") == true)
        #expect(try curve(exploding, "step") == [1, 2, 3, 4])
        #expect(try train(tiny.configuration(["steps=4"], name: name), ranks: ranks).summary.step == 4)
    }
}
