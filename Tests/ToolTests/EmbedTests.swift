// `embed` stopped in the middle and begun again. Not here: what embeddings are (TrainingRunTests).

import Foundation
import Oracles
import Testing

@Suite struct EmbedTests {
    private static let rows = 6000

    private func arguments(
        _ tiny: TinyRun, _ output: String, _ more: [String] = [], saveEvery: Int = 0
    ) -> [String] {
        [
            "embed", "--run", tiny.run, "--input", tiny.folder.file("many.txt"), "--side", "target", "--output",
            tiny.folder.file(output), "--chunk", "16", "--save-every", "\(saveEvery)", "--json",
        ] + more
    }

    private func texts(_ tiny: TinyRun, changed: Bool = false, rows: Int = Self.rows) throws {
        try tiny.write("many.txt", lines: (0..<rows).map { "text \($0 * 7919 % 1000) \(changed ? "b" : "a")" })
    }

    /// Data whose column has a name that nobody knows: named by `--column`, it is what it says.
    @Test func aColumnOfAnyName() throws {
        let tiny = try TinyRun()
        #expect(try tiny.train().code == 0)
        let texts = ["a red cat", "two birds", "nothing"]
        try tiny.write("plain.txt", lines: texts)
        try tiny.write("named.jsonl", lines: texts.map { #"{"wort": "\#($0)", "text": "something else"}"# })
        try tiny.write("unknown.jsonl", lines: texts.map { #"{"wort": "\#($0)"}"# })
        func embed(_ input: String, _ output: String, _ more: [String] = []) throws -> Outcome {
            try Program.run(
                [
                    "embed", "--run", tiny.run, "--input", tiny.folder.file(input), "--side", "target", "--output",
                    tiny.folder.file(output),
                ] + more)
        }
        #expect(try embed("plain.txt", "plain.npy").code == 0)
        let named = try embed("named.jsonl", "named.npy", ["--column", "wort"])
        #expect(named.code == 0, "\(named.errors)")
        let arrays = try ["plain.npy", "named.npy"].map {
            try Data(contentsOf: URL(fileURLWithPath: tiny.folder.file($0)))
        }
        #expect(arrays[0] == arrays[1])
        let unknown = try embed("unknown.jsonl", "unknown.npy")
        #expect(unknown.code == 65 && unknown.errors.contains("--column"), "\(unknown.errors)")
        let missing = try embed("unknown.jsonl", "unknown.npy", ["--column", "text"])
        #expect(missing.code == 65 && missing.errors.contains("the field text is missing"), "\(missing.errors)")
        #expect(try embed("plain.txt", "other.npy", ["--column", "wort"]).code == 64)
    }

    /// Killed where it stands, it goes on behind the rows that were saved; the bytes are those of the undisturbed job at any number of
    /// ranks.
    @Test func killedAndBegunAgain() throws {
        let tiny = try TinyRun()
        #expect(try tiny.train().code == 0)
        try texts(tiny)
        #expect(try Program.run(arguments(tiny, "whole.npy")).code == 0)
        let whole = try Data(contentsOf: URL(fileURLWithPath: tiny.folder.file("whole.npy")))
        for (index, start) in [Start.alone, .mpi(3)].enumerated() {
            let name = "part\(index).npy"
            let running = try RunningProgram(arguments(tiny, name), .alone)
            let progress = tiny.folder.file(name + ".progress")
            for _ in 0..<3000 where running.isRunning && !FileManager.default.fileExists(atPath: progress) {
                usleep(2000)
            }
            running.send(SIGKILL)
            _ = try running.outcome()
            #expect(FileManager.default.fileExists(atPath: progress), "the job was over before it could be killed")
            #expect(!FileManager.default.fileExists(atPath: tiny.folder.file(name)))
            let again = try Program.run(arguments(tiny, name), start)
            #expect(again.code == 0, "\(again.errors)")
            #expect(try #require(try again.json()["resumed_rows"] as? Int) > 0)
            #expect(try Data(contentsOf: URL(fileURLWithPath: tiny.folder.file(name))) == whole)
            #expect(tiny.folder.contents.filter { $0.hasPrefix("part") } == (0...index).map { "part\($0).npy" })
        }
    }

    /// A signal to one rank or to all: what is done is saved, 75, and the same command goes on to the same bytes.
    @Test(arguments: [(Start.alone, SIGTERM), (.threads(2), SIGINT), (.mpi(2), SIGUSR1)])
    func stoppedBySignal(_ start: Start, _ signal: Int32) throws {
        let tiny = try TinyRun()
        #expect(try tiny.train().code == 0)
        let rows = 10 * Self.rows
        try texts(tiny, rows: rows)
        #expect(try Program.run(arguments(tiny, "whole.npy", saveEvery: 10_000)).code == 0)
        /// The job until it is stopped. Nothing is saved before the signal.
        func stopped() throws -> Outcome {
            let running = try RunningProgram(arguments(tiny, "part.npy", saveEvery: 10_000), start)
            for _ in 0..<20_000 where running.isRunning && !tiny.folder.contents.contains("part.npy.partial") {
                usleep(500)
            }
            running.send(signal)
            return try running.outcome()
        }
        var first = try stopped()
        // On a busy machine the signal may come when all is done.
        for _ in 0..<4 where first.code == 0 {
            try FileManager.default.removeItem(atPath: tiny.folder.file("part.npy"))
            first = try stopped()
        }
        try #require(first.code == 75, "\(first.errors)")
        #expect(first.lines(with: "part.npy: stopped by a signal").count == 1, "\(first.errors)")
        let json = try first.json()
        let done = try #require(json["rows"] as? Int)
        #expect(json["finished"] as? Bool == false && done > 0 && done < rows)
        #expect(!tiny.folder.contents.contains("part.npy") && tiny.folder.contents.contains("part.npy.progress"))
        let again = try Program.run(arguments(tiny, "part.npy"))
        #expect(again.code == 0, "\(again.errors)")
        #expect(try again.json()["resumed_rows"] as? Int == done)
        let (part, whole) = (tiny.folder.file("part.npy"), tiny.folder.file("whole.npy"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: part)) == Data(contentsOf: URL(fileURLWithPath: whole)))
    }

    /// What was done from other rows or with another chunk is not gone on with, and a sentence says why.
    @Test func changedInputBeginsAnew() throws {
        let tiny = try TinyRun()
        #expect(try tiny.train().code == 0)
        try texts(tiny)
        let running = try RunningProgram(arguments(tiny, "x.npy"), .alone)
        let progress = tiny.folder.file("x.npy.progress")
        for _ in 0..<3000 where running.isRunning && !FileManager.default.fileExists(atPath: progress) { usleep(2000) }
        running.send(SIGKILL)
        _ = try running.outcome()
        try texts(tiny, changed: true)
        let again = try Program.run(arguments(tiny, "x.npy", ["--dtype", "float16"]))
        #expect(again.code == 0, "\(again.errors)")
        #expect(try again.json()["resumed_rows"] as? Int == 0)
        #expect(again.lines(with: "--dtype", "the input", "changed").count == 1, "\(again.errors)")
        let halves = try Dense.read(tiny.folder.file("x.npy"))
        #expect(halves.rows == Self.rows)
        #expect(try Program.run(arguments(tiny, "y.npy")).code == 0)
        #expect((try Dense.read(tiny.folder.file("y.npy")) - halves).largest < 1e-3)
    }
}
