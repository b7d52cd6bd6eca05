// From values to positions along an axis, and where its ticks stand. Not here: drawing (Frame.swift).

import Foundation

/// How an axis spreads its values.
public enum ScaleKind: Sendable, Equatable {
    case linear
    /// Values must be positive; others are left out.
    case logarithmic
    /// Linear within ±threshold, logarithmic outside, so that 0 has a place beside powers of ten.
    case symmetricLogarithmic(threshold: Double)
}

/// A mark on an axis.
struct Tick: Equatable {
    var value: Double
    var label: String
}

/// An axis's values on the interval 0 … 1.
struct Scale: Equatable {
    let kind: ScaleKind
    let lower: Double
    let upper: Double

    /// A scale that holds all `values` it can, with a little room at both ends where it is linear.
    ///
    /// - Parameters:
    ///   - includesZero: whether a linear scale begins at 0 at the latest.
    ///   - limits: values the scale may not leave: a share stays within 0 … 1.
    init(_ kind: ScaleKind, holding values: [Double], includesZero: Bool = false, limits: ClosedRange<Double>? = nil) {
        self.kind = kind
        var shown = values.filter { Self.fits($0, kind) }
        if includesZero, kind == .linear { shown.append(0) }
        let (least, greatest) = (shown.min() ?? (kind == .logarithmic ? 1 : 0), shown.max() ?? 1)
        switch kind {
        case .linear:
            // Flat data get room of their own size, or of 1 around 0.
            let spread = greatest - least
            let isFlat = !(spread > max(abs(greatest), abs(least)) * 1e-12)
            let room = isFlat ? (greatest == 0 ? 1 : abs(greatest) * 0.1) : spread * 0.04
            var (low, high) = (least - room, greatest + room)
            if includesZero, least == 0 { low = 0 }
            if let limits {
                if least >= limits.lowerBound { low = max(low, limits.lowerBound) }
                if greatest <= limits.upperBound { high = min(high, limits.upperBound) }
            }
            (lower, upper) = low < high ? (low, high) : (low, low + 1)
        case .logarithmic:
            let room = greatest / least < 1.5 ? 1.5 : pow(greatest / least, 0.04)
            (lower, upper) = (max(least / room, .leastNormalMagnitude), min(greatest * room, .greatestFiniteMagnitude))
        case .symmetricLogarithmic(let threshold):
            precondition(threshold > 0, "a threshold of \(threshold)")
            let low = Self.forward(least, kind), high = Self.forward(greatest, kind)
            let room = max((high - low) * 0.04, 0.05)
            (lower, upper) = (
                max(Self.backward(low - room, kind), -.greatestFiniteMagnitude),
                min(Self.backward(high + room, kind), .greatestFiniteMagnitude)
            )
        }
    }

    private static func fits(_ value: Double, _ kind: ScaleKind) -> Bool {
        value.isFinite && abs(value) < 1e300 && (kind != .logarithmic || value > 1e-300)
    }

    /// Where a value lies, 0 at the lower end and 1 at the upper; nil when it has no place on this scale.
    func position(_ value: Double) -> Double? {
        guard Self.fits(value, kind) else { return nil }
        let (low, high) = (Self.forward(lower, kind), Self.forward(upper, kind))
        return (Self.forward(value, kind) - low) / (high - low)
    }

    private static func forward(_ value: Double, _ kind: ScaleKind) -> Double {
        switch kind {
        case .linear: return value
        case .logarithmic: return log10(value)
        case .symmetricLogarithmic(let threshold):
            let magnitude = abs(value) / threshold
            return magnitude <= 1 ? value / threshold : (value < 0 ? -1 : 1) * (1 + log10(magnitude))
        }
    }

    private static func backward(_ value: Double, _ kind: ScaleKind) -> Double {
        switch kind {
        case .linear: return value
        case .logarithmic: return pow(10, value)
        case .symmetricLogarithmic(let threshold):
            return abs(value) <= 1 ? value * threshold : (value < 0 ? -1 : 1) * threshold * pow(10, abs(value) - 1)
        }
    }

    /// About `count` marks with their labels; never two with one label.
    func ticks(_ count: Int, style: NumberStyle) -> [Tick] {
        let values: [Double]
        switch kind {
        case .linear: values = Self.roundNumbers(lower, upper, count, whole: style == .whole, style: style)
        case .logarithmic: values = Self.powers(lower, upper, count)
        case .symmetricLogarithmic(let threshold):
            let positive = upper > threshold ? Self.powers(threshold, upper, count) : []
            let negative = lower < -threshold ? Self.powers(threshold, -lower, count).map { -$0 } : []
            values = (negative + (lower <= 0 && upper >= 0 ? [0] : []) + positive).sorted()
        }
        var seen: Set<String> = []
        return values.map { Tick(value: $0, label: style.text($0, digits: 6)) }.filter {
            seen.insert($0.label).inserted
        }
    }

    /// Multiples of 1, 2 or 5 times a power of ten within the interval.
    private static func roundNumbers(_ low: Double, _ high: Double, _ count: Int, whole: Bool, style: NumberStyle)
        -> [Double]
    {
        let base: Double = style == .bytes ? pow(1024, floor(log(max(high, 1)) / log(1024))) : 1
        let (low, high) = (low / base, high / base)
        // A little finer: the ends rarely lie on a mark.
        let rough = 0.8 * (high - low) / Double(max(count, 1))
        let unit = pow(10, floor(log10(rough)))
        var step = ([1, 2, 5, 10].first { $0 * unit >= rough } ?? 10) * unit
        if whole { step = max(step.rounded(), 1) }
        guard step > 0, step.isFinite, (high - low) / step < 1000 else { return [low * base, high * base] }
        let first = (low / step - 1e-9).rounded(.up), last = (high / step + 1e-9).rounded(.down)
        guard first <= last else { return [] }
        // Divide by the inverse where that is exact: 3 · 0.1 is not 0.3.
        let inverse = (1 / step).rounded()
        return stride(from: first, through: last, by: 1).map { (index: Double) -> Double in
            (step < 1 ? index / inverse : index * step) * base
        }
    }

    /// Powers of ten within the interval, with round numbers between them where there are few, or every other one where there are many.
    private static func powers(_ low: Double, _ high: Double, _ count: Int) -> [Double] {
        let exponents = Int(floor(log10(low)))...Int(ceil(log10(high)))
        func values(_ factors: [Double], every: Int = 1) -> [Double] {
            let chosen = exponents.filter { $0 % every == 0 }
            return chosen.flatMap { (exponent: Int) -> [Double] in
                // 10^-1 as 1/10, so that labels are short.
                let power = pow(10, Double(abs(exponent)))
                return factors.map { (factor: Double) -> Double in exponent < 0 ? factor / power : factor * power }
            }.filter { $0 >= low * (1 - 1e-9) && $0 <= high * (1 + 1e-9) }
        }
        for factors in [[1, 1.5, 2, 3, 4, 5, 6, 8], [1, 2, 5], [1]] {
            let found = values(factors)
            if found.count <= count + 2 { return found }
        }
        // Their ratio may be beyond all numbers.
        let decades = log10(high) - log10(low)
        return values([1], every: max(2, Int((decades / Double(max(count, 1)) - 0.2).rounded(.up))))
    }
}
