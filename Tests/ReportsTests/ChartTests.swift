// Scales, ticks and charts of ordinary and of strange values. Not here: how they look (browser).

import Foundation
import Testing

@testable import Reports

@Suite struct ScaleTests {
    static let ticks: [(ScaleKind, [Double], NumberStyle, [String])] = [
        (.linear, [0, 1], .plain, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (.linear, [0, 700], .whole, ["0", "200", "400", "600"]),
        (.linear, [0, 3], .whole, ["0", "1", "2", "3"]),
        (.linear, [0, 0.05], .percent, ["0 %", "1 %", "2 %", "3 %", "4 %", "5 %"]),
        (.logarithmic, [0.001, 100], .plain, ["0.001", "0.01", "0.1", "1", "10", "100"]),
        (.logarithmic, [1, 40], .plain, ["1", "2", "5", "10", "20"]),
        (.logarithmic, [1e-9, 1e9], .plain, ["10⁻⁸", "0.0001", "1", "10,000", "100,000,000"]),
        (.symmetricLogarithmic(threshold: 0.05), [0, 5], .plain, ["0", "0.05", "0.1", "0.2", "0.5", "1", "2", "5"]),
    ]

    @Test(arguments: ticks) func ticksAreRound(
        _ kind: ScaleKind, _ values: [Double], _ style: NumberStyle, _ labels: [String]
    ) {
        let found = Scale(kind, holding: values).ticks(5, style: style).map {
            $0.label.replacing("\u{202F}", with: " ")
        }
        #expect(found == labels)
    }

    static let strange: [[Double]] = [
        [], [0], [5, 5], [-3], [.nan], [1e300, -1e300], [Double.leastNonzeroMagnitude], [.infinity, 1], [1e-300, 1],
        [1e-299, 1e299], [-1e299, 1e299],
        [0.1, 0.1000000001],
        [-1, 0, 1],
        [1e15, 1e15 + 1],
    ]

    @Test(arguments: strange, [ScaleKind.linear, .logarithmic, .symmetricLogarithmic(threshold: 1)])
    func everyValueHasAPlace(_ values: [Double], _ kind: ScaleKind) {
        for includesZero in [true, false] {
            let scale = Scale(kind, holding: values, includesZero: includesZero)
            #expect(scale.lower.isFinite && scale.upper.isFinite && scale.lower < scale.upper)
            for value in values {
                guard let place = scale.position(value) else {
                    #expect(!value.isFinite || (kind == .logarithmic && value <= 1e-300) || abs(value) >= 1e300)
                    continue
                }
                #expect(place >= -1e-9 && place <= 1 + 1e-9, "\(value) in \(scale)")
            }
            let ticks = scale.ticks(5, style: .plain)
            #expect(ticks.count < 20 && Set(ticks.map(\.label)).count == ticks.count)
        }
    }

    /// A share keeps within 0 … 1, but a value beyond is not hidden.
    @Test func limits() {
        #expect(Scale(.linear, holding: [0.2, 1], limits: 0...1).upper == 1)
        #expect(Scale(.linear, holding: [0.2, 1.2], limits: 0...1).upper > 1.2)
        #expect(Scale(.linear, holding: [0.2, 1], includesZero: true).lower == 0)
    }
}

@Suite struct ChartTests {
    static let values: [[Double]] = [
        [], [1], [1, .nan, 3], [.nan, .nan], [0, 0, 0], [-1, 1e300], [.infinity, 2, 1],
        (0..<120).map { Double($0 * $0) },
    ]
    static let scales: [ScaleKind] = [.linear, .logarithmic, .symmetricLogarithmic(threshold: 0.1)]

    @Test(arguments: values, scales) func linesOfAnyValues(_ values: [Double], _ scale: ScaleKind) throws {
        for form in [LineChart.Form.line, .brokenLine, .points, .cloud] {
            let points = values.enumerated().map {
                LineChart.Point(Double($0), $1, low: $1 - 1, high: $1 * 2, label: "p")
            }
            let chart = LineChart(
                x: Axis("x", scale: scale), y: Axis("y", scale: scale),
                series: [.init("a", points, slot: 9, form: form)],
                marks: [.line(2, name: "two"), .zone(-1, 1, name: "zone"), .line(.nan, name: "none")])
            #expect(chart.isEmpty == !values.contains(where: \.isFinite))
            try requireDrawable(Figure("f", chart))
        }
    }

    /// A missing value parts a line; a value alone shows as a dot.
    @Test func gaps() {
        let points = [1.0, 2, .nan, 3, .nan, 4, 5].enumerated().map { LineChart.Point(Double($0), $1) }
        let svg = LineChart(x: Axis("x"), y: Axis("y"), series: [.init("a", points, slot: 0)]).markup("").text
        let path = svg.firstMatch(of: /d="(M[^"]*)"/).map { String($0.1) } ?? ""
        #expect(path.count { $0 == "M" } == 3 && path.count { $0 == "L" } == 2)
        #expect(svg.count(of: "<circle") == 1)
    }

    @Test func dotsAndBars() throws {
        let rows = [
            DotChart.Row("a", 0.5, low: 0.4, high: 0.6, observations: [0.4, .nan, 0.7]), DotChart.Row("b", .nan),
            DotChart.Row(
                "a much longer name than there is room for in any chart of this kind & more", -0.2, low: .nan, high: 3),
        ]
        try requireDrawable(Figure("f", DotChart(axis: Axis("x", style: .percent), rows: rows, reference: (0, "none"))))
        try requireDrawable(Figure("f", DotChart(axis: Axis("x"), rows: [], reference: (.nan, "none"))))
        let bars = [StackedBars.Bar("a", [1, 2, .nan, -3]), .init("b", []), .init("c", [0, 0])]
        try requireDrawable(Figure("f", StackedBars(parts: ["w", "x", "y", "z"], bars: bars, style: .seconds)))
        #expect(StackedBars(parts: ["w"], bars: [.init("c", [0, .nan])]).isEmpty)
    }

    /// The numbers behind a chart are all in its table, and thinned where they are many.
    @Test func tables() {
        let points = (0..<1000).map { LineChart.Point(Double($0), Double($0) + 0.5) }
        let text = Figure(
            "f", LineChart(x: Axis("step", style: .whole), y: Axis("y"), series: [.init("a", points, slot: 0)])
        ).markup.text
        #expect(text.count(of: "<tr>") == 201 && text.contains(">999.5<") && text.contains("200 of 1,000 rows"))
    }

    /// SVG and HTML without a number that is none.
    private func requireDrawable(_ figure: Figure) throws {
        let text = figure.markup.text
        #expect(!text.contains("nan") && !text.contains("inf\""))
        try requireWellFormed(text)
    }
}

extension String {
    func count(of word: String) -> Int { components(separatedBy: word).count - 1 }
}
