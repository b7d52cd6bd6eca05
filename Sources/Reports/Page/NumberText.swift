// Numbers as people read them. Not here: which numbers (Charts, the pages).

import Foundation

/// How the numbers of an axis or a column are written.
public enum NumberStyle: Sendable, Equatable {
    /// So many significant digits, thousands apart; powers of ten where the number is very large or small.
    case plain
    /// A whole number, thousands apart.
    case whole
    /// A share as a percentage.
    case percent
    /// A difference of shares in percentage points, with its sign.
    case points
    /// A difference, with its sign.
    case signed
    /// Bytes with a binary unit.
    case bytes
    /// Seconds with a fitting unit.
    case seconds

    /// The number, or an en dash for one that is not finite.
    /// - Parameter digits: significant digits where the style has any.
    public func text(_ value: Double, digits: Int = 4) -> String {
        guard value.isFinite else { return "–" }
        switch self {
        case .plain: return Self.significant(value, digits)
        case .whole: return abs(value) < 1e15 ? Self.grouped(value, decimals: 0) : Self.significant(value, digits)
        case .percent: return Self.significant(value * 100, digits) + "\u{202F}%"
        case .points: return (value > 0 ? "+" : "") + Self.significant(value * 100, digits) + "\u{202F}pp"
        case .signed: return (value > 0 ? "+" : "") + Self.significant(value, digits)
        case .bytes: return Self.scaled(value, digits, Self.byteUnits)
        case .seconds: return Self.scaled(value, digits, Self.timeUnits)
        }
    }

    private typealias Unit = (size: Double, name: String)
    private static let byteUnits: [Unit] = [
        (1_099_511_627_776, "TiB"), (1_073_741_824, "GiB"), (1_048_576, "MiB"), (1024, "KiB"), (1, "B"),
    ]
    private static let timeUnits: [Unit] = [(3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs")]

    /// The largest unit that leaves a number of at least 1; the last one serves whatever is below.
    private static func scaled(_ value: Double, _ digits: Int, _ units: [Unit]) -> String {
        let unit = units.first { abs(value) >= $0.size } ?? units[units.count - 1]
        return significant(value / unit.size, digits) + "\u{202F}" + unit.name
    }

    /// `digits` significant digits without trailing zeros.
    private static func significant(_ value: Double, _ digits: Int) -> String {
        guard value != 0 else { return "0" }
        // What was finite may not be as a percentage.
        guard value.isFinite else { return "–" }
        let exponent = Int(floor(log10(abs(value))))
        if exponent < -4 || exponent > 8 {
            let parts = String(format: "%.\(max(0, digits - 1))e", value).split(separator: "e")
            let (factor, power) = (trimmed(String(parts[0])), "10" + superscript(Int(parts[1]) ?? 0))
            return (factor == "1" ? power : factor == "-1" ? "−" + power : "\(factor)·\(power)").replacing(
                "-", with: "−")
        }
        return trimmed(grouped(value, decimals: max(0, digits - 1 - exponent)))
    }

    private static func trimmed(_ text: String) -> String {
        guard text.contains(".") else { return text }
        let short = text.reversed().drop { $0 == "0" }
        return String((short.first == "." ? short.dropFirst() : short).reversed())
    }

    /// With commas between thousands and a real minus sign.
    static func grouped(_ value: Double, decimals: Int) -> String {
        let text = String(format: "%.\(decimals)f", abs(value))
        let parts = text.split(separator: ".", maxSplits: 1)
        var whole = Array(parts[0])
        if whole.count > 3 {
            for place in stride(from: whole.count - 3, to: 0, by: -3) { whole.insert(",", at: place) }
        }
        let isZero = !text.contains { $0 != "0" && $0 != "." }
        return (value < 0 && !isZero ? "−" : "") + String(whole) + (parts.count > 1 ? "." + parts[1] : "")
    }

    static func superscript(_ number: Int) -> String {
        let digits = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
        return String(String(number).map { $0 == "-" ? "⁻" : digits[$0.wholeNumberValue ?? 0] })
    }
}
