// One loss curve and one gradient, whatever the number of ranks. Not here: gradient caching (GradientCachingTests.swift).

import Buffers
import Collectives
import Testing

@testable import Training

/// What a run may differ in; every variant must keep to the rule.
enum Variant: String, CaseIterable, CustomTestStringConvertible {
    case sublinear, inputNoise, noNoise, jointSpectrum, refreshed, infonce, sigmoid, dropout, textPairs, cached,
        dropped, bare, shared, sharedCached, lora,
        lamb, lion, matryoshka, regularized, wrongPairs

    var options: [String] {
        switch self {
        case .sublinear: []
        case .inputNoise: ["noise.position=input"]
        case .noNoise: ["noise.scaling=none"]
        case .jointSpectrum: ["noise.spectrum=joint", "noise.center=true"]
        case .refreshed: ["noise.refresh=3"]
        case .infonce: ["loss.kind=infonce"]
        case .sigmoid: ["loss.kind=sigmoid"]
        case .dropout: ["model.query.dropout=0.1", "model.target.dropout=0.1"]
        case .textPairs: TinyRun.textPairs
        case .shared: TinyRun.sharedTexts
        case .sharedCached:
            TinyRun.sharedTexts + [
                "batch.cache_chunk=2", "model.query.dropout=0.1", "model.target.dropout=0.1", "noise.position=input",
            ]
        case .cached: ["batch.cache_chunk=2", "model.query.dropout=0.1", "noise.position=input"]
        case .lora:
            [
                "model.lora={rank: 2, alpha: 8, dropout: 0.1, targets: [query, value, mlp, projection]}",
                "optimizer.learning_rate=1e-2", "batch.cache_chunk=2",
            ]
        case .lamb: ["optimizer={kind: lamb, learning_rate: 5e-3}", "optimizer.layer_decay=0.8", "ema=0.9"]
        case .lion: ["optimizer={kind: lion, learning_rate: 3e-4}", "optimizer.rates={'*.projection': 2}"]
        case .matryoshka:
            [
                "loss.matryoshka={dimensions: [12, 3, 7], weights: [1, 0.5, 2]}", "batch.cache_chunk=3",
                "loss.kind=sigmoid",
            ]
        case .regularized:
            [
                "regularize={neftune: 2, mixup: 0.5, label_smoothing: 0.2, gaussian_negatives: 2}",
                "noise.position=input",
            ]
        case .wrongPairs:
            [
                "data.wrong_pairs=0.3", "data.limit=31", "loss.kind=infonce", "regularize.label_smoothing=0.1",
                "regularize.mixup=0.3", "batch.cache_chunk=2",
            ]
        case .dropped: ["batch.last=drop"]
        case .bare:
            ["noise.features=raw", "noise.renormalize=false", "model.query.pooling=mean", "model.target.pooling=mean"]
        }
    }

    var testDescription: String { rawValue }

    /// How far curves may differ, of 1 or of the loss. Lion takes signs: an element whose gradient is only rounding moves by the
    /// learning rate, to one side or the other. Short prefixes divide by short lengths.
    var tolerance: Double { self == .lion ? 5e-3 : self == .matryoshka ? 5e-4 : 1e-4 }
}

@Suite(.serialized) struct WorldSizeTests {
    /// 50 steps over 10 epochs. Ranks add in another order: 6·10⁻⁸ relative in a gradient, of which Adam makes at most a step of the
    /// learning rate where a gradient is itself only rounding. The rule allows 10⁻⁴ of the loss.
    @Test(arguments: Variant.allCases) func theCurveIsOne(_ variant: Variant) throws {
        let tiny = try TinyRun.shared.get()
        let curves = try (1...4).map { ranks in
            let configuration = try tiny.configuration(variant.options)
            try train(configuration, ranks: ranks)
            return try (loss: curve(configuration), norm: curve(configuration, "gradient_norm"))
        }
        #expect(curves[0].loss.count == 50 && curves[0].loss.allSatisfy(\.isFinite))
        // A curve that does not move would agree with anything.
        #expect(abs(curves[0].loss[40] - curves[0].loss[0]) > 0.05)
        for (ranks, other) in zip(2..., curves.dropFirst()) {
            let worst = zip(curves[0].loss, other.loss).map { abs($0 - $1) / max(1, abs($0)) }.max() ?? .infinity
            #expect(worst <= variant.tolerance && other.loss.count == 50, "\(ranks) ranks")
            let worstNorm = zip(curves[0].norm, other.norm).map { abs($0 - $1) / max(0.1, $0) }.max() ?? .infinity
            #expect(worstNorm <= 10 * variant.tolerance, "\(ranks) ranks, gradient norm")
        }
    }

    /// Parameter by parameter, temperature and bias among them. Sums of a few hundred float32 terms in another order differ by
    /// √300 · 6·10⁻⁸ ≈ 10⁻⁶ of their terms; terms of both signs cancel to a tenth of their size or less.
    static let tolerance = 2e-5
    /// A parameter's gradient below this share of the whole is compared with the whole: what cancels is not known better.
    static let floor = 1e-3

    /// LAMB leaves its directions in place of the gradients.
    @Test(arguments: Variant.allCases.filter { $0 != .lamb }) func theGradientIsOne(_ variant: Variant) throws {
        // Updates that change no bit, so that a later step's gradient is that of the same parameters at every world size.
        let configuration = try TinyRun.shared.get().configuration(variant.options + ["optimizer.learning_rate=1e-30"])
        // Step 5 is the batch of two rows: of 4 ranks two are empty. Step 2 is a full one.
        for step in variant == .dropped ? [2] : [2, 5] {
            let single = try gradient(configuration, step: step)
            #expect(single.values.allSatisfy { $0.isFinite })
            for name in [
                "loss.log_temperature", "query.patch_embedding.weight", "target.tokens", "query.projection.weight",
                "shared.tokens", "shared.projection.weight",
            ] {
                guard let entry = single.entries.first(where: { $0.name == name }) else { continue }
                #expect(single(entry).contains { $0 != 0 }, "\(name)")
            }
            for ranks in 2...4 {
                let several = try gradient(configuration, ranks: ranks, step: step)
                let (name, difference) = several.largestDifference(from: single, floor: Self.floor)
                #expect(difference <= Self.tolerance, "\(name), \(ranks) ranks, step \(step)")
                #expect(abs(several.loss - single.loss) <= 1e-6 * max(1, single.loss), "\(ranks) ranks, step \(step)")
            }
        }
    }

    /// Blocks that are computed again see the same masks and noise.
    @Test(arguments: ["null", "2"]) func checkpointedBlocksGiveTheSameGradient(_ chunk: String) throws {
        let options = [
            "model.query.dropout=0.1", "model.target.dropout=0.2", "noise.position=input", "batch.cache_chunk=\(chunk)",
        ]
        let tiny = try TinyRun.shared.get()
        let plain = try gradient(tiny.configuration(options), ranks: 2, step: 2)
        let again = try gradient(
            tiny.configuration(options + ["batch.gradient_checkpointing=true"]), ranks: 2, step: 2)
        #expect(plain.values == again.values && plain.values.contains { $0 != 0 })
    }

    /// A model of several buckets, which leave while backward still runs, whole and in chunks.
    @Test(arguments: ["null", "2"], [false, true])
    func bucketsThatLeaveEarlyAreComplete(_ chunk: String, isShared: Bool) throws {
        // A shared encoder is one, so it is twice as deep.
        let wide = "{kind: text, vocabulary: 280, context: 8, width: 256, depth: \(isShared ? 4 : 2), heads: 2}"
        let options = [
            "model.query=\(wide)", "model.target=\(wide)", "data.query={column: text, kind: text}",
            "model.shared=\(isShared)",
        ]
        let configuration = try TinyRun.shared.get().configuration(options + ["batch.cache_chunk=\(chunk)"])
        let buckets = try Stepper(configuration, steps: 1, communicator: SoloWorld()).optimizer.shards.buckets.count
        try #require(buckets >= 3, "\(buckets) buckets")
        let single = try gradient(TinyRun.shared.get().configuration(options))
        for ranks in 1...3 {
            let (name, difference) = try gradient(configuration, ranks: ranks).largestDifference(
                from: single, floor: Self.floor)
            #expect(difference <= Self.tolerance, "\(name), \(ranks) ranks")
        }

        // Step 5 has two rows: ranks without any send their buckets at the end, behind every other collective of the backward.
        let mixed = ["regularize.mixup=0.5", "optimizer.learning_rate=1e-30"]
        let tiny = try TinyRun.shared.get()
        let whole = try gradient(tiny.configuration(options + mixed), step: 5)
        let (name, difference) = try gradient(
            tiny.configuration(options + mixed + ["batch.cache_chunk=\(chunk)"]), ranks: 4, step: 5
        ).largestDifference(from: whole, floor: Self.floor)
        #expect(difference <= Self.tolerance, "\(name), 4 ranks, mixed")
    }

    /// Faults that others have made, planted on the way between a rank and its world.
    enum Fault: CaseIterable {
        /// Gradients averaged instead of summed.
        case dividedByWorldSize
        /// Only the own rows' gradients of the columns: the rest of the reduce-scatter lost.
        case columnGradientsDropped
        /// The temperature's gradient added on every rank.
        case temperatureOnEveryRank

        /// The loss's column gradients are float64 in batches as small as these; parameters are float32.
        func apply(_ collective: Collective, _ world: any Communicator) {
            guard case .reduceScatter(let payload, let counts, _, _) = collective else { return }
            switch self {
            case .dividedByWorldSize:
                guard let values = payload.elements(Float.self) else { return }
                for index in values.indices { values[index] /= Float(world.size) }
            case .columnGradientsDropped:
                guard let values = payload.elements(Double.self) else { return }
                let first = counts.prefix(world.rank).reduce(0, +)
                for index in values.indices where !(first..<first + counts[world.rank]).contains(index) {
                    values[index] = 0
                }
            case .temperatureOnEveryRank:
                // The layout ends with temperature and bias, 16 elements each.
                guard let values = payload.elements(Float.self), values.count > 32, world.rank > 0 else { return }
                values[values.count - 32] += 0.01
            }
        }
    }

    @Test(arguments: Fault.allCases) func aPlantedFaultIsSeen(_ fault: Fault) throws {
        let configuration = try TinyRun.shared.get().configuration()
        let single = try gradient(configuration, step: 1)
        for ranks in 2...3 {
            let wrong = try gradient(
                configuration, ranks: ranks, step: 1, world: { TamperedWorld($0, before: fault.apply) })
            #expect(
                wrong.largestDifference(from: single, floor: Self.floor).value > 100 * Self.tolerance, "\(ranks) ranks")
        }
    }
}
