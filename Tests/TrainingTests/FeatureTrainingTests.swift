// Training a head on precomputed features. Not here: the arrays (DatasetsTests), the files' formats (ArrayFilesTests).

import ArrayFiles
import Buffers
import Collectives
import Failures
import Foundation
import Randomness
import Testing

@testable import Training

@Suite(.serialized) struct FeatureTrainingTests {
    /// 40 pairs of 12 and 9 features that two maps make of 4 hidden numbers; removed with the last reference.
    private final class Folder {
        let path = NSTemporaryDirectory() + "features-\(UUID().uuidString)"

        init() throws {
            try FileManager.default.createDirectory(atPath: path + "/pairs", withIntermediateDirectories: true)
            let field = RandomField(seed: 3, purpose: .test)
            func matrix(_ rows: Int, _ columns: Int, step: Int) -> [Float] {
                (0..<rows * columns).map { 2 * field.uniform(step: step, row: $0) - 1 }
            }
            let hidden = matrix(40, 4, step: 0)
            for (name, columns, step) in [("left", 12, 1), ("right", 9, 2)] {
                let map = matrix(4, columns, step: step)
                let values = (0..<40 * columns).map { index in
                    (0..<4).reduce(Float(0)) {
                        $0 + hidden[index / columns * 4 + $1] * map[$1 * columns + index % columns]
                    }
                }
                try NPYArray.write(path: "\(path)/pairs/\(name).npy", shape: [40, columns], values: Floats(values))
            }
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func configuration(_ options: [String] = [], name: String = "run-\(UUID())") throws -> RunConfig {
            let yaml = """
                name: \(name)
                output: \(path)/runs
                seed: 7
                steps: 30
                threads: 1
                model:
                  query: {kind: features, inputs: 12, hidden: 16}
                  target: {kind: features, inputs: 9}
                  embedding: 8
                data: {train: \(path)/pairs, query: {column: left}, target: {column: right}}
                batch: {global: 12}
                optimizer: {learning_rate: 1e-2, schedule: constant}
                evaluate: {every: null, sets: {own: \(path)/pairs}}
                checkpoint: {every: null}
                log: {every: 1}
                """
            return try RunConfig.parse(yaml, file: "features.yaml", options: options)
        }
    }

    private static let options = [
        [], ["noise.position=input"], ["model.query.dropout=0.2", "model.target.dropout=0.2"],
        ["model.query.hidden=null", "model.query.input_norm=false", "batch.last=drop"],
    ]

    /// The gradient of a step is that of one rank that encodes everything at once.
    @Test(arguments: options, [2, 3, 4]) func theGradientIsTheSame(_ options: [String], _ ranks: Int) throws {
        let folder = try Folder()
        let whole = try gradient(folder.configuration(options), step: 2)
        for chunk in ["null", "2"] {
            let configuration = try folder.configuration(options + ["batch.cache_chunk=\(chunk)"])
            let (name, difference) = try gradient(configuration, ranks: ranks, step: 2).largestDifference(
                from: whole, floor: 1e-2)
            #expect(difference <= 1e-5, "\(name), chunk \(chunk)")
        }
    }

    /// It learns; stopped in the middle of an epoch, it goes on to the same bits.
    @Test func learnsAndResumes() throws {
        let folder = try Folder()
        let whole = try train(folder.configuration())
        let again = try folder.configuration(name: "again")
        try train(again)
        // Rows of evaluations have no loss.
        let curve = try curve(again).filter(\.isFinite)
        #expect(curve.count == 30 && curve[29] < curve[0] / 2, "\(curve)")
        let stopped = try folder.configuration(name: "stopped")
        #expect(try train(stopped, stopAfter: 8).summary.wasStopped)
        #expect(try train(stopped).parameters == whole.parameters)
        let report = try #require(whole.summary.evaluation.first?.report)
        #expect(report.queryToTarget.precisionAt1 > 0.5)
    }

    @Test func otherWidthsAreNamed() throws {
        let folder = try Folder()
        let configuration = try folder.configuration(["model.query.inputs=13"])
        do {
            try train(configuration)
            Issue.record("13 features of 12 were taken")
        } catch let failure as Failure {
            #expect(failure.message.contains("12 features") && failure.message.contains("13"), "\(failure.message)")
        }
    }
}
