// What a model takes that is only used, what a vocabulary is learnt from, where examples are found. Not here: what models compute.

import Collectives
import Datasets
import Failures
import Foundation
import Reports
import Testing

@testable import Training

@Suite(.serialized) struct ModelUseTests {
    /// Four bytes a parameter: no gradients, no moments.
    @Test func useTakesValuesAlone() throws {
        let configuration = try TinyRun.shared.get().configuration(["steps=1"])
        try train(configuration)
        let trained = try TrainedModel(.run(configuration.folder), communicator: SoloWorld())
        #expect(trained.embedder.model.parameters.gradients.count == 0)
        let training = try DualEncoderDraft(configuration, trained.assets)
        let use = try DualEncoderDraft(configuration, trained.assets, use: .inference)
        #expect(use.neededBytes == 4 * use.valueCount && use.valueCount == training.valueCount)
        #expect(training.neededBytes == 4 * training.valueCount + 12 * training.gradientCount)
    }

    /// A trailing slash, a folder that is not there, and `best` of a run that has none.
    @Test func placesOfModels() throws {
        #expect(RunFolder("runs/a//").checkpoints == "runs/a/checkpoints" && RunFolder("/").path == "/")
        let folder = NSTemporaryDirectory() + "no-run-\(UUID())"
        for source in [TrainedModel.Source.run(folder), .checkpoint("\(folder)/checkpoints/best")] {
            let failure = #expect(throws: Failure.self) { try TrainedModel(source, communicator: SoloWorld()) }
            #expect(failure?.kind == .inputMissing)
        }
    }

    /// Held-out pairs and corpora may have other known names than the training data.
    @Test func otherKnownNamesAreRead() throws {
        let configuration = try TinyRun.shared.get().configuration(
            TinyRun.textPairs + ["data.query.column=sentence1", "data.target.column=sentence2"])
        let path = NSTemporaryDirectory() + "held-\(UUID()).jsonl"
        let corpus = NSTemporaryDirectory() + "corpus-\(UUID()).jsonl"
        defer { for file in [path, corpus] { try? FileManager.default.removeItem(atPath: file) } }
        try #"{"query": "q", "positive": "p"}"#.write(toFile: path, atomically: true, encoding: .utf8)
        let pair = try configuration.evaluationSource(path).row(0)
        #expect(pair.query.displayText == "q" && pair.target.displayText == "p")
        try #"{"_id": "7", "text": "t"}"#.write(toFile: corpus, atomically: true, encoding: .utf8)
        for side in Side.allCases {
            #expect(try configuration.sideSource(corpus, side).row(0).query.displayText == "t")
        }
    }

    /// Two encoders of texts from scratch are refused at once, with what can be exported.
    @Test func textsFromScratchHaveNoOtherForm() throws {
        let configuration = try TinyRun.shared.get().configuration(TinyRun.textPairs + ["steps=1"])
        try train(configuration)
        let model = try TrainedModel(.run(configuration.folder), communicator: SoloWorld())
        let failure = #expect(throws: Failure.self) {
            try model.export(.huggingFace, side: nil, to: configuration.folder + "-exported")
        }
        #expect(failure?.kind == .configuration && failure?.message.contains("what can be exported") == true)
        #expect(failure?.message.contains("--side") == false)
    }

    /// Five classes are all among the first five.
    @Test func topFiveIsOfMoreThanFive() {
        func summary(_ count: Int) -> String {
            let own = (0..<count).map { ZeroShotReport.Class(label: "\($0)", rows: 1, top1: 1) }
            return ZeroShotReport(top1: 1, top5: 1, meanClassTop1: 1, rows: count, classes: own, confusions: []).summary
        }
        #expect(!summary(5).contains("top-5") && summary(6).contains("top-5 100.0 %"))
        #expect(summary(1).contains("(1 row, "))
    }

    /// Never more rows than promised, all of them where they are few.
    @Test(arguments: [0, 1, 199_999, 200_000, 200_001, 399_999, 400_000, 400_001, 1_000_003])
    func vocabulariesAreLearntFromSoManyRows(_ count: Int) {
        let rows = Array(SideTokenizers.sample(of: count))
        let most = SideTokenizers.maximumRows
        #expect(rows.count <= most && rows.count >= min(count, most / 2))
        if count <= most { #expect(rows == Array(0..<count)) }
    }

    /// A report may be made in another working directory than the run.
    @Test func examplesNamePicturesFromAnywhere() {
        let here = FileManager.default.currentDirectoryPath
        let file = RetrievedExample.Content(PairSide.picture(.file("data/images/1.png")))
        #expect(file == .picture(path: "\(here)/data/images/1.png", name: "1.png", offset: nil, length: nil))
        let member = RetrievedExample.Content(
            PairSide.picture(.member(shard: "data/a.tar", name: "1.png", range: 512..<600)))
        #expect(member == .picture(path: "\(here)/data/a.tar", name: "1.png", offset: 512, length: 88))
        #expect(
            RetrievedExample.Content(PairSide.picture(.file("/data/1.png")))
                == .picture(path: "/data/1.png", name: "1.png", offset: nil, length: nil))
    }
}
