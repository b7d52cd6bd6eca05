// Pages in a real browser, where there is one. Not here: what they say (RunPageTests.swift).

import Foundation
import Testing

@testable import Reports

/// Runs `browser/check` on a page.
enum Browser {
    static let isThere = ["chromium", "chromium-browser", "google-chrome"].contains { name in
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
        }
    }

    /// What is wrong with a page; empty when nothing is.
    static func complaints(_ html: String) throws -> String {
        let folder = NSTemporaryDirectory() + "fanoise-page-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data(html.utf8).write(to: URL(fileURLWithPath: "\(folder)/page.html"))
        let process = Process(), output = "\(folder)/complaints"
        process.executableURL = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
            path: "browser/check")
        process.arguments = ["\(folder)/page.html"]
        try Data().write(to: URL(fileURLWithPath: output))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        try process.run()
        process.waitUntilExit()
        let text = try String(contentsOfFile: output, encoding: .utf8)
        return process.terminationStatus == 0 ? "" : "exit code \(process.terminationStatus): \(text)"
    }
}

@Suite(.enabled(if: Browser.isThere, "Chromium is not installed")) struct BrowserTests {
    /// Every kind of chart, long words without a break, wide tables.
    @Test func aPageOfEverything() throws {
        let long = String(repeating: "unbreakable", count: 20)
        var page = Page(title: long, subtitle: long)
        let points = (0..<20).map {
            LineChart.Point(Double($0), Double($0), low: Double($0) - 1, high: Double($0) + 1, label: long)
        }
        let lines = LineChart(
            x: Axis(long), y: Axis(long),
            series: [.init(long, points, slot: 0), .init("b", points, slot: 1, form: .points)],
            marks: [.zone(2, 4, name: long)])
        let dots = DotChart(axis: Axis("x"), rows: [.init(long, 1, low: 0, high: 2)])
        let bars = StackedBars(parts: [long, "b"], bars: [.init(long, [1, 2])])
        page.add(
            long,
            [
                .words(long), .list([.init(.warning, long)]),
                .figures([Figure(long, lines), Figure("b", dots), Figure("c", bars)]),
            ])
        page.add("Table", [.table(Table((0..<30).map { "column \($0)" }, [(0..<30).map { "\($0)" }]), summary: nil)])
        let example = RetrievedExample(
            direction: "query_to_target", question: .text(long), place: 1, candidates: 2,
            results: [.init(.text(long), score: 1, isRight: true)])
        page.add("Examples", [.markup(ExampleSet(name: "a", examples: [example, example]).markup { _ in nil })])
        let complaints = try Browser.complaints(page.html)
        #expect(complaints.isEmpty, "\(complaints)")
    }

    /// The check itself finds what it looks for.
    @Test(arguments: [
        ("<div style=\"width:2000px\">x</div>", "wider than the window"),
        ("<img src=\"https://example.org/a.png\">", "refers to something elsewhere"),
        ("<img src=\"a.png\">", "on the console"),
    ])
    func faultsAreFound(_ fault: String, _ words: String) throws {
        var page = Page(title: "a", subtitle: "b")
        page.add("c", [.markup(HTML(stringLiteral: fault))])
        #expect(try Browser.complaints(page.html).contains(words))
    }
}
