// Gradients against values made elsewhere and against differences of the loss itself. Not here: distribution (ContrastiveLossTests).

import Buffers
import Collectives
import Losses
import Oracles
import Testing

@Suite struct GradientTests {
    /// Results are float32: 2⁻²⁴ of each element, so of the norm.
    @Test(arguments: GoldenCase.all.indices) func agreesWithGoldenValues(_ index: Int) throws {
        let golden = GoldenCase.all[index]
        let options = ContrastiveLossOptions(kind: golden.kind, targetsPerQuery: 2)
        let result = try ContrastiveLoss(options)(
            queries: Floats(GoldenCase.queries), targets: Floats(GoldenCase.targets), ids: golden.ids, rows: 5,
            columns: 3,
            temperature: 0.25, bias: -0.75, communicator: SoloWorld())
        #expect(relativeError(result.loss, golden.loss) < 1e-13)
        #expect(relativeError(result.temperatureGradient, golden.dtemperature) < 1e-13)
        #expect(relativeError(result.biasGradient, golden.dbias) < 1e-13)
        #expect(relativeError([result.dqueries.array.map(Double.init)], [golden.dqueries]) < 0x1p-24)
        #expect(relativeError([result.dtargets.array.map(Double.init)], [golden.dtargets]) < 0x1p-24)
    }

    /// The whole gradient, one rank, by central differences of the float64 loss.
    struct Differences {
        var dqueries: [Double]
        var dtargets: [Double]
        var dtemperature: Double
        var dbias: Double

        /// A step h = 2⁻¹² leaves h²/6 · f''' ≈ 1e-8 · (1/τ)³ = 8e-8 for τ = 1/2; x ± h round to float32, so that the middle is off by
        /// up to 2⁻²⁴ and the difference by that times f'' ≈ (1/τ)²: 2.4e-7 for gradients of 0.05 and more, a relative 5e-6.
        init(_ batch: DenseBatch, _ options: ContrastiveLossOptions) throws {
            let step: Float = 0x1p-12
            let loss = ContrastiveLoss(options)
            func value(_ q: [Float], _ t: [Float], _ temperature: Float, _ bias: Float) throws -> Double {
                try loss(
                    queries: Floats(q), targets: Floats(t), ids: batch.ids, rows: batch.rows, columns: batch.width,
                    temperature: temperature, bias: bias, communicator: SoloWorld(), gradients: false
                ).loss
            }
            let (q, t) = (
                batch.queries.flatMap { $0.map { Float($0) } }, batch.targets.flatMap { $0.map { Float($0) } }
            )
            let (temperature, bias) = (Float(batch.temperature), Float(batch.bias))
            func difference(_ x: Float, _ f: (Float) throws -> Double) throws -> Double {
                try (f(x + step) - f(x - step)) / (Double(x + step) - Double(x - step))
            }
            func gradient(_ values: [Float], _ f: ([Float]) throws -> Double) throws -> [Double] {
                try values.indices.map { index in
                    try difference(values[index]) { x in
                        var moved = values
                        moved[index] = x
                        return try f(moved)
                    }
                }
            }
            dqueries = try gradient(q) { try value($0, t, temperature, bias) }
            dtargets = try gradient(t) { try value(q, $0, temperature, bias) }
            dtemperature = try difference(temperature) { try value(q, t, $0, bias) }
            dbias = try difference(bias) { try value(q, t, temperature, $0) }
        }

        /// The largest relative error of a gradient.
        func error(of result: LossResult) -> Double {
            [
                relativeError([result.dqueries.array.map(Double.init)], [dqueries]),
                relativeError([result.dtargets.array.map(Double.init)], [dtargets]),
                relativeError(result.temperatureGradient, dtemperature), relativeError(result.biasGradient, dbias),
            ].max() ?? 0
        }
    }

    static let tolerance = 1e-5

    @Test(arguments: ContrastiveLossOptions.Kind.allCases) func agreesWithDifferences(
        _ kind: ContrastiveLossOptions.Kind
    ) throws {
        var batch = randomBatch(rows: 6, width: 5, k: 2, temperature: 0.5)
        batch.ids = [1, 2, 1, 3, 4, 5]
        let options = ContrastiveLossOptions(kind: kind, targetsPerQuery: 2, precision: .double)
        let differences = try Differences(batch, options)
        var result = try evaluate(batch, options, counts: [6]).shared[0]
        #expect(differences.error(of: result) < Self.tolerance)

        // The check notices one gradient of the wrong sign, in any place.
        result.dqueries[7] = -result.dqueries[7]
        #expect(differences.error(of: result) > Self.tolerance)
        result.dqueries[7] = -result.dqueries[7]
        result.dtargets[33] = -result.dtargets[33]
        #expect(differences.error(of: result) > Self.tolerance)
        result.dtargets[33] = -result.dtargets[33]
        result.temperatureGradient = -result.temperatureGradient
        #expect(differences.error(of: result) > Self.tolerance)
    }
}
