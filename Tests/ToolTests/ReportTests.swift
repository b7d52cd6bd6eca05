// `fanoise report` as a user starts it. Not here: what the page says (ReportsTests).

import Foundation
import Testing

@Suite struct ReportTests {
    @Test(arguments: [Start.alone, .mpi(2)]) func aRunHasAPage(_ start: Start) throws {
        let run = try TextRun()
        let outcome = try Program.run(["report", run.run, "--json"], start)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let json = try outcome.json()
        #expect(json["output"] as? String == "\(run.run)/report.html")
        let page = try String(contentsOfFile: "\(run.run)/report.html", encoding: .utf8)
        #expect(page.contains("<title>tiny</title>") && page.contains("singular spectrum over time"))

        let both = try Program.run(["report", run.run, run.run, "--output", run.folder.file("both.html")], start)
        #expect(both.code == 0 && run.folder.contents.contains("both.html"), "\(both.errors)")
    }

    @Test func mistakes() throws {
        let folder = try TemporaryFolder()
        let cases: [(Int32, [String], String)] = [
            (64, [], "run"), (64, ["a", "b"], "--output"), (66, ["/nowhere"], "/nowhere"),
            (65, [folder.path], "config.yaml"),
        ]
        for (code, arguments, words) in cases {
            let outcome = try Program.run(["report"] + arguments)
            #expect(outcome.code == code && outcome.errors.contains(words), "\(arguments): \(outcome.errors)")
        }
        let run = try TextRun()
        let outcome = try Program.run(["report", run.run, "--output", "/nowhere/at/all.html"])
        #expect(outcome.code == 73 && outcome.errors.contains("/nowhere/at/all.html"), "\(outcome.errors)")
    }
}
