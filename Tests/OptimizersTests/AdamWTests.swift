// AdamW against torch, sharded against whole, and what it must leave alone. Not here: schedules and clipping (ScheduleTests.swift).

import Buffers
import Foundation
import Testing

@testable import Optimizers

/// The layout of the golden values, with padding between all parameters.
private func goldenLayout() -> ParameterLayout {
    var layout = ParameterLayout()
    for (name, count, decays) in [
        ("matrix", 5, true), ("bias", 3, false), ("embedding", 18, true), ("temperature", 1, false),
    ] {
        _ = layout.add(name, shape: [count], decays: decays)
    }
    return layout
}

/// Larger: several buckets, parameters with and without decay in turn.
private func largeLayout() -> ParameterLayout {
    var layout = ParameterLayout()
    for (index, count) in [700, 17, 1, 333, 64, 5, 1200, 16, 90].enumerated() {
        _ = layout.add("p\(index)", shape: [count], decays: index % 3 == 0)
    }
    return layout
}

/// Values at the parameters' places, zero in padding.
private func fill(_ layout: ParameterLayout, _ value: (_ parameter: Int, _ element: Int) -> Double) -> Floats {
    let buffer = Floats(repeating: 0, count: layout.count)
    for (index, entry) in layout.entries.enumerated() {
        for element in 0..<entry.count { buffer[entry.offset + element] = Float(value(index, element)) }
    }
    return buffer
}

@Suite struct AdamWTests {
    @Test(arguments: AdamWGolden.cases)
    func twentyStepsAreThoseOfTorch(golden: AdamWGolden) {
        let layout = goldenLayout()
        let shards = ParameterShards(layout: layout, worldSize: 1)
        let optimizer = AdamW(
            beta1: golden.beta1, beta2: golden.beta2, epsilon: golden.epsilon, weightDecay: golden.weightDecay)
        let state = AdamW.State(ranges: shards.ranges(rank: 0))
        let parameters = fill(layout) { cos(Double($1) * 0.9 + Double($0)) }
        for step in 1...20 {
            let gradients = fill(layout) { parameter, i in
                sin(0.7 * Double(i) + 1.3 * Double(step) + Double(parameter)) * pow(10, Double(i % 5 - 3))
            }
            let norm = GradientClipping.squaredNorm(of: gradients, in: state.ranges).squareRoot()
            optimizer.update(
                state, parameters: parameters, gradients: gradients, decay: WeightDecayMap(layout),
                learningRate: golden.learningRate, step: step,
                gradientScale: GradientClipping.coefficient(norm: norm, limit: golden.clip))
        }
        // Twenty float32 updates of numbers near 1, each rounded about three times: at most 60 units of 2⁻²⁴; the update itself, some
        // 0.01 a step with a relative error of tens of units, adds at most 4.
        let tolerance = 64 * Double(Float.ulpOfOne) / 2
        for (entry, expected) in zip(layout.entries, golden.parameters) {
            for (index, value) in expected.enumerated() {
                let found = Double(parameters[entry.offset + index])
                #expect(abs(found - value) < tolerance, "\(entry.name)[\(index)]: \(found) instead of \(value)")
            }
        }
    }

    @Test(arguments: 1...6)
    func shardedIsWholeBitForBit(worldSize: Int) {
        let layout = largeLayout()
        let optimizer = AdamW()
        let decay = WeightDecayMap(layout)
        func train(_ shards: [ParameterShards]) -> [Float] {
            let parameters = fill(layout) { cos(Double($0 * 31 + $1)) }
            let states = shards.flatMap { shards in
                (0..<shards.worldSize).map { AdamW.State(ranges: shards.ranges(rank: $0)) }
            }
            for step in 1...5 {
                let gradients = fill(layout) { sin(Double($0 + 7 * $1 + 11 * step)) * 0.01 }
                for state in states {
                    optimizer.update(
                        state, parameters: parameters, gradients: gradients, decay: decay, learningRate: 1e-3,
                        step: step,
                        gradientScale: 0.7, bounds: [ParameterBound(range: layout.entries[2].range, limits: 0.2...0.25)]
                    )
                }
            }
            return parameters.array
        }
        let whole = train([ParameterShards(layout: layout, worldSize: 1, bucketBytes: 1 << 30)])
        let sharded = train([ParameterShards(layout: layout, worldSize: worldSize, bucketBytes: 2000)])
        #expect(sharded.map(\.bitPattern) == whole.map(\.bitPattern))
        #expect((0.2...0.25).contains(whole[layout.entries[2].offset]))
        var isPadding = Array(repeating: true, count: layout.count)
        for entry in layout.entries { for index in entry.range { isPadding[index] = false } }
        for (index, value) in sharded.enumerated() where isPadding[index] { #expect(value.bitPattern == 0) }
    }

    @Test func decayActsOnlyWhereTheLayoutSays() {
        // With zero gradients the update is the decay alone: (1 − lr λ)² after two steps.
        let layout = goldenLayout()
        let state = AdamW.State(ranges: [0..<layout.count])
        let parameters = fill(layout) { _, _ in 2 }
        for step in 1...2 {
            AdamW(weightDecay: 0.5).update(
                state, parameters: parameters, gradients: Floats(repeating: 0, count: layout.count),
                decay: WeightDecayMap(layout),
                learningRate: 0.25, step: step)
        }
        for entry in layout.entries {
            let expected: Float = entry.decays ? 2 * 0.875 * 0.875 : 2
            for index in entry.range { #expect(parameters[index] == expected) }
        }
    }

    @Test func onlyOwnedRangesChange() {
        let layout = largeLayout()
        let parameters = fill(layout) { _, _ in 1 }
        let before = parameters.array
        let owned = 32..<96
        AdamW().update(
            AdamW.State(ranges: [owned]), parameters: parameters, gradients: fill(layout) { _, _ in 1 },
            decay: WeightDecayMap(layout), learningRate: 0.1, step: 1,
            bounds: [ParameterBound(range: 0..<layout.count, limits: 5...6)])
        for index in 0..<layout.count { #expect(parameters[index] == (owned.contains(index) ? 5 : before[index])) }
    }

    @Test func segmentsCoverARangeOnce() {
        let layout = largeLayout()
        let map = WeightDecayMap(layout)
        for range in [0..<layout.count, 0..<0, 16..<32, 700..<720, 703..<1500, layout.count - 16..<layout.count] {
            var next = range.lowerBound
            map.forEachSegment(in: range) { segment, decays in
                #expect(segment.lowerBound == next && !segment.isEmpty)
                for entry in layout.entries where entry.range.overlaps(segment) { #expect(entry.decays == decays) }
                next = segment.upperBound
            }
            #expect(next == range.upperBound)
        }
    }
}
