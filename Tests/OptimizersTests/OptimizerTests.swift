// Every optimizer against independent references, sharded against whole, and what it must leave alone. Not here: schedules and clipping (ScheduleTests.swift).

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

/// One of each rule, for properties that all have.
private let rules: [(name: String, rule: Optimizer)] = [
    ("AdamW", .adamW(AdamW())), ("SGD", .sgd(SGD(momentum: 0.9, nesterov: true, weightDecay: 0.1))),
    ("Lion", .lion(Lion())), ("LAMB", .lamb(LAMB(weightDecay: 0.1))),
]

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

@Suite struct OptimizerTests {
    @Test(arguments: OptimizerGolden.cases)
    func twentyStepsAreThoseOfTheReference(golden: OptimizerGolden) {
        let layout = goldenLayout()
        let state = OptimizerState(golden.rule.stateNames, ranges: [0..<layout.count])
        let parameters = fill(layout) { cos(Double($1) * 0.9 + Double($0)) }
        for step in 1...20 {
            let gradients = fill(layout) { parameter, i in
                sin(0.7 * Double(i) + 1.3 * Double(step) + Double(parameter)) * pow(10, Double(i % 5 - 3))
            }
            let norm = GradientClipping.squaredNorm(of: gradients, in: state.ranges).squareRoot()
            golden.rule.update(
                state, parameters: parameters, gradients: gradients, map: UpdateMap(layout),
                learningRate: golden.learningRate, step: step,
                gradientScale: GradientClipping.coefficient(norm: norm, limit: golden.clip), sumOverRanks: { _ in })
        }
        // Twenty float32 updates of numbers near 1, each rounded about three times: at most 60 units of 2⁻²⁴; the update itself, some
        // 0.01 a step with a relative error of tens of units, adds at most 4.
        let tolerance = 64 * Double(Float.ulpOfOne) / 2
        for (entry, expected) in zip(layout.entries, golden.parameters) {
            for (index, value) in expected.enumerated() {
                let found = Double(parameters[entry.offset + index])
                #expect(
                    abs(found - value) < tolerance * max(1, abs(value)),
                    "\(golden.name), \(entry.name)[\(index)]: \(found) instead of \(value)")
            }
        }
    }

    /// Bit for bit, but for LAMB, whose norms are sums in another order: 10⁻¹⁶ of the ratio, a unit of the last place here and there.
    @Test(arguments: rules.indices, 1...6) func shardedIsWhole(_ index: Int, _ worldSize: Int) {
        let (layout, rule) = (largeLayout(), rules[index].rule)
        let rates = layout.entries.indices.map { [1, 0.5, 1, 2][$0 % 4] }
        let map = UpdateMap(layout, rates: rates)
        let bound = ParameterBound(range: layout.entries[2].range, limits: 0.2...0.25)
        func train(_ shards: ParameterShards) -> [Float] {
            let parameters = fill(layout) { cos(Double($0 * 31 + $1)) }
            let states = (0..<shards.worldSize).map { OptimizerState(rule.stateNames, ranges: shards.ranges(rank: $0)) }
            for step in 1...5 {
                let gradients = fill(layout) { sin(Double($0 + 7 * $1 + 11 * step)) * 0.01 }
                // The ranks take turns: one pass collects what LAMB sums over ranks, another one, from the same state, updates.
                func pass(_ sumOverRanks: (Doubles) throws -> Void) rethrows {
                    for state in states {
                        try rule.update(
                            state, parameters: parameters, gradients: gradients, map: map, learningRate: 1e-3,
                            step: step,
                            gradientScale: 0.7, bounds: [bound], sumOverRanks: sumOverRanks)
                    }
                }
                guard case .lamb = rule else {
                    pass { _ in }
                    continue
                }
                let (before, own) = ((parameters.array, gradients.array), states.map { $0.buffers.map(\.array) })
                var total = [Double](repeating: 0, count: 2 * layout.entries.count)
                pass { squares in for index in total.indices { total[index] += squares[index] } }
                parameters.copy(from: Floats(before.0))
                gradients.copy(from: Floats(before.1))
                for (state, saved) in zip(states, own) {
                    for (buffer, values) in zip(state.buffers, saved) { buffer.copy(from: Floats(values)) }
                }
                pass { squares in squares.copy(from: Doubles(total)) }
            }
            return parameters.array
        }
        let whole = train(ParameterShards(layout: layout, worldSize: 1, bucketBytes: 1 << 30))
        let sharded = train(ParameterShards(layout: layout, worldSize: worldSize, bucketBytes: 2000))
        if case .lamb = rule {
            for (a, b) in zip(sharded, whole) { #expect(abs(a - b) <= 2 * max(abs(b), 1e-3).ulp) }
        } else {
            #expect(sharded.map(\.bitPattern) == whole.map(\.bitPattern))
        }
        #expect((0.2...0.25).contains(whole[layout.entries[2].offset]))
        var isPadding = Array(repeating: true, count: layout.count)
        for entry in layout.entries { for index in entry.range { isPadding[index] = false } }
        for (index, value) in sharded.enumerated() where isPadding[index] { #expect(value == 0) }
    }

    /// With zero gradients the update is the decay alone: (1 − lr λ)² after two steps; LAMB's, scaled to the tensor's length, is
    /// (1 − lr)². A factor of 0 stops it.
    @Test(arguments: rules.indices) func decayActsOnlyWhereTheLayoutSays(_ index: Int) {
        let layout = goldenLayout()
        var rule = rules[index].rule
        switch rule {
        case .adamW: rule = .adamW(AdamW(weightDecay: 0.5))
        case .sgd: rule = .sgd(SGD(weightDecay: 0.5))
        case .lion: rule = .lion(Lion(weightDecay: 0.5))
        case .lamb: rule = .lamb(LAMB(weightDecay: 0.5))
        }
        let state = OptimizerState(rule.stateNames, ranges: [0..<layout.count])
        let parameters = fill(layout) { _, _ in 2 }
        for step in 1...2 {
            rule.update(
                state, parameters: parameters, gradients: Floats(repeating: 0, count: layout.count),
                map: UpdateMap(layout, rates: [1, 1, 0, 1]), learningRate: 0.25, step: step, sumOverRanks: { _ in })
        }
        let decayed: Float = rules[index].name == "LAMB" ? 2 * 0.75 * 0.75 : 2 * 0.875 * 0.875
        for (entry, rate) in zip(layout.entries, [1, 1, 0, 1]) {
            let expected = entry.decays && rate > 0 ? decayed : 2
            for index in entry.range { #expect(abs(parameters[index] - expected) < 1e-6) }
        }
    }

    @Test(arguments: rules.indices) func onlyOwnedRangesChange(_ index: Int) {
        let (layout, rule) = (largeLayout(), rules[index].rule)
        let parameters = fill(layout) { _, _ in 1 }
        let before = parameters.array
        let owned = 32..<96
        rule.update(
            OptimizerState(rule.stateNames, ranges: [owned]), parameters: parameters,
            gradients: fill(layout) { _, _ in 1 }, map: UpdateMap(layout), learningRate: 0.1, step: 1,
            bounds: [ParameterBound(range: 0..<layout.count, limits: 5...6)], sumOverRanks: { _ in })
        for index in 0..<layout.count { #expect(parameters[index] == (owned.contains(index) ? 5 : before[index])) }
    }

    /// e of e ← d e + (1 − d) p in float64, with and without warm-up, over two ranges.
    @Test(arguments: [false, true]) func theAverageIsThatOfTheFormula(_ warmsUp: Bool) {
        let average = MovingAverage(decay: 0.9, warmsUp: warmsUp, ranges: [16..<48, 64..<65])
        let parameters = Floats(repeating: 1, count: 80)
        average.begin(parameters)
        var expected = 1.0
        for step in 1...20 {
            parameters.fill(Float(1 + step % 3))
            average.update(parameters, step: step)
            let d = warmsUp ? min(0.9, Double(1 + step) / Double(10 + step)) : 0.9
            expected = d * expected + (1 - d) * Double(1 + step % 3)
        }
        parameters.fill(-1)
        average.write(to: parameters)
        for index in 0..<80 {
            let isOwned = (16..<48).contains(index) || index == 64
            #expect(abs(Double(parameters[index]) - (isOwned ? expected : -1)) < 1e-6)
        }
    }

    @Test func segmentsCoverARangeOnce() {
        let layout = largeLayout()
        let map = UpdateMap(layout, rates: layout.entries.indices.map { Double($0 / 4) })
        for range in [0..<layout.count, 0..<0, 16..<32, 700..<720, 703..<1500, layout.count - 16..<layout.count] {
            var next = range.lowerBound
            map.forEachSegment(in: range) { part in
                let segment = part.range
                #expect(segment.lowerBound == next && !segment.isEmpty)
                for entry in layout.entries where entry.range.overlaps(segment) { #expect(entry.decays == part.decays) }
                next = segment.upperBound
            }
            #expect(next == range.upperBound)
        }
    }
}
