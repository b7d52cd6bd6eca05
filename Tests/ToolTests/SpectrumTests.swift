// `fanoise spectrum` against singular values from Jacobi rotations. Not here: wrong input (BadInputTests).

import Foundation
import Oracles
import Testing

@Suite struct SpectrumTests {
    /// An array, options, and the matrix whose singular values are meant.
    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var x: Dense
        var arguments: [String] = []
        var seen: @Sendable (Dense) -> Dense = { $0 }
        var strength = 0.1
        var dimension: Int?
    }

    static let cases: [Case] = [
        Case(testDescription: "m > n", x: NoiseTests.tall),
        Case(testDescription: "m < n, own strength", x: NoiseTests.wide, arguments: ["--strength", "3"], strength: 3),
        Case(testDescription: "m = 1", x: NoiseTests.single),
        Case(testDescription: "rank 3 of 6", x: NoiseTests.deficient, dimension: 3),
        Case(
            testDescription: "equal rows, centred", x: NoiseTests.equalRows, arguments: ["--center"],
            seen: { $0.centred }, dimension: 0),
        Case(testDescription: "centred", x: NoiseTests.offCentre, arguments: ["--center"], seen: { $0.centred }),
        Case(
            testDescription: "unit rows", x: NoiseTests.offCentre, arguments: ["--features", "unit"],
            seen: { $0.unitRows }),
        Case(testDescription: "by SVD", x: NoiseTests.square, arguments: ["--solver", "svd"]),
        Case(testDescription: "all zero", x: Dense(4, 3), dimension: 0),
    ]

    static let starts: [(Case, Start)] = cases.enumerated().flatMap { index, one in
        [(one, index % 2 == 0 ? Start.alone : .threads(3)), (one, .mpi(1 + index % 4))]
    }

    /// Compares every key with its definition.
    ///
    /// σ² comes from a float64 Gram matrix, so σ is exact to √(n 2⁻⁵³) ≈ 3e-8 of σ₁ where it is zero and far better elsewhere; sums of
    /// such errors in the effective rank are multiplied by ln σ₁/σ: 1e-6 bounds all keys. Unit rows are rounded to float32: 6e-8 more.
    @Test(arguments: starts) func definition(_ one: Case, _ start: Start) throws {
        let folder = try TemporaryFolder()
        let x = one.x.rounded
        try x.write(folder.file("x.npy"))
        let outcome = try Program.run(["spectrum", "--input", folder.file("x.npy"), "--json"] + one.arguments, start)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let json = try outcome.json()
        let sigma = jacobiSVD(one.seen(x)).sigma
        let top = max(sigma[0], jacobiSVD(x).sigma[0])
        let found = try #require(json["singular_values"] as? [Double])
        #expect(found.count == min(x.rows, x.columns))
        #expect(zip(found, sigma).allSatisfy { abs($0 - $1) <= 1e-6 * top }, "\(found) against \(sigma)")

        // From the program's own values: rounding of a zero must not count as an error of the summaries.
        let (sum, squares, r) = (found.reduce(0, +), found.reduce(0) { $0 + $1 * $1 }, Double(found.count))
        let entropy = found.reduce(0.0) { $1 > 0 ? $0 - $1 / sum * log($1 / sum) : $0 }
        #expect(relativeError(json["effective_rank"], sum > 0 ? exp(entropy) : 0) < 1e-9)
        #expect(relativeError(json["flatness"], squares > 0 ? sum * sum / (r * squares) : 0) < 1e-9)
        #expect(relativeError(json["top_share"], squares > 0 ? found[0] * found[0] / squares : 0) < 1e-9)
        let aspect = Double(x.rows) / Double(x.columns)
        #expect(relativeError(json["bulk_lower"], one.strength * abs(1 - aspect.squareRoot())) < 1e-9)
        #expect(relativeError(json["bulk_upper"], one.strength * (1 + aspect.squareRoot())) < 1e-9)
        let threshold = one.strength * pow(aspect, 0.25)
        #expect(relativeError(json["detection_threshold"], threshold) < 1e-9)
        #expect(relativeError(json["share_below_threshold"], Double(sigma.count { $0 <= threshold }) / r) < 1e-9)
        #expect(json["dimension"] as? Int == one.dimension ?? sigma.count)
        #expect(json["rows"] as? Int == x.rows)
        #expect(json["columns"] as? Int == x.columns)
        #expect(json["strength"] as? Double == one.strength)
        #expect(json["solver"] as? String == (one.arguments.contains("svd") ? "svd" : "gram"))
        #expect(json["ranks"] as? Int == start.ranks)
        #expect((json["advice"] as? [String])?.isEmpty == false || one.dimension == nil)
        #expect(
            Set(json.keys) == [
                "advice", "bulk_lower", "bulk_upper", "columns", "detection_threshold", "dimension", "effective_rank",
                "flatness", "ranks", "rows",
                "share_below_threshold", "singular_values", "solver", "strength", "top_share",
            ])
    }

    @Test func adviceNamesWhatToDo() throws {
        let folder = try TemporaryFolder()
        try NoiseTests.offCentre.write(folder.file("x.npy"))
        let json = try Program.run(["spectrum", "--input", folder.file("x.npy"), "--strength", "9", "--json"]).json()
        let advice = try #require(json["advice"] as? [String])
        #expect(advice.contains { $0.contains("strength too large") })
        #expect(advice.contains { $0.contains("center: true") })
    }

    /// Tables are for people, on standard error; programs that read standard output find JSON or nothing.
    @Test func withoutJSONStandardOutputStaysEmpty() throws {
        let folder = try TemporaryFolder()
        try NoiseTests.tall.write(folder.file("x.npy"))
        let outcome = try Program.run(["spectrum", "--input", folder.file("x.npy")])
        #expect(outcome.code == 0 && outcome.output.isEmpty)
        #expect(outcome.errors.contains("effective rank") && outcome.errors.contains("11 x 5"))
    }
}
