// Markup that cannot carry what a user wrote: text put into it is escaped by its type. Not here: any page.

/// A piece of HTML or SVG.
///
/// A literal is markup; a `String` put into it is text, and escaped; another `HTML` is put in as it is.
///
/// ```
/// let row: HTML = "<td title=\"\(name)\">\(value)</td>"
/// ```
public struct HTML: Sendable, Equatable, ExpressibleByStringInterpolation {
    public private(set) var text: String

    public init(stringLiteral value: String) { text = value }

    public init(stringInterpolation: Interpolation) { text = stringInterpolation.text }

    /// Pieces one after the other.
    public init(_ parts: [HTML]) { text = parts.map(\.text).joined() }

    public static func += (left: inout HTML, right: HTML) { left.text += right.text }

    /// Collects literals as they are and values escaped.
    public struct Interpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        public init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }

        public mutating func appendLiteral(_ literal: String) { text += literal }
        public mutating func appendInterpolation(_ markup: HTML) { text += markup.text }
        public mutating func appendInterpolation(_ parts: [HTML]) { for part in parts { text += part.text } }
        public mutating func appendInterpolation(_ words: String) { text += HTML.escaped(words) }
        public mutating func appendInterpolation(_ number: Int) { text += String(number) }

        /// A length in the units of an SVG: two decimals.
        public mutating func appendInterpolation(_ length: Double) { text += HTML.length(length) }
    }

    /// Text for content and for quoted attributes. Control characters, which HTML forbids, become the replacement character.
    static func escaped(_ words: String) -> String {
        var result = ""
        result.reserveCapacity(words.utf8.count)
        for scalar in words.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case "\n", "\t": result.unicodeScalars.append(scalar)
            case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value): result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func length(_ value: Double) -> String {
        precondition(value.isFinite, "a length of \(value)")
        let hundredths = (value * 100).rounded()
        guard abs(hundredths) < 1e15 else { return "\(value)" }
        let number = hundredths / 100
        return number == number.rounded() ? String(Int(number)) : String(number)
    }
}
