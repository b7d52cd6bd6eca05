// Values over a number: curves, bands, points with error bars, paths in a plane. Not here: axes (Frame.swift), legend (Figure.swift).

/// A chart with two number axes.
public struct LineChart: Sendable {
    /// One value, with the interval it may lie in.
    public struct Point: Sendable, Equatable {
        public var x: Double
        public var y: Double
        public var low: Double?
        public var high: Double?
        /// Written beside the point, and shown when a pointer rests on it.
        public var label: String?

        public init(_ x: Double, _ y: Double, low: Double? = nil, high: Double? = nil, label: String? = nil) {
            (self.x, self.y, self.low, self.high, self.label) = (x, y, low, high, label)
        }
    }

    /// How a series is drawn.
    public enum Form: Sendable {
        /// A line; intervals are a band around it.
        case line
        /// A thinner, broken line of the same colour.
        case brokenLine
        /// Points with error bars, joined by a thin line.
        case points
        /// Points alone.
        case cloud
    }

    /// Values that belong together.
    public struct Series: Sendable {
        public var name: String
        public var points: [Point]
        /// Which colour; several series may share one.
        public var slot: Int
        public var form: Form

        public init(_ name: String, _ points: [Point], slot: Int, form: Form = .line) {
            (self.name, self.points, self.slot, self.form) = (name, points, slot, form)
        }
    }

    /// A value of the vertical axis that others are read against.
    public enum Mark: Sendable {
        case line(Double, name: String)
        case zone(Double, Double, name: String)

        var name: String {
            switch self {
            case .line(_, let name), .zone(_, _, let name): name
            }
        }
    }

    public var x: Axis
    public var y: Axis
    public var series: [Series]
    public var marks: [Mark]

    public init(x: Axis, y: Axis, series: [Series], marks: [Mark] = []) {
        (self.x, self.y, self.series, self.marks) = (x, y, series, marks)
    }

    /// Whether there is anything to see.
    public var isEmpty: Bool { !series.contains { $0.points.contains { $0.x.isFinite && $0.y.isFinite } } }

    /// The chart as SVG.
    /// - Parameter description: for those who cannot see it.
    public func markup(_ description: String) -> HTML {
        let points = series.flatMap(\.points)
        let marked = marks.flatMap { mark -> [Double] in
            switch mark {
            case .line(let value, _): [value]
            case .zone(let low, let high, _): [low, high]
            }
        }
        // Marks far from all values would squeeze them.
        let values = points.flatMap { [$0.y, $0.low ?? $0.y, $0.high ?? $0.y] }
        let frame = Frame(x: x, points.map(\.x), y: y, values + Self.near(marked, to: values, y.scale))
        var content: HTML = ""
        for case .zone(let low, let high, _) in marks {
            let (upper, lower) = (frame.vertical(high) ?? frame.bottom, frame.vertical(low) ?? frame.bottom)
            content +=
                "<rect class=\"zone\" x=\"\(frame.left)\" y=\"\(upper)\" width=\"\(frame.right - frame.left)\" height=\"\(max(lower - upper, 0))\"/>"
        }
        content += frame.markup
        for case .line(let value, _) in marks {
            guard let place = frame.vertical(value) else { continue }
            content +=
                "<line class=\"mark\" x1=\"\(frame.left)\" x2=\"\(frame.right)\" y1=\"\(place)\" y2=\"\(place)\"/>"
        }
        for one in series where one.form == .line || one.form == .brokenLine { content += band(one, frame) }
        for one in series { content += curve(one, frame) }
        return drawing(height: frame.height, describedAs: description, content)
    }

    /// Those of `marks` that lie within a hundredfold of the values (logarithmic), or within their spread twice over (linear).
    private static func near(_ marks: [Double], to values: [Double], _ kind: ScaleKind) -> [Double] {
        let finite = values.filter { $0.isFinite && (kind != .logarithmic || $0 > 0) }
        guard let least = finite.min(), let greatest = finite.max() else { return marks }
        switch kind {
        case .logarithmic: return marks.filter { $0 > least / 100 && $0 < greatest * 100 }
        case .linear, .symmetricLogarithmic:
            let room = max(greatest - least, abs(greatest)) * 2
            return marks.filter { $0 >= least - room && $0 <= greatest + room }
        }
    }

    private func band(_ series: Series, _ frame: Frame) -> HTML {
        let edges = series.points.compactMap { point -> (x: Double, low: Double, high: Double)? in
            guard let x = frame.horizontal(point.x), let low = point.low.flatMap(frame.vertical),
                let high = point.high.flatMap(frame.vertical)
            else { return nil }
            return (x, low, high)
        }
        guard edges.count > 1 else { return "" }
        let outline = edges.map { ($0.x, $0.high) } + edges.reversed().map { ($0.x, $0.low) }
        let corners = outline.map { "\($0.0),\($0.1)" as HTML }
        return "<polygon class=\"band\" fill=\"\(Palette.variable(series.slot))\" points=\"\(Self.joined(corners))\"/>"
    }

    private func curve(_ series: Series, _ frame: Frame) -> HTML {
        let colour = Palette.variable(series.slot)
        let places = series.points.map { point -> (x: Double, y: Double)? in
            guard let x = frame.horizontal(point.x), let y = frame.vertical(point.y) else { return nil }
            return (x, y)
        }
        var result: HTML = ""
        if series.form != .cloud {
            let form = series.form == .brokenLine ? "curve broken" : series.form == .points ? "curve thin" : "curve"
            let dash = series.form == .line ? Palette.dash(series.slot) : nil
            let style: HTML = dash.map { " stroke-dasharray=\"\($0)\"" } ?? ""
            result += "<path class=\"\(form)\" stroke=\"\(colour)\"\(style) d=\"\(Self.path(places))\"/>"
        }
        // A value without neighbours would not show as a line.
        let isAlone = { (index: Int) in
            (index == 0 || places[index - 1] == nil) && (index + 1 == places.count || places[index + 1] == nil)
        }
        for (index, place) in places.enumerated() {
            guard let place else { continue }
            let point = series.points[index]
            let isPoint = series.form == .points || series.form == .cloud
            guard isPoint || isAlone(index) else { continue }
            if isPoint { result += bar(point, at: place.x, colour, frame) }
            let title: HTML = isPoint ? "<title>\(title(point, of: series))</title>" : ""
            result +=
                "<circle class=\"dot\" fill=\"\(colour)\" cx=\"\(place.x)\" cy=\"\(place.y)\" r=\"3.5\">\(title)</circle>"
            if let label = point.label, isPoint {
                let isRight = place.x < (frame.left + frame.right) / 2
                result += """
                    <text class="note" x="\(place.x + (isRight ? 7 : -7))" y="\(max(place.y - 6, frame.top + 8))" \
                    text-anchor="\(isRight ? "start" : "end")">\(label)</text>
                    """
            }
        }
        return result
    }

    private func title(_ point: Point, of series: Series) -> String {
        let interval = point.low.flatMap { low in
            point.high.map { " (\(y.style.text(low)) to \(y.style.text($0)))" }
        }
        return "\(series.name): \(y.style.text(point.y))\(interval ?? "") at \(x.style.text(point.x))"
    }

    private func bar(_ point: Point, at x: Double, _ colour: String, _ frame: Frame) -> HTML {
        guard let low = point.low.flatMap(frame.vertical), let high = point.high.flatMap(frame.vertical) else {
            return ""
        }
        return """
            <path class="bar" stroke="\(colour)" d="M\(x) \(low)V\(high)M\(x - 3) \(low)H\(x + 3)M\(x - 3) \(high)H\(x + 3)"/>
            """
    }

    /// A path that begins anew after every place that is missing.
    private static func path(_ places: [(x: Double, y: Double)?]) -> HTML {
        var result: HTML = ""
        var isDrawing = false
        for place in places {
            guard let place else {
                isDrawing = false
                continue
            }
            result += isDrawing ? "L\(place.x) \(place.y)" : "M\(place.x) \(place.y)"
            isDrawing = true
        }
        return result
    }

    private static func joined(_ parts: [HTML]) -> HTML {
        var result: HTML = ""
        for (index, part) in parts.enumerated() { result += index == 0 ? part : " \(part)" }
        return result
    }
}
