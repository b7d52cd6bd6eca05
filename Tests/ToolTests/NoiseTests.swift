// `fanoise noise` against a float64 reference made by explicit singular vectors. Not here: wrong input (BadInputTests).

import Foundation
import Oracles
import Testing

/// An array, options, and what they mean to the reference.
struct NoiseCase: CustomTestStringConvertible, Sendable {
    var name: String
    var x: Dense
    var arguments: [String] = []
    var alpha = 0.1
    /// p; nil: the same in all directions.
    var power: Double? = 0.5
    var isMatched = false
    var isCentred = false
    /// What the array becomes before the noise.
    var features: @Sendable (Dense) -> Dense = { $0 }

    var testDescription: String { name }

    /// The numbers in place of random ones.
    var gaussian: Dense { Dense.normals(x.rows, x.columns, salt: 77) }

    var expectedNoise: Dense {
        let alpha = Double(Float(alpha))
        guard let power else {
            return Dense(x.rows, x.columns, gaussian.values.map { $0 * alpha / Double(x.columns).squareRoot() })
        }
        return referenceNoise(
            features(x), gaussian: gaussian, alpha: alpha, power: power, isMatched: isMatched, isCentred: isCentred)
    }
}

@Suite struct NoiseTests {
    static let wide = Dense.normals(3, 8, salt: 1)
    static let square = Dense.normals(6, 6, salt: 2)
    static let tall = Dense.normals(11, 5, salt: 3)
    static let single = Dense.normals(1, 4, salt: 4)
    /// Products of small integers: exact in float32, so that the rank is 3 and not nearly 3.
    static let deficient: Dense = {
        func integers(_ rows: Int, _ columns: Int, _ salt: Int) -> Dense {
            var result = Dense.normals(rows, columns, salt: salt)
            result.values = result.values.map { ($0 * 4).rounded() }
            return result
        }
        return integers(9, 3, 5) * integers(3, 6, 6)
    }()
    static let equalRows = Dense(5, 4, (0..<20).map { Double($0 % 4) - 1.5 })
    static let withZeroRows: Dense = {
        var result = Dense.normals(8, 5, salt: 7)
        for column in 0..<5 { (result[2, column], result[7, column]) = (0, 0) }
        return result
    }()
    /// A common mean ten times the spread.
    static let offCentre: Dense = {
        var result = Dense.normals(10, 4, salt: 8)
        result.values = result.values.map { $0 + 10 }
        return result.rounded
    }()

    static let cases: [NoiseCase] = [
        NoiseCase(name: "m < n", x: wide),
        NoiseCase(name: "m = n", x: square),
        NoiseCase(name: "m > n", x: tall),
        NoiseCase(name: "m = 1", x: single),
        NoiseCase(name: "n = 1", x: Dense.normals(6, 1, salt: 9)),
        NoiseCase(name: "equal rows", x: equalRows),
        NoiseCase(name: "rank 3 of 6", x: deficient),
        NoiseCase(
            name: "rank 3 of 6, inverse power", x: deficient, arguments: ["--scaling", "power", "--power", "-0.5"],
            power: -0.5),
        NoiseCase(name: "zero rows", x: withZeroRows),
        NoiseCase(name: "all zero", x: Dense(4, 3)),
        NoiseCase(
            name: "all zero, uniform", x: Dense(4, 3), arguments: ["--scaling", "uniform", "--energy", "matched"],
            power: 0, isMatched: true),
        NoiseCase(
            name: "uniform, strong", x: tall, arguments: ["--scaling", "uniform", "--strength", "2.5"], alpha: 2.5,
            power: 0),
        NoiseCase(name: "linear", x: wide, arguments: ["--scaling", "linear"], power: 1),
        NoiseCase(
            name: "linear, matched", x: tall, arguments: ["--scaling", "linear", "--energy", "matched"], power: 1,
            isMatched: true),
        NoiseCase(name: "sublinear, own power", x: square, arguments: ["--power", "0.25"], power: 0.25),
        NoiseCase(name: "matched, m < n", x: wide, arguments: ["--energy", "matched"], isMatched: true),
        NoiseCase(name: "gaussian", x: wide, arguments: ["--scaling", "gaussian"], power: nil),
        NoiseCase(name: "none", x: tall, arguments: ["--scaling", "none"], alpha: 0),
        NoiseCase(name: "strength 0", x: tall, arguments: ["--strength", "0"], alpha: 0),
        NoiseCase(name: "centred", x: offCentre, arguments: ["--center"], isCentred: true),
        NoiseCase(
            name: "centred, linear, matched", x: offCentre,
            arguments: ["--center", "--scaling", "linear", "--energy", "matched"], power: 1, isMatched: true,
            isCentred: true),
        NoiseCase(name: "centred equal rows", x: equalRows, arguments: ["--center"], isCentred: true),
        NoiseCase(name: "by SVD", x: tall, arguments: ["--solver", "svd"]),
        NoiseCase(name: "rank 3 of 6 by SVD", x: deficient, arguments: ["--solver", "svd"]),
        NoiseCase(name: "unit rows", x: offCentre, arguments: ["--features", "unit"], features: { $0.unitRows }),
    ]

    /// Every case in two of the ways to start, and every way with several shapes; 4 ranks of 3 rows and 1 are in it.
    static let starts: [(NoiseCase, Start)] = cases.enumerated().flatMap { index, one in
        [(one, index % 2 == 0 ? Start.alone : .threads(2 + index % 3)), (one, .mpi(1 + index % 4))]
    }

    /// Runs one case and compares with the reference.
    ///
    /// The output is rounded to float32 once, 2⁻²⁴ ‖X̃‖, and the noise is made in float32 with sums of at most 11 terms: both together
    /// stay under 1e-5 of the noise here, where ‖X‖/‖noise‖ is at most 300; 1e-4 leaves room for other summation orders.
    @Test(arguments: starts) func reference(_ one: NoiseCase, _ start: Start) throws {
        let folder = try TemporaryFolder()
        let x = one.x.rounded
        try x.write(folder.file("x.npy"))
        try one.gaussian.write(folder.file("eps.npy"))
        let outcome = try Program.run(
            [
                "noise", "--input", folder.file("x.npy"), "--output", folder.file("y.npy"), "--gaussian",
                folder.file("eps.npy"), "--json",
            ]
                + one.arguments, start)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let base = one.features(x)
        let expected = one.expectedNoise
        let noise = try Dense.read(folder.file("y.npy")) - base
        #expect(relativeError(noise, expected) < 1e-4)
        let json = try outcome.json()
        #expect(json["ranks"] as? Int == start.ranks)
        #expect(json["rows"] as? Int == x.rows)
        #expect(json["columns"] as? Int == x.columns)
        let ratio = base.norm > 0 ? expected.norm / base.norm : 0
        #expect(relativeError(json["noise_to_signal"], ratio) < 1e-5)
        #expect(folder.contents == ["eps.npy", "x.npy", "y.npy"])
    }

    /// ε = 1 makes the noise itself V diag(S) Vᵀ, whose singular values are the gains, in whatever order they were dealt.
    @Test func shuffledDealsTheSameGainsInAnotherOrder() throws {
        let folder = try TemporaryFolder()
        var identity = Dense(6, 6)
        for index in 0..<6 { identity[index, index] = 1 }
        try Self.square.write(folder.file("x.npy"))
        try identity.write(folder.file("eps.npy"))
        let arguments = [
            "noise", "--input", folder.file("x.npy"), "--output", folder.file("y.npy"), "--gaussian",
            folder.file("eps.npy"), "--scaling",
            "shuffled",
        ]
        let plain = referenceNoise(
            Self.square, gaussian: identity, alpha: Double(Float(0.1)), power: 0.5, isMatched: false, isCentred: false)
        var first: Dense?
        for start in [Start.alone, .mpi(2)] {
            #expect(try Program.run(arguments, start).code == 0)
            let noise = try Dense.read(folder.file("y.npy")) - Self.square
            let (found, expected) = (jacobiSVD(noise).sigma, jacobiSVD(plain).sigma)
            #expect(
                zip(found, expected).allSatisfy { abs($0 - $1) < 1e-4 * expected[0] }, "\(found) against \(expected)")
            #expect(relativeError(noise, plain) > 0.05)
            if let first { #expect(relativeError(noise, first) < 1e-4) } else { first = noise }
        }
    }

    /// The seeded output is a function of (seed, step, row): the ranks only divide the work, so rounding is all that may differ.
    @Test(arguments: [
        ["--seed", "7", "--step", "3"], ["--scaling", "gaussian"], ["--center", "--renormalize", "--features", "unit"],
    ])
    func seededOutputDoesNotDependOnTheRanks(_ options: [String]) throws {
        let folder = try TemporaryFolder()
        try Self.tall.write(folder.file("x.npy"))
        var outputs: [Dense] = []
        for start in [Start.alone, .threads(2), .threads(4), .mpi(2), .mpi(3)] {
            let outcome = try Program.run(
                ["noise", "--input", folder.file("x.npy"), "--output", folder.file("y.npy")] + options, start)
            #expect(outcome.code == 0, "\(outcome.errors)")
            outputs.append(try Dense.read(folder.file("y.npy")))
        }
        for output in outputs.dropFirst() { #expect((output - outputs[0]).largest < 1e-6 * outputs[0].largest) }
        #expect(relativeError(outputs[0], Self.tall) > 1e-3)
    }

    @Test func seedAndStepChangeTheNumbers() throws {
        let folder = try TemporaryFolder()
        try Self.tall.write(folder.file("x.npy"))
        var outputs: [Dense] = []
        for options in [[], ["--seed", "43"], ["--step", "1"]] {
            #expect(
                try Program.run(["noise", "--input", folder.file("x.npy"), "--output", folder.file("y.npy")] + options)
                    .code == 0)
            outputs.append(try Dense.read(folder.file("y.npy")))
        }
        #expect(relativeError(outputs[1], outputs[0]) > 1e-3)
        #expect(relativeError(outputs[2], outputs[0]) > 1e-3)
        #expect(relativeError(outputs[2], outputs[1]) > 1e-3)
    }

    /// A file may be read and written at once: the output replaces the input when it is whole.
    @Test func outputMayReplaceTheInput() throws {
        let folder = try TemporaryFolder()
        try Self.wide.write(folder.file("x.npy"))
        try Dense.normals(3, 8, salt: 77).write(folder.file("eps.npy"))
        #expect(
            try Program.run(
                [
                    "noise", "--input", folder.file("x.npy"), "--output", folder.file("x.npy"), "--gaussian",
                    folder.file("eps.npy"),
                ], .mpi(2)
            )
            .code == 0)
        let noise = try Dense.read(folder.file("x.npy")) - Self.wide
        #expect(relativeError(noise, NoiseCase(name: "", x: Self.wide).expectedNoise) < 1e-4)
    }
}
