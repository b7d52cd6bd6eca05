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

    /// - Parameter message: what it quotes may come from anywhere: of a message of more than 8 KiB the middle is left out.
    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        let excess = message.utf8.count > 8192
        self.message = excess ? "\(message.prefix(1500)) … \(message.suffix(500))" : message
    }

    /// The process exit code, 64 to 78.
    public var exitCode: Int32 { kind.rawValue }
    public var description: String { message }
}
