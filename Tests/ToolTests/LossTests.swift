// `fanoise loss` against the definitions of the losses in dense float64. Not here: wrong input (BadInputTests).

import ArrayFiles
import Foundation
import Losses
import Oracles
import Testing

/// Arrays and options of one call.
struct LossCase: CustomTestStringConvertible, Sendable {
    var kind: ContrastiveLossOptions.Kind
    /// N.
    var rows: Int
    /// k.
    var targetsPerQuery = 1
    /// N or kN of them.
    var ids: [Int64]?
    var temperature: Float = 0.5
    var bias: Float = 0
    var arguments: [String] = []
    var width = 4

    var testDescription: String {
        "\(kind) \(rows) × \(targetsPerQuery)\(ids.map { ", \($0.count) ids" } ?? "") \(arguments.joined(separator: " "))"
    }

    var queries: Dense { Dense.normals(rows, width, salt: 20 + rows) }
    var targets: Dense { Dense.normals(rows * targetsPerQuery, width, salt: 40 + rows) }
    var isSingle: Bool { arguments.contains("single") }

    /// What the definition says.
    var expected: DenseResult {
        func list(_ x: Dense) -> [[Double]] { (0..<x.rows).map { row in (0..<x.columns).map { x[row, $0] } } }
        return denseLoss(
            kind,
            DenseBatch(
                queries: list(queries), targets: list(targets), ids: ids, temperature: Double(temperature),
                bias: Double(bias)))
    }
}

@Suite struct LossTests {
    static let cases: [LossCase] = [
        LossCase(kind: .infonce, rows: 7),
        LossCase(kind: .symmetric, rows: 7),
        LossCase(kind: .sigmoid, rows: 7, bias: -1.25),
        LossCase(kind: .infonce, rows: 1),
        LossCase(kind: .sigmoid, rows: 1, bias: 0.5),
        LossCase(kind: .infonce, rows: 2, targetsPerQuery: 3),
        LossCase(kind: .symmetric, rows: 2, targetsPerQuery: 2),
        LossCase(kind: .symmetric, rows: 7, targetsPerQuery: 3, arguments: ["--tile", "4"]),
        LossCase(kind: .sigmoid, rows: 7, targetsPerQuery: 2, bias: 2, arguments: ["--tile", "1"]),
        LossCase(kind: .infonce, rows: 7, ids: [1, 2, 1, 3, 2, 2, -9]),
        LossCase(kind: .symmetric, rows: 7, ids: [5, 5, 5, 5, 5, 5, 5]),
        LossCase(kind: .sigmoid, rows: 7, ids: [1, 2, 1, 3, 2, 2, 1 << 62]),
        LossCase(kind: .infonce, rows: 3, targetsPerQuery: 2, ids: [1, 2, 1]),
        LossCase(kind: .infonce, rows: 3, targetsPerQuery: 2, ids: [1, 2, 1, 2, 3, 1]),
        LossCase(kind: .symmetric, rows: 3, targetsPerQuery: 3, ids: [1, 2, 3, 3, 2, 1, 1, 1, 4]),
        LossCase(kind: .infonce, rows: 11, temperature: 0.02, arguments: ["--tile", "3"], width: 3),
        LossCase(kind: .symmetric, rows: 13, arguments: ["--precision", "single"], width: 5),
        LossCase(kind: .sigmoid, rows: 13, bias: -2, arguments: ["--precision", "single", "--tile", "5"], width: 5),
        LossCase(kind: .infonce, rows: 13, targetsPerQuery: 2, arguments: ["--precision", "double"], width: 5),
    ]

    /// Every case alone or as threads, and under mpirun with 1 to 4 ranks; 7, 3, 2 and 1 rows on 4 ranks are in it.
    static let starts: [(LossCase, Start)] = cases.enumerated().flatMap { index, one in
        [(one, index % 3 == 0 ? Start.alone : .threads(2 + index % 3)), (one, .mpi(one.rows < 4 ? 4 : 1 + index % 4))]
    }

    /// Compares the loss and every gradient with the definition.
    ///
    /// Logits in float64 leave rounding of at most a few hundred operations, 1e-13, in the figures and that of float32 files, 6e-8, in
    /// the gradients: 1e-10 and 1e-6 are bounds. With float32 logits of up to 20, each is wrong by up to 20 · 2⁻²³ = 2e-6 absolutely
    /// and a gradient by that relative to itself; 5e-5 bounds the sums over 13 rows.
    @Test(arguments: starts) func definition(_ one: LossCase, _ start: Start) throws {
        let folder = try TemporaryFolder()
        try one.queries.write(folder.file("q.npy"))
        try one.targets.write(folder.file("t.npy"))
        var arguments = [
            "loss", "--queries", folder.file("q.npy"), "--targets", folder.file("t.npy"), "--loss", one.kind.rawValue,
            "--temperature",
            "\(one.temperature)", "--bias", "\(one.bias)", "--gradients", folder.file("gradients"), "--json",
        ]
        if let ids = one.ids {
            try NPYArray.write(path: folder.file("ids.npy"), shape: [ids.count], integers: ids)
            arguments += ["--ids", folder.file("ids.npy")]
        }
        let outcome = try Program.run(arguments + one.arguments, start)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let (json, expected) = (try outcome.json(), one.expected)
        let figure = one.isSingle ? 5e-5 : 1e-10
        #expect(relativeError(json["loss"], expected.loss) < figure)
        #expect(relativeError(json["temperature_gradient"], expected.dtemperature) < figure)
        #expect(relativeError(json["bias_gradient"], expected.dbias) < figure)
        #expect(relativeError(json["precision_at_1"], expected.precisionAt1) < 1e-12)
        #expect(json["rows"] as? Int == one.rows)
        #expect(json["columns"] as? Int == one.rows * one.targetsPerQuery)
        #expect(json["kind"] as? String == one.kind.rawValue)
        #expect(json["ranks"] as? Int == start.ranks)
        for (name, gradient) in [("queries", expected.dqueries), ("targets", expected.dtargets)] {
            let expected = Dense(gradient.count, one.width, gradient.flatMap { $0 })
            let found = try Dense.read(folder.file("gradients/\(name).npy"))
            #expect(found.rows == expected.rows && found.columns == expected.columns)
            #expect((found - expected).norm <= (one.isSingle ? 5e-5 : 1e-6) * expected.norm + 1e-15, "\(name)")
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.file("gradients")).sorted() == [
                "queries.npy", "targets.npy",
            ])
    }

    /// Without --gradients nothing is written, and the figures are the same.
    @Test func gradientsAreWrittenOnRequestOnly() throws {
        let folder = try TemporaryFolder()
        let one = LossCase(kind: .infonce, rows: 5)
        try one.queries.write(folder.file("q.npy"))
        try one.targets.write(folder.file("t.npy"))
        let outcome = try Program.run(
            [
                "loss", "--queries", folder.file("q.npy"), "--targets", folder.file("t.npy"), "--temperature", "0.5",
                "--json",
            ], .threads(3))
        #expect(relativeError(try outcome.json()["loss"], one.expected.loss) < 1e-10)
        #expect(folder.contents == ["q.npy", "t.npy"])
    }
}
