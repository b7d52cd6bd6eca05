// Values of named things side by side, each with its interval. Not here: values over a number (LineChart.swift).

/// One line a name: a dot, the interval it may lie in, and smaller dots for what it is the mean of.
public struct DotChart: Sendable {
    public struct Row: Sendable {
        public var name: String
        public var value: Double
        public var low: Double?
        public var high: Double?
        /// Single observations.
        public var observations: [Double]
        public var slot: Int

        public init(
            _ name: String, _ value: Double, low: Double? = nil, high: Double? = nil, observations: [Double] = [],
            slot: Int = 0
        ) {
            (self.name, self.value, self.low, self.high) = (name, value, low, high)
            (self.observations, self.slot) = (observations, slot)
        }
    }

    public var axis: Axis
    public var rows: [Row]
    /// A value to compare with: no difference, chance, the baseline.
    public var reference: (value: Double, name: String)?

    public init(axis: Axis, rows: [Row], reference: (value: Double, name: String)? = nil) {
        (self.axis, self.rows, self.reference) = (axis, rows, reference)
    }

    public var isEmpty: Bool { !rows.contains { $0.value.isFinite } }

    private static let pitch = 40.0

    /// The rows as SVG; each name stands above its line, so that long ones have room.
    public func markup(_ description: String) -> HTML {
        let values = rows.flatMap { [$0.value, $0.low ?? $0.value, $0.high ?? $0.value] + $0.observations }
        let scale = Scale(
            axis.scale, holding: values + (reference.map { [$0.value] } ?? []), includesZero: axis.includesZero,
            limits: axis.limits)
        let (left, right, top) = (10.0, Frame.width - 10, 6.0)
        let bottom = top + Double(rows.count) * Self.pitch
        let place = { (value: Double) in scale.position(value).map { left + $0 * (right - left) } }
        var content: HTML = ""
        let ticks =
            [6, 5, 4, 3, 2].lazy.map { scale.ticks($0, style: axis.style) }.first { ticks in
                ticks.reduce(0) { $0 + Frame.width(of: $1.label) + 14 } < right - left
            } ?? []
        for tick in ticks {
            guard let x = place(tick.value) else { continue }
            let half = Frame.width(of: tick.label) / 2
            content += "<line class=\"grid\" x1=\"\(x)\" x2=\"\(x)\" y1=\"\(top)\" y2=\"\(bottom)\"/>"
            content += """
                <text class="tick" x="\(min(max(x, half + 1), Frame.width - half - 1))" y="\(bottom + 16)" \
                text-anchor="middle">\(tick.label)</text>
                """
        }
        if let x = reference.flatMap({ place($0.value) }) {
            content += "<line class=\"mark\" x1=\"\(x)\" x2=\"\(x)\" y1=\"\(top)\" y2=\"\(bottom)\"/>"
        }
        for (index, row) in rows.enumerated() {
            content += draw(row, at: top + Double(index) * Self.pitch, place, left: left, right: right)
        }
        content += "<line class=\"axis\" x1=\"\(left)\" x2=\"\(right)\" y1=\"\(bottom)\" y2=\"\(bottom)\"/>"
        content += """
            <text class="label" x="\((left + right) / 2)" y="\(bottom + 34)" text-anchor="middle">\(axis.label)</text>
            """
        return drawing(height: bottom + 42, describedAs: description, content)
    }

    private func draw(_ row: Row, at top: Double, _ place: (Double) -> Double?, left: Double, right: Double) -> HTML {
        let colour = Palette.variable(row.slot)
        let y = top + 28
        let low = row.low ?? .nan, high = row.high ?? .nan
        let interval = low.isFinite && high.isFinite ? " (\(axis.style.text(low)) to \(axis.style.text(high)))" : ""
        let text = axis.style.text(row.value, digits: 3)
        let room = right - left - 12
        let name = Frame.fitted(row.name, room: room - Frame.width(of: text))
        var result: HTML = """
            <text class="label" x="\(left)" y="\(top + 15)">\(name)</text>\
            <text class="tick" x="\(right)" y="\(top + 15)" text-anchor="end">\(text)</text>
            """
        for x in row.observations.compactMap(place) {
            result += "<circle class=\"faint\" fill=\"\(colour)\" cx=\"\(x)\" cy=\"\(y)\" r=\"2.5\"/>"
        }
        if let from = place(low), let to = place(high) {
            result += """
                <path class="bar" stroke="\(colour)" d="M\(from) \(y)H\(to)M\(from) \(y - 4)V\(y + 4)M\(to) \(y - 4)V\(y + 4)"/>
                """
        }
        guard let x = place(row.value) else { return result }
        result += """
            <circle class="dot" fill="\(colour)" cx="\(x)" cy="\(y)" r="4.5">\
            <title>\(row.name): \(axis.style.text(row.value))\(interval)</title></circle>
            """
        return result
    }
}
