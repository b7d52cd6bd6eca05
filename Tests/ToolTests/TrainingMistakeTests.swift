// What `train`, `evaluate`, `embed` and `search` say to wrong input. Not here: every mistake in a configuration (TrainingTests).

import ArrayFiles
import Buffers
import Foundation
import Oracles
import Testing

@Suite struct TrainingMistakeTests {
    /// Before there is a run: the configuration and its data.
    static let untrained: [Mistake] = [
        Mistake(
            78, ["@bad.yaml:2", "unknown key 'noise.strenght'", "did you mean 'noise.strength'?"],
            "train --config @bad.yaml"),
        Mistake(
            78, ["'optimizer.learning_rat'", "'optimizer.learning_rate'"],
            "train --config @config.yaml --set optimizer.learning_rat=1"),
        Mistake(78, ["batch.global", "many"], "train --config @config.yaml --set batch.global=many"),
        Mistake(78, ["@syntax.yaml:", "YAML syntax"], "train --config @syntax.yaml"),
        Mistake(66, ["@missing.yaml"], "train --config @missing.yaml"),
        Mistake(66, ["@missing.jsonl"], "train --config @config.yaml --set data.train=@missing.jsonl"),
        Mistake(66, ["@missing.jsonl"], "train --config @config.yaml --set evaluate.sets.a=@missing.jsonl"),
        Mistake(65, ["@broken.jsonl:3", "image"], "train --config @config.yaml --set data.train=@broken.jsonl"),
        Mistake(65, ["@nopicture.jsonl", "image"], "train --config @config.yaml --set data.train=@nopicture.jsonl"),
        Mistake(66, ["@missing"], "train --config @config.yaml --resume @missing"),
        Mistake(73, ["@config.yaml/"], "train --config @config.yaml --set output=@config.yaml"),
        Mistake(64, ["--config"], "train"),
        Mistake(66, ["@nowhere"], "evaluate --run @nowhere"),
        Mistake(66, ["@nowhere"], "evaluate --checkpoint @nowhere"),
        Mistake(66, ["@nowhere"], "embed --run @nowhere --input @train.jsonl --side query --output @out"),
        Mistake(66, ["@nowhere"], "search --run @nowhere --index @index.npy --text word"),
    ]

    /// With a trained model.
    static let trained: [Mistake] = [
        Mistake(73, ["--resume never", "@runs/tiny/checkpoints"], "train --config @config.yaml --resume never"),
        Mistake(
            78, ["optimizer.learning_rate", "--allow-change"],
            "train --config @config.yaml --set optimizer.learning_rate=0.5"),
        Mistake(66, ["@missing.jsonl"], "evaluate --run @runs/tiny --data @missing.jsonl"),
        Mistake(65, ["@broken.jsonl:3", "image"], "evaluate --run @runs/tiny --data name=@broken.jsonl"),
        Mistake(66, ["@missing.jsonl"], "embed --run @runs/tiny --input @missing.jsonl --side query --output @out"),
        Mistake(
            65, ["@nopicture.jsonl", "image"],
            "embed --run @runs/tiny --input @nopicture.jsonl --side query --output @out"),
        Mistake(
            65, ["@badpicture.jsonl:2", "3.png"],
            "embed --run @runs/tiny --input @badpicture.jsonl --side query --output @out"),
        Mistake(
            73, ["@nowhere/out"], "embed --run @runs/tiny --input @train.jsonl --side target --output @nowhere/out"),
        Mistake(66, ["@missing.npy"], "search --run @runs/tiny --index @missing.npy --text word"),
        Mistake(65, ["@wide.npy", "[4, 17]", "16"], "search --run @runs/tiny --index @wide.npy --text word"),
        Mistake(
            65, ["@train.jsonl", "16 rows", "4"],
            "search --run @runs/tiny --index @index.npy --rows @train.jsonl --text word"),
        Mistake(66, ["@missing.png"], "search --run @runs/tiny --index @index.npy --image @missing.png"),
        Mistake(65, ["@config.yaml"], "search --run @runs/tiny --index @index.npy --image @config.yaml"),
    ]

    private func prepare() throws -> TinyRun {
        let tiny = try TinyRun()
        try tiny.write(
            "bad.yaml",
            lines: ["name: tiny", "noise: {strenght: 1}"]
                + String(contentsOfFile: tiny.config, encoding: .utf8)
                .split(separator: "\n").map(String.init).filter { !$0.hasPrefix("name") && !$0.hasPrefix("noise") })
        try tiny.write("syntax.yaml", lines: ["name: tiny", "seed: [1"])
        try tiny.write(
            "broken.jsonl", lines: [TinyRun.line(0), TinyRun.line(1), #"{"id": "c2", "image": 5}"#, TinyRun.line(3)])
        try tiny.write("nopicture.jsonl", lines: [#"{"text": "words alone"}"#])
        try tiny.write("badpicture.jsonl", lines: [TinyRun.line(0), #"{"image": "3.png", "text": "no picture"}"#])
        try Data("no picture".utf8).write(to: URL(fileURLWithPath: tiny.folder.file("3.png")))
        try Dense.normals(4, TinyRun.width, salt: 1).write(tiny.folder.file("index.npy"))
        try Dense.normals(4, TinyRun.width + 1, salt: 1).write(tiny.folder.file("wide.npy"))
        return tiny
    }

    /// What is wrong with how a mistake ends, with all that was said; empty when nothing is.
    private func faults(of mistake: Mistake, _ start: Start, in tiny: TinyRun) throws -> [String] {
        func path(_ word: String) -> String { word.replacingOccurrences(of: "@", with: tiny.folder.path + "/") }
        func contents() -> [String] { tiny.folder.contents.filter { $0 != "runs" } }
        let before = contents()
        let outcome = try Program.run(mistake.arguments.map(path), start)
        var faults: [String] = []
        if outcome.code != mistake.code { faults.append("it ends with \(outcome.code), not \(mistake.code)") }
        if !outcome.output.isEmpty { faults.append("it prints \(outcome.output)") }
        if outcome.messages.count != 1 { faults.append("it says \(outcome.messages.count) sentences") }
        for word in mistake.words where outcome.messages.first?.contains(path(word)) != true {
            faults.append("it does not say \(path(word))")
        }
        if contents() != before { faults.append("it leaves \(contents())") }
        return faults.isEmpty ? [] : faults + ["\(mistake): \(outcome.errors)"]
    }

    @Test(arguments: untrained) func beforeARun(_ mistake: Mistake) throws {
        #expect(try faults(of: mistake, .alone, in: prepare()) == [])
    }

    @Test(arguments: [0, 4, 7, 10, 14]) func beforeARunUnderMPI(_ index: Int) throws {
        #expect(try faults(of: Self.untrained[index], .mpi(2), in: prepare()) == [])
    }

    /// Closed, standard input, output and error do not become files of the run: no message is written into them.
    @Test(arguments: ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"]) func closedStreams(_ closing: String) throws {
        let tiny = try TinyRun()
        let shell = ["sh", "-c", "exec \"$@\" \(closing)", "sh"]
        let outcome = try RunningProgram(["train", "--config", tiny.config], .alone, limit: shell).outcome()
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(tiny.steps == ["step-00000002", "step-00000004"])
        let lines = try String(contentsOfFile: "\(tiny.run)/metrics.jsonl", encoding: .utf8).split(separator: "\n")
        #expect(!lines.isEmpty && lines.allSatisfy { $0.hasPrefix("{") })
        #expect(try Data(contentsOf: URL(fileURLWithPath: "\(tiny.run)/.lock")).isEmpty)
    }

    /// One model for the whole table: no mistake changes it.
    @Test func withATrainedModel() throws {
        let tiny = try prepare()
        #expect(try tiny.train().code == 0)
        for (index, mistake) in Self.trained.enumerated() {
            #expect(try faults(of: mistake, .alone, in: tiny) == [])
            if index % 3 == 1 { #expect(try faults(of: mistake, .mpi(2), in: tiny) == []) }
        }
        #expect(tiny.steps == ["step-00000002", "step-00000004"])
    }
}
