// Soft labels, mixtures, random negatives and data with errors, by themselves. Not here: their gradients through models and their
// independence of the number of ranks (DerivativeTests, WorldSizeTests).

import Buffers
import Collectives
import Datasets
import Encoders
import Failures
import Foundation
import Losses
import Randomness
import Testing

@testable import Training

@Suite struct RegularizationTests {
    /// Cross-entropy with soft labels, written out over all pairs in float64.
    private static func oracle(
        _ q: [[Double]], _ t: [[Double]], labels: [[Double]], temperature: Double, isSymmetric: Bool
    ) -> Double {
        let z = q.map { query in t.map { dot(query, $0) / temperature } }
        func logSum(_ values: [Double]) -> Double { log(values.reduce(0) { $0 + exp($1) }) }
        let rows = q.indices.map { i in
            t.indices.reduce(0) { $0 + labels[i][$1] * (logSum(z[i]) - z[i][$1]) }
        }
        let byRow = rows.reduce(0, +) / Double(q.count)
        guard isSymmetric else { return byRow }
        let columns = q.indices.map { j in
            let column = z.map { $0[j] }
            return q.indices.reduce(0) { $0 + labels[$1][j] * (logSum(column) - column[$1]) }
        }
        return (byRow + columns.reduce(0, +) / Double(q.count)) / 2
    }

    @Test(arguments: [false, true]) func softLabelsAreThoseOfTheCrossEntropy(_ isSymmetric: Bool) throws {
        let (rows, columns, temperature, smoothing) = (6, 4, 0.5, 0.3)
        let field = RandomField(seed: 5, purpose: .test)
        let q = field.normals(step: 0, firstRow: 0, rows: rows, columns: columns)
        let t = field.normals(step: 1, firstRow: 0, rows: rows, columns: columns)
        func matrix(_ values: Floats) -> [[Double]] {
            (0..<rows).map { values[$0 * columns..<($0 + 1) * columns].array.map(Double.init) }
        }
        let communicator = SoloWorld()
        let mixture = try Mixture(share: 0.5, seed: 3, step: 7, rows: rows, communicator: communicator)
        let options = ContrastiveLossOptions(kind: isSymmetric ? .symmetric : .infonce)
        var result = try ContrastiveLoss(options)(
            queries: q, targets: t, ids: nil, rows: rows, columns: columns, temperature: Float(temperature),
            bias: 0,
            communicator: communicator)
        try SoftLabels(smoothing: smoothing, mixture: mixture, isSymmetric: isSymmetric).correct(
            &result, queries: q, targets: t, rows: rows, columns: columns, temperature: temperature,
            communicator: communicator)
        let weight = Double(mixture.weight)
        let labels = (0..<rows).map { i in
            (0..<rows).map { j in
                (1 - smoothing)
                    * (weight * (i == j ? 1 : 0) + (1 - weight) * (mixture.partners[i] == j ? 1 : 0))
                    + smoothing / Double(rows)
            }
        }
        let expected = Self.oracle(
            matrix(q), matrix(t), labels: labels, temperature: temperature, isSymmetric: isSymmetric)
        #expect(abs(result.loss - expected) < 1e-5 * expected)
        #expect(weight > 0.5 && weight < 1 && Set(mixture.partners).count == rows)
    }

    @Test func gaussianNegativesAreUnitVectorsOfTheirRows() {
        let negatives = GaussianNegatives(count: 2, seed: 1)
        let all = negatives.vectors(rows: 5, firstRow: 0, columns: 3, step: 4)
        let part = negatives.vectors(rows: 2, firstRow: 3, columns: 3, step: 4)
        #expect(part[0..<6].array == all[9..<15].array && part[6..<12].array == all[24..<30].array)
        #expect(negatives.vectors(rows: 5, firstRow: 0, columns: 3, step: 5).array != all.array)
        for row in 0..<10 {
            let squares = all[row * 3..<(row + 1) * 3].array.reduce(0) { $0 + $1 * $1 }
            #expect(abs(squares - 1) < 1e-5)
        }
    }

    private struct Rows: PairSource {
        let count: Int
        var ids: [Int64] { (0..<count).map { Int64($0) } }
        var query: Column { Column("q", .text) }
        var target: Column { Column("t", .text) }
        var onError: RowErrorPolicy { .fail }
        var skipped: Int { 0 }
        func row(_ index: Int) throws -> PairRow {
            PairRow(
                query: .text("q\(index)", alternatives: []), target: .text("t\(index)", alternatives: []),
                place: "\(index)")
        }
    }

    @Test(arguments: [(10, 0.0, 0), (10, 0.3, 3), (10, 1.0, 10), (10, 0.1, 0), (1, 1.0, 0), (7, 0.5, 4)])
    func wrongPairsAreAsManyAsAskedFor(_ count: Int, _ share: Double, _ wrong: Int) throws {
        let source = WrongPairs(Rows(count: count), share: share, seed: 1)
        #expect(source.wrongRows.count == wrong)
        let targets = try (0..<count).map { try source.row($0).target.displayText }
        // Every target is still there once.
        #expect(Set(targets).count == count)
        #expect((0..<count).filter { targets[$0] != "t\($0)" } == source.wrongRows)
        #expect(try (0..<count).map { try source.row($0).query.displayText } == (0..<count).map { "q\($0)" })
        let other = WrongPairs(Rows(count: count), share: share, seed: 2)
        if wrong > 2, wrong < count { #expect(other.wrongRows != source.wrongRows) }
    }

    @Test func limitsAndSmoothingAreChecked() throws {
        let tiny = try TinyRun.shared.get()
        #expect(try tiny.configuration(["data.limit=5"]).trainingSource().count == 5)
        #expect(try Set(tiny.configuration(["data.limit=42"]).trainingSource().ids).count == 14)
        do {
            _ = try tiny.configuration(["data.limit=43"]).trainingSource()
            Issue.record("43 rows of 42 were taken")
        } catch let failure as Failure {
            #expect(failure.kind == .configuration && failure.message.contains("43"))
        }
        for option in ["regularize.mixup=0.6", "regularize.label_smoothing=1", "data.wrong_pairs=1.5"] {
            #expect(throws: Failure.self) { try tiny.configuration([option]) }
        }
        #expect(throws: Failure.self) {
            try tiny.configuration(["loss.kind=sigmoid", "regularize.label_smoothing=0.1"])
        }
    }

    /// NEFTune's noise: uniform, of the deviation that the length gives, different for every token.
    @Test func tokenNoiseHasItsScale() throws {
        let tiny = try TinyRun.shared.get()
        let model = try Stepper(
            tiny.configuration(TinyRun.textPairs), steps: 1, communicator: SoloWorld()
        ).model
        let input = EncoderInput.text(ids: [1, 2, 3, 4, 5, 6], offsets: [0, 4, 6])
        let tokens = Floats(repeating: 0, count: 6 * model.query.width)
        let noisy = TokenNoise(strength: 8, seed: 1, side: 0)(tokens, of: input, model.query, firstRow: 10, step: 3)
        for (range, length) in [(0..<4, 4.0), (4..<6, 2.0)] {
            let values = noisy[range.lowerBound * 16..<range.upperBound * 16].array.map(Double.init)
            let bound = 8 / (length * 16).squareRoot()
            #expect(values.allSatisfy { abs($0) < bound } && Set(values).count == values.count)
            let squares = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
            #expect(abs(squares.squareRoot() - bound / 3.0.squareRoot()) < 0.15 * bound)
        }
        let later = TokenNoise(strength: 8, seed: 1, side: 0)(
            tokens[0..<32], of: .text(ids: [5, 6], offsets: [0, 2]), model.query, firstRow: 14, step: 3)
        #expect(later.array == noisy[64..<96].array)
    }

    /// With perturbed inputs a set is scored twice; places are those behind the precision; neither depends on the number of ranks.
    @Test func perturbationAndPlaces() throws {
        let tiny = try TinyRun.shared.get()
        var found: [[Int64]] = []
        for ranks in [1, 3] {
            let configuration = try tiny.configuration([
                "steps=3", "evaluate.sets={own: \(tiny.folder)/train.jsonl}", "evaluate.perturbation=2",
                "evaluate.places=true", "evaluate.chunk=5",
            ])
            let summary = try train(configuration, ranks: ranks).summary
            #expect(summary.evaluation.map(\.name) == ["own", "own_perturbed"])
            let folder = RunFolder(configuration.folder)
            for (name, report) in summary.evaluation {
                let places = try #require(try folder.readPlaces(name, "query_to_target"))
                #expect(places.count == TinyRun.rows)
                let share = Double(places.count { $0 == 1 }) / Double(places.count)
                #expect(abs(share - report.queryToTarget.precisionAt1) < 1e-12)
                let rows = try #require(
                    try CellRecord.rows(of: folder, measure: "\(name).query_to_target.precision_at_1"))
                #expect(rows.reduce(0, +) == Double(places.count { $0 == 1 }))
                found.append(places)
            }
        }
        #expect(found[0] == found[2] && found[1] == found[3] && found[0] != found[1])
    }
}
