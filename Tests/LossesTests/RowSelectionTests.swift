// Rows that do not take part, batches of nothing, strips, memory. Not here: what the loss is (ContrastiveLossTests).

import Buffers
import Collectives
import Losses
import Oracles
import Testing

@Suite struct RowSelectionTests {
    /// Invalid rows are as if they were not there, whatever they hold; their gradients are 0.
    @Test(arguments: ContrastiveLossOptions.Kind.allCases) func invalidRowsDoNotTakePart(
        _ kind: ContrastiveLossOptions.Kind
    ) throws {
        let k = 2
        var batch = randomBatch(rows: 7, width: 3, k: k)
        batch.ids = [1, 2, 1, 3, 1, 4, 2]
        let kept = [0, 2, 3, 6]
        var smaller = batch
        smaller.queries = kept.map { batch.queries[$0] }
        smaller.targets = (kept + kept.map { 7 + $0 }).map { batch.targets[$0] }
        smaller.ids = batch.ids.map { ids in kept.map { ids[$0] } }
        let expected = denseLoss(kind, smaller)

        batch.queries[1] = [.nan, 0, 0]
        batch.targets[12] = [.infinity, 0, 0]
        let (queries, targets, ids) = (batch.queries, batch.targets, batch.ids)
        let temperature = Float(batch.temperature)
        let results = try ThreadWorld.run(ranks: 2) { world in
            // Rank 1 has no valid row at all.
            try ContrastiveLoss(ContrastiveLossOptions(kind: kind, targetsPerQuery: k))(
                queries: Floats(queries.flatMap { $0.map { Float($0) } }),
                targets: Floats(targets.flatMap { $0.map { Float($0) } }),
                ids: ids, rows: 7, columns: 3, temperature: temperature, bias: -1.5,
                valid: (0..<7).map { world.rank == 0 && kept.contains($0) }, communicator: world)
        }
        #expect(relativeError(results[0].loss, expected.loss) < 1e-12)
        #expect(results[1].loss == results[0].loss && results[0].rows == 4 && results[0].columns == 8)
        func rows(_ values: Floats, _ indices: [Int]) -> [[Double]] {
            indices.map { values[$0 * 3..<$0 * 3 + 3].array.map(Double.init) }
        }
        #expect(relativeError(rows(results[0].dqueries, kept), expected.dqueries) < 0x1p-23)
        #expect(relativeError(rows(results[0].dtargets, kept + kept.map { 7 + $0 }), expected.dtargets) < 0x1p-23)
        let left = [1, 4, 5]
        #expect(rows(results[0].dqueries, left).allSatisfy { $0 == [0, 0, 0] })
        #expect(rows(results[0].dtargets, left + left.map { 7 + $0 }).allSatisfy { $0 == [0, 0, 0] })
        #expect(results[1].dqueries.array == Array(repeating: 0, count: 21))
        #expect(results[1].dtargets.array == Array(repeating: 0, count: 42))
    }

    @Test(arguments: ContrastiveLossOptions.Kind.allCases, [1, 3]) func nothingAtAll(
        _ kind: ContrastiveLossOptions.Kind, _ ranks: Int
    ) throws {
        let batch = DenseBatch(queries: [], targets: [], ids: nil, temperature: 1, bias: 0)
        let results = try ThreadWorld.run(ranks: ranks) { world in
            try ContrastiveLoss(ContrastiveLossOptions(kind: kind))(
                queries: Floats(count: 0), targets: Floats(count: 0), rows: 0, columns: 4,
                temperature: Float(batch.temperature),
                communicator: world)
        }
        #expect(results.allSatisfy { $0.loss == 0 && $0.rows == 0 && $0.dqueries.count == 0 && $0.nonFinite == nil })
    }

    /// Sizes around the blocks of the tiles: logits kept whole, in strips of 260 and 40 rows, and made again.
    ///
    /// float32: logits of up to 5 are off by 5·2⁻²⁴·√4, a probability by 6e-7 of itself; sums of 300 stay below 8 times that.
    @Test(arguments: ContrastiveLossOptions.Kind.allCases) func stripsAndBlocks(
        _ kind: ContrastiveLossOptions.Kind
    ) throws {
        let batch = randomBatch(rows: 300, width: 4)
        let expected = denseLoss(kind, batch)
        for tile in [nil, 260, 100, Int.max] {
            for (precision, tolerance) in [(ContrastiveLossOptions.Precision.single, 5e-6), (.double, 0x1p-23)] {
                let options = ContrastiveLossOptions(kind: kind, tile: tile, precision: precision)
                let found = try evaluate(batch, options, counts: [300])
                #expect(relativeError(found.shared[0].loss, expected.loss) < tolerance)
                #expect(relativeError(found.dqueries, expected.dqueries) < tolerance)
                #expect(relativeError(found.dtargets, expected.dtargets) < tolerance)
            }
        }
    }

    /// More rows than a block of a tile has, more columns than a tile: sums run over several of both.
    @Test(arguments: ContrastiveLossOptions.Kind.allCases) func severalBlocks(_ kind: ContrastiveLossOptions.Kind)
        throws
    {
        let batch = randomBatch(rows: 1100, width: 2)
        let found = try evaluate(batch, ContrastiveLossOptions(kind: kind, precision: .single), counts: [1100])
        let again = try evaluate(
            batch, ContrastiveLossOptions(kind: kind, tile: 300, precision: .double), counts: [600, 500])
        #expect(relativeError(found.shared[0].loss, again.shared[0].loss) < 5e-6)
        #expect(relativeError(found.dqueries, again.dqueries) < 5e-6)
        #expect(relativeError(found.dtargets, again.dtargets) < 5e-6)
    }

    /// All logits together would be 268 MB of float32.
    @Test(arguments: ContrastiveLossOptions.Kind.allCases) func memoryDoesNotGrowWithAllPairs(
        _ kind: ContrastiveLossOptions.Kind
    ) throws {
        // Other tests take memory beside this one: the least of several batches counts, each larger by more than a size class of the
        // pool, so that none finds the logits of the one before lying ready.
        var least = Int.max
        for rows in [8192, 9216, 10368, 11664] {
            let queries = Floats(repeating: 0.1, count: rows * 16)
            let before = MemoryPool.shared.systemAllocations.bytes
            _ = try ContrastiveLoss(ContrastiveLossOptions(kind: kind, tile: 256, precision: .single))(
                queries: queries, targets: queries, rows: rows, columns: 16, temperature: 0.1, communicator: SoloWorld()
            )
            least = min(least, MemoryPool.shared.systemAllocations.bytes - before)
        }
        // Two gradients of 0.5 MB and 8192·256 logits of 8 MB.
        #expect(least < 48 << 20)
    }
}
