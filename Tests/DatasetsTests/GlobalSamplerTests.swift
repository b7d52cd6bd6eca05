// Every row once, no concept twice, whatever the world. Not here: what the rows hold (BatchLoaderTests).

import Randomness
import Testing

@testable import Datasets

@Suite struct GlobalSamplerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let rows: Int
        /// Rows of each concept; the last one takes what is left.
        let drawings: Int
        let batch: Int
        let seed: UInt64
        var testDescription: String { "\(rows) rows, \(drawings) a concept, batches of \(batch), seed \(seed)" }

        var ids: [Int64] { (0..<rows).map { Int64($0 / drawings) * 1_000_003 - 5 } }
    }

    static let cases = [
        Case(rows: 1, drawings: 1, batch: 1, seed: 0), Case(rows: 1, drawings: 1, batch: 8, seed: 1),
        Case(rows: 10, drawings: 1, batch: 3, seed: 2), Case(rows: 12, drawings: 1, batch: 4, seed: 3),
        Case(rows: 12, drawings: 3, batch: 4, seed: 4), Case(rows: 12, drawings: 3, batch: 3, seed: 5),
        Case(rows: 64, drawings: 8, batch: 8, seed: 6), Case(rows: 65, drawings: 5, batch: 13, seed: 7),
        Case(rows: 1000, drawings: 3, batch: 128, seed: 8), Case(rows: 1000, drawings: 3, batch: 333, seed: 9),
        Case(rows: 999, drawings: 3, batch: 333, seed: 10), Case(rows: 1000, drawings: 7, batch: 130, seed: 11),
        Case(rows: 5200, drawings: 2, batch: 128, seed: 12),
    ]

    static func sampler(_ value: Case, _ last: LastBatch = .mask, distinct: Bool = true) throws -> GlobalSampler {
        try GlobalSampler(ids: value.ids, globalBatch: value.batch, seed: value.seed, last: last, distinctIDs: distinct)
    }

    @Test(arguments: cases, [true, false]) func everyRowOnceAnEpoch(_ value: Case, distinct: Bool) throws {
        let sampler = try Self.sampler(value, distinct: distinct)
        #expect(sampler.stepsPerEpoch == (value.rows + value.batch - 1) / value.batch)
        for epoch in 0..<3 {
            var rows: [Int] = []
            for index in 0..<sampler.stepsPerEpoch {
                let batch = sampler.batch(step: 1 + epoch * sampler.stepsPerEpoch + index)
                #expect(batch.epoch == epoch && batch.indexInEpoch == index)
                // Only the last batch is short.
                #expect(batch.rows.count == min(value.batch, value.rows - index * value.batch))
                rows += batch.rows
            }
            #expect(rows.sorted() == Array(0..<value.rows))
        }
    }

    @Test(arguments: cases, [LastBatch.mask, .drop]) func noConceptTwiceInABatch(_ value: Case, last: LastBatch) throws
    {
        guard last == .mask || value.rows >= value.batch else { return }
        let sampler = try Self.sampler(value, last)
        let ids = value.ids
        for step in 1...3 * sampler.stepsPerEpoch {
            let batch = sampler.batch(step: step)
            // All these cases have at most as many rows of a concept as batches an epoch, or one batch alone.
            let allowed = (value.drawings + sampler.stepsPerEpoch - 1) / sampler.stepsPerEpoch
            let counts = Dictionary(grouping: batch.rows) { ids[$0] }.values.map(\.count)
            #expect(counts.max() ?? 0 <= allowed, "step \(step)")
        }
    }

    @Test(arguments: cases) func dropLeavesOutTheRemainder(_ value: Case) throws {
        guard value.rows >= value.batch else {
            let message = failureMessage(.configuration) { _ = try Self.sampler(value, .drop) }
            #expect(message.contains("batch.global is \(value.batch), but there are \(value.rows) rows"))
            return
        }
        let sampler = try Self.sampler(value, .drop)
        #expect(sampler.stepsPerEpoch == value.rows / value.batch)
        let rows = (1...sampler.stepsPerEpoch).flatMap { sampler.batch(step: $0).rows }
        #expect(rows.count == sampler.stepsPerEpoch * value.batch && Set(rows).count == rows.count)
    }

    @Test(arguments: [0, 1, 5, 8, 13, 128], 1...8) func shardsMakeUpTheBatch(rows: Int, ranks: Int) {
        let batch = GlobalBatch(epoch: 0, indexInEpoch: 0, rows: (0..<rows).map { $0 * 7 }, sources: [0])
        let shards = (0..<ranks).map { batch.shard(rank: $0, of: ranks) }
        #expect(shards.flatMap { batch.rows[$0] } == batch.rows)
        #expect(shards.map(\.count) == (0..<ranks).map { rows / ranks + ($0 < rows % ranks ? 1 : 0) })
    }

    @Test(arguments: cases) func anyOrderOfStepsGivesTheSame(_ value: Case) throws {
        let sequential = try Self.sampler(value)
        let steps = Array(1...3 * sequential.stepsPerEpoch)
        let expected = steps.map { sequential.batch(step: $0) }
        let order = RandomField(seed: 3, purpose: .test).permutation(count: steps.count)
        let random = try Self.sampler(value)
        for index in order { #expect(random.batch(step: steps[index]) == expected[index]) }
        // Resumed in the middle of the second epoch.
        let middle = sequential.stepsPerEpoch + (sequential.stepsPerEpoch + 1) / 2
        let resumed = try Self.sampler(value)
        for step in middle...steps.count { #expect(resumed.batch(step: step) == expected[step - 1]) }
    }

    @Test func epochsAndSeedsDiffer() throws {
        let value = Case(rows: 1000, drawings: 3, batch: 100, seed: 1)
        let one = try Self.sampler(value)
        let other = try Self.sampler(Case(rows: 1000, drawings: 3, batch: 100, seed: 2))
        #expect(one.batch(step: 1).rows != other.batch(step: 1).rows)
        #expect(one.batch(step: 1).rows != one.batch(step: 11).rows)
    }

    /// Companions are random: over 200 epochs each of the 19 other concepts meets concept 0 in 4 of 19 batches, within five
    /// standard deviations of that binomial count (√(800 · 4/19 · 15/19) = 11.5 of 168).
    @Test func companionsAreRandom() throws {
        let sampler = try GlobalSampler(ids: (0..<80).map { Int64($0 / 4) }, globalBatch: 5, seed: 4)
        var meetings = [Int](repeating: 0, count: 20)
        for step in 1...200 * sampler.stepsPerEpoch {
            let concepts = sampler.batch(step: step).rows.map { $0 / 4 }
            if concepts.contains(0) { concepts.forEach { meetings[$0] += 1 } }
        }
        #expect(meetings[0] == 800)
        for count in meetings.dropFirst() { #expect(abs(count - 168) < 58, "\(meetings)") }
    }

    /// One concept has half of all rows: it repeats evenly, and everything is still visited once.
    @Test(arguments: [LastBatch.mask, .drop]) func crowdedConceptsRepeatEvenly(_ last: LastBatch) throws {
        let ids = (0..<1030).map { Int64($0 < 500 ? 0 : $0) }
        let sampler = try GlobalSampler(ids: ids, globalBatch: 50, seed: 9, last: last)
        var rows: [Int] = []
        for step in 1...sampler.stepsPerEpoch {
            let batch = sampler.batch(step: step).rows
            #expect(batch.count { ids[$0] == 0 } <= 25)
            rows += batch
        }
        #expect(Set(rows).count == rows.count && rows.count == (last == .drop ? 1000 : 1030))
    }

    /// A concept with as many rows as batches must be in each of them, the short one included.
    @Test func pressingConceptsAreInEveryBatch() throws {
        let ids = (0..<42).map { Int64($0 < 5 ? 0 : $0 < 10 ? 1 : $0) }
        for seed in 0..<50 as Range<UInt64> {
            let sampler = try GlobalSampler(ids: ids, globalBatch: 10, seed: seed)
            for step in 1...5 {
                let rows = sampler.batch(step: step).rows
                #expect(rows.count == (step < 5 ? 10 : 2))
                #expect(rows.count { ids[$0] == 0 } == 1 && rows.count { ids[$0] == 1 } == 1)
            }
        }
    }

    /// Three concepts have as many rows as there are batches, but the short batch has one place: the full ones repeat a concept.
    @Test func whatCannotBeInTheShortBatchRepeatsInFullOnes() throws {
        let ids = (0..<13).map { Int64($0 / 4) }
        for seed in 0..<50 as Range<UInt64> {
            let sampler = try GlobalSampler(ids: ids, globalBatch: 4, seed: seed)
            let batches = (1...4).map { sampler.batch(step: $0).rows }
            #expect(batches.map(\.count) == [4, 4, 4, 1])
            #expect(batches.flatMap { $0 }.sorted() == Array(0..<13))
            for batch in batches {
                #expect(Dictionary(grouping: batch) { ids[$0] }.values.allSatisfy { $0.count <= 2 })
            }
        }
    }
}
