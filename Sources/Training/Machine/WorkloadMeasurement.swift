// One rank's share of a configuration's step, measured by making it. Not here: what follows for many ranks (CostModel.swift).

import Autograd
import Buffers
import Collectives
import Datasets
import Encoders
import FANoise
import Foundation
import Optimizers
import Randomness

extension Workload {
    /// Builds the configuration's model on this rank alone, and times the towers over the share of one rank for each world size, and the
    /// noise over the global batch. Local. Takes a few steps' time, and the memory of a run.
    ///
    /// - Parameters:
    ///   - worldSizes: the numbers of ranks to be predicted.
    ///   - repeats: of which the fastest counts; one more comes first, which touches memory for the first time.
    /// - Throws: what a training run of this configuration would.
    public init(measuring configuration: RunConfig, worldSizes: [Int], repeats: Int = 2) throws {
        let source = try configuration.trainingSource()
        let sampler = try configuration.sampler(source)
        let assets = try ModelAssets(trainedOn: source, configuration)
        let model = try DualEncoder(configuration, assets)
        let preparation = configuration.preparation(assets, augments: false)
        func batch(of ranks: Int) throws -> PairBatch {
            try BatchLoader(
                source: source, sampler: sampler, preparation: preparation, seed: configuration.seed, rank: 0,
                worldSize: ranks, steps: 1...1, maximumNegatives: configuration.data.negatives.maximum, prefetch: 0,
                cacheBytes: configuration.data.cache.bytes
            ).next()
        }
        let whole = try batch(of: 1)
        self.init(
            parameters: model.parameters.trainable.count, globalRows: whole.globalRows, embedding: model.columns)
        targetsPerRow = whole.targetsPerRow
        bucketBytes = ParameterShards.bucketBytes
        for ranks in Set(worldSizes) {
            let share = ranks == 1 ? whole : try batch(of: ranks)
            (forward[ranks], backward[ranks]) = Self.towers(model, share, configuration, repeats)
        }
        if configuration.noise.scaling != .none, configuration.noise.strength > 0 {
            spectrum = try Self.noise(configuration, columns: model.columns, whole, repeats)
        }
    }

    /// Seconds of forward and of backward, both sides; the fastest of each.
    private static func towers(
        _ model: DualEncoder, _ batch: PairBatch, _ configuration: RunConfig, _ repeats: Int
    ) -> (forward: Double, backward: Double) {
        var best = (forward: Double.infinity, backward: Double.infinity)
        for _ in 0...repeats {
            model.parameters.zeroGradients()
            var clock = PhaseClock()
            var passes = [
                (model.query, batch.queries.encoderInput), (model.target, batch.targets.encoderInput),
            ].map { encoder, input in
                TowerPass(
                    encoder: encoder, input: input, parameters: model.parameters,
                    context: ForwardContext(step: 1, firstRow: 0, firstSequence: 0, dropoutSeed: configuration.seed),
                    batch: configuration.batch, perturbedTokens: nil)
            }
            let outputs = passes.indices.map { index in clock.measure(.forward) { passes[index].forward() } }
            for index in passes.indices.reversed() {
                let gradient = Floats(repeating: 1e-3, count: outputs[index].count)
                clock.measure(.backward) { passes[index].backward(gradient) { _ in } }
            }
            best.forward = min(best.forward, clock.seconds[.forward])
            best.backward = min(best.backward, clock.seconds[.backward])
        }
        return best
    }

    /// Seconds of the noise on random representations of the global batch's size.
    private static func noise(
        _ configuration: RunConfig, columns: Int, _ batch: PairBatch, _ repeats: Int
    ) throws -> Double {
        let shaper = try NoiseShaper(options: configuration.noise.shaping, columns: columns, seed: configuration.seed)
        let field = RandomField(seed: configuration.seed, purpose: .initialWeights, stream: 0)
        let sides = [1, batch.targetsPerRow].map { k in
            let rows = k * batch.globalRows
            let values = Floats(count: rows * columns)
            for row in 0..<rows {
                field.normals(step: 0, row: row, into: values[row * columns..<(row + 1) * columns])
            }
            return NoiseSide(values, rows: rows, firstRow: 0, globalRows: rows)
        }
        var best = Double.infinity
        for repetition in 0...repeats {
            let start = ContinuousClock.now
            // Another step each time, or a spectrum that is kept for several steps would not be taken.
            _ = try shaper.perturb(sides, step: 1 + repetition * configuration.noise.refresh, communicator: SoloWorld())
            best = min(best, (ContinuousClock.now - start).seconds)
        }
        return best / Double(configuration.noise.refresh)
    }
}
