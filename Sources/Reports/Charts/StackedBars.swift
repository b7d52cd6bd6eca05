// Shares of a whole, a bar for each whole. Not here: legend and table (Figure.swift).

/// Horizontal bars of equal length, cut into shares.
public struct StackedBars: Sendable {
    public struct Bar: Sendable {
        public var name: String
        /// One for each part, in their order; of any unit, negative or unknown ones count as 0.
        public var amounts: [Double]

        public init(_ name: String, _ amounts: [Double]) { (self.name, self.amounts) = (name, amounts) }
    }

    public var parts: [String]
    public var bars: [Bar]
    public var style: NumberStyle

    public init(parts: [String], bars: [Bar], style: NumberStyle = .plain) {
        (self.parts, self.bars, self.style) = (parts, bars, style)
    }

    static func amount(_ value: Double) -> Double { value.isFinite && value > 0 ? value : 0 }

    public var isEmpty: Bool { !bars.contains { $0.amounts.contains { Self.amount($0) > 0 } } }

    /// The bars as SVG, a name above each.
    public func markup(_ description: String) -> HTML {
        var content: HTML = ""
        let (left, right, pitch, thickness) = (4.0, Frame.width - 4, 46.0, 22.0)
        for (index, bar) in bars.enumerated() {
            let top = Double(index) * pitch + 20
            let total = bar.amounts.reduce(0) { $0 + Self.amount($1) }
            content +=
                "<text class=\"label\" x=\"\(left)\" y=\"\(top - 6)\">\(Frame.fitted(bar.name, room: 270))</text>"
            content += """
                <text class="tick" x="\(right)" y="\(top - 6)" text-anchor="end">\(style.text(total, digits: 3))</text>
                """
            guard total > 0 else { continue }
            var start = left
            for (part, value) in zip(parts.indices, bar.amounts) where Self.amount(value) > 0 {
                let share = Self.amount(value) / total
                let width = share * (right - left)
                let text =
                    "\(parts[part]): \(style.text(value, digits: 3)), \(NumberStyle.percent.text(share, digits: 2))"
                content += """
                    <rect class="part" fill="\(Palette.variable(part))" x="\(start)" y="\(top)" width="\(width)" \
                    height="\(thickness)"><title>\(text)</title></rect>
                    """
                let label = NumberStyle.percent.text(share, digits: 2)
                if width > Frame.width(of: label) + 8 {
                    content += """
                        <text class="inside" x="\(start + width / 2)" y="\(top + 15)" text-anchor="middle">\(label)</text>
                        """
                }
                start += width
            }
        }
        return drawing(height: Double(bars.count) * pitch + 4, describedAs: description, content)
    }
}
