// Long curves as short ones that keep their mean and range. Not here: drawing.

extension LineChart.Series {
    /// A curve of more points is drawn with half as many.
    static let maximumPoints = 300

    /// A curve over steps. Of more than `maximumPoints` values, groups of neighbours become one point: their mean, with their range
    /// as its interval.
    static func curve(
        _ name: String, _ values: [(step: Int, value: Double)], slot: Int, form: LineChart.Form = .line
    ) -> LineChart.Series {
        guard values.count > maximumPoints else {
            return LineChart.Series(name, values.map { .init(Double($0.step), $0.value) }, slot: slot, form: form)
        }
        let kept = maximumPoints / 2
        let points = (0..<kept).map { index -> LineChart.Point in
            let group = values[index * values.count / kept..<(index + 1) * values.count / kept]
            let numbers = group.map(\.value), count = Double(group.count)
            return LineChart.Point(
                group.reduce(0) { $0 + Double($1.step) / count }.rounded(), numbers.reduce(0) { $0 + $1 / count },
                low: numbers.min(), high: numbers.max())
        }
        return LineChart.Series(name, points, slot: slot, form: form)
    }
}
