// Gradient caching changes memory and rounding, nothing else. Not here: caching at several world sizes (WorldSizeTests.swift).

import Testing

@testable import Training

@Suite(.serialized) struct GradientCachingTests {
    struct Case: CustomTestStringConvertible {
        let options: [String]
        var testDescription: String { options.joined(separator: " ") }
    }

    static let dropout = ["model.query.dropout=0.1", "model.target.dropout=0.1"]
    static let cases = [
        Case(options: ["noise.scaling=none"]), Case(options: ["noise.position=output"]),
        Case(options: ["noise.position=input"]),
        Case(options: dropout), Case(options: dropout + ["noise.position=input"]),
        Case(options: TinyRun.textPairs + dropout),
    ]

    /// One step's gradient. Chunks add the same terms in another order: √300 · 6·10⁻⁸ ≈ 10⁻⁶ of them, 10⁻⁵ of sums that cancel.
    /// 3 ranks hold 4, 3 and 3 rows: with chunks of 2 their last ones are 2, 1 and 1.
    @Test(arguments: cases, [1, 2, 5]) func theGradientIsTheSame(_ example: Case, _ chunk: Int) throws {
        let tiny = try TinyRun.shared.get()
        let whole = try gradient(tiny.configuration(example.options), step: 2)
        for ranks in [1, 3] {
            let cached = try gradient(
                tiny.configuration(example.options + ["batch.cache_chunk=\(chunk)"]), ranks: ranks, step: 2)
            let (name, difference) = cached.largestDifference(from: whole, floor: 1e-2)
            #expect(difference <= 1e-5, "\(name), \(ranks) ranks")
        }
    }

    @Test(arguments: cases) func theCurveIsTheSame(_ example: Case) throws {
        let tiny = try TinyRun.shared.get()
        let curves = try ["null", "1", "2", "5"].map { chunk in
            let configuration = try tiny.configuration(example.options + ["batch.cache_chunk=\(chunk)", "steps=25"])
            try train(configuration)
            return try curve(configuration)
        }
        for other in curves.dropFirst() {
            let worst = zip(curves[0], other).map { abs($0 - $1) / max(1, $0) }.max() ?? .infinity
            #expect(worst <= 1e-5 && other.count == 25)
        }
    }
}
