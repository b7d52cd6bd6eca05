// The one error type that reaches a user: a sentence and an exit code. Not here: recovery, logging, printing.

/// What went wrong, in one sentence that names what, where and what to do next, and the exit code that says it to a launcher.
public struct Failure: Error, CustomStringConvertible, Sendable {
    /// Kinds of failure with the exit code of each (`sysexits.h`).
    public enum Kind: Int32, Sendable, CaseIterable {
        /// The command line is wrong.
        case usage = 64
        /// An input exists but its content is wrong.
        case data = 65
        /// An input does not exist or cannot be opened.
        case inputMissing = 66
        /// A contract inside the program was broken.
        case `internal` = 70
        /// An output cannot be created.
        case cannotCreate = 73
        /// Reading or writing failed half-way.
        case inputOutput = 74
        /// The job stopped early and can be resumed: signal, deadline, lost peer.
        case resumable = 75
        /// The configuration is wrong.
        case configuration = 78
    }

    public let kind: Kind
    /// The sentence shown to the user, without prefix or final newline.
    public let message: String

    /// - Parameter message: what it quotes may come from anywhere: of a message of more than 8 KiB the middle is left out, and control
    ///   characters are escaped. Only the kinds that tell of several mistakes, `usage` and `configuration`, have several lines.
    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        let excess = message.utf8.count > 8192
        let bounded = excess ? "\(message.prefix(1500)) … \(message.suffix(500))" : message
        self.message = Failure.printable(bounded, keepsLines: kind == .usage || kind == .configuration)
    }

    /// A text whose control characters are escaped, as `\n` or `\x1b`: a quotation stays in its line and changes no terminal.
    public static func printable(_ text: String, keepsLines: Bool = false) -> String {
        func isControl(_ scalar: Unicode.Scalar) -> Bool {
            scalar.properties.generalCategory == .control && !(keepsLines && scalar == "\n")
        }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            guard isControl(scalar) else {
                result.append(scalar)
                continue
            }
            switch scalar {
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\r": result.append(contentsOf: "\\r".unicodeScalars)
            case "\t": result.append(contentsOf: "\\t".unicodeScalars)
            default:
                let digits = String(scalar.value, radix: 16)
                result.append(contentsOf: "\\x\(digits.count < 2 ? "0" : "")\(digits)".unicodeScalars)
            }
        }
        return String(result)
    }

    /// The process exit code, 64 to 78.
    public var exitCode: Int32 { kind.rawValue }
    public var description: String { message }
}
