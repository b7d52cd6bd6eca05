// The gradient of the whole step against differences of the loss it belongs to. Not here: kernels and layers by themselves.

import Autograd
import Foundation
import Testing

@testable import Training

@Suite(.serialized) struct DerivativeTests {
    struct Case: CustomTestStringConvertible {
        let options: [String]
        var testDescription: String { options.joined(separator: " ") }
    }

    static let cases = [
        Case(options: []),
        Case(options: ["loss.kind=infonce", "model.query.pooling=mean", "model.target.pooling=mean"]),
        Case(options: ["loss.kind=sigmoid", "loss.bias.initial=-2"]),
        Case(options: TinyRun.textPairs + ["model.target.causal=false"]),
        Case(options: ["model.query.dropout=0.2", "model.target.dropout=0.2", "batch.cache_chunk=3"]),
        Case(options: ["regularize={neftune: 3, mixup: 0.5, label_smoothing: 0.3, gaussian_negatives: 2}"]),
        Case(options: [
            "loss.kind=infonce", "regularize={mixup: 0.5, label_smoothing: 0.3}", "batch.cache_chunk=3",
            "data.negatives.maximum=2", "data.wrong_pairs=0.4",
        ]),
        Case(options: ["model.query.depth=2", "model.query.input_norm=true", "model.target.activation=quick_gelu"]),
    ]

    /// For every parameter p, along its own gradient, d = g_p/‖g_p‖:
    ///
    ///     ‖g_p‖ = ∂L/∂d ≈ D(h) = (L(p + h d) − L(p − h d)) / 2h
    ///
    /// D(h) is wrong by the third derivative, h²/6 · L''' ≈ (D(2h) − D(h))/3, which is taken out (Richardson) and of which the
    /// next term is below a tenth for curves as smooth as these; and by rounding: L is the mean of logits, sums of 12 products of
    /// float32 embeddings over τ = 0.07, each known to about 2·10⁻⁶, so that D(h) is known to 10⁻⁶/h.
    private static func check(_ tiny: TinyRun, _ example: Case, scale: Double = 1) throws -> [(
        name: String, excess: Double
    )] {
        let configuration = try tiny.configuration(example.options + ["noise.scaling=none"])
        let analytic = try gradient(configuration)
        func loss(_ entry: Int, _ offset: Float, _ length: Float) throws -> Double {
            try gradient(
                configuration,
                prepare: { model in
                    let range = model.parameters.layout.entries[entry].range
                    for index in range { model.parameters.values[index] += offset * analytic.values[index] / length }
                }
            ).loss
        }
        let whole = analytic.values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        return try analytic.entries.enumerated().compactMap { index, entry in
            let length = analytic(entry).reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
            // Attention does not see the keys' biases, the softmax loss no bias: their gradient is rounding.
            guard length > 1e-3 * whole else { return nil }
            // A step that changes the loss by 0.002, a thousand times what rounding does, and a small part of the parameter.
            let h = Float(min(2e-3 / length, 0.02))
            func difference(_ h: Float) throws -> Double {
                try (loss(index, h, Float(length)) - loss(index, -h, Float(length))) / (2 * Double(h))
            }
            let (near, far) = try (difference(h), difference(2 * h))
            let truncation = (near - far) / 3
            let tolerance = 1e-6 / Double(h) + 0.1 * abs(truncation) + 1e-3 * length
            return (entry.name, abs(scale * length - (near + truncation)) / tolerance)
        }
    }

    @Test(arguments: cases) func everyParameterHasTheGradientOfTheLoss(_ example: Case) throws {
        let found = try Self.check(TinyRun.shared.get(), example)
        #expect(found.count > 15 && found.contains { $0.name == "loss.log_temperature" })
        for (name, excess) in found { #expect(excess <= 1, "\(name)") }
    }

    /// The tolerance is narrow enough to see a gradient that is 3 % too long.
    @Test func aGradientThatIsSlightlyWrongIsSeen() throws {
        let found = try Self.check(TinyRun.shared.get(), Self.cases[0], scale: 1.03)
        #expect(found.count { $0.excess > 1 } >= found.count * 3 / 4)
    }
}
