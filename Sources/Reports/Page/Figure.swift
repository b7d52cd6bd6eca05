// A chart with everything a reader needs around it: what it shows, which colour is what, the numbers behind it. Not here: the charts.

/// One figure of a page.
public struct Figure: Sendable {
    let heading: String
    let caption: String
    let legend: [HTML]
    let chart: HTML
    let table: Table
    /// Whether the figure takes the page's whole width.
    let isWide: Bool

    /// Values over a number.
    /// - Parameter table: the numbers; nil: those of the chart.
    public init(_ heading: String, caption: String = "", _ chart: LineChart, table: Table? = nil, isWide: Bool = false)
    {
        self.heading = heading
        self.caption = caption
        self.isWide = isWide
        let names = chart.series.map(\.name)
        // A series by itself needs a name only beside something else.
        let isAlone = names.count == 1 && chart.marks.isEmpty
        legend = (isAlone ? [] : chart.series.filter { !$0.name.isEmpty }.map(Self.key)) + chart.marks.map(Self.key)
        self.chart = chart.markup(Self.description(heading, caption, names))
        self.table = table ?? Self.table(chart)
    }

    /// Shares.
    public init(_ heading: String, caption: String = "", _ chart: StackedBars) {
        self.heading = heading
        self.caption = caption
        isWide = false
        legend = chart.parts.indices.filter { part in
            chart.bars.contains { part < $0.amounts.count && StackedBars.amount($0.amounts[part]) > 0 }
        }.map { Self.swatch("box", $0, chart.parts[$0]) }
        self.chart = chart.markup(Self.description(heading, caption, chart.bars.map(\.name)))
        table = Table(
            [""] + chart.bars.map(\.name),
            chart.parts.enumerated().map { part, name in
                [name] + chart.bars.map { chart.style.text(part < $0.amounts.count ? $0.amounts[part] : .nan) }
            })
    }

    /// Named values with intervals.
    public init(_ heading: String, caption: String = "", _ chart: DotChart, table: Table? = nil) {
        self.heading = heading
        self.caption = caption
        isWide = false
        legend = chart.reference.map { [Self.key(.line($0.value, name: $0.name))] } ?? []
        self.chart = chart.markup(Self.description(heading, caption, chart.rows.map(\.name)))
        let style = chart.axis.style
        self.table =
            table
            ?? Table(
                ["", chart.axis.label, "low", "high"],
                chart.rows.map {
                    [
                        $0.name, style.text($0.value, digits: 6), style.text($0.low ?? .nan, digits: 6),
                        style.text($0.high ?? .nan, digits: 6),
                    ]
                })
    }

    var markup: HTML {
        let words: HTML = caption.isEmpty ? "" : "<p>\(caption)</p>"
        let keys: HTML = legend.isEmpty ? "" : "<ul class=\"legend\">\(legend)</ul>"
        return """
            <figure\(isWide ? " class=\"wide\"" as HTML : "")><figcaption><h3>\(heading)</h3>\(words)</figcaption>\(keys)\(chart)
            <details><summary>Table</summary>\(table.markup)</details></figure>

            """
    }

    private static func description(_ heading: String, _ caption: String, _ names: [String]) -> String {
        let parts = [heading, caption, names.joined(separator: ", ")].filter { !$0.isEmpty }
        return "Chart: " + parts.joined(separator: ". ")
    }

    // MARK: Legend

    private static func key(_ series: LineChart.Series) -> HTML {
        switch series.form {
        case .line: swatch("line", series.slot, series.name, dash: Palette.dash(series.slot))
        case .brokenLine: swatch("line", series.slot, series.name, dash: "5 3")
        case .points, .cloud: swatch("dot", series.slot, series.name)
        }
    }

    private static func key(_ mark: LineChart.Mark) -> HTML {
        switch mark {
        case .line(_, let name):
            """
            <li><svg class="key" viewBox="0 0 24 12" aria-hidden="true"><line class="mark" x1="0" x2="24" y1="6" y2="6"/></svg>\(name)</li>
            """
        case .zone(_, _, let name):
            """
            <li><svg class="key" viewBox="0 0 24 12" aria-hidden="true"><rect class="zone" width="24" height="12"/></svg>\(name)</li>
            """
        }
    }

    private static func swatch(_ kind: String, _ slot: Int, _ name: String, dash: String? = nil) -> HTML {
        let colour = Palette.variable(slot)
        let shape: HTML
        switch kind {
        case "line":
            let style: HTML = dash.map { " stroke-dasharray=\"\($0)\"" } ?? ""
            shape = "<line class=\"curve\" stroke=\"\(colour)\"\(style) x1=\"0\" x2=\"24\" y1=\"6\" y2=\"6\"/>"
        case "dot": shape = "<circle class=\"dot\" fill=\"\(colour)\" cx=\"12\" cy=\"6\" r=\"4.5\"/>"
        default: shape = "<rect fill=\"\(colour)\" x=\"6\" width=\"12\" height=\"12\" rx=\"2\"/>"
        }
        return "<li><svg class=\"key\" viewBox=\"0 0 24 12\" aria-hidden=\"true\">\(shape)</svg>\(name)</li>"
    }

    // MARK: Table

    /// A column for each series, a row for each of their places; intervals behind the values.
    private static func table(_ chart: LineChart) -> Table {
        let places = Set(chart.series.flatMap { $0.points.map(\.x) }).filter(\.isFinite).sorted()
        let isFunction = chart.series.allSatisfy { Set($0.points.map(\.x)).count == $0.points.count }
        let value = { (point: LineChart.Point) -> String in
            let text = chart.y.style.text(point.y)
            guard let low = point.low, let high = point.high, low.isFinite, high.isFinite else { return text }
            return "\(text) (\(chart.y.style.text(low)) to \(chart.y.style.text(high)))"
        }
        var notes: [String] = []
        for mark in chart.marks {
            switch mark {
            case .line(let height, let name): notes.append("\(name): \(chart.y.style.text(height)).")
            case .zone(let low, let high, let name):
                notes.append("\(name): \(chart.y.style.text(low)) to \(chart.y.style.text(high)).")
            }
        }
        let note = notes.isEmpty ? nil : notes.joined(separator: " ")
        guard isFunction else {
            let rows = chart.series.flatMap { series in
                series.points.map { [series.name, chart.x.style.text($0.x), value($0), $0.label ?? ""] }
            }
            return Table(["", chart.x.label, chart.y.label, ""], rows, note: note)
        }
        let columns = chart.series.map { series in
            Dictionary(series.points.filter { $0.x.isFinite }.map { ($0.x, value($0)) }) { $1 }
        }
        return Table(
            [chart.x.label] + chart.series.map { $0.name.isEmpty ? chart.y.label : $0.name },
            places.map { place in [chart.x.style.text(place, digits: 6)] + columns.map { $0[place] ?? "" } }, note: note
        )
    }
}
