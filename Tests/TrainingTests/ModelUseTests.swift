// What a model takes that is only used, what a vocabulary is learnt from, where examples are found. Not here: what models compute.

import Collectives
import Datasets
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
