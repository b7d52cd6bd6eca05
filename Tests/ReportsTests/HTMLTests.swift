// Escaping and the page around it. Not here: charts (ChartTests.swift), runs (RunPageTests.swift).

import Foundation
import Testing

@testable import Reports

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite struct HTMLTests {
    @Test(arguments: [
        ("plain", "plain"), ("<script>", "&lt;script&gt;"), ("a & b", "a &amp; b"), ("\"'", "&quot;&#39;"),
        ("a\u{0}b\u{7F}\u{1B}", "a\u{FFFD}b\u{FFFD}\u{FFFD}"), ("Größe 𝜏 ✓", "Größe 𝜏 ✓"), ("a\nb\t", "a\nb\t"),
    ])
    func textIsEscaped(_ text: String, _ expected: String) {
        let markup: HTML = "<p title=\"\(text)\">\(text)</p>"
        #expect(markup.text == "<p title=\"\(expected)\">\(expected)</p>")
    }

    @Test func markupIsNotEscapedTwice() {
        let inner: HTML = "<b>\("<")</b>"
        #expect(("<p>\(inner)\([inner, inner])</p>" as HTML).text == "<p><b>&lt;</b><b>&lt;</b><b>&lt;</b></p>")
    }

    @Test(arguments: [(1.0, "1"), (0.126, "0.13"), (-3.999, "-4"), (1e10, "10000000000"), (-0.001, "0")])
    func lengths(_ value: Double, _ text: String) { #expect(("\(value)" as HTML).text == text) }

    /// A hostile title, name and table leave the document what it is.
    @Test func aPageIsWellFormed() throws {
        let hostile = "</title><script>alert(1)</script><img src=\"http://a/b\" onerror='x'>&\u{1}"
        var page = Page(title: hostile, subtitle: hostile)
        let points = (1...5).map { LineChart.Point(Double($0), Double($0 * $0), low: 0, high: 30, label: hostile) }
        let chart = LineChart(
            x: Axis(hostile), y: Axis(hostile), series: [.init(hostile, points, slot: 0, form: .points)],
            marks: [.line(3, name: hostile), .zone(1, 2, name: hostile)])
        page.add(
            hostile,
            [.words(hostile), .list([.init(.warning, hostile)]), .figures([Figure(hostile, caption: hostile, chart)])])
        page.add("empty", [.words(""), .list([]), .figures([])])
        page.add("table", [.table(Table([hostile], [[hostile]], note: hostile), summary: hostile)])
        let html = page.html
        #expect(!html.contains("<script") && !html.contains("<img") && !html.contains(">empty<"))
        #expect(!html.contains("onerror='"))
        try requireWellFormed(html)
    }
}

/// HTML as these pages have it is XML once void elements are closed.
func requireWellFormed(_ html: String) throws {
    let closed = html.replacing(/<(meta|link|img)([^>]*[^\/>])>/) { "<\($0.1)\($0.2)/>" }.replacing(
        /<!doctype html>/, with: "")
    let parser = XMLParser(data: Data(closed.utf8))
    try #require(parser.parse(), "\(parser.parserError.map { "\($0)" } ?? "") in line \(parser.lineNumber)")
}

@Suite struct NumberTextTests {
    static let cases: [(NumberStyle, Double, String)] = [
        (.plain, 0, "0"), (.plain, 1_234_567, "1,234,567"), (.plain, 0.00012345, "0.0001234"), (.plain, 1e-7, "10⁻⁷"),
        (.plain, 2.5e12, "2.5·10¹²"), (.plain, -0.5, "−0.5"), (.plain, .nan, "–"), (.plain, -.infinity, "–"),
        (.plain, 100, "100"), (.plain, 9999.9, "10,000"), (.whole, 1000, "1,000"), (.whole, 999, "999"),
        (.whole, -1234567, "−1,234,567"),
        (.percent, 1e308, "–\u{202F}%"), (.percent, -.nan, "–"),
        (.percent, 0.1234, "12.34\u{202F}%"), (.percent, 1, "100\u{202F}%"), (.points, 0.0123, "+1.23\u{202F}pp"),
        (.points, -0.5, "−50\u{202F}pp"), (.signed, 2, "+2"), (.signed, 0, "0"), (.bytes, 1536, "1.5\u{202F}KiB"),
        (.bytes, 3_221_225_472, "3\u{202F}GiB"), (.bytes, 12, "12\u{202F}B"), (.seconds, 90, "1.5\u{202F}min"),
        (.seconds, 0.0005, "500\u{202F}µs"),
        (.seconds, 0, "0\u{202F}µs"), (.seconds, 7200, "2\u{202F}h"),
    ]

    @Test(arguments: cases) func text(_ style: NumberStyle, _ value: Double, _ expected: String) {
        #expect(style.text(value) == expected)
    }
}
