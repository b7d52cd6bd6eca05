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
        let pipe = run.folder.file("pipe")
        try #require(mkfifo(pipe, 0o600) == 0)
        for arguments in [
            ["report", run.run, "--output", pipe], ["evaluate", "--run", run.run, "--contact-sheet", pipe],
        ] {
            let outcome = try Program.run(arguments)
            #expect(outcome.code == 73 && outcome.errors.contains("\(pipe): expected a file"), "\(outcome.errors)")
            var status = stat()
            #expect(stat(pipe, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
        }
    }

    /// A full disk is told as such.
    @Test func aFullDiskIsNoWrongPath() throws {
        let run = try TextRun()
        let shell = ["sh", "-c", "trap '' XFSZ; ulimit -f 2; exec \"$@\"", "sh"]
        let outcome = try RunningProgram(
            ["report", run.run, "--output", run.folder.file("page.html")], .alone, limit: shell
        ).outcome()
        #expect(outcome.code == 74 && outcome.errors.contains("page.html: writing it failed"), "\(outcome.errors)")
        #expect(!run.folder.contents.contains { $0.hasPrefix("page.html") })
    }
}
