// `fanoise report`: parsing and writing only. Not here: what a report says (Reports).

import ArgumentParser
import ArrayFiles
import Collectives
import Foundation
import Reports
import Training

/// Shows runs as one page.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "A run's curves, spectra and examples as one HTML page; several runs over each other.",
        discussion: """
            The page needs nothing but itself: no network, no scripts. It is readable on a phone and printable, light and dark, and has \
            the numbers behind every chart. A run that is still going on, or whose files are damaged, is shown as far as it can be read.
            """)

    @Argument(help: "Folders of runs, OUTPUT/NAME.") var runs: [String]
    @Option(name: .shortAndLong, help: "The page to write (default: report.html in the folder of the one run).")
    var output: String?
    @Flag(help: "Print one JSON object on standard output.") var json = false

    func validate() throws {
        if runs.isEmpty { throw ValidationError("give at least one run's folder") }
        if runs.count > 1, output == nil { throw ValidationError("with several runs, give --output FILE.html") }
    }

    func run() throws {
        let (runs, json) = (runs, json)
        let output = output ?? "\(runs[0])/report.html"
        try WorldOptions.alone { _ in
            let records = try runs.map { try RunRecord.read($0) }
            for (path, record) in zip(runs, records) {
                for remark in record.remarks { tell("warning: \(path): \(remark)") }
            }
            let page = RunPage(records, thumbnail: exampleThumbnail).page
            try OutputFile.write(Data(page.html.utf8), to: output)
            tell("\(output): the report of \(runs.count) run\(runs.count == 1 ? "" : "s")")
            if json { try printJSON(Result(output: output, runs: records.map(Result.Run.init))) }
        }
    }

    /// The JSON of `fanoise report`.
    private struct Result: Encodable {
        let output: String
        let runs: [Run]

        struct Run: Encodable {
            let folder: String
            let rows: Int
            let lastStep: Int?
            let remarks: [String]

            enum CodingKeys: String, CodingKey {
                case folder, rows
                case lastStep = "last_step"
                case remarks
            }

            init(_ record: RunRecord) {
                (folder, rows, remarks) = (record.path, record.metrics.rows.count, record.remarks)
                lastStep = record.metrics.rows.last?.step
            }
        }
    }
}
