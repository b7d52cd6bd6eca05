// The part that all charts with two number axes share: plot area, grid, ticks, labels. Not here: what is drawn inside.

/// What an axis is called and how it counts.
public struct Axis: Sendable {
    public var label: String
    public var scale: ScaleKind
    public var style: NumberStyle
    /// Whether a linear axis shows 0.
    public var includesZero: Bool
    /// What a linear axis does not go beyond as long as no value does.
    public var limits: ClosedRange<Double>?

    public init(
        _ label: String, scale: ScaleKind = .linear, style: NumberStyle = .plain, includesZero: Bool = false,
        limits: ClosedRange<Double>? = nil
    ) {
        self.label = label
        self.scale = scale
        self.style = style
        self.includesZero = includesZero
        self.limits = limits
    }
}

/// Two axes around a plot area, in the units of the SVG's view box.
struct Frame {
    static let width = 360.0
    let height: Double
    let x: Scale
    let y: Scale
    private let xTicks: [Tick]
    private let yTicks: [Tick]
    private let xAxis: Axis
    private let yAxis: Axis
    let left: Double
    let right: Double
    let top = 10.0
    let bottom: Double

    init(x xAxis: Axis, _ xValues: [Double], y yAxis: Axis, _ yValues: [Double], height: Double = 228) {
        self.height = height
        (self.xAxis, self.yAxis) = (xAxis, yAxis)
        x = Scale(xAxis.scale, holding: xValues, includesZero: xAxis.includesZero, limits: xAxis.limits)
        y = Scale(yAxis.scale, holding: yValues, includesZero: yAxis.includesZero, limits: yAxis.limits)
        yTicks = y.ticks(5, style: yAxis.style)
        left = 30 + (yTicks.map { Self.width(of: $0.label) }.max() ?? 0)
        right = Self.width - 14
        bottom = height - 40
        // As many as have room beside each other.
        let scale = x
        let room = right - left
        xTicks =
            [6, 5, 4, 3, 2, 1].lazy.map { scale.ticks($0, style: xAxis.style) }.first { ticks in
                let widths = ticks.map { Self.width(of: $0.label) }
                let places = ticks.compactMap { scale.position($0.value).map { $0 * room } }
                return places.count < 2
                    || zip(places.indices.dropFirst(), places.indices).allSatisfy {
                        places[$0] - places[$1] > (widths[$0] + widths[$1]) / 2 + 8
                    }
            } ?? []
    }

    /// About how wide a label of 11 units is set.
    static func width(of text: String) -> Double {
        text.reduce(0) { $0 + (".,\u{202F}".contains($1) ? 3.2 : $1 == "%" ? 10 : 6.6) }
    }

    /// A label that is cut with an ellipsis where it is wider than `room`.
    static func fitted(_ text: String, room: Double) -> String {
        guard width(of: text) > room else { return text }
        var short = text
        while !short.isEmpty, width(of: short) > room - 7 { short.removeLast() }
        return short + "…"
    }

    func horizontal(_ value: Double) -> Double? { x.position(value).map { left + $0 * (right - left) } }

    /// Where a value stands; those beyond an end stand at it.
    func vertical(_ value: Double) -> Double? {
        y.position(value).map { bottom - min(max($0, -0.02), 1.02) * (bottom - top) }
    }

    /// Grid, ticks and labels, below what is drawn.
    var markup: HTML {
        var result: HTML = ""
        for tick in yTicks {
            guard let place = vertical(tick.value) else { continue }
            result += "<line class=\"grid\" x1=\"\(left)\" x2=\"\(right)\" y1=\"\(place)\" y2=\"\(place)\"/>"
            result +=
                "<text class=\"tick\" x=\"\(left - 6)\" y=\"\(place + 4)\" text-anchor=\"end\">\(tick.label)</text>"
        }
        for tick in xTicks {
            guard let place = horizontal(tick.value) else { continue }
            result += "<line class=\"axis\" x1=\"\(place)\" x2=\"\(place)\" y1=\"\(bottom)\" y2=\"\(bottom + 4)\"/>"
            // The last label keeps within the picture.
            let centre = min(place, Self.width - 2 - Self.width(of: tick.label) / 2)
            result +=
                "<text class=\"tick\" x=\"\(centre)\" y=\"\(bottom + 17)\" text-anchor=\"middle\">\(tick.label)</text>"
        }
        let middle = (left + right) / 2, centre = (top + bottom) / 2
        result += "<line class=\"axis\" x1=\"\(left)\" x2=\"\(right)\" y1=\"\(bottom)\" y2=\"\(bottom)\"/>"
        result +=
            "<text class=\"label\" x=\"\(middle)\" y=\"\(height - 6)\" text-anchor=\"middle\">\(xAxis.label)</text>"
        result += """
            <text class="label" x="12" y="\(centre)" text-anchor="middle" transform="rotate(-90 12 \(centre))">\(yAxis.label)</text>
            """
        return result
    }
}

/// An SVG that takes the width it is given.
func drawing(width: Double = Frame.width, height: Double, describedAs description: String, _ content: HTML) -> HTML {
    """
    <svg viewBox="0 0 \(width) \(height)" role="img" aria-label="\(description)">\(content)</svg>
    """
}
