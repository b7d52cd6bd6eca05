// The figures of one run's spectra: over time, by direction, against the noise. Not here: other figures (RunFigures.swift).
//
// m rows of the global batch, n dimensions, σ_j singular values, S_j gains, α strength.

import Foundation

/// Charts of the spectra of one run.
struct SpectrumFigures {
    let spectra: [SpectrumRecord]

    private static let names = ["query": "Queries", "target": "Targets"]

    var figures: [Figure] {
        ["query", "target"].flatMap { side -> [Figure] in
            // The last batch of an epoch may be a short one, whose spectrum is no other batch's.
            let rows = spectra.filter { $0.side == side }.map(\.rows).max()
            let records = spectra.filter { $0.side == side && $0.rows == rows }
            guard let last = records.last, let name = Self.names[side], !last.directions.isEmpty else { return [] }
            return [overTime(records, last, name), byDirection(records, last, name), energy(last, name)]
        }
    }

    /// The noise bulk and the threshold of the last record: α and the batch rarely change.
    private func marks(_ last: SpectrumRecord) -> [LineChart.Mark] {
        guard last.strength > 0 else { return [] }
        return [
            .zone(last.bulk.lower, last.bulk.upper, name: "noise bulk α(1 ± √(m/n))"),
            .line(last.threshold, name: "detection threshold (m/n)^¼ α"),
        ]
    }

    /// σ of a few directions over the steps.
    private func overTime(_ records: [SpectrumRecord], _ last: SpectrumRecord, _ name: String) -> Figure {
        let series = Self.telling(last.directions, 6).enumerated().map { slot, direction in
            let values = records.compactMap { record -> (step: Int, value: Double)? in
                guard let place = record.directions.firstIndex(of: direction), record.singularValues[place] > 0 else {
                    return nil
                }
                return (record.step, record.singularValues[place])
            }
            return LineChart.Series.curve(
                "σ of direction \(NumberStyle.whole.text(Double(direction)))", values, slot: slot)
        }
        return Figure(
            "\(name): singular spectrum over time",
            caption:
                "Singular values of the global batch of \(last.rows) × \(last.columns). Directions under the threshold are hidden "
                + "by isotropic noise of this strength, α = \(NumberStyle.plain.text(last.strength)).",
            LineChart(
                x: Axis("step", style: .whole), y: Axis("singular value σ", scale: .logarithmic), series: series,
                marks: marks(last)))
    }

    /// The whole spectrum at the first, a middle and the last record.
    private func byDirection(_ records: [SpectrumRecord], _ last: SpectrumRecord, _ name: String) -> Figure {
        let shown = Self.spread(records.count, 3).map { records[$0] }
        let series = shown.enumerated().map { slot, record in
            LineChart.Series(
                "step \(NumberStyle.whole.text(Double(record.step)))",
                zip(record.directions, record.singularValues).filter { $0.1 > 0 }.map { .init(Double($0.0), $0.1) },
                slot: slot)
        }
        return Figure(
            "\(name): spectrum by direction", caption: "From the strongest direction to the weakest.",
            LineChart(
                x: Axis("direction", scale: .logarithmic, style: .whole),
                y: Axis("singular value σ", scale: .logarithmic),
                series: series, marks: marks(last)))
    }

    /// Mean energy of a row along each direction: σ_j²/m of the signal, α² S_j²/n of the noise.
    private func energy(_ last: SpectrumRecord, _ name: String) -> Figure {
        let (m, n) = (Double(last.rows), Double(last.columns))
        let signal = zip(last.directions, last.singularValues).map { LineChart.Point(Double($0.0), $0.1 * $0.1 / m) }
        let noise = zip(last.directions, last.gains).map { direction, gain in
            LineChart.Point(Double(direction), last.strength * last.strength * gain * gain / n)
        }
        return Figure(
            "\(name): noise energy per direction",
            caption:
                "Expected energy of a row along each direction at step \(NumberStyle.whole.text(Double(last.step))), σ²/m of the "
                + "representations and α²S²/n of the noise.",
            LineChart(
                x: Axis("direction", scale: .logarithmic, style: .whole),
                y: Axis("energy of a row", scale: .logarithmic),
                series: [.init("representations", signal, slot: 0), .init("noise", noise, slot: 1)]))
    }

    /// At most `count` of the directions, each as many times the one before: the first ones matter most.
    static func telling(_ directions: [Int], _ count: Int) -> [Int] {
        guard let last = directions.last, directions.count > count else { return directions }
        var result: [Int] = []
        for place in 0..<count {
            let wanted = pow(Double(last), Double(place) / Double(count - 1))
            if let next = directions.first(where: { Double($0) >= wanted - 0.5 && $0 > (result.last ?? 0) }) {
                result.append(next)
            }
        }
        return result
    }

    /// At most `count` indices of 0 ..< total, evenly from the first to the last.
    static func spread(_ total: Int, _ count: Int) -> [Int] {
        guard total > count else { return Array(0..<total) }
        return (0..<count).map { $0 * (total - 1) / (count - 1) }
    }
}
