// What a step is predicted to cost, against arithmetic by hand, and what is measured for it. Not here: real steps (docs/scaling.md).

import Collectives
import Foundation
import Testing

@testable import Training

@Suite struct CostModelTests {
    private static let fabric = Fabric(
        cores: 4, rankRate: 100e9, nodeRate: 320e9, memoryBandwidth: 20e9, networkBandwidth: 1e9, messageSeconds: 1e-5)

    private static let workload: Workload = {
        var workload = Workload(parameters: 100_000_000, globalRows: 1000, embedding: 500)
        for ranks in [1, 2, 4, 8, 16] {
            (workload.forward[ranks], workload.backward[ranks]) = (16 / Double(ranks), 32 / Double(ranks))
        }
        workload.spectrum = 0.3
        return workload
    }()

    /// Four cores give 320 of 4 × 100: a rank takes 1.25 times as long when all work, twice that when two share a core.
    @Test(arguments: [(1, 1.0), (2, 1 + 0.25 / 3), (4, 1.25), (8, 2.5)])
    func ranksSlowEachOtherDown(ranks: Int, expected: Double) {
        #expect(abs(Self.fabric.slowdown(ranks: ranks) - expected) < 1e-12)
    }

    /// Towers are measured beside as many others as compute at a time on a node; ranks beyond its cores take turns.
    @Test func ranksBeyondTheCoresTakeTurns() {
        let cost = CostModel(fabric: Self.fabric, workload: Self.workload).step(ranks: 8, ranksPerNode: 8)
        #expect(abs(cost.towers - 2 * 48 / 8) < 1e-9)
        // A machine of half or of twice a node's cores is to be as busy as the node.
        #expect([1, 2, 3, 4, 8].map { Self.fabric.busyRanks($0, local: 8, ofCores: 2) } == [1, 1, 2, 2, 2])
        // Two nodes beside each other on it, but no more ranks than there are.
        #expect([1, 2, 4, 8, 16].map { Self.fabric.busyRanks($0, local: 4, ofCores: 8) } == [1, 2, 4, 8, 8])
        #expect(Self.fabric.busyRanks(16, local: 1, ofCores: 8) == 2)
    }

    @Test func ranksWithoutRowsAreCounted() {
        #expect([1, 1000, 1024].map { Self.workload.idleRanks(of: $0) } == [0, 0, 24])
    }

    @Test func nothingTravelsInsideANode() {
        for ranks in [1, 2, 4] {
            let cost = CostModel(fabric: Self.fabric, workload: Self.workload).step(ranks: ranks, ranksPerNode: 4)
            #expect(cost.nodes == 1 && cost.gradients == 0 && cost.parameters == 0 && cost.embeddings == 0)
            #expect(cost.exposedGradients == 0 && cost.messages == 0)
            #expect(abs(cost.towers - 48 / Double(ranks)) < 1e-9)
        }
    }

    /// Two nodes of four: half of 400 MB each way at 1 GB/s is 0.2 s, which 5 s of backward hide but for the last bucket.
    @Test func betweenNodesEachPartTravelsOnce() {
        let cost = CostModel(fabric: Self.fabric, workload: Self.workload).step(ranks: 8, ranksPerNode: 4)
        #expect(cost.nodes == 2 && abs(cost.gradients - 0.2) < 1e-12 && cost.parameters == cost.gradients)
        #expect(abs(cost.exposedGradients - Double(4 << 20) / 2 / 1e9) < 1e-12)
        // There and back, 1000 × 500 floats, from the other half, once; then read and written for each of four ranks, there and back.
        #expect(abs(cost.embeddings - (2 * 4 * 1000 * 500 / 2 / 1e9 + 4 * 4 * 1000 * 500 * 4 / 20e9)) < 1e-12)
        // Clearing and checking 4 × 400 MB, reading 5 × 400 MB, updating half of 100 M parameters by 28 bytes.
        #expect(abs(cost.memory - (8e8 * 4 + 4e8 * 5 + 14e8) / 20e9) < 1e-12)
        // 1000 rows ≥ 500 columns: 1000 · 500² by eight ranks, 9 · 500³ by one of two.
        let spectrum = 0.3 * (2.5e8 / 8 + 9 * 1.25e8 / 2) / (2.5e8 + 9 * 1.25e8)
        #expect(abs(cost.spectrum - spectrum * 1.25) < 1e-12)
        let parts = [
            cost.towers, cost.loss, cost.spectrum, cost.memory, cost.exposedGradients, cost.parameters, cost.embeddings,
            cost.messages,
        ]
        #expect(abs(cost.total - parts.reduce(0, +)) < 1e-12 && parts.allSatisfy { $0 > 0 })
    }

    @Test func aSlowLinkIsNotHidden() {
        var fabric = Self.fabric
        fabric.networkBandwidth = 1e7
        let cost = CostModel(fabric: fabric, workload: Self.workload).step(ranks: 16, ranksPerNode: 4)
        #expect(abs(cost.exposedGradients - (30 - 0.7 * 2)) < 1e-9)
    }

    @Test func aShareIsMeasured() throws {
        let configuration = try TinyRun.shared.get().configuration(["noise.strength=0.1"])
        let workload = try Workload(measuring: configuration, worldSizes: [1, 3], atOnce: { $0 }, repeats: 1)
        #expect(workload.globalRows == 10 && workload.embedding == 12 && workload.parameters > 1000)
        #expect(workload.forward.keys.sorted() == [1, 3] && workload.spectrum > 0)
        #expect((workload.forward.values.map { $0 } + workload.backward.values).allSatisfy { $0 > 0 && $0 < 10 })
    }

    /// Every gradient bucket counts; alone there is nothing to hide.
    @Test(arguments: [1, 3]) func theHiddenShareIsAMetric(ranks: Int) throws {
        let configuration = try TinyRun.shared.get().configuration(["steps=3"])
        try train(configuration, ranks: ranks)
        for row in try metrics(configuration) {
            let share = row["communication_hidden_share"] as? Double
            #expect(ranks == 1 ? share == nil : (0...1).contains(share ?? -1))
        }
    }
}
