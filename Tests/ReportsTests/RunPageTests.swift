// Runs as their files tell them, whole and damaged, and their page. Not here: the files' writer (TrainingTests), a browser.

import Failures
import Foundation
import Testing

@testable import Reports

@Suite struct MetricsTableTests {
    private func table(_ text: String) -> MetricsTable { MetricsTable(Data(text.utf8)) }

    static let damaged: [(String, [Int], [String])] = [
        ("", [], []), ("{\"step\": 1, \"loss\": 2}\n", [1], []), ("{\"step\": 1, \"loss\": 2}", [1], []),
        ("{\"step\": 1}\n{\"step\": 2, \"lo", [1], ["not whole"]),
        ("{\"step\": 1}\nxx\n[1]\n\"a\"\n{\"step\": 5}\n", [1, 5], ["3 lines", "line 2"]),
        (
            "{\"step\": 1}\n{\"step\": 2}\n{\"step\": 3}\n{\"step\": 2}\n{\"step\": 3}\n", [1, 2, 3],
            ["2 rows", "resumed"]
        ),
        (
            "{\"step\": true}\n{\"step\": -1}\n{\"step\": 1.5}\n{\"step\": \"1\"}\n{\"step\": null}\n{}\n", [],
            ["6 lines"]
        ),
        ("{\"step\": 1, \"loss\": NaN}\r\n\n  \n{\"step\": 2, \"loss\": -Infinity}\n", [1, 2], []),
        ("{\"step\": 1}\n\u{0}\u{0}\u{0}\u{0}\n{\"step\": 2}\n", [1, 2], ["1 line "]),
        ("{\"step\": 1e400}\n{\"step\": 1e18}\n", [1_000_000_000_000_000_000], ["1 line "]),
    ]

    @Test(arguments: damaged) func rows(_ text: String, _ steps: [Int], _ words: [String]) {
        let table = table(text)
        #expect(table.rows.map(\.step) == steps)
        #expect(table.remarks.isEmpty == words.isEmpty, "\(table.remarks)")
        for word in words { #expect(table.remarks.contains { $0.contains(word) }, "\(table.remarks)") }
    }

    /// Rows of one step are one; an evaluation times no step.
    @Test func rowsOfOneStepAreJoined() {
        let table = table(
            """
            {"step": 1, "loss": 3, "seconds": {"data": 0.5}, "text": "x", "flag": true}
            {"step": 1, "loss": null, "seconds": {"data": 0.0}, "a.b": 7}

            """)
        #expect(table.rows == [.init(step: 1, values: ["loss": 3, "seconds.data": 0.5, "a.b": 7])])
        #expect(
            table.curve("a.b").map(\.value) == [7] && table.last("loss") == 3
                && table.names == ["a.b", "loss", "seconds.data"])
    }
}

@Suite struct SpectrumRecordTests {
    @Test(arguments: [0, 1, 63, 64, 65, 100, 768, 4096]) func thinning(_ count: Int) {
        let kept = SpectrumRecord.thinned(count)
        #expect(kept.count == min(count, 64) && Set(kept).count == kept.count && kept == kept.sorted())
        #expect(kept.first == (count > 0 ? 0 : nil) && kept.last == (count > 0 ? count - 1 : nil))
        #expect(Array(kept.prefix(min(count, 5))) == Array(0..<min(count, 5)))
    }

    @Test func linesThatAreNone() throws {
        let record = SpectrumRecord(
            step: 3, side: "query", rows: 4, columns: 2, strength: 0.123456789, effectiveRank: 2,
            singularValues: [2, 1], gains: [1],
            rest: 0.5)
        #expect(record.gains == [1, 0.5] && record.strength == 0.12346)
        let line = try JSONEncoder().encode(record)
        let again =
            line + Data("\nxx\n{\"step\": 1}\n".utf8)
            + Data(String(decoding: line, as: UTF8.self).replacing("[2,1]", with: "[2]").utf8)
        #expect(SpectrumRecord.read(again) == [record])
        #expect(abs(record.threshold - 0.12346 * pow(2, 0.25)) < 1e-12)
        #expect(abs(record.bulk.upper - 0.12346 * (1 + 2.0.squareRoot())) < 1e-12)
    }
}

/// Runs on the disk, made by hand.
private final class Runs {
    let path = NSTemporaryDirectory() + "fanoise-reports-\(UUID().uuidString)"
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func run(_ name: String, _ files: [String: String]) throws -> String {
        try FileManager.default.createDirectory(
            atPath: "\(path)/\(name)/checkpoints/step-00000010", withIntermediateDirectories: true)
        for (file, text) in files { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)/\(file)")) }
        return "\(path)/\(name)"
    }

    static let configuration = """
        name: "a <b> & c"
        steps: 40
        noise: {scaling: sublinear, strength: 0.1}
        optimizer: {clip: 1}
        loss: {temperature: {learned: true, minimum: 0.01, maximum: 1}}
        list: [1, two, {}]
        """

    /// A run whose held-out score falls while its loss does too, and whose representations collapse.
    static var metrics: String {
        (1...40).map { step in
            let score = step <= 20 ? Double(step) / 100 : 0.2 - Double(step - 20) / 200
            let rank = step < 30 ? 20 : 1.2
            return """
                {"step": \(step), "loss": \(5.0 / Double(step)), "precision_at_1": 0.5, "temperature": 0.01, "gradient_norm": \(step == 7 ? 50 : 1), \
                "noise_to_signal": 0.1, "samples_per_second": \(step < 20 ? 100 : 50), "gemm_utilisation": 0.5, \
                "seconds": {"data": 0.2, "forward": 0.3, "communication": 0.1}, "query.effective_rank": \(rank), "query.cosine": 0.99, \
                "held <out>.query_to_target.precision_at_1": \(score), "held <out>.alignment": 0.5, "held <out>.uniformity": -2}
                """
        }.joined(separator: "\n")
    }
}

@Suite struct RunPageTests {
    @Test func aRunInWords() throws {
        let runs = try Runs()
        let record = try RunRecord.read(
            runs.run("one", ["config.yaml": Runs.configuration, "metrics.jsonl": Runs.metrics]))
        #expect(record.name == "a <b> & c" && record.setting("list") == "[1, two, {}]" && record.checkpoints == [10])
        let remarks = Diagnostics(run: record).remarks
        for words in [
            "sign of overfitting", "Collapse: the effective rank of the queries is 1.2",
            "33.3\u{202F}% waiting for data", "became slower",
            "at its lower bound", "reached 50 at step 7", "best was 20\u{202F}% at step 20",
        ] {
            #expect(remarks.contains { $0.words.contains(words) }, "\(words) in \(remarks.map(\.words))")
        }
        let page = RunPage([record]).page.html
        try requireWellFormed(page)
        #expect(page.contains("a &lt;b&gt; &amp; c") && !page.contains("held <out>"))
        for heading in [
            "Loss", "Gradient norm", "alignment and uniformity", "Where a step&#39;s time goes", "Throughput",
        ] {
            #expect(page.contains(heading), "\(heading)")
        }
    }

    /// Of equal evaluations the first is the best, as in best.json.
    @Test func tiesAreTheFirst() throws {
        let rows = [0.1, 0.5, 0.5].enumerated().map {
            #"{"step": \#($0 * 10 + 10), "loss": 1, "held.query_to_target.precision_at_1": \#($1)}"#
        }
        let runs = try Runs()
        let record = try RunRecord.read(
            runs.run(
                "one", ["config.yaml": Runs.configuration, "metrics.jsonl": rows.joined(separator: "\n") + "\n"]))
        #expect(Diagnostics(run: record).remarks.contains { $0.words.contains("its best was 50\u{202F}% at step 20") })
    }

    @Test func severalRuns() throws {
        let runs = try Runs()
        let first = try runs.run("one", ["config.yaml": Runs.configuration, "metrics.jsonl": Runs.metrics])
        let second = try runs.run(
            "two", ["config.yaml": Runs.configuration.replacing("0.1}", with: "0.3}"), "metrics.jsonl": Runs.metrics])
        var records = try [first, second, first].map(RunRecord.read)
        #expect(records.differences.map(\.key) == ["noise.strength"])
        let page = RunPage(records).page.html
        try requireWellFormed(page)
        #expect(page.contains("Settings in which the runs differ"))
        records.distinguishNames()
        #expect(Set(records.map(\.name)).count == 3)
    }

    /// Every fifth batch has 8 rows of 64: a higher effective rank than its rows allow is no collapse, and its loss is not shown.
    @Test func shortBatchesAreNotCompared() throws {
        let runs = try Runs()
        func record(_ rank: (Int) -> Double) throws -> RunRecord {
            let lines = (1...20).map { step in
                let isShort = step % 5 == 0
                return """
                    {"step": \(step), "loss": \(isShort ? 0.5 : 4), "rows": \(isShort ? 8 : 64), \
                    "query.effective_rank": \(rank(step))}
                    """
            }
            return try RunRecord.read(runs.run("one", ["metrics.jsonl": lines.joined(separator: "\n")]))
        }
        let healthy = try record { $0 % 5 == 0 ? 7.4 : 40.6 }
        #expect(healthy.metrics.fullBatchCurve("loss").allSatisfy { $0.value == 4 })
        #expect(healthy.metrics.curve("loss").count == 20 && healthy.metrics.fullBatchCurve("loss").count == 16)
        #expect(!Diagnostics(run: healthy).remarks.contains { $0.words.contains("Collapse") })
        let page = RunPage([healthy]).page.html
        #expect(page.contains("Short batches, at the ends of epochs, are left out."))
        #expect(page.contains("last full batch"))
        let collapsed = try record { $0 > 18 ? 3 : 40.6 }
        #expect(Diagnostics(run: collapsed).remarks.contains { $0.words.contains("Lower optimizer.learning_rate") })
        // Of rows that are mostly of short batches, all count.
        let lines = [(1, 64), (5, 8), (10, 8)].map { #"{"step": \#($0), "loss": \#($0), "rows": \#($1)}"# }
        let table = MetricsTable(Data(lines.joined(separator: "\n").utf8))
        #expect(table.fullBatchCurve("loss").map(\.value) == [1, 5, 10])
    }

    /// A first step that waits for cold files says nothing of the others.
    @Test(arguments: [
        ([9.0, 0.01], false), ([9.0, 0.01, 0.01, 0.01], false), ([9.0, 1.0], false), ([9.0, 1.0, 1.0, 1.0], true),
    ])
    func onlyLastingWaitsAreToldOf(_ waits: [Double], _ isTold: Bool) throws {
        let runs = try Runs()
        let lines = waits.enumerated().map {
            #"{"step": \#($0 + 1), "seconds": {"data": \#($1), "forward": 1}}"#
        }
        let record = try RunRecord.read(runs.run("one", ["metrics.jsonl": lines.joined(separator: "\n")]))
        #expect(Diagnostics(run: record).remarks.contains { $0.words.contains("Steps wait for data") } == isTold)
    }

    /// Held-out queries that lie in one direction, with noise or without.
    @Test func heldOutCollapseIsTold() throws {
        #expect(CollapseRule.holds(1.4, of: 128) && CollapseRule.holds(6.3, of: 128) && CollapseRule.holds(1.4, of: 8))
        #expect(!CollapseRule.holds(6.5, of: 128) && !CollapseRule.holds(1.6, of: 8) && !CollapseRule.holds(1, of: 7))
        let runs = try Runs()
        for (rank, isTold) in [(1.4, true), (1.6, false)] {
            let line = #"{"step": 9, "s.query_to_target.precision_at_1": 0.1, "s.effective_rank": \#(rank)}"#
            let record = try RunRecord.read(
                runs.run("one", ["config.yaml": "noise: {scaling: none}", "metrics.jsonl": line]))
            let told = Diagnostics(run: record).remarks.filter { $0.words.contains("s: the embeddings of the queries") }
            #expect(told.count == (isTold ? 1 : 0) && told.allSatisfy { $0.words.contains("optimizer.learning_rate") })
        }
    }

    static let partial: [([String: String], [String])] = [
        (["metrics.jsonl": ""], ["config.yaml is not there", "no rows yet"]),
        (["config.yaml": "a: [1", "metrics.jsonl": "{\"step\": 1}\n"], ["config.yaml cannot be read"]),
        (["config.yaml": Runs.configuration], ["metrics.jsonl is not there"]),
        (["config.yaml": Runs.configuration, "metrics.jsonl": "{\"step\": 1, \"skipped_rows\": 1e300}\n"], []),
        (["metrics.jsonl": "{\"step\": 1, \"loss\": 2e-299}\n{\"step\": 9007199254740992, \"loss\": 1e299}\n"], []),
        (["config.yaml": "", "spectra.jsonl": "{", "examples.json": "[]"], ["config.yaml cannot be read"]),
        (["config.yaml": Runs.configuration, "metrics.jsonl": "{\"step\": 1, \"loss\": 2}\n{\"st"], ["not whole"]),
    ]

    @Test(arguments: partial) func partialRuns(_ files: [String: String], _ words: [String]) throws {
        let runs = try Runs()
        let record = try RunRecord.read(runs.run("one", files))
        for word in words { #expect(record.remarks.contains { $0.contains(word) }, "\(record.remarks)") }
        try requireWellFormed(RunPage([record]).page.html)
    }

    /// Aliases, which training never writes, are not expanded: ten lines of them would be more values than there are atoms.
    @Test func aliasesAreTexts() throws {
        let lines = (1...40).map { line in
            "a\(line): &a\(line) [" + (1...9).map { _ in "*a\(line - 1)" }.joined(separator: ", ") + "]\n"
        }
        let settings = RunRecord.settings(Data(("a0: &a0 [x, 'y * z']\n" + lines.joined()).utf8))
        #expect(settings.count == 41 && settings[0].value == "[x, y * z]")
        #expect(settings[40].value.hasPrefix("[*a39, *a39"))
        #expect(RunRecord.settings(Data(repeating: 0x61, count: 2 << 20)).isEmpty)
    }

    @Test func noRuns() throws {
        let runs = try Runs()
        #expect(throws: Failure.self) { try RunRecord.read("\(runs.path)/nowhere") }
        let empty = try runs.run("empty", [:])
        #expect(try #require(throws: Failure.self) { try RunRecord.read(empty) }.kind == .data)
        let file = try runs.run("one", ["config.yaml": "a: 1"]) + "/config.yaml"
        #expect(try #require(throws: Failure.self) { try RunRecord.read(file) }.kind == .data)
    }

    /// Pictures that are gone are named, those that are there are shown.
    @Test func examples() throws {
        let picture = RetrievedExample.Content.picture(path: "/x/<1>.png", name: "<1>.png", offset: nil, length: nil)
        let example = RetrievedExample(
            direction: "target_to_query", question: .text("a <cat>"), place: 2, candidates: 1000,
            results: [.init(picture, score: 0.5, isRight: false), .init(picture, score: 0.25, isRight: true)])
        let set = ExampleSet(name: "s", examples: [example])
        let gone = set.markup { _ in nil }.text
        #expect(
            gone.contains("&lt;1&gt;.png (not there any more)") && gone.contains("a &lt;cat&gt;")
                && gone.contains("number 2 among 1,000"))
        let shown = set.markup { _ in Data([1, 2, 3]) }.text
        #expect(shown.count(of: "data:image/png;base64,AQID") == 2 && shown.count(of: "class=\"right\"") == 1)
        try requireWellFormed(shown)
        let again = try JSONDecoder().decode(
            RetrievedExamples.self, from: JSONEncoder().encode(RetrievedExamples(step: 3, sets: [set])))
        #expect(again.sets == [set])
    }
}
