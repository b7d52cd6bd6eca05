// One line of a run's spectra.jsonl: the singular values of a side's batch and the noise that was made of them. Not here: their
// computation (FANoise), when they are written (Training).

public import Foundation

/// The spectrum of one side at one step, thinned to few directions.
public struct SpectrumRecord: Codable, Sendable, Equatable {
    public var step: Int
    /// `query` or `target`.
    public var side: String
    /// m, rows of the global batch.
    public var rows: Int
    /// n, dimensions.
    public var columns: Int
    /// α of this step.
    public var strength: Double
    /// Of all directions.
    public var effectiveRank: Double
    /// Which directions are here, from 1 for that of the largest singular value.
    public var directions: [Int]
    /// σ of each.
    public var singularValues: [Double]
    /// S of each: the noise along direction j has the standard deviation α S_j / √n in every row.
    public var gains: [Double]

    enum CodingKeys: String, CodingKey {
        case step, side, rows, columns, strength
        case effectiveRank = "effective_rank"
        case directions
        case singularValues = "singular_values"
        case gains
    }

    /// Directions kept of a spectrum.
    public static let maximumDirections = 64

    /// Thins whole spectra: of many directions the first ones, then ever fewer, and the last. Values are kept to 5 digits.
    /// - Parameter gains: of the leading directions; `rest` is that of the others.
    public init(
        step: Int, side: String, rows: Int, columns: Int, strength: Double, effectiveRank: Double,
        singularValues: [Double],
        gains: [Double], rest: Double
    ) {
        self.step = step
        self.side = side
        self.rows = rows
        self.columns = columns
        self.strength = Self.short(strength)
        self.effectiveRank = Self.short(effectiveRank)
        let kept = Self.thinned(singularValues.count)
        directions = kept.map { $0 + 1 }
        self.singularValues = kept.map { Self.short(singularValues[$0]) }
        self.gains = kept.map { Self.short($0 < gains.count ? gains[$0] : rest) }
    }

    /// Indices of at most `maximumDirections` of `count`, denser at the start.
    static func thinned(_ count: Int) -> [Int] {
        guard count > maximumDirections else { return Array(0..<count) }
        let ratio = pow(Double(count), 1 / Double(maximumDirections - 1))
        var result: [Int] = []
        for place in 0..<maximumDirections {
            let wanted = Int(pow(ratio, Double(place)).rounded()) - 1
            // Where the powers lie closer than 1 the next index is taken; the last is always the last.
            result.append(min(max(wanted, (result.last ?? -1) + 1), count - maximumDirections + place))
        }
        return result
    }

    private static func short(_ value: Double) -> Double {
        guard value.isFinite, value != 0 else { return 0 }
        return Double(String(format: "%.4e", value)) ?? value
    }

    /// Whether the arrays belong together: files may come from anywhere.
    var isConsistent: Bool {
        directions.count == singularValues.count && directions.count == gains.count && rows > 0 && columns > 0
            && strength.isFinite && (singularValues + gains).allSatisfy(\.isFinite)
    }

    private var aspect: Double { Double(rows) / Double(columns) }

    /// Where the singular values of isotropic noise of this strength lie, α |1 − √(m/n)| … α (1 + √(m/n)).
    var bulk: (lower: Double, upper: Double) {
        (strength * abs(1 - aspect.squareRoot()), strength * (1 + aspect.squareRoot()))
    }

    /// (m/n)^{1/4} α: a singular vector below it leaves no trace in isotropic noise of this strength.
    var threshold: Double { strength * aspect.squareRoot().squareRoot() }

    /// Reads lines; those that are no spectra are left out, and a repetition after a resume replaces what it repeats.
    public static func read(_ data: Data) -> [SpectrumRecord] {
        let decoder = JSONDecoder()
        var records: [SpectrumRecord] = []
        for line in data.split(separator: UInt8(ascii: "\n")) {
            guard let record = try? decoder.decode(SpectrumRecord.self, from: line), record.isConsistent else {
                continue
            }
            if let last = records.last, record.step < last.step {
                let kept = (records.lastIndex { $0.step < record.step } ?? -1) + 1
                records.removeSubrange(kept...)
            }
            records.append(record)
        }
        return records
    }
}
