// Ranks' shares of a configuration's step, measured by making them side by side. Not here: what follows for many ranks (CostModel.swift).

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
    /// Builds the configuration's model, and times the towers over the share of one rank for each world size, while others compute as much
    /// beside it, and the noise over the global batch. Local. Takes a few steps' time, and the memory of as many ranks as compute at a time.
    ///
    /// - Parameters:
    ///   - worldSizes: the numbers of ranks to be predicted.
    ///   - atOnce: how many ranks compute at a time on this machine, by the number of ranks.
    ///   - repeats: of which the middle one counts; one more comes first, which touches memory for the first time.
    /// - Throws: what a training run of this configuration would.
    public init(
        measuring configuration: RunConfig, worldSizes: [Int], atOnce: (Int) -> Int = { _ in 1 },
        repeats: Int = 3
    ) throws {
        let source = try configuration.trainingSource()
        let sampler = try configuration.sampler(source)
        let assets = try ModelAssets(trainedOn: source, configuration)
        let preparation = configuration.preparation(assets, augments: false)
        func batch(of ranks: Int) throws -> PairBatch {
            try BatchLoader(
                source: source, sampler: sampler, preparation: preparation, seed: configuration.seed, rank: 0,
                worldSize: ranks, steps: 1...1, maximumNegatives: configuration.data.negatives.maximum, prefetch: 0,
                cacheBytes: configuration.data.cache.bytes
            ).next()
        }
        let whole = try batch(of: 1)
        let shares = try Set(worldSizes).sorted().map { ranks in
            (ranks: ranks, atOnce: max(1, atOnce(ranks)), batch: ranks == 1 ? whole : try batch(of: ranks))
        }
        // One share may take any time, and the ranks wait for each other before each round.
        let patient = CollectiveSettings(deadline: .seconds(CollectiveSettings.longestDeadline))
        let measured = try shares.map { share in
            try ThreadWorld.run(ranks: share.atOnce, settings: patient) { world in
                let model = try DualEncoder(configuration, assets)
                return Measurement(
                    parameters: model.parameters.trainable.count, columns: model.columns,
                    rounds: try Self.towers(model, share.batch, configuration, repeats, world))
            }
        }
        guard let first = measured.first?.first else { preconditionFailure("no numbers of ranks to predict") }
        self.init(parameters: first.parameters, globalRows: whole.globalRows, embedding: first.columns)
        targetsPerRow = whole.targetsPerRow
        bucketBytes = ParameterShards.bucketBytes
        for (share, ranks) in zip(shares, measured) {
            // All wait for the slowest.
            let rounds = (0..<repeats).map { round in
                ranks.map { $0.rounds[round] }.max { $0.sum < $1.sum } ?? TowerSeconds()
            }.sorted { $0.sum < $1.sum }
            (forward[share.ranks], backward[share.ranks]) = (rounds[repeats / 2].forward, rounds[repeats / 2].backward)
        }
        if configuration.noise.scaling != .none, configuration.noise.strength > 0 {
            spectrum = try Self.noise(configuration, columns: embedding, whole, repeats)
        }
    }

    /// What a rank knows of the model, and its seconds in each round.
    private struct Measurement: Sendable {
        let parameters: Int
        let columns: Int
        let rounds: [TowerSeconds]
    }

    private struct TowerSeconds: Sendable {
        var forward = 0.0
        var backward = 0.0
        var sum: Double { forward + backward }
    }

    /// Seconds of forward and of backward, both sides, in each round. Collective.
    private static func towers(
        _ model: DualEncoder, _ batch: PairBatch, _ configuration: RunConfig, _ repeats: Int, _ world: any Communicator
    ) throws -> [TowerSeconds] {
        var rounds: [TowerSeconds] = []
        for _ in 0...repeats {
            try world.barrier()
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
            rounds.append(TowerSeconds(forward: clock.seconds[.forward], backward: clock.seconds[.backward]))
        }
        return Array(rounds.dropFirst())
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
        var seconds: [Double] = []
        for repetition in 0...repeats {
            let start = ContinuousClock.now
            // Another step each time, or a spectrum that is kept for several steps would not be taken.
            _ = try shaper.perturb(sides, step: 1 + repetition * configuration.noise.refresh, communicator: SoloWorld())
            seconds.append((ContinuousClock.now - start).seconds)
        }
        return seconds.dropFirst().sorted()[repeats / 2] / Double(configuration.noise.refresh)
    }
}
