// What a run leaves for those who look at it: spectra, examples, event files. Not here: rows of metrics (MetricsWriterTests), pages
// (ReportsTests), bytes of events (TensorBoardTests).

import Datasets
import Foundation
import Reports
import Testing

@testable import Training

@Suite struct RunFilesTests {
    private func configuration(_ options: [String]) throws -> RunConfig {
        let run = try TinyRun.shared.get()
        return try run.configuration(
            ["steps=6", "evaluate.every=3", "evaluate.sets={held: \(run.folder)/train.jsonl}", "checkpoint.every=3"]
                + options)
    }

    private func files(_ configuration: RunConfig, _ prefix: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: configuration.folder).filter { $0.hasPrefix(prefix) }
            .sorted()
    }

    private func spectra(_ configuration: RunConfig) -> [SpectrumRecord] {
        SpectrumRecord.read(FileManager.default.contents(atPath: RunFolder(configuration.folder).spectra) ?? Data())
    }

    /// The same records for every number of ranks, to rounding; a report can be made of them.
    @Test(arguments: [1, 2, 3, 4]) func aRunIsRecorded(_ ranks: Int) throws {
        let configuration = try configuration(["noise.scaling=sublinear", "noise.strength=0.2"])
        try train(configuration, ranks: ranks)
        let spectra = spectra(configuration)
        #expect(spectra.map(\.step) == (1...6).flatMap { [$0, $0] })
        #expect(spectra.map(\.side) == (1...6).flatMap { _ in ["query", "target"] })
        for record in spectra {
            #expect(record.strength == 0.2 && record.columns == 12 && record.directions.count == min(record.rows, 12))
            #expect(
                record.singularValues == record.singularValues.sorted(by: >)
                    && record.gains == record.gains.sorted(by: >))
            // Rows of length 1: Σ σ² is their number.
            let energy = record.singularValues.reduce(0) { $0 + $1 * $1 }
            #expect(abs(energy - Double(record.rows)) < 1e-2, "\(energy) of \(record.rows) rows")
        }
        #expect(try files(configuration, "events.out.tfevents.").count == 1)

        let record = try RunRecord.read(configuration.folder)
        let examples = try #require(record.examples)
        #expect(examples.step == 6 && examples.sets.map(\.name) == ["held"])
        #expect(Set(examples.sets[0].examples.map(\.direction)) == ["query_to_target", "target_to_query"])
        #expect(
            record.remarks.isEmpty && record.isDone && record.metrics.last("peak_memory_bytes").map { $0 > 1e6 } == true
        )
        let page = RunPage([record], thumbnail: exampleThumbnail).page.html
        #expect(page.contains("data:image/png;base64,") && page.contains("singular spectrum over time"))
        #expect(!page.contains("not there any more"))
    }

    /// A resumed run's records are those of an uninterrupted one; its events are in a file of their own.
    @Test func aResumedRunGoesOn() throws {
        let whole = try configuration(["noise.strength=0.2"])
        try train(whole)
        let stopped = try configuration(["noise.strength=0.2"])
        try train(stopped, stopAfter: 4)
        try train(stopped)
        #expect(spectra(stopped) == spectra(whole))
        #expect(try files(stopped, "events.out.tfevents.").count == 2)
    }

    @Test func withoutNoiseAndEvents() throws {
        let configuration = try configuration(["noise.scaling=none", "log.tensorboard=false"])
        try train(configuration)
        #expect(spectra(configuration).isEmpty)
        #expect(try files(configuration, "events").isEmpty)
    }

    /// Of a long run about 400 steps have spectra.
    @Test(arguments: [(10, 100, 10), (1, 4000, 10), (1, 4001, 11), (100, 1_000_000, 2500), (7, 3, 7)])
    func spectraOfLongRuns(_ every: Int, _ steps: Int, _ expected: Int) {
        #expect(RunRecords.spectraEvery(logEvery: every, steps: steps) == expected)
    }

    /// Places are those of the retrieval metrics: questions that find their answer first are right at place 1.
    @Test func examplesAgreeWithTheirScores() throws {
        let configuration = try configuration([])
        try train(configuration, ranks: 2)
        let set = try #require(RunRecord.read(configuration.folder).examples).sets[0]
        for example in set.examples {
            #expect(example.results.map(\.score) == example.results.map(\.score).sorted(by: >))
            #expect(example.place >= 1 && example.place <= example.candidates)
            let first = example.results.firstIndex { $0.isRight }
            if example.place == 1 { #expect(first == 0) }
            if let first { #expect(example.place >= first + 1) }
        }
    }
}
